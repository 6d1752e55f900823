"""What is seen of the requests: as lines of a list, and one with everything that hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mailer.core import recall, requestwords, rules
from mailer.core.rules import Ruleset
from mailer.errors import SetupError
from mailer.flow.report.letters import LetterView, letter_view
from mailer.flow.report.records import Entry, request_timeline
from mailer.model import SenderStanding
from mailer.store import credentials, letters, office, outbox, personal, requests, senders, worklist
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.outbox import Reply
from mailer.store.requests import Request
from mailer.store.worklist import Page, Wanted


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
    """A request as one line of a list. `reissue_of`: the request that it repeats.

    `stranger`: the address of a sender who is not in the register, or not proven (`standing` tells which, as it was when decided).
    `own_words`: why, in the words of the office's own rule, where its reason is none of ours. `alike`: the held requests that this
    line stands for, all from that address; it is the oldest of them.
    """

    id: int
    created_at: datetime
    sender_code: str | None
    organisation: str | None
    stranger: str | None
    standing: SenderStanding | None
    person: str | None
    state: str
    verdict: str
    rule_id: str
    reason: str | None
    reissue_of: int | None
    own_words: str | None = None
    alike: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A page of a list. `more`: there are others; `searched_to`: the last that was looked at, where not all were."""

    lines: Sequence[RequestLine]
    more: bool
    searched_to: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestView:
    """A request with everything that hangs on it. `person` and `answer_to` are None when erased or never read, `letter` when a
    person asked for it. `repeated_by` are the requests opened because its answer did not arrive."""

    request: Request
    letter: LetterView | None
    person: str | None
    organisation: str | None
    stranger: str | None
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
        stranger=_value(tx, request.stranger_id),
        answer_to=_value(tx, request.answer_to_id),
        credential=credentials.of_request(tx, request_id),
        replies=[_reply_view(reply) for reply in outbox.of_request(tx, request_id)],
        repeated_by=requests.repeats(tx, request),
        timeline=request_timeline(tx, request),
    )


def listed(tx: Tx, wanted: Wanted, where: Page) -> Listed:
    """A page of the requests that are wanted. NotFoundError when the request that it shall begin beside is not there."""
    found = worklist.page(tx, wanted, where)
    lines = request_lines(tx, found.requests)
    if wanted.strangers_in_one:
        alike = [worklist.alike(tx, request) for request in found.requests]
        lines = [replace(line, alike=count) for line, count in zip(lines, alike, strict=True)]
    return Listed(lines=lines, more=found.more, searched_to=found.searched_to)


def request_lines(tx: Tx, found: Sequence[Request]) -> list[RequestLine]:
    """These requests as lines, in their order."""
    people = personal.several(tx, [number for one in found for number in (one.person_id, one.stranger_id) if number is not None])
    own_words = {one: _own_words(tx, *one) for one in {(one.ruleset_hash, one.rule_id) for one in found if _is_our_own(one)}}
    organisations = senders.organisations(tx, list({one.sender_code for one in found if one.sender_code is not None}))
    return [
        RequestLine(
            id=request.id,
            created_at=request.created_at,
            sender_code=request.sender_code,
            organisation=organisations.get(request.sender_code or ""),
            stranger=people[request.stranger_id].value if request.stranger_id is not None else None,
            standing=recall.standing(request.facts),
            person=people[request.person_id].value if request.person_id is not None else None,
            state=request.state.value,
            verdict=request.verdict,
            rule_id=request.rule_id,
            reason=request.reason,
            reissue_of=request.reissue_of,
            own_words=own_words.get((request.ruleset_hash, request.rule_id)),
        )
        for request in found
    ]


def ruleset_of(tx: Tx, ruleset_hash: str) -> Ruleset | None:
    """The rules of then; None where this program no longer understands them."""
    content = office.ruleset(tx, ruleset_hash)
    try:
        return None if content is None else rules.load(content)
    except SetupError:
        return None


def _is_our_own(request: Request) -> bool:
    """Whether an office's own rule decided, for a reason that only it can say."""
    return request.reason == request.rule_id and requestwords.words(request.reason, None) is None


def _own_words(tx: Tx, ruleset_hash: str, rule_id: str) -> str | None:
    ruleset = ruleset_of(tx, ruleset_hash)
    return next((rule.why for rule in ruleset.rules if rule.id == rule_id), None) if ruleset is not None else None


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
