"""More of who can only write the database: rows under another's key, letters and approvals put back. Nothing leaves by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mailer.core.accounts import Standing
from mailer.errors import RefusedError
from mailer.flow.override import register as override
from mailer.flow.override import requests as decisions
from mailer.flow.override.closing import Reach
from mailer.flow.override.register import Hands
from mailer.flow.places import check
from mailer.model import PersonName
from mailer.states import LoginEffect
from mailer.store import places, requests, senders
from tests.e2e.bureau import body, request
from tests.flow.desks import CLINIC, OFFICER, Desk, password_in, until_done
from tests.flow.test_flow_attacks import THIEF, alarms, attack, recipients
from tests.flow.test_flow_persons import LI, take_in
from tests.store.offices import Trial

SALT = b"s" * 16
WHY = "по звонку"
PERSON = "Пришва А.А."
OF_CLINIC = f"kind = 'address' AND value = '{CLINIC.answer_to}'"
PLANTED = "INSERT INTO personal (kind, sender_code, key, value, salt) VALUES ('address', '{code}', '{key}', '{value}', :salt)"
PLANT = PLANTED.format(code=CLINIC.code, key=CLINIC.answer_to, value=THIEF)
PUT_BACK = "UPDATE letters SET state = 'kept', batches = 0, attempts = 0, verdict = NULL"


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def ask(desk: Desk, number: int = 1, person: str = PERSON) -> None:
    desk.take(request(person, CLINIC.answer_to, number))
    until_done(desk.answer())


def written(desk: Desk, moment: datetime) -> object:
    """As the database keeps it."""
    return moment.isoformat(timespec="microseconds") if desk.trial.database.sqlite else moment


def block(desk: Desk) -> Reach:
    hands = Hands(stationery=desk.stationery, accounts=places)
    return override.block(desk.trial.worker(), hands, CLINIC.code, until=None, effect=LoginEffect.REVOKE, reason=WHY)[1]


def unblock(desk: Desk) -> None:
    override.unblock(desk.trial.worker(), Hands(stationery=desk.stationery, accounts=places), CLINIC.code, reason=WHY)


@pytest.mark.parametrize("person", ["Ли К.", "Фамилия И.О."], ids=["a login", "a refusal"])
@pytest.mark.parametrize("answered_before", [False, True], ids=["first letter", "answered before"])
def test_an_address_is_no_other_than_its_key_says(desk: Desk, person: str, answered_before: bool) -> None:
    if answered_before:
        ask(desk)
        desk.run()
        attack(desk, f"UPDATE personal SET key = 'old' WHERE {OF_CLINIC}")
    attack(desk, PLANT, salt=SALT)
    ask(desk, 2, person)
    desk.run()
    assert set(recipients(desk)) == {CLINIC.answer_to}
    assert alarms(desk) == [("personal.distrusted", None)]


def test_nor_when_a_person_approves(desk: Desk) -> None:
    ask(desk)
    decisions.hold(desk.trial.worker(), [1], reason=WHY)
    attack(desk, f"UPDATE personal SET key = 'old' WHERE {OF_CLINIC}", PLANT, salt=SALT)
    decisions.approve(desk.trial.worker(), desk.policy(), [1], reason=WHY)
    desk.trial.clock.move(minutes=5)
    desk.run()
    assert recipients(desk) == [CLINIC.answer_to]
    assert alarms(desk) == [("personal.distrusted", None)]


def test_the_officers_letters_go_to_the_officer(desk: Desk) -> None:
    attack(desk, PLANTED.format(code="", key=OFFICER, value=THIEF), salt=SALT)
    alarm = desk.alarm()
    desk.take(request(PERSON, CLINIC.answer_to, 1))
    attack(desk, "UPDATE letters SET digest = 'x'")
    until_done(desk.answer())
    desk.trial.clock.move(minutes=2)
    alarm.step()
    desk.send()
    assert recipients(desk) == [OFFICER]


ANOTHERS_NAME = PersonName(surname="Вор", initials="В.")
UNDER_ANOTHERS_KEY = {
    "planted": "INSERT INTO personal (kind, sender_code, key, value, surname, initials, suffix, salt)"
    " VALUES ('person', '290001', :asked, 'Вор В.', 'Вор', 'В.', '', :salt)",
    "any text": "INSERT INTO personal (kind, sender_code, key, value, surname, initials, suffix, salt)"
    " VALUES ('person', '290001', :asked, 'Пришва А.А.', 'позвоните +7 900', '', '', :salt)",
}


@pytest.mark.parametrize("statement", UNDER_ANOTHERS_KEY.values(), ids=UNDER_ANOTHERS_KEY.keys())
def test_a_name_is_no_other_than_its_key_says(desk: Desk, statement: str) -> None:
    asked = PersonName(surname="Пришва", initials="А.А.")
    attack(desk, statement, asked=asked.key, salt=SALT)
    ask(desk)
    desk.run()
    assert [PERSON in body(content) for _, content in desk.postman.sent] == [True]
    assert alarms(desk) == [("personal.distrusted", None)]


def test_who_is_on_a_list_does_not_answer_to_anothers_key(desk: Desk) -> None:
    take_in(desk, LI)
    attack(desk, "UPDATE personal SET key = :key WHERE value = 'Ли К.'", key=ANOTHERS_NAME.key)
    ask(desk, person=ANOTHERS_NAME.canonical)
    desk.run()
    assert desk.postman.sent == []
    assert alarms(desk) == [("personal.distrusted", None)]


@pytest.mark.parametrize("days", [0, 400])
@pytest.mark.parametrize("decide", [lambda desk: decisions.withdraw(desk.trial.worker(), [1], reason=WHY), Desk.run])
def test_a_letter_is_decided_once(desk: Desk, decide: Callable[[Desk], object], days: int) -> None:
    ask(desk)
    decide(desk)
    sent = recipients(desk)
    desk.trial.clock.move(days=days)
    desk.run()
    attack(desk, PUT_BACK, "UPDATE requests SET letter_id = NULL")
    desk.run()
    assert recipients(desk) == sent
    assert alarms(desk) == [("letter.quarantined", None)]


@pytest.mark.parametrize("column", ["received_at", "kept_at"])
def test_an_old_letter_grows_no_younger(desk: Desk, column: str) -> None:
    desk.take(request(PERSON, CLINIC.answer_to, 1))
    desk.trial.clock.move(days=20)
    attack(desk, f"UPDATE letters SET {column} = :now", now=written(desk, desk.trial.clock()))
    desk.run()
    assert desk.postman.sent == []


def test_nobody_but_a_person_has_a_letter_put_back(desk: Desk) -> None:
    ask(desk)
    decisions.withdraw(desk.trial.worker(), [1], reason=WHY)
    long_ago = written(desk, desk.trial.clock().replace(year=2020))
    attack(
        desk,
        "INSERT INTO errands (mailbox, kind, letter_id, asked_at) SELECT 'uc', 'forward', 1, created_at FROM instance",
        "UPDATE letters SET fingerprint = 'x', received_at = :old WHERE id = 1",
        old=long_ago,
    )
    intake = desk.intake()
    for _ in range(3):
        intake.step()
        desk.trial.clock.move(minutes=15)
    desk.run()
    assert desk.postman.sent == []
    assert alarms(desk) == [("letter.returned", None)]


def move(desk: Desk) -> None:
    desk.trial.register(replace(CLINIC, answer_to="new@clinic.example"))


@pytest.mark.parametrize(("meanwhile", "reason"), [(block, "sender-blocked"), (move, "address-changed")])
def test_an_approval_that_was_hidden_while_its_sender_changed_is_not_issued(
    desk: Desk, meanwhile: Callable[[Desk], object], reason: str
) -> None:
    ask(desk)
    attack(desk, "UPDATE requests SET state = 'withdrawn' WHERE id = 1")
    meanwhile(desk)
    attack(desk, "UPDATE requests SET state = 'approved' WHERE id = 1")
    desk.run()
    assert desk.postman.sent == []
    assert alarms(desk) == [("request.held", 1)]
    with desk.trial.database.reading() as tx:
        assert requests.get(tx, 1).reason == reason


def test_the_time_in_which_it_can_be_taken_back_is_not_shortened(desk: Desk) -> None:
    ask(desk)
    decisions.hold(desk.trial.worker(), [1], reason=WHY)
    desk.delay = timedelta(minutes=5)
    decisions.approve(desk.trial.worker(), desk.policy(), [1], reason=WHY)
    attack(desk, "UPDATE requests SET issue_after = created_at")
    desk.run()
    assert desk.postman.sent == []
    assert alarms(desk) == [("request.held", 1)]


def test_an_abandoned_login_is_not_issued_by_a_later_approval(desk: Desk) -> None:
    ask(desk)
    desk.issue().reserving.reserve()
    block(desk)
    desk.run()
    unblock(desk)
    desk.delay = timedelta(minutes=5)
    decisions.approve(desk.trial.worker(), desk.policy(), [1], reason=WHY)
    attack(desk, "UPDATE credentials SET state = 'reserved'")
    desk.run()
    assert desk.postman.sent == []
    assert alarms(desk) == [("request.held", 1)]


def test_a_reserved_login_whose_request_says_it_is_refused_stops_nobody(desk: Desk) -> None:
    ask(desk)
    ask(desk, 2, "Ли К.")
    desk.issue().reserving.reserve()
    attack(desk, "UPDATE requests SET state = 'refused' WHERE id = 1")
    desk.run()
    assert len(desk.postman.sent) == 1
    assert alarms(desk) == [("request.held", 1)]
    with pytest.raises(RefusedError):
        decisions.approve(desk.trial.worker(), desk.policy(), [1], reason=WHY)


def test_the_first_issue_to_a_new_address_waits_whatever_the_rows_say(desk: Desk) -> None:
    ask(desk)
    desk.run()
    desk.trial.clock.move(days=1)
    with desk.trial.worker().writing() as unit:
        senders.put(unit, replace(CLINIC, answer_to="new@clinic.example", answer_changed_at=unit.at), desk.trial.pen)
    far = written(desk, desk.trial.clock().replace(year=2027))
    attack(
        desk,
        PLANTED.format(code=CLINIC.code, key="new@clinic.example", value="new@clinic.example"),
        "UPDATE credentials SET reserved_at = :far, answer_to_id = (SELECT id FROM personal WHERE value = 'new@clinic.example')",
        salt=SALT,
        far=far,
    )
    ask(desk, 2, "Ли К.")
    desk.run()
    assert recipients(desk) == [CLINIC.answer_to]


@pytest.mark.parametrize("hidden", ["state = 'superseded'", "sender_code = '290002'"])
def test_a_login_that_was_hidden_from_a_block_is_not_valid(desk: Desk, hidden: str) -> None:
    ask(desk)
    desk.run()
    login, password = password_in(desk.postman.sent[0][1])
    assert check(desk.trial.worker(), desk.local, login, password).standing is Standing.VALID
    attack(desk, f"UPDATE credentials SET {hidden}")
    assert block(desk) == Reach()
    assert check(desk.trial.worker(), desk.local, login, password).standing is Standing.DISTRUSTED
    assert alarms(desk) == [("credential.distrusted", 1)]


def test_a_login_that_was_resumed_after_its_sender_was_open_again_is_valid(desk: Desk) -> None:
    ask(desk)
    desk.run()
    login, password = password_in(desk.postman.sent[0][1])
    hands = Hands(stationery=desk.stationery, accounts=places)
    override.block(desk.trial.worker(), hands, CLINIC.code, until=None, effect=LoginEffect.KEEP, reason=WHY)
    assert check(desk.trial.worker(), desk.local, login, password).standing is Standing.VALID, "a person let it work"
    block(desk)
    unblock(desk)
    ask(desk, 2)
    desk.run()
    login, password = password_in(desk.postman.sent[1][1])
    assert check(desk.trial.worker(), desk.local, login, password).standing is Standing.VALID, "it was issued since"
