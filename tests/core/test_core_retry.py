from datetime import UTC, datetime, timedelta

import pytest

from mailer.core.retry import FIRST_WAIT, LONGEST_WAIT, next_attempt

QUEUED = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (1_000_000, 60)],
    ids=str,
)
def test_waiting_doubles_from_a_minute_to_an_hour(attempts: int, minutes: int) -> None:
    found = next_attempt(attempts, now=QUEUED, started_at=QUEUED, jitter=0.0, give_up_after=DAY)
    assert found == QUEUED + timedelta(minutes=minutes)


@pytest.mark.parametrize("attempts", range(1, 12))
def test_jitter_spreads_over_the_second_half_of_the_wait(attempts: int) -> None:
    times = [next_attempt(attempts, now=QUEUED, started_at=QUEUED, jitter=n / 100, give_up_after=DAY) for n in range(100)]
    waits = [time - QUEUED for time in times if time is not None]
    assert len(set(waits)) == 100
    assert max(waits) / 2 < min(waits) < max(waits) <= LONGEST_WAIT
    assert min(waits) > FIRST_WAIT / 2


def test_the_last_attempt_falls_on_the_deadline() -> None:
    now = QUEUED + DAY - timedelta(minutes=3)
    assert next_attempt(40, now=now, started_at=QUEUED, jitter=0.5, give_up_after=DAY) == QUEUED + DAY


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1), timedelta(days=15)], ids=str)
def test_gives_up_from_the_deadline_on(late: timedelta) -> None:
    assert next_attempt(3, now=QUEUED + DAY + late, started_at=QUEUED, jitter=0.5, give_up_after=DAY) is None


def test_a_clock_set_back_does_not_stop_the_trying() -> None:
    now = QUEUED - timedelta(hours=1)
    assert next_attempt(1, now=now, started_at=QUEUED, jitter=0.0, give_up_after=DAY) == now + FIRST_WAIT


@pytest.mark.parametrize(("attempts", "jitter"), [(0, 0.5), (-1, 0.5), (1, 1.0), (1, -0.1)], ids=str)
def test_nonsense_is_refused(attempts: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        next_attempt(attempts, now=QUEUED, started_at=QUEUED, jitter=jitter, give_up_after=DAY)
