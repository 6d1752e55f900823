"""What is going on? Read-only views for commands and later the console; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailer.core import evidence, kinds, mime
from mailer.core.evidence import Sealed
from mailer.model import Form, Letter, Own, Reading
from mailer.states import CredentialState, LetterState, ReplyState, RequestState
from mailer.store import (
    accounts_local,
    accounts_pool,
    audit,
    credentials,
    leases,
    letters,
    outbox,
    pauses,
    personal,
    requests,
    senders,
)
from mailer.store.accounts_local import LocalCounts
from mailer.store.accounts_pool import PoolCounts
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.leases import Holding
from mailer.store.letters import Kept
from mailer.store.outbox import Backoff, Reply
from mailer.store.pauses import Pause
from mailer.store.requests import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One record as a line of a timeline. `details` hold what strangers wrote only as digests."""

    seq: int
    at: datetime
    event: str
    importance: str
    actor: str
    sender: str | None
    request: int | None
    outcome: str
    details: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """What is still to be done, now and later."""

    letters: int  # kept, to be decided now
    bounces: int  # kept, to be matched now
    to_issue: int  # approved, and their time has come
    reserved: int  # begun and to be carried out
    to_send: int  # queued and due, or being sent
    to_send_later: int  # queued for a later attempt
    next_send: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """The state of the house in counts, and who works on what."""

    letters: Mapping[LetterState, int]
    requests: Mapping[RequestState, int]
    credentials: Mapping[CredentialState, int]
    replies: Mapping[ReplyState, int]
    backlog: Backlog
    backoff: Backoff | None
    senders: int
    records: int
    leases: Sequence[Holding]
    pauses: Sequence[Pause]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountCounts:
    """How many accounts there are, by where they are valid."""

    local: LocalCounts
    pool: PoolCounts


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterView:
    """A kept letter without its bytes; `sender` and `subject` are as strangers wrote them, None where it is suspect."""

    id: int
    mailbox: str
    received_at: datetime
    size_bytes: int
    sender: str | None
    subject: str | None
    kind: str
    state: str
    verdict: str | None
    rule_id: str | None
    reason: str | None
    sender_code: str | None
    digest: str


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
class CredentialLine:
    credential: Credential
    person: str | None


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


def account_counts(tx: Tx, now: datetime) -> AccountCounts:
    return AccountCounts(local=accounts_local.counts(tx), pool=accounts_pool.counts(tx, now))


def backlog(tx: Tx, now: datetime) -> Backlog:
    due = outbox.count_due(tx, now)
    return Backlog(
        letters=letters.count_due(tx, now, bounces=False),
        bounces=letters.count_due(tx, now, bounces=True),
        to_issue=requests.count_due_for_issue(tx, now),
        reserved=credentials.count_of(tx, CredentialState.RESERVED),
        to_send=due + outbox.count_of(tx, ReplyState.SENDING),
        to_send_later=outbox.count_of(tx, ReplyState.QUEUED) - due,
        next_send=outbox.next_due(tx),
    )


def status(tx: Tx, now: datetime) -> Status:
    return Status(
        letters=letters.counts(tx),
        requests=requests.counts(tx),
        credentials=credentials.counts(tx),
        replies=outbox.counts(tx),
        backlog=backlog(tx, now),
        backoff=outbox.backoff(tx),
        senders=senders.count(tx),
        records=audit.head(tx),
        leases=leases.every(tx),
        pauses=pauses.every(tx),
    )


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


def letter_view(kept: Kept) -> LetterView:
    letter = None if is_suspect(kept) else read_kept(kept)
    return LetterView(
        id=kept.id,
        mailbox=kept.mailbox,
        received_at=kept.received_at,
        size_bytes=kept.size_bytes,
        sender=letter.sender if letter else None,
        subject=letter.subject if letter else None,
        kind=kept.kind.value,
        state=kept.state.value,
        verdict=kept.verdict,
        rule_id=kept.rule_id,
        reason=kept.reason,
        sender_code=kept.sender_code,
        digest=kept.digest,
    )


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


def credential_lines(tx: Tx, limit: int, *, states: Sequence[CredentialState] = ()) -> list[CredentialLine]:
    return [
        CredentialLine(credential=found, person=_value(tx, found.person_id))
        for found in credentials.newest(tx, limit, states=states)
    ]


def timeline(tx: Tx, letter_id: int) -> list[Entry]:
    """The records of a letter and its request, oldest first."""
    return [entry(sealed) for sealed in audit.of_letter(tx, letter_id)]


def request_timeline(tx: Tx, request: Request) -> list[Entry]:
    """The records of a request, and of its letter before there was one."""
    if request.letter_id is not None:
        return timeline(tx, request.letter_id)
    return [entry(sealed) for sealed in audit.of_request(tx, request.id)]


def entry(sealed: Sealed) -> Entry:
    header = evidence.read_header(sealed)
    return Entry(
        seq=header["seq"],
        at=datetime.fromisoformat(header["at"]),
        event=header["event"],
        importance=header["importance"],
        actor=header["actor"],
        sender=header["sender"],
        request=header["request"],
        outcome=header["outcome"],
        details=evidence.read_details(sealed),
    )


def is_suspect(kept: Kept) -> bool:
    """Whether reading this letter killed or failed whoever did, or may have: then no command reads it either."""
    tried = kept.state is LetterState.KEPT and kept.batches > 0
    return tried or kept.state in {LetterState.QUARANTINED, LetterState.DROPPED}


def read_kept(kept: Kept) -> Letter | None:
    return mime.read(kept.content, whole=kept.whole, size_bytes=kept.size_bytes)


def reread(kept: Kept, form: Form, own: Own) -> Reading | None:
    """How a kept letter reads today; None for a suspect one."""
    return None if is_suspect(kept) else kinds.judge(read_kept(kept), form, own)


def _value(tx: Tx, personal_id: int | None) -> str | None:
    return personal.get(tx, personal_id).value if personal_id is not None else None
