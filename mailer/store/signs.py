"""What does the database show that may need a person? Gathered for `core.alarms`; every question is served by an index.

States are asked one by one: those asked for here hold few rows, whatever the tables have grown to.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, false, func, select

from mailer.core import evidence
from mailer.core.alarms import NOTHING, REPLY_WAITS_FOR, SETTLED_AFTER, Heap, Signs
from mailer.states import CredentialState, LetterState, ReplyState
from mailer.store import accounts_pool, audit, leases, pauses, requests
from mailer.store.credentials import issued_since
from mailer.store.db import Tx
from mailer.store.schema import credentials, instance, letters, replies

BREAKER_WINDOW: Final = timedelta(minutes=10)
ON_THE_WAY: Final = (ReplyState.QUEUED.value, ReplyState.SENDING.value)
UNDELIVERED: Final = (ReplyState.UNKNOWN.value, ReplyState.FAILED.value, ReplyState.BOUNCED.value)
ENDED_BY_HAND: Final = ("credential.revoked", "account.disabled")
LIVING: Final = (CredentialState.ACTIVE.value, CredentialState.SUSPENDED.value, CredentialState.IN_DOUBT.value)


def gather(tx: Tx, now: datetime, *, breaker: int) -> Signs:
    """`breaker`: how many credentials may be issued within 10 minutes."""
    long_ago: ColumnElement[bool] = replies.c.created_at <= now - REPLY_WAITS_FOR
    if pauses.holds(tx, "deliver"):  # what waits because a person said so is no sign of trouble: the pause itself is told
        long_ago = false()
    waits = replies.c.state.in_(ON_THE_WAY) & long_ago
    undelivered = replies.c.state.in_(UNDELIVERED)
    recent = replies.c.finished_at > now - SETTLED_AFTER
    answer, notice = replies.c.request_id.is_not(None), replies.c.request_id.is_(None)
    return Signs(
        founded_at=tx.execute(select(instance.c.created_at)).scalar_one(),
        steps=leases.signs(tx),
        quarantined=_heap(tx, letters.c.kept_at, letters.c.state == LetterState.QUARANTINED.value),
        paused=_paused(tx, now, breaker),
        free_pairs=accounts_pool.count_free(tx, now),
        pool_low_since=_since(tx, "pool.low", until="pool.imported"),
        uncompacted_since=_since(tx, "personal.erased", until="personal.compacted"),
        waiting=_heap(tx, replies.c.created_at, waits & answer),
        undelivered=_heap(tx, replies.c.finished_at, undelivered & answer & _unsettled(recent)),
        notices=_heap(tx, replies.c.created_at, notice & (waits | (undelivered & recent))),
        lingering=_heap(tx, credentials.c.disabling_since, credentials.c.disabling_since.is_not(None)),
        distrusted=_distrusted(tx, now),
        epochs=_epochs(tx),
        refused_since=_since(tx, "checkpoint.refused", until="checkpoint.resumed"),
    )


def epochs(tx: Tx) -> list[str]:
    """The days of the keys that replies may still need, oldest first."""
    return sorted(_epochs(tx))


def _unsettled(recent: ColumnElement[bool]) -> ColumnElement[bool]:
    """An undelivered login needs a person while it lives: a later answer, a revocation or its term settles it.

    A refusal cannot be settled so; it leaves the list after 14 days.
    """
    living = select(credentials.c.id).where(credentials.c.id == replies.c.credential_id, credentials.c.state.in_(LIVING))
    return living.exists() | (replies.c.credential_id.is_(None) & recent)


def _paused(tx: Tx, now: datetime, breaker: int) -> Heap:
    count = requests.count_due_for_issue(tx, now)
    if count == 0 or issued_since(tx, now - BREAKER_WINDOW) < breaker:
        return NOTHING
    return Heap(count=count, since=audit.newest_at(tx, "issuing.paused"))


def _since(tx: Tx, event: str, *, until: str) -> datetime | None:
    """When the record told it last, unless it told since then that it is over."""
    told = audit.latest(tx, event, until) == event
    return audit.newest_at(tx, event) if told else None


def _distrusted(tx: Tx, now: datetime) -> Heap:
    """How many requests' logins; those behind which nothing was issued at all count as one."""
    told = [evidence.read_header(one) for one in audit.unsettled(tx, "credential.distrusted", *ENDED_BY_HAND)]
    recent = [one for one in told if now - datetime.fromisoformat(one["at"]) < SETTLED_AFTER]
    if not recent:
        return NOTHING
    return Heap(count=len({one["request"] for one in recent}), since=datetime.fromisoformat(recent[0]["at"]))


def _epochs(tx: Tx) -> dict[str, int]:
    needed = replies.c.state.in_([*ON_THE_WAY, ReplyState.UNKNOWN.value])
    rows: Sequence[tuple[str, int]] = [
        (epoch, count)
        for epoch, count in tx.execute(select(replies.c.key_epoch, func.count()).where(needed).group_by(replies.c.key_epoch))
    ]
    return {epoch: count for epoch, count in rows if _is_day(epoch)}


def _is_day(epoch: object) -> bool:
    """Whether a key can have this name: alarms name the keys they miss, and a reply that names another was written by a stranger.
    The courier refuses it with an alarm of its own."""
    try:
        return isinstance(epoch, str) and date.fromisoformat(epoch).isoformat() == epoch
    except ValueError:
        return False


def _heap(tx: Tx, time: ColumnElement[datetime], which: ColumnElement[bool]) -> Heap:
    count, since = tx.execute(select(func.count(), func.min(time)).where(which)).one()
    return Heap(count=count, since=since)
