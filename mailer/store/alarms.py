"""Which alarms stand, since when, and when were they last told? One row for each kind and place.

A row that is cleared stays as long as its telling counts: an alarm that comes and goes is still told once an hour at most.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update

from mailer.core.alarms import TELL_AGAIN, Alarm, AlarmKind, Standing
from mailer.store.db import Tx
from mailer.store.schema import alarms

_KINDS: Final = frozenset(kind.value for kind in AlarmKind)


def every(tx: Tx) -> list[Standing]:
    """All rows, cleared ones too. One that cannot be read counts as none raised: what it should tell of is raised anew."""
    rows = tx.execute(select(alarms).order_by(alarms.c.raised_at, alarms.c.kind, alarms.c.place))
    return [one for row in rows if (one := _read(row)) is not None]


def raised(tx: Tx, alarm: Alarm, *, at: datetime) -> None:
    """It was not there before, or was cleared since, or could not be read."""
    before = tx.execute(select(alarms).where(*_is(alarm))).one_or_none()
    if before is not None and _read(before) is None:
        tx.execute(delete(alarms).where(*_is(alarm)))  # when it was told cannot be known either
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


def _read(row: Row[Any]) -> Standing | None:
    """None for a row that we did not write: it must not keep all others from being told."""
    try:
        numbers = json.loads(row.numbers)
    except (TypeError, ValueError):
        return None
    count = row._mapping["count"]
    counts = [count, row.told_count, *(numbers.values() if isinstance(numbers, dict) else [None])]
    if row.kind not in _KINDS or not isinstance(row.place, str) or not all(isinstance(one, int) for one in counts):
        return None
    return Standing(
        alarm=Alarm(kind=AlarmKind(row.kind), place=row.place, since=row.since, count=count, numbers=numbers),
        raised_at=row.raised_at,
        cleared_at=row.cleared_at,
        told_at=row.told_at,
        told_count=row.told_count,
    )
