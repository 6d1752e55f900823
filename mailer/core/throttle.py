"""How long must the next try of a password wait? The longer the more failures of late, but its owner is never kept out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=15)  # failures longer ago do not count
FREE_TRIES: Final = 3
LONGEST: Final = timedelta(seconds=10)


def delay(failures: int) -> timedelta:
    """After so many failures within `WINDOW`: none at first, then 1 second, doubling up to `LONGEST`."""
    if failures < FREE_TRIES:
        return timedelta()
    return min(timedelta(seconds=2 ** min(failures - FREE_TRIES, 10)), LONGEST)


def wait(failures: int, last_at: datetime | None, now: datetime) -> timedelta:
    """How long from `now`; never longer than `delay`, even when the clock was set back meanwhile."""
    if last_at is None:
        return timedelta()
    return max(timedelta(), min(delay(failures), last_at + delay(failures) - now))
