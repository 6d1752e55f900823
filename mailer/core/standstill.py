"""What has a person paused, and what waits because of it? From the pauses that last to alarms.

Somebody must have it go on again, so a pause stands in the list from its first minute; letters and the command tell of it only when
it has lasted a day: until then whoever paused it will remember.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailer.core.alarms import Alarm, AlarmKind

PAUSE_IS_LONG: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseSigns:
    """`mailbox` is "" where all of them are meant, and for every step but intake; `waiting`: requests or replies."""

    step: str
    mailbox: str
    since: datetime
    waiting: int


def watch(found: Sequence[PauseSigns], mailboxes: Collection[str]) -> list[Alarm]:
    """Each paused mailbox once, then the other steps. A pause of a mailbox that is no longer configured holds nothing up."""
    return [*_mailboxes(found, mailboxes), *(_step(one) for one in found if one.step != "intake")]


def is_long(pause: Alarm, now: datetime) -> bool:
    """Whether it is time to remind of it."""
    return now - pause.since >= PAUSE_IS_LONG


def _mailboxes(found: Sequence[PauseSigns], mailboxes: Collection[str]) -> Iterator[Alarm]:
    for mailbox in mailboxes:
        since = [one.since for one in found if one.step == "intake" and one.mailbox in {"", mailbox}]
        if since:
            yield Alarm(kind=AlarmKind.INTAKE_PAUSED, place=mailbox, since=min(since))


def _step(one: PauseSigns) -> Alarm:
    return Alarm(kind=AlarmKind.STEP_PAUSED, place=one.step, since=one.since, numbers={"waiting": one.waiting})
