"""When a checkpoint is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailer.core import checkpoints

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("new", "ago", "due"),
    [
        pytest.param(0, None, True, id="at the start"),
        pytest.param(99, timedelta(minutes=14), False, id="too few, too early"),
        pytest.param(100, timedelta(seconds=9), False, id="enough, too early"),
        pytest.param(100, timedelta(seconds=10), True, id="enough"),
        pytest.param(0, timedelta(minutes=15), True, id="idle"),
        pytest.param(0, timedelta(seconds=-1), True, id="the clock was set back"),
    ],
)
def test_due(new: int, ago: timedelta | None, due: bool) -> None:
    assert checkpoints.is_due(new, None if ago is None else NOW - ago, NOW) == due
