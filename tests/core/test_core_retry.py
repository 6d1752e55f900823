from datetime import UTC, datetime, timedelta

import pytest

from mailer.core.retry import FIRST_WAIT, LONGEST_WAIT, Pause, after_round, next_attempt
from mailer.model import Delivery, DeliveryOutcome

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


def met(*, server_wide: bool, delivery: Delivery = Delivery.LATER) -> DeliveryOutcome:
    return DeliveryOutcome(delivery=delivery, detail="words", server_wide=server_wide)


NOBODY, SOMEBODY = met(server_wide=True), met(server_wide=False)


@pytest.mark.parametrize(
    ("outcomes", "paused"),
    [
        pytest.param([NOBODY], True, id="one that reached nobody"),
        pytest.param([NOBODY, NOBODY], True, id="all of them"),
        pytest.param([NOBODY, SOMEBODY], False, id="one got as far as its letter"),
        pytest.param([met(server_wide=False, delivery=Delivery.SENT)], False, id="sent"),
        pytest.param([met(server_wide=False, delivery=Delivery.NEVER)], False, id="refused for good"),
    ],
)
@pytest.mark.parametrize("before", [None, Pause(failures=3, until=QUEUED, why="words")], ids=["up", "down"])
def test_a_pause_begins_and_ends_with_what_a_round_met(outcomes: list[DeliveryOutcome], paused: bool, before: Pause | None) -> None:
    assert (after_round(before, outcomes, now=QUEUED, jitter=0.0) is not None) is paused


@pytest.mark.parametrize("before", [None, Pause(failures=3, until=QUEUED, why="words")], ids=["up", "down"])
def test_a_round_in_which_nothing_was_tried_says_nothing(before: Pause | None) -> None:
    assert after_round(before, [], now=QUEUED, jitter=0.0) is before


def test_pauses_double_from_a_minute_to_ten() -> None:
    pause, minutes = None, []
    for _ in range(7):
        pause = after_round(pause, [NOBODY], now=QUEUED, jitter=0.0)
        assert pause is not None
        minutes.append((pause.until - QUEUED) // timedelta(minutes=1))
    assert minutes == [1, 2, 4, 8, 10, 10, 10]


def test_chance_shortens_a_pause_by_up_to_a_half() -> None:
    pause = after_round(None, [NOBODY], now=QUEUED, jitter=0.5)
    assert pause == Pause(failures=1, until=QUEUED + timedelta(seconds=45), why="words")


@pytest.mark.parametrize(
    ("minutes", "holds"),
    [pytest.param(-1, True, id="before"), pytest.param(0, False, id="over"), pytest.param(-11, False, id="the clock was set back")],
)
def test_a_pause_holds_until_it_is_over(minutes: int, holds: bool) -> None:
    assert Pause(failures=1, until=QUEUED, why="words").holds(QUEUED + timedelta(minutes=minutes)) is holds
