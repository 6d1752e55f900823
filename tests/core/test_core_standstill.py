"""What a person has paused becomes a list of things that somebody must have go on again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailer.core.alarms import Alarm, AlarmKind
from mailer.core.standstill import PauseSigns, is_long, watch

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=2)
ALL = PauseSigns(step="intake", mailbox="", since=NOW, waiting=0)
ONE = PauseSigns(step="intake", mailbox="uc", since=EARLIER, waiting=0)
GONE = PauseSigns(step="intake", mailbox="old", since=EARLIER, waiting=0)
ISSUE = PauseSigns(step="issue", mailbox="", since=NOW, waiting=3)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([ALL], [("intake-paused", "uc", NOW), ("intake-paused", "ib", NOW)], id="all-mailboxes"),
        pytest.param([ONE], [("intake-paused", "uc", EARLIER)], id="one-mailbox"),
        pytest.param([ALL, ONE], [("intake-paused", "uc", EARLIER), ("intake-paused", "ib", NOW)], id="one-and-all-is-told-once"),
        pytest.param([GONE], [], id="a-mailbox-that-is-gone"),
        pytest.param([ISSUE], [("step-paused", "issue", NOW)], id="a-step"),
    ],
)
def test_each_thing_that_stands_still_is_told_once(found: list[PauseSigns], expected: list[tuple[str, str, datetime]]) -> None:
    assert [(alarm.kind.value, alarm.place, alarm.since) for alarm in watch(found, ["uc", "ib"])] == expected


def test_what_waits_for_a_step_is_counted() -> None:
    (alarm,) = watch([ISSUE], [])
    assert alarm.numbers == {"waiting": 3}


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(timedelta(hours=23, minutes=59), False, id="within-the-day"),
        pytest.param(timedelta(days=1), True, id="a-day"),
        pytest.param(-timedelta(days=1), False, id="from-a-clock-that-ran-ahead"),
    ],
)
def test_of_a_pause_is_reminded_after_a_day(age: timedelta, expected: bool) -> None:
    assert is_long(Alarm(kind=AlarmKind.STEP_PAUSED, place="issue", since=NOW - age), NOW) is expected
