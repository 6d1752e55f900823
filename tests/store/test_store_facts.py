"""Are the facts of a letter counted right, to the minute and to the last one, on both kinds of database?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from mailer.core import mime
from mailer.core.evidence import Record
from mailer.model import Facts, Kind, Letter, PersonName, RawLetter, Reading, Sender, SenderStanding
from mailer.states import CredentialState, RequestState
from mailer.store import audit, facts, letters, outbox, personal, senders
from mailer.store.db import Tx
from mailer.store.facts import Arrival, Limits
from mailer.store.outbox import NewReply
from mailer.store.schema import credentials, requests
from mailer.store.work import Unit
from tests.store.offices import START, Trial

CLINIC = Sender(
    code="290001",
    organisation="Больница",
    answer_to="gb1@clinic.example",
    addresses=("gb1@clinic.example",),
    points=("29(ГБ1) Ли",),
)
DENTIST = Sender(
    code="290002",
    organisation="Зубы",
    answer_to="dent@clinic.example",
    addresses=("dent@clinic.example",),
    points=("29(Зуб) Юрьев",),
)
PRISHVA, IVANOV = PersonName(surname="Пришва", initials="А.А."), PersonName(surname="Иванов", initials="И.И.")
ZONE = ZoneInfo("Europe/Moscow")
LIMITS = Limits(
    zone=ZONE,
    max_age=timedelta(days=14),
    sender_daily=3,
    sender_active=2,
    address_replies_daily=3,
    replies_daily=5,
    own_address="uc@fond.example",
)
RECORD_KEY = b"r" * 32
DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def office(trial: Trial) -> Trial:
    trial.register(CLINIC, DENTIST)
    return trial


def letter(number: int = 1, *, sender: str = CLINIC.answer_to, trace: str = "") -> bytes:
    return f"{trace}From: {sender}\r\nSubject: x\r\nDate: now\r\nMessage-ID: <{number}@clinic.example>\r\n\r\n".encode()


def keep(tx: Tx, content: bytes, *, item: int, at: datetime, proven: bool = True) -> int:
    read = mime.read(content)
    assert read is not None
    raw = RawLetter(mailbox="uc", epoch=1, item=item, received_at=at, size_bytes=len(content), content=content, whole=True)
    return letters.keep(tx, raw, read, kind=Kind.REQUEST, proven=proven, sender_code=None, digest=read.digest, at=at)


def request(
    tx: Tx,
    trial: Trial,
    *,
    person: PersonName = PRISHVA,
    sender: Sender = CLINIC,
    at: datetime = START,
    state: RequestState = RequestState.APPROVED,
    answer_to: str = "",
) -> dict[str, Any]:
    """A decided request; what a credential repeats of it."""
    number = tx.execute(requests.select()).all()
    letter_id = keep(tx, letter(1000 + len(number)), item=1000 + len(number), at=at)
    named = personal.person(Unit(tx=tx, at=START, actor="test"), sender.code, person, trial.randbytes)
    address = personal.address(Unit(tx=tx, at=START, actor="test"), sender.code, answer_to or sender.answer_to, trial.randbytes)
    row = {"sender_code": sender.code, "person_id": named.id, "answer_to_id": address.id}
    values = {
        "letter_id": letter_id,
        "state": state.value,
        "verdict": "issue",
        "rule_id": "issue",
        "ruleset_hash": "0",
        "facts": "{}",
    }
    made = insert(requests).values(**row, **values, created_at=at, decided_at=at).returning(requests.c.id)
    return {**row, "request_id": tx.execute(made).scalar_one()}


def credential(tx: Tx, trial: Trial, state: CredentialState = CredentialState.ACTIVE, **asked: Any) -> None:
    """A credential of a request that was carried out at `issued`, reserved at `at`."""
    issued, until = asked.pop("issued", None), asked.pop("until", START + 90 * DAY)
    asked_state = RequestState.APPROVED if state is CredentialState.RESERVED else RequestState.ANSWERED
    row = request(tx, trial, state=asked_state, **asked)
    reserved_at = asked.get("at", START)
    name = trial.randbytes(16).hex()
    term = {"valid_until": until, "last_day": until.date(), "term_rule": "x"}
    issued_at = None if state is CredentialState.RESERVED else issued or reserved_at
    values = {"id": name, "login": name, "state": state.value, "reserved_at": reserved_at, "issued_at": issued_at}
    tx.execute(insert(credentials).values(**row, **values, **term))
    told = Record(event="credential.reserved", actor="test", request=row["request_id"], details={"credential": name})
    audit.append(tx, trial.pen, reserved_at, [told])


def gathered(tx: Tx, *, person: PersonName | None = PRISHVA, now: datetime = START, limits: Limits = LIMITS, **more: Any) -> Facts:
    """The facts of a letter that asks for this person now."""
    read = mime.read(letter())
    assert read is not None
    read = replace(read, **more)
    arrival = Arrival(
        id=0, received_at=now, proven=True, letter=read, reading=Reading(kind=Kind.REQUEST, person=person, reason=None)
    )
    return facts.gather(tx, arrival, limits, now, key=RECORD_KEY)[0]


def repeated(tx: Tx, content: bytes, *, item: int, at: datetime) -> bool:
    read: Letter | None = mime.read(content)
    kept = keep(tx, content, item=item, at=at)
    arrival = Arrival(id=kept, received_at=at, proven=True, letter=read, reading=Reading(kind=Kind.REQUEST, person=PRISHVA))
    return facts.gather(tx, arrival, LIMITS, at, key=RECORD_KEY)[0].duplicate


@pytest.mark.parametrize(
    ("again", "after", "duplicate"),
    [
        pytest.param(letter(1), DAY - SECOND, True, id="same-bytes"),
        pytest.param(letter(1), DAY, False, id="a-day-later"),
        pytest.param(letter(1, trace="Received: from elsewhere\r\n"), MINUTE, True, id="by-another-way"),
        pytest.param(letter(1, trace="Received: from elsewhere\r\n") + b"P.S.\r\n", MINUTE, True, id="with-another-body"),
        pytest.param(letter(2), MINUTE, False, id="another-message-id"),
        pytest.param(letter(1).replace(b"Date: now", b"Date: later"), MINUTE, False, id="another-date"),
    ],
)
def test_the_same_letter_within_24_hours(office: Trial, again: bytes, after: timedelta, duplicate: bool) -> None:
    with office.database.writing() as tx:
        keep(tx, letter(1), item=1, at=START)
        assert repeated(tx, again, item=2, at=START + after) is duplicate


def test_a_copy_sent_beforehand_by_a_stranger_silences_nobody(office: Trial) -> None:
    with office.database.writing() as tx:
        keep(tx, letter(1), item=1, at=START, proven=False)
        assert not repeated(tx, letter(1), item=2, at=START)


@pytest.mark.parametrize(("age", "old"), [(14 * DAY, False), (14 * DAY + SECOND, True)], ids=["14-days", "older"])
def test_too_old_is_older_than_max_age_days(office: Trial, age: timedelta, old: bool) -> None:
    arrival = Arrival(id=0, received_at=START, proven=True, letter=mime.read(letter()), reading=Reading(kind=Kind.BOUNCE))
    with office.database.reading() as tx:
        assert facts.gather(tx, arrival, LIMITS, START + age, key=RECORD_KEY)[0].too_old is old


@pytest.mark.parametrize(
    ("state", "active"),
    [
        *((state, False) for state in CredentialState if state.value not in facts.ON_THE_WAY),
        *((state, True) for state in CredentialState if state.value in facts.ON_THE_WAY),
    ],
    ids=str,
)
def test_a_credential_is_active_while_it_lives(office: Trial, state: CredentialState, active: bool) -> None:
    with office.database.writing() as tx:
        credential(tx, office, state)
        known = gathered(tx, now=START + 20 * MINUTE)
        assert (known.active_credential, known.active_minutes) == ((True, 20) if active else (False, None))


def test_a_term_that_is_over_ends_it_before_any_sweep(office: Trial) -> None:
    with office.database.writing() as tx:
        credential(tx, office, until=START + DAY)
        assert gathered(tx, now=START + DAY).active_credential
        assert not gathered(tx, now=START + DAY + SECOND).active_credential
        assert gathered(tx, person=IVANOV, now=START + DAY).sender_active == 1
        assert gathered(tx, person=IVANOV, now=START + DAY + SECOND).sender_active == 0


@pytest.mark.parametrize(
    ("after", "minutes"), [(timedelta(), 0), (15 * MINUTE - SECOND, 14), (15 * MINUTE, 15)], ids=["now", "14:59", "15:00"]
)
def test_minutes_count_from_the_issue_not_from_its_reservation(office: Trial, after: timedelta, minutes: int) -> None:
    with office.database.writing() as tx:
        credential(tx, office, at=START - 60 * MINUTE, issued=START)
        credential(tx, office, at=START - DAY)
        assert gathered(tx, now=START + after).active_minutes == minutes


def test_a_promise_counts_as_a_credential(office: Trial) -> None:
    with office.database.writing() as tx:
        request(tx, office)
        known = gathered(tx, now=START + MINUTE)
        assert (known.active_credential, known.active_minutes, known.issued_30d) == (True, 1, 1)
        other = gathered(tx, person=IVANOV, now=START + MINUTE)
        assert (other.active_credential, other.sender_active, other.sender_today) == (False, 1, 1)


def test_issues_of_30_days_are_each_counted_once(office: Trial) -> None:
    with office.database.writing() as tx:
        for days in (0, 29, 30, 31):
            credential(tx, office, CredentialState.SUPERSEDED, at=START - days * DAY)
        credential(tx, office, CredentialState.ABANDONED)
        credential(tx, office, CredentialState.RESERVED)
        credential(tx, office, person=IVANOV)
        request(tx, office, state=RequestState.HELD)
        assert gathered(tx).issued_30d == 4


def test_active_ones_of_the_sender_are_other_persons(office: Trial) -> None:
    with office.database.writing() as tx:
        credential(tx, office)
        credential(tx, office, person=IVANOV)
        credential(tx, office, person=IVANOV)
        request(tx, office, person=IVANOV)
        credential(tx, office, person=PersonName(surname="Ли", initials="К."), sender=DENTIST)
        limits = replace(LIMITS, sender_daily=100)
        known = gathered(tx, limits=limits)
        assert (known.sender_active, known.sender_limit_reached) == (1, False)
        request(tx, office, person=PersonName(surname="Ю", initials="А.Б."))
        known = gathered(tx, limits=limits)
        assert (known.sender_active, known.sender_limit_reached) == (2, True)


def test_the_senders_day_begins_at_midnight_in_the_funds_zone(office: Trial) -> None:
    midnight = datetime(2026, 11, 23, tzinfo=ZONE).astimezone(UTC)
    with office.database.writing() as tx:
        request(tx, office, at=midnight - SECOND)
        request(tx, office, at=midnight)
        request(tx, office, at=START, state=RequestState.ANSWERED)
        request(tx, office, at=START, state=RequestState.REFUSED)
        known = gathered(tx, limits=replace(LIMITS, sender_active=100))
        assert (known.sender_today, known.sender_limit_reached) == (2, False)
        request(tx, office, at=START, state=RequestState.ISSUED)
        known = gathered(tx, limits=replace(LIMITS, sender_active=100))
        assert (known.sender_today, known.sender_limit_reached) == (3, True)


@pytest.mark.parametrize(
    ("here", "elsewhere", "waiting", "reached"),
    [
        pytest.param(2, 0, 0, False, id="below-the-address"),
        pytest.param(3, 0, 0, True, id="the-address"),
        pytest.param(2, 0, 1, True, id="a-promise-to-the-address"),
        pytest.param(0, 4, 0, False, id="below-all"),
        pytest.param(0, 5, 0, True, id="all"),
        pytest.param(1, 3, 1, True, id="all-with-a-promise"),
    ],
)
def test_caps_count_written_and_promised_replies(office: Trial, here: int, elsewhere: int, waiting: int, reached: bool) -> None:
    with office.database.writing() as tx:
        for sender, count in ((CLINIC, here), (DENTIST, elsewhere)):
            for _ in range(count):
                reply(tx, office, sender, at=START)
        reply(tx, office, CLINIC, at=START - DAY)
        for _ in range(waiting):
            request(tx, office)
        assert gathered(tx).cap_reached is reached


def reply(tx: Tx, trial: Trial, sender: Sender, *, at: datetime) -> None:
    row = request(tx, trial, sender=sender, state=RequestState.REFUSED, at=at)
    name = trial.randbytes(16).hex()
    written = NewReply(
        id=name,
        request_id=row["request_id"],
        credential_id=None,
        name="refused",
        sender_code=sender.code,
        recipient_id=row["answer_to_id"],
        message_id=name,
        key_epoch="x",
        sealed=b"",
        digest="",
        content_salt=b"",
    )
    outbox.put(tx, [written], at=at)


@pytest.mark.parametrize(
    ("shown", "another"),
    [
        pytest.param("29(Зуб) Юрьев", True, id="of-another"),
        pytest.param("  29(зуб)  ЮРЬЕВ ", True, id="written-otherwise"),
        pytest.param("29(ГБ1) Ли", False, id="its-own"),
        pytest.param("Больница", False, id="of-nobody"),
        pytest.param("", False, id="none"),
    ],
)
def test_a_display_name_of_another_sender(office: Trial, shown: str, another: bool) -> None:
    with office.database.reading() as tx:
        assert gathered(tx, display_name=shown).display_name_of_another is another


@pytest.mark.parametrize(
    ("state", "changed"),
    [
        pytest.param(CredentialState.ACTIVE, True, id="active"),
        pytest.param(CredentialState.REVOKED, True, id="ended"),
        pytest.param(CredentialState.ABANDONED, False, id="never-issued"),
    ],
)
def test_the_answer_address_is_compared_with_the_last_issue(office: Trial, state: CredentialState, changed: bool) -> None:
    with office.database.writing() as tx:
        assert not gathered(tx).address_changed
        credential(tx, office, at=START - 2 * DAY)
        credential(tx, office, state, at=START - DAY, answer_to="old@clinic.example")
        assert gathered(tx).address_changed is changed
        credential(tx, office, at=START)
        assert not gathered(tx).address_changed


def test_once_something_was_issued_to_a_changed_address_nobody_waits_any_more(office: Trial) -> None:
    changed = replace(CLINIC, answer_to="new@clinic.example", answer_changed_at=START)
    with office.worker().writing() as unit:
        senders.put(unit, changed, office.pen)
    with office.database.writing() as tx:
        assert gathered(tx).address_changed
        credential(tx, office, at=START - SECOND, sender=changed)
        assert gathered(tx).address_changed
        credential(tx, office, CredentialState.ABANDONED, at=START + SECOND, person=IVANOV, sender=changed)
        assert gathered(tx).address_changed
        credential(tx, office, at=START + MINUTE, person=IVANOV, sender=changed)
        assert not gathered(tx).address_changed


def test_of_a_sender_who_is_not_proven_nothing_is_looked_up(office: Trial) -> None:
    with office.database.writing() as tx:
        credential(tx, office)
        arrival = Arrival(
            id=0, received_at=START, proven=False, letter=mime.read(letter()), reading=Reading(kind=Kind.REQUEST, person=PRISHVA)
        )
        known, sender = facts.gather(tx, arrival, LIMITS, START, key=RECORD_KEY)
        assert (known.sender, known.active_credential, sender) == (SenderStanding.UNPROVEN, False, None)


def test_no_register_of_persons_can_be_loaded_yet(office: Trial) -> None:
    with office.database.reading() as tx:
        assert not gathered(tx).person_unlisted


def test_an_answer_to_our_own_address_is_known(office: Trial) -> None:
    with office.database.reading() as tx:
        assert not gathered(tx).answers_itself
        assert gathered(tx, limits=replace(LIMITS, own_address=CLINIC.answer_to)).answers_itself
