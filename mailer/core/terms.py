"""Until when is a credential valid? Answered from the moment of issue, the fund's zone and the office's limits.

The term is counted in calendar months (ГК РФ ст. 192 п. 3) to the end of the last day in the fund's zone; it is never moved off
weekends. This module does not ask the clock and does not know what the term is for.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mailer.model import Term


def term(issued_at: datetime, zone: ZoneInfo, months: int, max_days: int | None) -> Term:
    """The term of what is issued at `issued_at` (aware): `months` calendar months, at most `max_days` days after the day of issue.

    Both are counted from the day after the issue (ГК РФ ст. 191), so 60 days from 01.03 end with 30.04.
    Raises ValueError for a naive time, or for months or days below one.
    """
    if issued_at.tzinfo is None:
        raise ValueError("the moment of issue needs a time zone")
    if months < 1 or (max_days is not None and max_days < 1):
        raise ValueError("a term is at least one month, a cap at least one day")
    issued_on = issued_at.astimezone(zone).date()
    last_day = _months_later(issued_on, months)
    rule = f"{months} calendar months"
    if max_days is not None and last_day > issued_on + timedelta(days=max_days):
        last_day = issued_on + timedelta(days=max_days)
        rule += f" capped at {max_days} days"
    return Term(until=_last_second(last_day, zone), last_day=last_day, rule=f"{rule}, {zone.key}")


def extended(at: datetime, zone: ZoneInfo, wanted: date | int) -> Term:
    """The term of what is to live on: until the end of that day, or for so many calendar months from the day of `at`."""
    if isinstance(wanted, int):
        last_day = _months_later(at.astimezone(zone).date(), wanted)
        rule = f"extended by {wanted} calendar months from {at.astimezone(zone):%Y-%m-%d}"
    else:
        last_day, rule = wanted, f"extended to {wanted:%Y-%m-%d}"
    return Term(until=_last_second(last_day, zone), last_day=last_day, rule=f"{rule}, {zone.key}")


def until_at_most(term: Term, end: datetime | None, zone: ZoneInfo) -> Term:
    """The term, or where it ends earlier by itself (the pair's own end), that end."""
    if end is None or end >= term.until:
        return term
    return Term(until=end, last_day=end.astimezone(zone).date(), rule=f"{term.rule}, the pair ends earlier")


def warning_due(last_day: date, today: date, issued_on: date, days: Iterable[int]) -> int | None:
    """Which of the warnings to give today, each named by how many days before the last one it is due; None when none is.

    After a stand-still it is the nearest to the end alone, never two. None was due on the day of issue or before it.
    """
    due = [number for number in days if issued_on < last_day - timedelta(days=number) <= today <= last_day]
    return min(due, default=None)


def _months_later(day: date, months: int) -> date:
    """The same day number, or the last day of a shorter month: 30.11 and three months give 28.02."""
    years, month0 = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month0 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _last_second(day: date, zone: ZoneInfo) -> datetime:
    """The last second of a local day, as UTC.

    Found from the next midnight, since 23:59:59 itself may come twice or never where clocks are changed at midnight.
    """
    next_midnight = datetime.combine(day + timedelta(days=1), time(), zone)
    return next_midnight.astimezone(UTC) - timedelta(seconds=1)
