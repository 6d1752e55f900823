"""Does a list hold what is asked for, all of it, in order and page by page, on both kinds of database?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from mailer.core import folding
from mailer.errors import NotFoundError
from mailer.model import PersonName, Sender
from mailer.states import RequestState
from mailer.store import db, personal, requests, worklist
from mailer.store.db import Database, Tx
from mailer.store.migrate import upgrade
from mailer.store.schema import personal as people
from mailer.store.schema import personal_words, replies
from mailer.store.schema import requests as table
from mailer.store.work import Unit
from mailer.store.worklist import Effort, Found, Page, Wanted
from tests.servers.postgres import Postgres
from tests.store.offices import START, Trial, set_up

CLINIC = Sender(
    code="290001",
    organisation="ГБУЗ «Больница № 7»",
    answer_to="gb7@clinic.example",
    addresses=("gb7@clinic.example",),
    points=("29(ГБ7) Ли",),
)
DENTIST = Sender(code="290002", organisation="Зубная клиника", answer_to="dent@zub.example", addresses=("dent@zub.example",))
PEOPLE = ("Иванов И.И.", "Артёмов Ё.Ё.", "Мамин-Сибиряк Д.Н.", "Ю А.Б.", "Иванов П.П.")
STRANGERS = ("far@elsewhere.example", "near@elsewhere.example")
BEFORE_THE_WORKLIST = "0012"
HOUR = timedelta(hours=1)
COUNT = 60


def name(written: str) -> PersonName:
    surname, initials = written.split()
    return PersonName(surname=surname, initials=initials)


def put(tx: Tx, trial: Trial, number: int, **values: Any) -> None:
    """A request as the answer step opens it: the sender known or, by default every fourth, a stranger."""
    stranger = values.pop("stranger", STRANGERS[number % 2] if number % 4 == 3 else None)
    code = None if stranger else (CLINIC, DENTIST)[number % 2].code
    person = personal.person(
        Unit(tx=tx, at=START, actor="test"), code or "", name(values.pop("person", PEOPLE[number % 5])), trial.randbytes
    )
    told = {
        "id": number,
        "state": list(RequestState)[number % 6].value,
        "sender_code": code,
        "person_id": person.id,
        "stranger_id": personal.address(Unit(tx=tx, at=START, actor="test"), "", stranger, trial.randbytes).id
        if stranger
        else None,
        "verdict": "hold",
        "rule_id": "unknown-sender" if stranger else "cap",
        "reason": "unknown-sender" if stranger else ("cap", "too-old", None)[number % 3],
        "ruleset_hash": "h",
        "facts": "{}",
        "created_at": START + number * HOUR,
        "decided_at": START + number * HOUR,
    }
    tx.execute(insert(table).values(told | values))


def fill(trial: Trial) -> Trial:
    trial.register(CLINIC, DENTIST)
    with trial.database.writing() as tx:
        for number in range(1, COUNT + 1):
            put(tx, trial, number)
        for number in (4, 8, 9):
            tx.execute(insert(replies).values(_reply(tx, trial, number, "bounced" if number < 9 else "sent")))
    return trial


@pytest.fixture
def office(trial: Trial) -> Trial:
    return fill(trial)


def _reply(tx: Tx, trial: Trial, number: int, state: str) -> dict[str, Any]:
    to = personal.address(Unit(tx=tx, at=START, actor="test"), CLINIC.code, CLINIC.answer_to, trial.randbytes).id
    return {
        "id": f"{number:032}", "request_id": number, "name": "issued", "sender_code": CLINIC.code, "recipient_id": to,
        "message_id": f"<{number}>", "state": state, "key_epoch": "e", "digest": "d", "created_at": START, "next_at": START,
    }  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def only_read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """One office for all that write nothing."""
    server: Postgres | None = request.getfixturevalue("_postgres") if request.param == "postgresql" else None
    url = server.fresh() if server else f"sqlite:///{tmp_path_factory.mktemp('office') / 'mailer.db'}"
    trial = fill(set_up(url))
    yield trial
    trial.database.close()
    if server:
        server.drop(url)


@pytest.fixture
def tx(only_read: Trial) -> Iterator[Tx]:
    with only_read.database.reading() as tx:
        yield tx


def numbers(found: Found) -> list[int]:
    return [request.id for request in found.requests]


def terms(written: str) -> tuple[str, ...]:
    return folding.terms(written)


def slowly(tx: Tx, wanted: Wanted) -> list[int]:
    """The same, newest first, by looking at every row in Python."""
    values = {row.id: row.value or "" for row in tx.execute(select(people.c.id, people.c.value))}
    registered = {one.code: " / ".join((one.code, one.organisation, *one.addresses, *one.points)) for one in (CLINIC, DENTIST)}
    bounced = set(tx.execute(select(replies.c.request_id).where(replies.c.state == "bounced")).scalars())

    def fits(row: Any) -> bool:
        person = folding.folded(values.get(row.person_id, ""))
        anything = [person, folding.folded(values.get(row.stranger_id, "")), folding.folded(registered.get(row.sender_code, ""))]
        return all(
            (
                not wanted.states or row.state in wanted.states,
                wanted.sender in {None, row.sender_code},
                wanted.reason in {None, row.reason},
                wanted.since is None or row.created_at >= wanted.since,
                wanted.until is None or row.created_at < wanted.until,
                not wanted.undelivered or row.id in bounced,
                all(folding.finds(term, person) for term in wanted.person),
                all(any(folding.finds(term, one) for one in anything) for term in wanted.text),
            )
        )

    rows = tx.execute(select(table).order_by(table.c.created_at.desc(), table.c.id.desc()))
    return [row.id for row in rows if fits(row)]


WISHES = {
    "nothing": Wanted(),
    "a-state": Wanted(states=(RequestState.HELD,)),
    "two-states": Wanted(states=(RequestState.HELD, RequestState.REFUSED)),
    "a-sender": Wanted(sender=DENTIST.code),
    "a-sender-who-is-not-there": Wanted(sender="290009"),
    "a-reason": Wanted(reason="too-old"),
    "sender-and-state": Wanted(sender=CLINIC.code, states=(RequestState.ISSUED, RequestState.HELD)),
    "all-of-these": Wanted(sender=CLINIC.code, states=(RequestState.ISSUED,), reason="cap"),
    "since": Wanted(since=START + 30 * HOUR),
    "until-is-not-counted": Wanted(until=START + 30 * HOUR),
    "between": Wanted(since=START + 10 * HOUR, until=START + 40 * HOUR, reason="cap"),
    "undelivered": Wanted(undelivered=True),
    "undelivered-of-a-sender": Wanted(undelivered=True, sender=CLINIC.code),
    "person": Wanted(person=terms("иванов")),
    "person-by-initials-too": Wanted(person=terms("И.И. Иванов")),
    "person-second-part": Wanted(person=terms("сибиряк")),
    "person-of-one-letter": Wanted(person=terms("Ю А.")),
    "person-is-no-organisation": Wanted(person=terms("больница")),
    "yo": Wanted(text=terms("артемов")),
    "look-alikes": Wanted(text=terms("Apтeмoв E")),
    "organisation": Wanted(text=terms("больница")),
    "code": Wanted(text=terms("290002")),
    "registered-address": Wanted(text=terms("dent@zub.example")),
    "point": Wanted(text=terms("29(ГБ7)")),
    "address-of-a-stranger": Wanted(text=terms("near@elsewhere")),
    "person-and-organisation": Wanted(text=terms("иванов больница")),
    "person-and-stranger": Wanted(text=terms("иванов elsewhere")),
    "text-and-state": Wanted(text=terms("иванов"), states=(RequestState.HELD,)),
    "nobody": Wanted(text=terms("сидоров")),
    "nobody-of-two": Wanted(text=terms("сидоров больница")),
}


@pytest.mark.parametrize("wanted", WISHES.values(), ids=WISHES)
def test_what_is_found_is_what_a_look_at_every_row_finds(tx: Tx, wanted: Wanted) -> None:
    expected = slowly(tx, wanted)
    whole = worklist.page(tx, wanted, Page(limit=COUNT))
    assert (numbers(whole), whole.more, whole.searched_to) == (expected, False, None)
    oldest_first = worklist.page(tx, wanted, Page(limit=COUNT, oldest_first=True))
    assert numbers(oldest_first) == expected[::-1]


@pytest.mark.parametrize("wanted", WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("oldest_first", [False, True], ids=["newest-first", "oldest-first"])
def test_pages_follow_one_another_without_gap_and_in_both_directions(tx: Tx, wanted: Wanted, oldest_first: bool) -> None:
    expected = slowly(tx, wanted)[:: -1 if oldest_first else 1]
    gone: list[int] = []
    page = worklist.page(tx, wanted, Page(limit=7, oldest_first=oldest_first))
    while page.requests:
        gone += numbers(page)
        assert page.more is (len(gone) < len(expected))
        beside = {"after" if oldest_first else "before": gone[-1]}
        page = worklist.page(tx, wanted, Page(limit=7, oldest_first=oldest_first, **beside))
    assert gone == expected
    if len(expected) > 8:
        back = {"before" if oldest_first else "after": expected[8]}
        before = worklist.page(tx, wanted, Page(limit=7, oldest_first=oldest_first, **back))
        assert (numbers(before), before.more) == (expected[1:8], True)


@pytest.mark.parametrize("wanted", WISHES.values(), ids=WISHES)
def test_where_not_all_could_be_looked_at_the_way_on_loses_nothing(tx: Tx, wanted: Wanted) -> None:
    expected = slowly(tx, wanted)
    little = Effort(window=9, people=1, organisations=0)
    gone: list[int] = []
    beside: dict[str, int] = {}
    for _ in range(COUNT):
        page = worklist.page(tx, wanted, Page(limit=3, **beside), little)
        gone += numbers(page)
        if not page.more and page.searched_to is None:
            break
        beside = {"before": page.searched_to if page.searched_to is not None else gone[-1]}
    assert gone == expected


def test_a_page_beside_a_request_that_is_not_there_is_refused(tx: Tx) -> None:
    with pytest.raises(NotFoundError):
        worklist.page(tx, Wanted(), Page(limit=5, before=COUNT + 1))


def test_unknown_senders_stand_in_one_line_each_with_the_oldest_of_their_letters(office: Trial) -> None:
    with office.database.writing() as tx:
        tx.execute(update(table).values(state="answered"))
        for number, stranger in enumerate(["far@elsewhere.example"] * 3 + [None] + ["near@elsewhere.example"] * 2, COUNT + 1):
            put(tx, office, number, state="held", stranger=stranger)
        put(tx, office, COUNT + 7, state="answered", stranger="far@elsewhere.example")
    wanted = Wanted(states=(RequestState.HELD,), strangers_in_one=True)
    with office.database.reading() as tx:
        found = worklist.page(tx, wanted, Page(limit=10, oldest_first=True))
        assert [(one.id, worklist.alike(tx, one)) for one in found.requests] == [(61, 3), (64, 1), (65, 2)]
        second = worklist.page(tx, wanted, Page(limit=10, oldest_first=True, after=61))
        assert numbers(second) == [64, 65]
    with office.database.writing() as tx:
        tx.execute(update(table).where(table.c.id == 61).values(state="withdrawn"))
    with office.database.reading() as tx:
        assert numbers(worklist.page(tx, wanted, Page(limit=10, oldest_first=True))) == [62, 64, 65]


def test_a_clock_that_was_set_back_hides_nothing(office: Trial) -> None:
    with office.database.writing() as tx:
        put(tx, office, COUNT + 1, created_at=START + 30 * HOUR, state="held")
    with office.database.reading() as tx:
        found = numbers(worklist.page(tx, Wanted(), Page(limit=COUNT + 1)))
        assert len(found) == COUNT + 1
        place = found.index(COUNT + 1)
        assert (found[place - 1], found[place + 1]) == (31, 30)
        assert numbers(worklist.page(tx, Wanted(), Page(limit=2, before=COUNT + 1))) == [30, 29]


def test_what_is_erased_is_no_longer_found(office: Trial) -> None:
    with office.database.writing() as tx:
        tx.execute(update(people).where(people.c.surname == "Артёмов").values(value=None, key=None, surname=None, initials=None))
    with office.database.reading() as tx:
        assert numbers(worklist.page(tx, Wanted(text=terms("артемов")), Page(limit=5))) == []
        assert tx.execute(select(people.c.folded).where(people.c.value.is_(None)).distinct()).scalars().all() == [None]
        assert tx.execute(select(personal_words).where(personal_words.c.word == "артемов")).all() == []


def test_what_came_before_is_told_newest_first(office: Trial) -> None:
    with office.database.reading() as tx:
        request = requests.get(tx, 41)
        of_person = [one.id for one in requests.earlier(tx, request, 3, of_person=True)]
        assert of_person == [number for number in range(40, 0, -1) if number % 10 == 1 and number % 4 != 3][:3]
        of_sender = [one.id for one in requests.earlier(tx, request, 2, of_person=False)]
        assert of_sender == [number for number in range(40, 0, -1) if number % 2 == 1 and number % 4 != 3][:2]
        stranger = requests.get(tx, 43)
        assert [one.id for one in requests.earlier(tx, stranger, 2, of_person=False)] == [39, 35]
        assert [one.id for one in requests.open_of_person(tx, request.person_id or 0)] == [1, 21]


def test_namesakes_are_those_of_other_senders(office: Trial) -> None:
    with office.database.reading() as tx:
        person = personal.find_person(tx, CLINIC.code, name("Иванов И.И."))
        assert person is not None
        assert {one.sender_code for one in personal.namesakes(tx, person, 9)} == {"", DENTIST.code}
        assert personal.namesakes(tx, replace(person, value=None), 9) == []


@pytest.mark.parametrize("seed", range(3))
def test_counts_by_state_are_those_of_every_row(office: Trial, seed: int) -> None:
    chance = Random(seed)
    with office.database.writing() as tx:
        for number in range(1, COUNT + 1):
            state = chance.choice(list(RequestState)[seed:])
            tx.execute(update(table).where(table.c.id == number).values(state=state.value))
    with office.database.reading() as tx:
        slow = {row.state: row.n for row in tx.execute(text("SELECT state, count(*) AS n FROM requests GROUP BY state"))}
        assert {state.value: count for state, count in requests.counts(tx).items()} == slow


LETTER = "From: Far@Elsewhere.example\r\nSubject: Запрос\r\n\r\n".encode()
HELD_BEFORE = (
    "INSERT INTO personal (id, kind, sender_code, key, value) VALUES (100, 'person', '', 'артемов е.е.', 'Артёмов Ё.Ё.')",
    "INSERT INTO letters (id, mailbox, epoch, item, state, kind, received_at, kept_at, size_bytes, content, whole,"
    " digest, fingerprint, proven, batches, attempts, fence)"
    " VALUES (1, 'uc', 1, 1, 'read', 'request', :at, :at, 1, :bytes, false, 'd', 'f', true, 1, 0, 0)",
    "INSERT INTO requests (id, letter_id, state, person_id, verdict, rule_id, ruleset_hash, facts, created_at, decided_at)"
    " VALUES (1, 1, 'held', 100, 'hold', 'unknown-sender', 'h', '{}', :at, :at)",
)


def test_what_was_held_before_the_work_list_is_found_and_grouped_as_well(database_url: str) -> None:
    db.create(database_url)
    upgrade(database_url, to=BEFORE_THE_WORKLIST)
    old = Database(database_url)
    at = START if not old.sqlite else START.isoformat(timespec="microseconds")
    with old.writing() as tx:
        for statement in HELD_BEFORE:
            tx.execute(text(statement), {"at": at, "bytes": LETTER} if ":at" in statement else {})
    old.close()
    upgrade(database_url)
    database = db.connect(database_url)
    with database.reading() as tx:
        found = worklist.page(tx, Wanted(text=terms("артемов far@elsewhere")), Page(limit=5))
        assert numbers(found) == [1]
        stranger = personal.get(tx, found.requests[0].stranger_id or 0)
        assert (stranger.value, stranger.salt is not None) == ("far@elsewhere.example", True)
    database.close()
