"""When is a reply tried again? Answered from how often and how long it has been tried; nothing here knows why it failed.

Waiting doubles from a minute to an hour. Jitter shortens each wait by up to a half, so that replies which failed together, when the
mail server was down, do not all come back in the same second (reliability.md, SMTP).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=1)
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
    wait = min(FIRST_WAIT * (1 << min(attempts - 1, _DOUBLINGS)), LONGEST_WAIT)
    return min(now + wait * (1 - jitter / 2), deadline)
