"""The replies that are to leave: sealed bytes, states, attempts. Nothing here can open what it stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, select, update

from mailer.core import lifecycle
from mailer.core.custody import Use
from mailer.core.lifecycle import ReplyEvent
from mailer.core.retry import LONGEST_WAIT
from mailer.errors import NotFoundError
from mailer.states import ReplyState
from mailer.store import leases
from mailer.store.bulk import Bulk
from mailer.store.counting import counted
from mailer.store.db import Tx
from mailer.store.leases import Lease
from mailer.store.schema import replies

WAITING: Final = (ReplyState.QUEUED, ReplyState.SENDING, ReplyState.UNKNOWN)  # only their key can still bring them out
UNSENT: Final = tuple(state.value for state in ReplyState if state is not ReplyState.SENT)
LONGEST_SENDING: Final = timedelta(hours=1)  # from taking a reply in hand to its end; the lease is lost long before
UNASKED: Final = ("expiring", "extended")  # by the names of their templates
MAX_SENDS: Final = 3  # times the same bytes may have reached the server; then a person looks


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """`digest` is SHA-256 of the sealed bytes; `sealed` is None once it was sent and erased, `content_salt` once its person's data
    was. A notice to the officer has neither request nor sender."""

    id: str
    request_id: int | None
    credential_id: str | None
    name: str
    sender_code: str | None
    recipient_id: int
    message_id: str
    state: ReplyState
    key_epoch: str
    sealed: bytes | None
    digest: str
    content_salt: bytes | None
    created_at: datetime
    sends: int
    attempts: int
    started_at: datetime | None
    next_at: datetime
    lease: str | None
    fence: int
    outcome: str | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewReply:
    """A reply as it is queued; the names are those of `Reply`."""

    id: str
    request_id: int | None
    credential_id: str | None
    name: str
    sender_code: str | None
    recipient_id: int
    message_id: str
    key_epoch: str
    sealed: bytes
    digest: str
    content_salt: bytes


_NEW: Final = Bulk(replies, (*NewReply.__slots__, "state", "created_at", "next_at", "sends", "attempts", "fence"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Replies that wait for another attempt. `last_answer` is what the mail server said to the oldest: strangers' words."""

    replies: int
    next_at: datetime
    oldest_since: datetime
    oldest_attempts: int
    last_answer: str | None


def put(tx: Tx, written: Sequence[NewReply], *, at: datetime) -> None:
    """Queue replies. Each is sent by whoever holds the key of its epoch, if the record says the same of it."""
    queued = {"state": ReplyState.QUEUED.value, "created_at": at, "next_at": at, "sends": 0, "attempts": 0, "fence": 0}
    _NEW.put(tx, [{name: getattr(reply, name) for name in NewReply.__slots__} | queued for reply in written])


def due(tx: Tx, now: datetime, limit: int) -> list[Reply]:
    """Queued replies whose time has come, those that were started first before all others, then those written first."""
    query = (
        select(replies)
        .where(_is_due(now))
        .order_by(replies.c.started_at.asc().nulls_last(), replies.c.created_at, replies.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_read(row) for row in tx.execute(query)]


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Queued, and its time has come. A clock that ran ahead and was set back must not make replies wait for the time it showed:
    one that was neither tried nor put off is due in any case, and no wait is longer than the longest."""
    untouched = (replies.c.attempts == 0) & (replies.c.next_at == replies.c.created_at)
    time_has_come = (replies.c.next_at <= now) | (replies.c.next_at > now + LONGEST_WAIT)
    return (replies.c.state == ReplyState.QUEUED.value) & (untouched | time_has_come)


def orphaned(tx: Tx) -> list[Reply]:
    """Replies that a sender took and did not finish before his lease ended."""
    query = select(replies).where(replies.c.state == ReplyState.SENDING.value, ~leases.is_held(replies.c.lease, replies.c.fence))
    return [_read(row) for row in tx.execute(query.order_by(replies.c.created_at))]


def lease(tx: Tx, reply: Reply, under: Lease, *, at: datetime, next_at: datetime) -> None:
    """Take a reply for sending. The send and the next time are counted before anything is connected."""
    values = {
        "lease": under.name,
        "fence": under.fence,
        "attempts": reply.attempts + 1,
        "sends": reply.sends + 1,
        "next_at": next_at,
    }
    _move(tx, reply, ReplyEvent.LEASED, started_at=reply.started_at or at, **values)


def finish(tx: Tx, reply: Reply, event: ReplyEvent, *, outcome: str, at: datetime) -> None:
    """End an attempt for good: SENT erases the sealed bytes, FAILED and DOUBTED leave them for a person. BOUNCED undoes SENT."""
    sealed = {"sealed": None} if event is ReplyEvent.SENT else {}
    _move(tx, reply, event, outcome=outcome[:500], finished_at=at, **sealed)


def again(tx: Tx, reply: Reply, event: ReplyEvent, *, sends: int, outcome: str, next_at: datetime) -> None:
    """Back to the queue: POSTPONED when nothing went out, RETURNED when the bytes may have gone out."""
    _move(tx, reply, event, sends=sends, outcome=outcome[:500], next_at=next_at)


def requeue(tx: Tx, reply: Reply, *, at: datetime) -> None:
    """A person has what was given up, or is in doubt, sent again: the same bytes, counted anew."""
    _move(tx, reply, ReplyEvent.RETURNED, sends=0, next_at=at, finished_at=None)


def hold_back(tx: Tx, until: datetime, *, written_after: datetime) -> None:
    """Whatever would be tried sooner waits until then, untried; only replies written after `written_after`."""
    sooner = select(replies.c.id).where(
        replies.c.state == ReplyState.QUEUED.value, replies.c.next_at < until, replies.c.created_at > written_after
    )
    # Another sender may be taking some of them at this moment: those are its own.
    tx.execute(update(replies).where(replies.c.id.in_(sooner.with_for_update(skip_locked=True))).values(next_at=until))


def stale(tx: Tx, written_by: datetime, limit: int) -> list[Reply]:
    """Queued replies written at that time or before, oldest first."""
    query = select(replies).where(replies.c.state == ReplyState.QUEUED.value, replies.c.created_at <= written_by)
    return [_read(row) for row in tx.execute(query.order_by(replies.c.created_at).limit(limit).with_for_update(skip_locked=True))]


def any_sent_since(tx: Tx, since: datetime) -> bool:
    """Whether any left since then. Its next time was set when it was taken for sending: by it the index finds the latest."""
    latest = (replies.c.state == ReplyState.SENT.value) & (replies.c.next_at >= since - LONGEST_SENDING)
    query = select(replies.c.id).where(latest, replies.c.finished_at >= since)
    return tx.execute(query.limit(1)).first() is not None


def _move(tx: Tx, reply: Reply, event: ReplyEvent, **values: object) -> None:
    state = lifecycle.after_reply(reply.state, event)
    tx.execute(update(replies).where(replies.c.id == reply.id).values(state=state.value, **values))


def get(tx: Tx, reply_id: str) -> Reply:
    row = tx.execute(select(replies).where(replies.c.id == reply_id)).one_or_none()
    if row is None:
        raise NotFoundError("there is no reply {id}", id=reply_id)
    return _read(row)


def named(tx: Tx, reply_ids: Sequence[str], message_ids: Sequence[str]) -> Reply | None:
    """The first reply that there is, by its own id before by its Message-ID."""
    for column, names in ((replies.c.id, reply_ids), (replies.c.message_id, message_ids)):
        for name in names:
            row = tx.execute(select(replies).where(column == name)).one_or_none()
            if row is not None:
                return _read(row)
    return None


def of_request(tx: Tx, request_id: int) -> list[Reply]:
    return [
        _read(row) for row in tx.execute(select(replies).where(replies.c.request_id == request_id).order_by(replies.c.created_at))
    ]


def put_since(tx: Tx, since: datetime, recipient_id: int | None = None, *, notices: bool = False) -> int:
    """How many replies were written since then: to this address, or in all.

    `notices`: also those to the officer, and letters about the end of a login. Nobody's letters make us write these, and they never
    take an answer's place.
    """
    query = select(func.count()).where(replies.c.created_at >= since)
    if not notices:
        query = query.where(replies.c.request_id.is_not(None), replies.c.name.not_in(UNASKED))
    if recipient_id is not None:
        query = query.where(replies.c.recipient_id == recipient_id)
    return tx.execute(query).scalar_one()


def count_due(tx: Tx, now: datetime) -> int:
    query = select(func.count()).where(_is_due(now))
    return tx.execute(query).scalar_one()


def next_due(tx: Tx) -> datetime | None:
    query = select(replies.c.next_at).where(replies.c.state == ReplyState.QUEUED.value)
    return tx.execute(query.order_by(replies.c.next_at).limit(1)).scalar_one_or_none()


def use_of_epochs(tx: Tx) -> dict[str, Use]:
    """Day of a key -> how many replies are sealed to it, those that still wait to be opened apart. A day to which no reply is
    sealed any more may be left out: what was sent was erased, and nearly all was."""
    waiting = func.count().filter(replies.c.state.in_([state.value for state in WAITING]))
    query = select(replies.c.key_epoch, waiting, func.count(replies.c.sealed)).where(replies.c.state.in_(UNSENT))
    rows = tx.execute(query.group_by(replies.c.key_epoch))
    return {day: Use(waiting=waits, sealed=sealed) for day, waits, sealed in rows}


def backoff(tx: Tx) -> Backoff | None:
    """What the oldest of the replies that did not leave at the first attempt has met; None when all others did."""
    tried = (replies.c.state == ReplyState.QUEUED.value) & (replies.c.attempts > 0)
    oldest = tx.execute(select(replies).where(tried).order_by(replies.c.created_at, replies.c.id).limit(1)).one_or_none()
    if oldest is None:
        return None
    count, next_at = tx.execute(select(func.count(), func.min(replies.c.next_at)).where(tried)).one()
    return Backoff(
        replies=count, next_at=next_at, oldest_since=oldest.created_at, oldest_attempts=oldest.attempts, last_answer=oldest.outcome
    )


def count_of(tx: Tx, state: ReplyState) -> int:
    """How many are in this state; of the few, this is quick however many there are in all."""
    return tx.execute(select(func.count()).where(replies.c.state == state.value)).scalar_one()


def counts(tx: Tx) -> dict[ReplyState, int]:
    return counted(tx, replies.c.state, ReplyState, most=ReplyState.SENT)


def _read(row: Row[Any]) -> Reply:
    values = row._asdict()
    values["state"] = ReplyState(values["state"])
    return Reply(**values)
