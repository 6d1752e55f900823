"""What is seen of the requests: as lines of a list, and one with everything that hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailer.flow.report.letters import LetterView, letter_view
from mailer.flow.report.records import Entry, request_timeline
from mailer.states import RequestState
from mailer.store import credentials, letters, outbox, personal, requests, senders
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.outbox import Reply
from mailer.store.requests import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyView:
    """A reply without its sealed bytes; `outcome` is what the mail server said last."""

    id: str
    name: str
    message_id: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime
    finished_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestLine:
    """A request as one line of a list. `reissue_of`: the request that it repeats."""

    id: int
    created_at: datetime
    sender_code: str | None
    person: str | None
    state: str
    verdict: str
    rule_id: str
    reason: str | None
    reissue_of: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestView:
    """A request with everything that hangs on it. `person` and `answer_to` are None when erased or never read, `letter` when a
    person asked for it. `repeated_by` are the requests opened because its answer did not arrive."""

    request: Request
    letter: LetterView | None
    person: str | None
    organisation: str | None
    answer_to: str | None
    credential: Credential | None
    replies: Sequence[ReplyView]
    repeated_by: Sequence[Request]
    timeline: Sequence[Entry]


def show_request(tx: Tx, request_id: int) -> RequestView:
    """NotFoundError when there is no such request."""
    request = requests.get(tx, request_id)
    letter_id = requests.origin(tx, request)
    return RequestView(
        request=request,
        letter=None if letter_id is None else letter_view(letters.get(tx, letter_id)),
        person=_value(tx, request.person_id),
        organisation=senders.get(tx, request.sender_code).organisation if request.sender_code else None,
        answer_to=_value(tx, request.answer_to_id),
        credential=credentials.of_request(tx, request_id),
        replies=[_reply_view(reply) for reply in outbox.of_request(tx, request_id)],
        repeated_by=requests.repeats(tx, request),
        timeline=request_timeline(tx, request),
    )


def request_lines(tx: Tx, limit: int, *, states: Sequence[RequestState] = (), undelivered: bool = False) -> list[RequestLine]:
    """The newest requests; `undelivered`: only those with a reply that failed, bounced or may not have arrived."""
    found = requests.undelivered(tx, limit) if undelivered else requests.newest(tx, limit, states=states)
    return [
        RequestLine(
            id=request.id,
            created_at=request.created_at,
            sender_code=request.sender_code,
            person=_value(tx, request.person_id),
            state=request.state.value,
            verdict=request.verdict,
            rule_id=request.rule_id,
            reason=request.reason,
            reissue_of=request.reissue_of,
        )
        for request in found
    ]


def _reply_view(reply: Reply) -> ReplyView:
    return ReplyView(
        id=reply.id,
        name=reply.name,
        message_id=reply.message_id,
        state=reply.state.value,
        attempts=reply.attempts,
        created_at=reply.created_at,
        next_at=reply.next_at,
        finished_at=reply.finished_at,
        outcome=reply.outcome,
    )


def _value(tx: Tx, personal_id: int | None) -> str | None:
    return personal.get(tx, personal_id).value if personal_id is not None else None
