"""No step and no command goes through what an office ever had, only because SQLite plans so: it knows no sizes here.

A whole day is worked, and each statement is explained. A plan must lead to its rows by something that few rows have: their own key,
their letter, request or person, what happened lately, or a state in which nothing rests. All others are named here, each with why.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from mailer.core.erasing import DONE, ENDED, OVER
from mailer.model import Sender
from mailer.states import CredentialState, LetterState, ReplyState
from mailer.store import audit, credentials
from mailer.store.ledger import Filing
from tests.e2e.bureau import request
from tests.flow.desks import until_done
from tests.flow.workday import PATIENT, Workday
from tests.store.offices import Trial, set_up

GROWING: Final = frozenset({"records", "requests", "letters", "credentials", "replies", "ledger", "accounts_local", "used_logins"})
FEW: Final = frozenset(
    {
        *(
            "rowid=?",
            "rowid>?",
            "id=?",
            "seq=?",
            "letter_id=?",
            "request_id=?",
            "credential_id=?",
            "person_id=?",
            "login=?",
            "mark=?",
        ),
        *("digest=?", "fingerprint=?", "message_id=?", "item=?", "reissue_of=?", "stranger_id=?"),
        *("seq>?", "created_at>?", "decided_at>?", "reserved_at>?", "kept_at>?", "id>?", "item>?"),
    }
)
RESTING: Final = frozenset(
    {
        *(state.value for state in (*OVER, *ENDED, *DONE, LetterState.READ, ReplyState.BOUNCED, CredentialState.ACTIVE)),
        *(Filing.LEFT.value, Filing.DONE.value),
    }
)
INDEXES_OF_FEW: Final = ("ix_requests_approved", "ix_credentials_disabling")
ALLOWED: Final = {
    "audit.newest_at: records": "the newest record, or the newest of an event: one row",
    "audit.newest_of: records": "the newest of an event: one row",
    "audit.newest_of_senders: records": "how often one sender's row, or its list of persons, was written",
    "audit.latest: records": "events that people and rare troubles bring about",
    "audit.count_by: records": "events that people bring about",
    "audit.of_event: records": "letters to the officer",
    "audit.unsettled: records": "logins that the record does not carry",
    "credentials.ended: credentials": "logins that still live although their term is over",
    "credentials.of_sender: credentials": "logins of one sender that live",
    "digests._count_ending: credentials": "logins that end in some days",
    "digests._ending: credentials": "logins that end in some days",
    "facts._active_others: credentials": "logins of one sender that live",
    "facts._address_changed: credentials": "the newest login of one sender: one row",
    "lifespans.nearing: credentials": "logins that end in some days",
    "outbox.any_sent_since: replies": "what was taken for sending within the hour",
    "signs._heap: replies": "the alarm's count of undelivered answers: all there are are held against their logins",
    "worklist._candidates: requests": "a page of a list, in the order of its index",
}


@dataclass
class Plans:
    """What SQLite does for each statement of our tables; `wide`: where it goes through a history, by who asked."""

    wide: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    @contextmanager
    def explained(self) -> Iterator[None]:
        event.listen(Engine, "before_cursor_execute", self._explain)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", self._explain)

    def _explain(self, _engine: Connection, cursor: Any, statement: str, parameters: Any, _context: object, many: bool) -> None:
        asker = _asker()
        if asker is None or not re.match(r"SELECT|UPDATE|DELETE|WITH", statement):
            return
        bound = parameters[0] if many else parameters
        resting = sorted(RESTING.intersection(str(value) for value in bound))
        if (question := f"{asker} {resting} {statement}") in self.seen:
            return
        self.seen.add(question)
        tables = {name: table for table, name in re.findall(r"(\w+) AS (\w+)", statement)}
        for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", bound).fetchall():
            found = re.match(r"(SCAN|SEARCH) (\w+)(?: USING.* INDEX (\w+))?(?:.*\((.*)\))?", row[3])
            if found is None or (table := tables.get(found[2], found[2])) not in GROWING or found[3] in INDEXES_OF_FEW:
                continue
            if is_wide(found[1], found[4] or "", resting=bool(resting)):
                self.wide[f"{asker}: {table}"] = f"{row[3]}: {statement}"


def is_wide(how: str, terms: str, *, resting: bool) -> bool:
    """Whether a step of a plan may go through a history. `resting`: the statement names a state in which most rows are."""
    named = set(terms.split(" AND "))
    by_state = bool({"state=?", "filing=?"} & named) and not resting
    return how == "SCAN" or not (by_state or FEW & named)


def _asker() -> str | None:
    """The function of the store that asks; None for a test's own question."""
    frame = sys._getframe(2)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.parts[-3:-1] == ("mailer", "store") and not frame.f_code.co_name.startswith("<") and path.stem != "counting":
            return f"{path.stem}.{frame.f_code.co_name}"
        if "mailer" in path.parts and path.parts[-2] == "flow":
            return None
        frame = frame.f_back  # type: ignore[assignment]
    return None


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    trial = set_up(f"sqlite:///{tmp_path / 'mailer.db'}")
    yield trial
    trial.database.close()


def clinic(number: int) -> Sender:
    address = f"ward{number}@hospital.example"
    return Sender(code=f"28000{number}", organisation=f"Больница № {number}", answer_to=address, addresses=(address,))


def test_no_day_goes_through_all_that_there_was(trial: Trial, tmp_path: Path) -> None:
    clinics = [clinic(number) for number in range(12)]  # for fewer at once SQLite plans otherwise
    trial.register(*clinics)
    day, plans = Workday(trial, tmp_path, clinics), Plans()
    with plans.explained():
        day.work(lambda _what: nullcontext())
        mail_server_away(day)
    assert {who: plan for who, plan in plans.wide.items() if who not in ALLOWED} == {}
    assert len(plans.seen) > 100


def mail_server_away(day: Workday) -> None:
    """One answer is tried, the next one waits with it."""
    desk = day.desk
    desk.trial.clock.move(minutes=2)  # long enough ago that anything left
    desk.postman.down = True
    for person in ("Пришвин Ю.Ю.", "Пришвин Ю.Я."):
        desk.mailbox.drop(request(person, PATIENT.answer_to, desk.postman.asked + 999))
        for step in (day.intake, day.answer, day.issue):
            until_done(step)
        assert day.deliver.step()
    assert desk.postman.asked == 1 + len(desk.postman.sent)


def test_going_through_a_history_is_found(trial: Trial) -> None:
    plans = Plans()
    with plans.explained(), trial.database.reading() as tx:
        audit.of_request(tx, 1, "request.approved")
        credentials.count_of(tx, CredentialState.RESERVED)
        assert plans.wide == {}
        credentials.count_of(tx, CredentialState.EXPIRED)
        credentials.newest(tx, 1)
        credentials.issued_since(tx, trial.clock() - timedelta(minutes=10))
    assert set(plans.wide) == {"credentials.count_of: credentials", "credentials.newest: credentials"}
