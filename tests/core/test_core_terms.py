from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.core.terms import term, warning_due

MOSCOW = ZoneInfo("Europe/Moscow")
ZONES = [
    "Europe/Moscow",
    "Asia/Kamchatka",
    "Europe/Kaliningrad",
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "Africa/Cairo",
    "America/Nuuk",
]

THIRTY_YEARS = date(2020, 1, 1), 10_958  # the first day, and how many


@pytest.mark.parametrize(
    ("issued", "last_day"),
    [
        pytest.param("2026-11-23", "2027-02-23", id="same day number, over the new year"),
        pytest.param("2026-11-30", "2027-02-28", id="shorter month"),
        pytest.param("2027-11-30", "2028-02-29", id="shorter month of a leap year"),
        pytest.param("2027-11-29", "2028-02-29", id="29 February exists"),
        pytest.param("2026-01-31", "2026-04-30", id="31st to a month of 30"),
        pytest.param("2026-09-30", "2026-12-30", id="month end is not kept: 30th stays the 30th"),
        pytest.param("2026-12-31", "2027-03-31", id="both months of 31"),
    ],
)
def test_three_months_end_on_the_same_day_number_or_the_last_day(issued: str, last_day: str) -> None:
    found = term(datetime.fromisoformat(f"{issued}T09:00:00+00:00"), MOSCOW, 3, None)
    assert found.last_day == date.fromisoformat(last_day)
    assert found.until == datetime.fromisoformat(f"{last_day}T20:59:59+00:00")
    assert found.until.tzinfo is UTC
    assert found.rule == "3 calendar months, Europe/Moscow"


def test_the_day_of_issue_is_that_of_the_funds_zone() -> None:
    just_after_midnight_in_moscow = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)
    assert term(just_after_midnight_in_moscow, MOSCOW, 3, None).last_day == date(2027, 2, 23)


@pytest.mark.parametrize(
    ("max_days", "last_day", "rule"),
    [
        pytest.param(60, date(2026, 4, 30), "3 calendar months capped at 60 days, Europe/Moscow", id="shorter"),
        pytest.param(92, date(2026, 6, 1), "3 calendar months, Europe/Moscow", id="exactly the term"),
        pytest.param(365, date(2026, 6, 1), "3 calendar months, Europe/Moscow", id="longer"),
    ],
)
def test_the_cap_shortens_and_never_lengthens(max_days: int, last_day: date, rule: str) -> None:
    found = term(datetime(2026, 3, 1, 12, 0, tzinfo=UTC), MOSCOW, 3, max_days)
    assert (found.last_day, found.rule) == (last_day, rule)


@pytest.mark.parametrize(
    ("zone", "issued", "until"),
    [
        pytest.param("Europe/Berlin", "2026-01-15T12:00+00:00", "2026-04-15T21:59:59+00:00", id="into summer time"),
        pytest.param("America/Havana", "2026-08-01T12:00+00:00", "2026-11-02T04:59:59+00:00", id="first hour of the day twice"),
        pytest.param("Africa/Cairo", "2026-07-29T12:00+00:00", "2026-10-29T21:59:59+00:00", id="last hour of the day twice"),
        pytest.param("America/Nuuk", "2025-12-28T12:00+00:00", "2026-03-29T00:59:59+00:00", id="last hour of the day missing"),
    ],
)
def test_days_on_which_clocks_change(zone: str, issued: str, until: str) -> None:
    assert term(datetime.fromisoformat(issued), ZoneInfo(zone), 3, None).until == datetime.fromisoformat(until)


@settings(max_examples=300, deadline=None)
@given(
    day=st.dates(date(2020, 1, 1), date(2050, 1, 1)),
    second=st.integers(0, 86_399),
    zone=st.sampled_from(ZONES),
    max_days=st.none() | st.integers(1, 120),
)
def test_agrees_with_counting_on_the_fingers(day: date, second: int, zone: str, max_days: int | None) -> None:
    issued_at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second)
    found = term(issued_at, ZoneInfo(zone), 3, max_days)
    expected = slow_last_day(issued_at.astimezone(ZoneInfo(zone)).date(), 3)
    if max_days is not None:
        expected = min(expected, issued_at.astimezone(ZoneInfo(zone)).date() + timedelta(days=max_days))
    assert found.last_day == expected
    assert found.until == slow_last_second(expected, ZoneInfo(zone))


@pytest.fixture(scope="module")
def last_days() -> dict[date, date]:
    """The day of issue -> the last day of its term, for thirty years."""
    return {day: slow_last_day(day, 3) for day in (THIRTY_YEARS[0] + timedelta(days=number) for number in range(THIRTY_YEARS[1]))}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ZONES, "Asia/Beirut", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"])
def test_every_day_of_thirty_years(name: str, last_days: dict[date, date]) -> None:
    """Issued in the first second of each local day and in its last: both end in the last second of the same later day."""
    zone = ZoneInfo(name)
    seconds = slow_seconds(zone)
    for issued_on, last_day in last_days.items():
        for issued_at in seconds[issued_on]:
            found = term(issued_at, zone, 3, None)
            assert (found.last_day, found.until) == (last_day, seconds[last_day][1]), issued_at
            assert found.until.astimezone(zone).date() == last_day


@pytest.mark.parametrize(
    ("issued_at", "months", "max_days"),
    [
        pytest.param(datetime(2026, 1, 1), 3, None, id="naive time"),  # noqa: DTZ001
        pytest.param(datetime(2026, 1, 1, tzinfo=UTC), 0, None, id="no months"),
        pytest.param(datetime(2026, 1, 1, tzinfo=UTC), 3, 0, id="no days"),
    ],
)
def test_nonsense_is_refused(issued_at: datetime, months: int, max_days: int | None) -> None:
    with pytest.raises(ValueError, match=r"term|zone"):
        term(issued_at, MOSCOW, months, max_days)


LAST = date(2027, 2, 23)


@pytest.mark.parametrize(
    ("today", "issued_on", "days", "due"),
    [
        pytest.param("2027-02-08", "2026-11-23", (14, 3), None, id="the day before the first"),
        pytest.param("2027-02-09", "2026-11-23", (14, 3), 14, id="the day of the first"),
        pytest.param("2027-02-15", "2026-11-23", (14, 3), 14, id="between both: late is better than never"),
        pytest.param("2027-02-20", "2026-11-23", (14, 3), 3, id="the day of the second"),
        pytest.param("2027-02-20", "2026-11-23", (3, 14), 3, id="in whatever order they are written"),
        pytest.param("2027-02-22", "2026-11-23", (14, 3), 3, id="after a stand-still the nearest alone"),
        pytest.param("2027-02-23", "2026-11-23", (3,), 3, id="on the last day"),
        pytest.param("2027-02-24", "2026-11-23", (14, 3), None, id="over"),
        pytest.param("2027-02-20", "2026-11-23", (), None, id="given already"),
        pytest.param("2027-02-15", "2027-02-13", (14, 3), None, id="a short term: the first would have been before the issue"),
        pytest.param("2027-02-20", "2027-02-20", (14, 3), None, id="on the very day of issue nobody is warned"),
        pytest.param("2027-02-20", "2027-02-19", (14, 3), 3, id="a short term: the second stands"),
    ],
)
def test_which_warning_is_due(today: str, issued_on: str, days: tuple[int, ...], due: int | None) -> None:
    assert warning_due(LAST, date.fromisoformat(today), date.fromisoformat(issued_on), days) == due


def slow_last_day(start: date, months: int) -> date:
    """Turn the leaves of a calendar; stop at the same number in the third month after, or at that month's last leaf."""
    day, leaves_turned = start, 0
    while True:
        tomorrow = day + timedelta(days=1)
        if leaves_turned == months and (day.day == start.day or tomorrow.month != day.month):
            return day
        leaves_turned += tomorrow.month != day.month
        day = tomorrow


def slow_last_second(day: date, zone: ZoneInfo) -> datetime:
    """Walk back in time from well after the day, a minute at a time, to the last one that is still on it."""
    minute = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=2)
    while minute.astimezone(zone).date() > day:
        minute -= timedelta(minutes=1)
    return minute + timedelta(seconds=59)


def slow_seconds(zone: ZoneInfo) -> dict[date, tuple[datetime, datetime]]:
    """Each local day's first and last second, found by walking through all half hours and looking at the calendar on the wall.

    Right where clocks are changed at a full or half hour, by full or half hours.
    """
    half_hour, days = timedelta(minutes=30), THIRTY_YEARS[1] + 100
    moment = datetime.combine(THIRTY_YEARS[0], datetime.min.time(), UTC) - timedelta(days=2)
    found: dict[date, tuple[datetime, datetime]] = {}
    for _ in range(2 * 24 * days):
        today = moment.astimezone(zone).date()
        first, _last = found.get(today, (moment, moment))
        found[today] = first, moment + half_hour - timedelta(seconds=1)
        moment += half_hour
    return found
