"""How often was a password wrong of late? One sum for each login and minute; all logins that nobody has share one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailer.core import evidence
from mailer.store import credentials
from mailer.store.db import Tx
from mailer.store.schema import check_failures
from mailer.store.work import Unit

NOBODY: Final = ""  # whose login is unknown
KEPT: Final = timedelta(days=1)


def add(tx: Tx, credential_id: str, at: datetime) -> None:
    minute = at.replace(second=0, microsecond=0)
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    first = dialect.insert(check_failures).values(credential_id=credential_id, minute=minute, count=1, last_at=at, told=False)
    again = {"count": check_failures.c.count + 1, "last_at": at, "told": False}
    tx.execute(first.on_conflict_do_update(index_elements=["credential_id", "minute"], set_=again))


def since(tx: Tx, credential_id: str, then: datetime) -> tuple[int, datetime | None]:
    """How many there were since then, and when the last one was."""
    own = (check_failures.c.credential_id == credential_id) & (check_failures.c.last_at >= then)
    row = tx.execute(
        select(func.coalesce(func.sum(check_failures.c.count), 0), func.max(check_failures.c.last_at)).where(own)
    ).one()
    return int(row[0]), row[1]


def any_untold(tx: Tx, now: datetime) -> bool:
    return tx.execute(select(check_failures.c.count).where(_over(now)).limit(1)).first() is not None


def tell(unit: Unit) -> None:
    """Tell the record the sums of minutes that are over, each once; those of yesterday are erased.

    A credential that is not there has no login: its sum is told as those of logins that nobody has.
    """
    tx, over = unit.tx, _over(unit.at)
    rows = tx.execute(select(check_failures).where(over).order_by(check_failures.c.minute).with_for_update()).all()
    tx.execute(update(check_failures).where(over).values(told=True))
    tx.execute(delete(check_failures).where(check_failures.c.told, check_failures.c.last_at < unit.at - KEPT))
    for row in rows:
        known = credentials.known(tx, row.credential_id) if row.credential_id != NOBODY else None
        unit.tell(
            "credential.check-failed",
            sender=known.sender_code if known else None,
            request=known.request_id if known else None,
            importance="notice",
            outcome="failed",
            credential=known.id if known else None,
            minute=evidence.instant(row.minute),
            count=row.count,
        )


def _over(now: datetime) -> ColumnElement[bool]:
    return check_failures.c.told.is_(False) & (check_failures.c.minute < now.replace(second=0, microsecond=0))
