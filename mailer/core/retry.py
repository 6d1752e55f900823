"""When is a reply tried again, and when a mail server that takes nothing from anybody?

Waiting doubles from a minute: for a reply to an hour, for the server to ten minutes, because every reply waits for it and it may be
back at any time. Jitter shortens each wait by up to a half, so that what failed together does not come back in the same second
(reliability.md, SMTP).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailer.model import DeliveryOutcome

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
LONGEST_PAUSE: Final = timedelta(minutes=10)
_DOUBLINGS: Final = 6  # 64 minutes: more would change nothing, and large powers overflow


def next_attempt(attempts: int, *, now: datetime, started_at: datetime, jitter: float, give_up_after: timedelta) -> datetime | None:
    """When to try next after `attempts` failures (1 or more); None: give up.

    `started_at` is when the reply was queued; `jitter` is a random number in [0, 1). The last attempt falls on the deadline itself,
    however long the wait before it would have been. Raises ValueError for arguments outside these bounds.
    """
    if attempts < 1 or not 0 <= jitter < 1:
        raise ValueError("attempts are counted from 1, jitter lies in [0, 1)")
    deadline = started_at + give_up_after
    if now >= deadline:
        return None
    return min(now + _wait(attempts, LONGEST_WAIT, jitter), deadline)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """The mail server takes nothing from anybody: `failures` rounds in a row ended so. Until `until` no reply is tried."""

    failures: int
    until: datetime
    why: str

    def holds(self, now: datetime) -> bool:
        return now < self.until <= now + LONGEST_PAUSE  # longer than any pause: the clock was set back


def after_round(pause: Pause | None, outcomes: Collection[DeliveryOutcome], *, now: datetime, jitter: float) -> Pause | None:
    """The pause that follows a round of attempts: none as soon as one of them got as far as its own letter."""
    if not outcomes:
        return pause
    if not all(outcome.server_wide for outcome in outcomes):
        return None
    failures = 1 if pause is None else pause.failures + 1
    why = next(iter(outcomes)).detail
    return Pause(failures=failures, until=now + _wait(failures, LONGEST_PAUSE, jitter), why=why)


def _wait(attempts: int, longest: timedelta, jitter: float) -> timedelta:
    return min(FIRST_WAIT * (1 << min(attempts - 1, _DOUBLINGS)), longest) * (1 - jitter / 2)
