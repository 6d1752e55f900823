from datetime import UTC, datetime, timedelta

import pytest

from mailer.core import throttle

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0), (2, 0), (3, 1), (4, 2), (5, 4), (6, 8), (7, 10), (10**6, 10)])
def test_the_delay_grows_and_is_capped(failures: int, seconds: int) -> None:
    assert throttle.delay(failures) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("failures", "ago", "seconds"),
    [
        pytest.param(0, None, 0, id="never failed"),
        pytest.param(5, 0, 4, id="just failed"),
        pytest.param(5, 3, 1, id="waited some"),
        pytest.param(5, 4, 0, id="waited enough"),
        pytest.param(10**6, 10, 0, id="whatever there was: ten seconds later the owner gets in"),
        pytest.param(5, -3600, 4, id="the clock was set back an hour"),
    ],
)
def test_how_long_to_wait(failures: int, ago: float | None, seconds: int) -> None:
    last_at = None if ago is None else NOW - timedelta(seconds=ago)
    assert throttle.wait(failures, last_at, NOW) == timedelta(seconds=seconds)
