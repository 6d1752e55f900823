"""Which alarms stand, since when, and when were they last told? One row for each kind and place.

A row that is cleared stays as long as its telling counts: an alarm that comes and goes is still told once an hour at most.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from mailer.core.alarms import TELL_AGAIN, Alarm, AlarmKind, Standing
from mailer.store.db import Tx
from mailer.store.schema import alarms


def every(tx: Tx) -> list[Standing]:
    """All rows, cleared ones too."""
    return [_read(row) for row in tx.execute(select(alarms).order_by(alarms.c.raised_at, alarms.c.kind, alarms.c.place))]


def raised(tx: Tx, alarm: Alarm, *, at: datetime) -> None:
    """It was not there before, or was cleared since."""
    values = {"raised_at": at, "since": alarm.since, "cleared_at": None, "count": alarm.count, "numbers": _json(alarm)}
    changed = tx.execute(update(alarms).where(*_is(alarm)).values(**values))
    if changed.rowcount == 0:
        tx.execute(insert(alarms).values(kind=alarm.kind.value, place=alarm.place, **values))


def goes_on(tx: Tx, alarm: Alarm) -> None:
    """It stands as before, with the numbers of now. `since` stays: what it was found by may have moved on."""
    tx.execute(update(alarms).where(*_is(alarm)).values(count=alarm.count, numbers=_json(alarm)))


def cleared(tx: Tx, alarm: Alarm, *, at: datetime) -> None:
    tx.execute(update(alarms).where(*_is(alarm)).values(cleared_at=at))


def told(tx: Tx, kinds: Collection[AlarmKind], *, at: datetime) -> None:
    """Everything that stands of these kinds was told just now."""
    standing = alarms.c.kind.in_([kind.value for kind in kinds]) & alarms.c.cleared_at.is_(None)
    tx.execute(update(alarms).where(standing).values(told_at=at, told_count=alarms.c.count))


def forget(tx: Tx, *, now: datetime) -> None:
    """Drop what is cleared and was not told within the hour."""
    over = alarms.c.cleared_at.is_not(None) & (alarms.c.told_at.is_(None) | (alarms.c.told_at <= now - TELL_AGAIN))
    tx.execute(delete(alarms).where(over))


def _is(alarm: Alarm) -> tuple[Any, Any]:
    return alarms.c.kind == alarm.kind.value, alarms.c.place == alarm.place


def _json(alarm: Alarm) -> str:
    return json.dumps(dict(alarm.numbers), sort_keys=True)


def _read(row: Row[Any]) -> Standing:
    return Standing(
        alarm=Alarm(
            kind=AlarmKind(row.kind), place=row.place, since=row.since, count=row._mapping["count"], numbers=json.loads(row.numbers)
        ),
        raised_at=row.raised_at,
        cleared_at=row.cleared_at,
        told_at=row.told_at,
        told_count=row.told_count,
    )
