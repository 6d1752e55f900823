"""What needs a person now? Read-only, made anew from the database: it is true when no service runs, too.

What only the running service sees (disk, clock, keys) is taken from what it raised last.
"""

from __future__ import annotations

from datetime import datetime

from mailer.core import alarms, standstill
from mailer.core.alarms import OUTSIDE, Alarm, Limits
from mailer.store import alarms as raised_alarms
from mailer.store import pauses, signs
from mailer.store.db import Tx


def needs(tx: Tx, limits: Limits, now: datetime) -> list[Alarm]:
    """Every alarm that stands."""
    standing = [one.alarm for one in raised_alarms.every(tx) if one.cleared_at is None]
    return [
        *alarms.watch(signs.gather(tx, now, breaker=limits.breaker), limits, now),
        *standstill.watch(pauses.signs(tx, now), limits.silence),
        *(alarm for alarm in standing if alarm.kind in OUTSIDE),
    ]
