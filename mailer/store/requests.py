"""The requests: who asked, for whom, what was decided, and how far it has come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, bindparam, func, insert, literal, select, tuple_, update

from mailer.core import lifecycle
from mailer.core.lifecycle import RequestEvent
from mailer.errors import NotFoundError
from mailer.model import Decision, Facts, Verdict
from mailer.states import CredentialState, RequestState
from mailer.store.counting import counted
from mailer.store.db import Tx
from mailer.store.schema import Instant, credentials, requests

OPEN: Final = (RequestState.HELD, RequestState.APPROVED, RequestState.ISSUED)

_ISSUED: Final = update(requests).where(requests.c.id.in_(bindparam("ids", expanding=True))).values(state=bindparam("new_state"))
ABANDONED: Final = literal(CredentialState.ABANDONED.value, literal_execute=True)  # as written: partial indexes need it
APPROVED: Final = literal(RequestState.APPROVED.value, literal_execute=True)
_BEGUN: Final = (credentials.c.request_id == requests.c.id) & (credentials.c.state != ABANDONED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """Whose request it is: what an answer is made of."""

    sender_code: str | None
    person_id: int | None
    answer_to_id: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request as it stands in the database; people and addresses by their rows in `personal`."""

    id: int
    letter_id: int | None
    state: RequestState
    sender_code: str | None
    person_id: int | None
    answer_to_id: int | None
    stranger_id: int | None
    verdict: str
    rule_id: str
    reason: str | None
    ruleset_hash: str
    facts: str
    created_at: datetime
    decided_at: datetime
    issue_after: datetime | None
    reissue_of: int | None

    @property
    def bound(self) -> Bound:
        return Bound(sender_code=self.sender_code, person_id=self.person_id, answer_to_id=self.answer_to_id)


def open_request(
    tx: Tx,
    *,
    letter_id: int | None,
    state: RequestState,
    sender_code: str | None,
    person_id: int | None,
    answer_to_id: int | None,
    decision: Decision,
    facts: Facts,
    ruleset_hash: str,
    at: datetime,
    delay: timedelta = timedelta(0),
    stranger_id: int | None = None,
) -> int:
    """Store a decided request; its id, which is its number in letters and commands. An approved one is issued after the delay."""
    values = {
        "letter_id": letter_id,
        "state": state.value,
        "sender_code": sender_code,
        "person_id": person_id,
        "answer_to_id": answer_to_id,
        "stranger_id": stranger_id,
        "verdict": decision.verdict.value,
        "rule_id": decision.rule_id,
        "reason": decision.reason,
        "ruleset_hash": ruleset_hash,
        "facts": json.dumps(asdict(facts)),
        "created_at": at,
        "decided_at": at,
        "issue_after": at + delay if state is RequestState.APPROVED else None,
    }
    request_id: int = tx.execute(insert(requests).values(**values).returning(requests.c.id)).scalar_one()
    return request_id


def move(tx: Tx, request: Request, event: RequestEvent, *, reason: str | None = None) -> None:
    """Change a request's state as the table of life allows; `reason` replaces the old one where given."""
    state = lifecycle.after_request(request.state, event)
    values = {"state": state.value} | ({"reason": reason} if reason is not None else {})
    tx.execute(update(requests).where(requests.c.id == request.id).values(**values))


def decide(
    tx: Tx,
    request: Request,
    event: RequestEvent,
    bound: Bound,
    *,
    at: datetime,
    delay: timedelta = timedelta(0),
    reason: str | None = None,
) -> RequestState:
    """Change its state by a new decision; the new state. An approved one is issued after the delay; `reason` as in `move`."""
    state = lifecycle.after_request(request.state, event)
    values: dict[str, Any] = asdict(bound) | {"state": state.value, "decided_at": at}
    if state is RequestState.APPROVED:
        values["issue_after"] = at + delay
    if reason is not None:
        values["reason"] = reason
    tx.execute(update(requests).where(requests.c.id == request.id).values(**values))
    return state


def bind(tx: Tx, request: Request, bound: Bound, *, at: datetime, reason: str | None = None) -> None:
    """Say anew whose a held request is; `reason` as in `move`."""
    values: dict[str, Any] = asdict(bound) | {"decided_at": at} | ({"reason": reason} if reason is not None else {})
    tx.execute(update(requests).where(requests.c.id == request.id).values(**values))


def rejudge(tx: Tx, request: Request, decision: Decision, facts: Facts, ruleset_hash: str) -> None:
    """What rules say of it now, in the place of what they said before; its state is changed apart."""
    values = {
        "verdict": decision.verdict.value,
        "rule_id": decision.rule_id,
        "reason": decision.reason,
        "ruleset_hash": ruleset_hash,
        "facts": json.dumps(asdict(facts)),
    }
    tx.execute(update(requests).where(requests.c.id == request.id).values(**values))


def held_since(tx: Tx, since: datetime) -> list[int]:
    """Numbers of the held requests with a letter that were opened since then, oldest first."""
    held = (requests.c.state == RequestState.HELD.value) & requests.c.letter_id.is_not(None)
    return list(tx.execute(select(requests.c.id).where(held, requests.c.created_at >= since).order_by(requests.c.id)).scalars())


def lock(tx: Tx, request_id: int) -> Request:
    """As `get`, and nobody else changes it until this transaction ends."""
    row = tx.execute(select(requests).where(requests.c.id == request_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFoundError("there is no request {id}: `mailer requests list` shows those there are", id=request_id)
    return read(row)


def issued(tx: Tx, done: Sequence[Request]) -> None:
    """The credentials of these approved requests were issued."""
    for state in {lifecycle.after_request(request.state, RequestEvent.ISSUED).value for request in done}:
        tx.execute(_ISSUED, {"ids": [request.id for request in done], "new_state": state})


def repeat(tx: Tx, request: Request, *, rule_id: str, reason: str, at: datetime, issue_after: datetime | None = None) -> int:
    """Open a request for the same person and address as this one, without a letter of its own; its id.

    It is held; with `issue_after` it is approved, and issued from then on.
    """
    state = RequestState.HELD if issue_after is None else RequestState.APPROVED
    values = {
        "letter_id": None,
        "reissue_of": request.id,
        "state": state.value,
        "sender_code": request.sender_code,
        "person_id": request.person_id,
        "answer_to_id": request.answer_to_id,
        "verdict": (Verdict.HOLD if issue_after is None else Verdict.ISSUE).value,
        "rule_id": rule_id,
        "reason": reason,
        "ruleset_hash": request.ruleset_hash,  # the rules by which the first was decided: no others were asked
        "facts": "{}",
        "created_at": at,
        "decided_at": at,
        "issue_after": issue_after,
    }
    request_id: int = tx.execute(insert(requests).values(**values).returning(requests.c.id)).scalar_one()
    return request_id


def repeats(tx: Tx, request: Request) -> list[Request]:
    """The requests that repeat this one, oldest first."""
    query = select(requests).where(requests.c.reissue_of == request.id)
    return [read(row) for row in tx.execute(query.order_by(requests.c.id))]


def due_for_issue(tx: Tx, now: datetime, limit: int) -> list[Request]:
    """Approved requests that have no credential yet and whose delay is over, oldest first."""
    query = (
        select(requests)
        .outerjoin(credentials, _BEGUN)
        .where(_is_due(now))
        .order_by(requests.c.created_at, requests.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=requests)
    )
    return [read(row) for row in tx.execute(query)]


def approved_of(tx: Tx, sender_code: str, *, to_move: bool = False) -> list[Request]:
    """This sender's approved requests, also those with a login in reserve; `to_move`: until the commit nobody else's to move."""
    query = select(requests).where(requests.c.sender_code == sender_code, requests.c.state == APPROVED)
    rows = tx.execute(query.with_for_update() if to_move else query)
    return sorted((read(row) for row in rows), key=attrgetter("id"))  # in SQL the order would lead through all requests there are


def count_due_for_issue(tx: Tx, now: datetime) -> int:
    query = select(func.count()).select_from(requests.outerjoin(credentials, _BEGUN))
    return tx.execute(query.where(_is_due(now))).scalar_one()


def any_due_for_issue(tx: Tx, now: datetime) -> bool:
    """Whether there is anything to issue; as quick however much waits."""
    query = select(requests.c.id).select_from(requests.outerjoin(credentials, _BEGUN)).where(_is_due(now)).limit(1)
    return tx.execute(query).first() is not None


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Approved, not begun, its delay over; one that was decided in the future was so while the clock ran ahead, and is due."""
    approved = (requests.c.state == RequestState.APPROVED.value) & credentials.c.id.is_(None)
    return approved & ((requests.c.issue_after <= now) | (requests.c.decided_at > now))


def get(tx: Tx, request_id: int) -> Request:
    row = tx.execute(select(requests).where(requests.c.id == request_id)).one_or_none()
    if row is None:
        raise NotFoundError("there is no request {id}: `mailer requests list` shows those there are", id=request_id)
    return read(row)


def several(tx: Tx, request_ids: Sequence[int]) -> dict[int, Request]:
    """These requests by their ids."""
    return {row.id: read(row) for row in tx.execute(select(requests).where(requests.c.id.in_(request_ids)))}


def origin(tx: Tx, request: Request) -> int | None:
    """The letter that is answered: the request's own, or that of the request it repeats; None when a person asked for it.

    What is repeated was there before, so that whoever can only write the database lets nobody go in a circle.
    """
    while request.letter_id is None and request.reissue_of is not None and request.reissue_of < request.id:
        request = get(tx, request.reissue_of)
    return request.letter_id


def of_letter(tx: Tx, letter_id: int) -> Request | None:
    row = tx.execute(select(requests).where(requests.c.letter_id == letter_id)).one_or_none()
    return None if row is None else read(row)


def earlier(tx: Tx, request: Request, limit: int, *, of_person: bool) -> list[Request]:
    """What was asked before for the same person, or by the same sender (of strangers: the same address), newest first."""
    if of_person:
        same = requests.c.person_id == request.person_id if request.person_id is not None else None
    elif request.sender_code is not None:
        same = requests.c.sender_code == request.sender_code
    else:
        same = requests.c.stranger_id == request.stranger_id if request.stranger_id is not None else None
    if same is None:
        return []
    before = tuple_(requests.c.created_at, requests.c.id) < tuple_(literal(request.created_at, Instant()), literal(request.id))
    query = select(requests).where(same, before).order_by(requests.c.created_at.desc(), requests.c.id.desc()).limit(limit)
    return [read(row) for row in tx.execute(query)]


def open_of_person(tx: Tx, person_id: int) -> list[Request]:
    """Requests for this person that are not at their end, oldest first."""
    query = select(requests).where(requests.c.person_id == person_id, requests.c.state.in_([state.value for state in OPEN]))
    return [read(row) for row in tx.execute(query.order_by(requests.c.created_at, requests.c.id))]


def newest_of_person(tx: Tx, person_id: int) -> int | None:
    query = (
        select(requests.c.id).where(requests.c.person_id == person_id).order_by(requests.c.created_at.desc(), requests.c.id.desc())
    )
    return tx.execute(query.limit(1)).scalar_one_or_none()


def count_of(tx: Tx, state: RequestState) -> int:
    return tx.execute(select(func.count()).where(requests.c.state == state.value)).scalar_one()


def counts(tx: Tx) -> dict[RequestState, int]:
    return counted(tx, requests.c.state, RequestState, most=RequestState.ANSWERED)


def read(row: Row[Any]) -> Request:
    """A row of the whole table."""
    values = row._asdict()
    values["state"] = RequestState(values["state"])
    return Request(**values)
