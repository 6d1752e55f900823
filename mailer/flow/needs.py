"""What needs a person now? Read-only, made anew from the database: it is true when no service runs, too.

What only the running service sees (disk, clock, keys) is taken from what it raised last.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from mailer.core import alarms, standstill
from mailer.core.alarms import OUTSIDE, Alarm, AlarmKind, Limits
from mailer.errors import SetupError
from mailer.store import alarms as raised_alarms
from mailer.store import erasure, pauses, signs
from mailer.store.db import Tx


def needs(tx: Tx, limits: Limits, now: datetime) -> list[Alarm]:
    """Every alarm that stands."""
    standing = [one.alarm for one in raised_alarms.every(tx) if one.cleared_at is None]
    return [
        *alarms.watch(signs.gather(tx, now, breaker=limits.breaker), limits, now),
        *standstill.watch(pauses.signs(tx, now), limits.silence),
        *(alarm for alarm in standing if alarm.kind in OUTSIDE),
    ]


def restored(tx: Tx, marks: Callable[[], set[str]], now: datetime) -> list[Alarm]:
    """Whether this database is older than a destruction of personal data; `marks`: what is known of those outside of it."""
    try:
        unknown = len(marks() - erasure.marks(tx))
    except SetupError:
        return [Alarm(kind=AlarmKind.KEY_MISSING, place="erased.log", since=now)]
    return [Alarm(kind=AlarmKind.ERASURE_UNFINISHED, since=now, count=unknown)] if unknown else []
