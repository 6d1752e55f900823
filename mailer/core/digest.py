"""What does the officer read each morning? When a day's digest is due, and what stands in it.

Counts, request numbers and codes of the register: no names, no addresses, nothing that strangers or officers wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mailer.core.alarms import Alarm, AlarmKind, words
from mailer.core.reply import local_moment
from mailer.core.replyvalues import AlarmLine, DigestLine, DigestValues, LetterValues

SOON: Final = timedelta(days=14)  # what ends within it is listed
LISTED: Final = 20  # requests of a kind; the others are counted
EVENTS: Final = (
    "letter.kept",
    "letter.ignored",
    "request.approved",
    "request.refused",
    "request.held",
    "reply.sent",
    "reply.bounced",
    "reply.failed",
)
"""What is counted of the record."""
_PAUSES: Final = frozenset({AlarmKind.INTAKE_PAUSED, AlarmKind.STEP_PAUSED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A request that waits for a person. `code`: of its sender, None when he is not in the register."""

    request: int
    code: str | None
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """A login whose term is nearly over, by its request."""

    request: int
    code: str
    last_day: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What the database shows. `told`: (event, whether a person did it) -> how often, between `since` and `until`.

    `held` and `ending` are the first of so many as are counted beside them.
    """

    since: datetime
    until: datetime
    told: Mapping[tuple[str, bool], int]
    held: Sequence[Held]
    held_count: int
    ending: Sequence[Ending]
    ending_count: int
    quarantined: int
    to_issue: int
    to_send: int
    alarms: Sequence[Alarm]
    checkpoint: str | None = None  # the newest signed one


def due_day(now: datetime, zone: ZoneInfo, at: time, founded_at: datetime) -> date | None:
    """The newest day whose digest should have been written by now; None while the office is younger than its first hour `at`.

    However long nothing ran, it is one day: what happened on the others stands in its digest.
    """
    day = _day(now, zone, at)
    return day if day > _day(founded_at, zone, at) else None


def values(found: Findings, about: LetterValues, day: date, zone: ZoneInfo, say: Callable[[str], str]) -> DigestValues:
    """`about`: what every letter says; `say` translates the alarms."""

    def told(*events: str, by_hand: bool | None = None) -> int:
        return sum(count for (event, person), count in found.told.items() if event in events and by_hand in {None, person})

    return DigestValues(
        fund_name=about.fund_name,
        contact=about.contact,
        portal_url=about.portal_url,
        day=_date(day),
        since=local_moment(found.since, zone),
        until=local_moment(found.until, zone),
        letters=told("letter.kept"),
        approved=told("request.approved"),
        approved_by_hand=told("request.approved", by_hand=True),
        refused=told("request.refused"),
        refused_by_hand=told("request.refused", by_hand=True),
        left_to_people=told("request.held"),
        ignored=told("letter.ignored"),
        sent=told("reply.sent"),
        undelivered=told("reply.bounced", "reply.failed"),
        held=tuple(DigestLine(request=one.request, code=one.code or "", at=local_moment(one.since, zone)) for one in found.held),
        held_count=found.held_count,
        ending=tuple(DigestLine(request=one.request, code=one.code, at=_date(one.last_day)) for one in found.ending),
        ending_count=found.ending_count,
        ending_days=SOON.days,
        quarantined=found.quarantined,
        to_issue=found.to_issue,
        to_send=found.to_send,
        pauses=tuple(_line(alarm, zone, say) for alarm in found.alarms if alarm.kind in _PAUSES),
        alarms=tuple(_line(alarm, zone, say) for alarm in found.alarms if alarm.kind not in _PAUSES),
        checkpoint=tuple((found.checkpoint or "").splitlines()),
    )


def _day(now: datetime, zone: ZoneInfo, at: time) -> date:
    local = now.astimezone(zone)
    return local.date() if local.time() >= at else local.date() - timedelta(days=1)


def _line(alarm: Alarm, zone: ZoneInfo, say: Callable[[str], str]) -> AlarmLine:
    said = words(alarm, say)
    return AlarmLine(title=said.title, what=said.what, since=local_moment(alarm.since, zone), to_do=said.to_do)


def _date(day: date) -> str:
    return f"{day:%d.%m.%Y}"
