"""Who may do this work now? One row per step and mailbox: owner, expiry, fencing number.

Every write of a step first holds its lease: the row is found by owner *and* fence, so a process that was stopped for longer than
its lease and wakes up again finds that its number no longer counts, and its write is rolled back whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Update, insert, select, update

from mailer.errors import LeaseLostError
from mailer.store.db import Tx
from mailer.store.schema import leases

TERM: Final = timedelta(seconds=30)


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


def acquire(tx: Tx, name: str, owner: str, *, now: datetime, is_gone: Callable[[str], bool]) -> Lease | str:
    """Take the lease, or answer with the owner who has it. `is_gone` may say that an owner certainly no longer runs."""
    row = tx.execute(select(leases).where(leases.c.name == name).with_for_update()).one_or_none()
    if row is None:
        tx.execute(insert(leases).values(name=name, owner=owner, fence=1, expires_at=now + TERM))
        return Lease(name=name, owner=owner, fence=1)
    if row.owner != owner and now < row.expires_at <= now + TERM and not is_gone(row.owner):  # else the clock was set back
        return str(row.owner)
    fence = row.fence + 1
    tx.execute(update(leases).where(leases.c.name == name).values(owner=owner, fence=fence, expires_at=now + TERM))
    return Lease(name=name, owner=owner, fence=fence)


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


def went_through(tx: Tx, lease: Lease, *, now: datetime) -> None:
    """Note that the step found nothing more to do and met no trouble."""
    tx.execute(_own(lease).values(worked_at=now, trouble=None, trouble_at=None))


def met_trouble(tx: Tx, lease: Lease, *, now: datetime, trouble: str) -> None:
    tx.execute(_own(lease).values(trouble=trouble[:500], trouble_at=now))


def _own(lease: Lease) -> Update:
    return update(leases).where(leases.c.name == lease.name, leases.c.fence == lease.fence)


def every(tx: Tx) -> list[Holding]:
    rows = tx.execute(select(leases).order_by(leases.c.name))
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
