"""For whom may an organisation ask? With a list, for those on it alone; and who can only write the database puts nobody on one."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from mailer.core import evidence
from mailer.errors import RefusedError
from mailer.flow.override import orders
from mailer.flow.override import persons as override
from mailer.model import PersonName, Sender
from mailer.states import RequestState
from mailer.store import personal, persons, worklist
from mailer.store.requests import Request
from mailer.store.schema import personal as personal_rows
from mailer.store.worklist import Page, Wanted
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, DENTIST, Desk, until_done
from tests.flow.test_flow_attacks import alarms, attack
from tests.store.offices import Trial

WHY = "по звонку"
PRISHVA = PersonName(surname="Пришва", initials="А.А.")
LI = PersonName(surname="Ли", initials="К.")
THIEF = PersonName(surname="Вор", initials="В.")


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def take_in(desk: Desk, *people: PersonName, sender: Sender = CLINIC, replaces: bool = False) -> None:
    worker = desk.trial.worker()
    with desk.trial.database.reading() as tx:
        seen = override.planned(tx, {sender.code: people}, worker.pen.key, replaces=replaces)
    override.import_file(worker, {sender.code: people}, seen, replaces=replaces, reason=WHY, file_digest="0" * 64)


def shown(desk: Desk, sender: Sender = CLINIC) -> list[str | None]:
    found, fault = override.show(desk.trial.worker(), sender.code)
    assert fault is None
    return [one.value for one in found or ()]


def ask(desk: Desk, person: str, number: int, sender: Sender = CLINIC) -> Request:
    desk.take(request(person, sender.answer_to, number))
    until_done(desk.answer())
    with desk.trial.database.reading() as tx:
        return worklist.page(tx, Wanted(), Page(limit=1)).requests[0]


def unlisted(desk: Desk, person: str, number: int, sender: Sender = CLINIC) -> bool:
    found = ask(desk, person, number, sender)
    assert (found.reason == "person-unknown") == ('"person_unlisted": true' in found.facts)
    return found.reason == "person-unknown"


def test_with_a_list_only_those_on_it_are_answered_by_themselves(desk: Desk) -> None:
    assert not unlisted(desk, "Пришва А.А.", 1)
    take_in(desk, LI, PersonName(surname="Артёмов", initials="Ё.Ё."))
    assert unlisted(desk, "Пришва А.А.", 2)
    assert not unlisted(desk, "ли к", 3)
    assert not unlisted(desk, "Артемов Е.Е.", 4)
    assert not unlisted(desk, "Пришва А.А.", 5, DENTIST), "another sender has no list"
    assert "persons.distrusted" not in desk.events()


def test_a_list_loses_only_whom_a_whole_file_leaves_out(desk: Desk) -> None:
    take_in(desk, PRISHVA)
    take_in(desk, LI)
    assert shown(desk) == ["Ли К.", "Пришва А.А."]
    take_in(desk, LI, replaces=True)
    with desk.trial.database.reading() as tx:
        assert [(one.sender_code, one.listed_persons, one.fault) for one in persons.lists(tx, desk.trial.pen.key)] == [
            (CLINIC.code, 1, None)
        ]
    assert override.show(desk.trial.worker(), DENTIST.code) == (None, None)
    assert desk.events().count("persons.shown") == 2


def test_of_an_erased_person_the_list_keeps_no_name_and_a_whole_file_takes_the_rest_off(desk: Desk) -> None:
    take_in(desk, PRISHVA, LI)
    with desk.trial.database.writing() as tx:
        nothing = dict.fromkeys(("key", "value", "surname", "initials", "suffix", "salt"))
        tx.execute(update(personal_rows).where(personal_rows.c.value == PRISHVA.canonical).values(**nothing))
    assert set(shown(desk)) == {None, "Ли К."}
    assert unlisted(desk, "Пришва А.А.", 1)
    assert not unlisted(desk, "Ли К.", 2)
    assert "persons.distrusted" not in desk.events(), "who was erased is no meddling"
    take_in(desk, LI, replaces=True)
    assert shown(desk) == ["Ли К."]


IS_THIEF = f"value = '{THIEF.canonical}'"
PUT_ON = (
    "INSERT INTO listed_persons (person_id, sender_code, digest) SELECT id, '290001', {digest} FROM personal WHERE value = '{name}'"
)
TAKEN_AWAY = ["DELETE FROM listed_persons", "DELETE FROM person_lists"]
ON_THE_LIST = {
    "put on it": [PUT_ON.format(digest=":thief", name=THIEF.canonical)],
    "put on it without a digest": [PUT_ON.format(digest="NULL", name=THIEF.canonical)],
    "in another's place": [
        f"UPDATE listed_persons SET digest = :thief, person_id = (SELECT id FROM personal WHERE {IS_THIEF})",
    ],
    "the list taken away": TAKEN_AWAY,
    "another sender's now": [
        "INSERT INTO person_lists (sender_code, loaded_at) SELECT '290002', loaded_at FROM person_lists",
        "UPDATE listed_persons SET sender_code = '290002'",
        "DELETE FROM person_lists WHERE sender_code = '290001'",
    ],
    "a listed one renamed": [
        f"UPDATE personal SET key = 'gone', value = 'gone' WHERE {IS_THIEF}",
        f"UPDATE personal SET key = :key, value = '{THIEF.canonical}', surname = 'Вор', initials = 'В.' WHERE value = 'Ли К.'",
    ],
    "a listed one renamed, with the digest": [
        f"UPDATE personal SET key = 'gone', value = 'gone' WHERE {IS_THIEF}",
        f"UPDATE personal SET key = :key, value = '{THIEF.canonical}', salt = :salt WHERE value = 'Ли К.'",
        "UPDATE listed_persons SET digest = :salted",
    ],
}


@pytest.fixture
def listed(desk: Desk) -> Desk:
    """Ли is on the list, Пришва was taken off it, Вор asked before there was one: all three have rows in `personal`."""
    assert not unlisted(desk, THIEF.canonical, 1)
    take_in(desk, PRISHVA, LI)
    take_in(desk, LI, replaces=True)
    return desk


def digest_of(desk: Desk, person: PersonName) -> str | None:
    with desk.trial.database.reading() as tx:
        row = personal.find_person(tx, CLINIC.code, person)
    assert row is not None
    return row.digest


def assert_noticed(desk: Desk, person: PersonName) -> None:
    """The person is held with an alarm; only a whole list mends it, and then counts."""
    assert unlisted(desk, person.canonical, 2)
    assert ("persons.distrusted", None) in alarms(desk)
    with desk.trial.database.reading() as tx:
        assert CLINIC.code in persons.faults(tx, desk.trial.pen.key)
    told = desk.events()
    with pytest.raises(RefusedError, match="--replace"):
        take_in(desk, person)
    assert desk.events() == told
    take_in(desk, LI, replaces=True)
    with desk.trial.database.reading() as tx:
        assert persons.fault(tx, CLINIC.code, desk.trial.pen.key) is None
    assert unlisted(desk, person.canonical, 3)


@pytest.mark.parametrize("statements", ON_THE_LIST.values(), ids=ON_THE_LIST.keys())
def test_who_only_writes_the_database_puts_nobody_on_a_list(listed: Desk, statements: list[str]) -> None:
    salt = b"s" * 16
    values = {"thief": digest_of(listed, THIEF), "salted": evidence.personal_digest(salt, THIEF.canonical)}
    attack(listed, *statements, key=THIEF.key, salt=salt, **values)
    assert_noticed(listed, THIEF)


def test_who_was_taken_off_a_list_is_not_put_back(listed: Desk) -> None:
    attack(listed, PUT_ON.format(digest=":prishva", name=PRISHVA.canonical), prishva=digest_of(listed, PRISHVA))
    assert_noticed(listed, PRISHVA)


def test_a_list_from_before_lists_were_told_names_nobody_until_it_is_taken_in_whole(desk: Desk) -> None:
    assert not unlisted(desk, THIEF.canonical, 1)
    attack(
        desk,
        "INSERT INTO person_lists (sender_code, loaded_at) SELECT '290001', at FROM records WHERE seq = 1",
        PUT_ON.format(digest="NULL", name=THIEF.canonical),
    )
    assert_noticed(desk, THIEF)


def test_a_person_decides_by_a_list_only_as_it_was_written(listed: Desk) -> None:
    """`mailer issue`: who is not on the list waits as with a letter, and so does everybody once it was meddled with."""
    policy, worker = listed.policy(), listed.trial.worker()
    assert orders.issue(worker, policy, "Ли К.", CLINIC.code, reason=WHY).state is RequestState.APPROVED
    attack(listed, *TAKEN_AWAY)
    assert orders.issue(worker, policy, "Вор В.", CLINIC.code, reason=WHY).state is RequestState.HELD
