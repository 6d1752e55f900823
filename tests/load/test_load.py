"""The trials of the load campaign in small: the caps hold, memory stays under its bound, answers come."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.load import campaign
from tests.load.campaign import Measured
from tests.servers.dovecot import dovecot_program
from tests.servers.services import needed

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("trial", "count"),
    [
        pytest.param(campaign.waiting, 1000, id="waiting"),
        pytest.param(campaign.large, 3, id="large"),
        pytest.param(campaign.flood, 600, id="flood"),
    ],
)
def test_the_service_stays_within_its_bounds(trial: Callable[[int, float], Measured], count: int) -> None:
    with needed():
        dovecot_program()
    measured = trial(count, 3.0)
    assert measured.good, str(measured)
