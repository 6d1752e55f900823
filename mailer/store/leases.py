"""Who may do this work now? One row per step and mailbox: owner, expiry, fencing number.

A shared step (PostgreSQL) has as many leases as workers, `answer`, `answer#2` and so on. What a worker takes in hand, letters and
replies, carries the name and number of its lease and is free again once that number no longer counts.

Every write of a step first holds its lease: the row is found by owner *and* fence, so a process that was stopped for longer than
its lease and wakes up again finds that its number no longer counts, and its write is rolled back whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, Update, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailer.core.alarms import FIGHT_WINDOW, StepSigns
from mailer.errors import LeaseLostError
from mailer.store.db import Tx
from mailer.store.schema import leases

TERM: Final = timedelta(seconds=30)
WORKERS_MAX: Final = 64  # of one shared step
NOBODY: Final = ""
LAST: Final = 2**63 - 1  # the last number that both databases keep


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    name: str
    owner: str
    fence: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What the table says of one step, for `status`."""

    name: str
    owner: str
    expires_at: datetime
    worked_at: datetime | None
    trouble: str | None
    trouble_at: datetime | None


def acquire(tx: Tx, step: str, owner: str, *, now: datetime, is_gone: Callable[[str], bool], shared: bool = False) -> Lease | str:
    """Take the lease of a step, or answer with the owner who has it; of a shared step the first lease that is free.

    `is_gone` may say that an owner certainly no longer runs.
    """
    holder = NOBODY
    for place in range(1, WORKERS_MAX + 1 if shared else 2):
        name = step if place == 1 else f"{step}#{place}"
        tx.execute(_insert(tx).values(name=name, owner=NOBODY, fence=0, expires_at=now).on_conflict_do_nothing())
        seen = tx.execute(select(leases).where(leases.c.name == name)).one()
        if seen.owner == owner or _is_over(seen, now, is_gone):
            lease = _take(tx, name, owner, now, is_gone)
            if lease is not None:
                return lease
        holder = holder or seen.owner
    return holder


def _take(tx: Tx, name: str, owner: str, now: datetime, is_gone: Callable[[str], bool]) -> Lease | None:
    """The lease with its next number, unless somebody else takes it at this moment or its owner is in the midst of a write."""
    row = tx.execute(select(leases).where(leases.c.name == name).with_for_update(skip_locked=True)).one_or_none()
    if row is None or not (row.owner == owner or _is_over(row, now, is_gone)):
        return None
    fence = _next(row.fence)
    tx.execute(update(leases).where(leases.c.name == name).values(owner=owner, fence=fence, expires_at=now + TERM))
    return Lease(name=name, owner=owner, fence=fence)


def abandoned(tx: Tx, step: str, *, now: datetime, is_gone: Callable[[str], bool]) -> list[str]:
    """The leases of a shared step that ran out or whose owner is gone."""
    rows = tx.execute(select(leases).where(_of_step(step), leases.c.owner != NOBODY))
    return [row.name for row in rows if _is_over(row, now, is_gone)]


def evict(tx: Tx, names: Sequence[str], *, now: datetime, is_gone: Callable[[str], bool]) -> None:
    """Give these leases another number, so that what was taken under the old one is free and no write under it counts.

    One whose owner is in the midst of a write is left alone: he proves it by that write.
    """
    rows = tx.execute(select(leases).where(leases.c.name.in_(names)).with_for_update(skip_locked=True)).all()
    for row in rows:
        if _is_over(row, now, is_gone):
            evicted = {"owner": NOBODY, "fence": _next(row.fence), "expires_at": now}
            tx.execute(update(leases).where(leases.c.name == row.name).values(**evicted))


def _next(fence: object) -> int:
    """The number after this one. No lease lives to the last one: somebody wrote it there, or what is no number (SQLite keeps that
    too). Then the numbers begin anew, since a step whose lease has no next number would stop for good."""
    return fence + 1 if isinstance(fence, int) and 0 <= fence < LAST else 1


def is_held(lease: ColumnElement[str | None], fence: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether what was taken in hand under this lease and number still is: columns of the row that was taken."""
    return exists().where(leases.c.name == lease, leases.c.fence == fence)


def take_turn(tx: Tx, lease: Lease) -> None:
    """Wait until no other worker of the same step is in such a transaction: what it counts then holds until it commits.

    SQLite has one writer at a time anyway.
    """
    take_turn_of(tx, lease.name.partition("#")[0])


def take_turn_of(tx: Tx, step: str) -> None:
    """The same for a person, who counts with this step and holds no lease of it."""
    if tx.dialect.name == "postgresql":
        tx.execute(_turn(step).with_for_update())


def is_turn_free(tx: Tx, lease: Lease) -> bool:
    """Whether `take_turn` would not have to wait. Ask before taking work in hand: a queue of waiting workers does nobody good."""
    return (
        tx.dialect.name != "postgresql"
        or tx.execute(_turn(lease.name.partition("#")[0]).with_for_update(skip_locked=True)).first() is not None
    )


def _turn(step: str) -> Select[tuple[str]]:
    """The first lease of the step, whoever has it: its row is what the workers of the step wait for."""
    return select(leases.c.name).where(leases.c.name == step)


def hold(tx: Tx, lease: Lease, *, now: datetime) -> None:
    """Prove and prolong the lease inside the transaction that is about to write; LeaseLostError ends that transaction."""
    renewed = tx.execute(
        update(leases)
        .where(leases.c.name == lease.name, leases.c.owner == lease.owner, leases.c.fence == lease.fence)
        .values(expires_at=now + TERM)
    )
    if renewed.rowcount != 1:
        raise LeaseLostError("the lease {name} is no longer ours", name=lease.name)


def release(tx: Tx, lease: Lease, *, now: datetime) -> None:
    """Let the next owner in at once."""
    tx.execute(_own(lease).values(expires_at=now))


def went_through(tx: Tx, lease: Lease, *, began: datetime) -> None:
    """Note that the step, begun then, found nothing more to do and met no trouble."""
    tx.execute(_own(lease).values(worked_at=began, trouble=None, trouble_at=None))


def met_trouble(tx: Tx, lease: Lease, *, now: datetime, trouble: str) -> None:
    tx.execute(_own(lease).values(trouble=trouble[:500], trouble_at=now))


def lost(tx: Tx, lease: Lease, *, now: datetime) -> None:
    """Note that a process that was still there lost this lease; losses are counted until ten minutes pass without one."""
    row = tx.execute(select(leases).where(leases.c.name == lease.name).with_for_update()).one()
    again = row.lost_at is not None and abs(now - row.lost_at) < FIGHT_WINDOW
    values = {"losses": _losses(row) + 1 if again else 1, "lost_since": row.lost_since if again else now, "lost_at": now}
    tx.execute(update(leases).where(leases.c.name == lease.name).values(**values))


def _is_over(row: Row[Any], now: datetime, is_gone: Callable[[str], bool]) -> bool:
    """Whether nobody has this lease any more; one that ends far later than any lease can was taken before the clock was set back.

    A little later may happen: `now` was asked before the row was waited for.
    """
    return not now < row.expires_at <= now + 2 * TERM or is_gone(row.owner)


def _of_step(step: str) -> ColumnElement[bool]:
    return (leases.c.name == step) | leases.c.name.startswith(f"{step}#", autoescape=True)


def _insert(tx: Tx) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(leases) if tx.dialect.name == "postgresql" else sqlite.insert(leases)


def _own(lease: Lease) -> Update:
    return update(leases).where(leases.c.name == lease.name, leases.c.fence == lease.fence)


def every(tx: Tx) -> list[Holding]:
    rows = tx.execute(select(leases).where(leases.c.owner != NOBODY).order_by(leases.c.name))
    return [
        Holding(
            name=row.name,
            owner=row.owner,
            expires_at=row.expires_at,
            worked_at=row.worked_at,
            trouble=row.trouble,
            trouble_at=row.trouble_at,
        )
        for row in rows
    ]


def signs(tx: Tx) -> list[StepSigns]:
    """How each step does, for the alarms. On SQLite somebody may have written what is no name: that is no step."""
    columns = ("name", "expires_at", "worked_at", "trouble_at", "losses", "lost_since", "lost_at")
    rows = tx.execute(select(*(leases.c[name] for name in columns)).order_by(leases.c.name))
    return [StepSigns(**row._asdict() | {"losses": _losses(row)}) for row in rows if isinstance(row.name, str)]


def _losses(row: Row[Any]) -> int:
    """What is no number was counted by nobody."""
    return row.losses if isinstance(row.losses, int) else 0
