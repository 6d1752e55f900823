"""Does an office get slower by what there was? Each step, with work and without, and what changes one thing by hand, on SQLite.

After 1,000,000 requests each may take half as long again as after 10,000, and 2 ms. The large office takes some minutes to build,
and 6 GB in the folder for temporary files. Time that passes, in several rounds of the same work.
"""

from __future__ import annotations

import statistics
import time as stopwatch
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mailer.edge import office
from tests.bench import million
from tests.bench.figures import Figure
from tests.bench.million import NOW, REQUESTS
from tests.flow.workday import Workday

FEW: Final = 10_000
ROUNDS: Final = 5
MORE: Final = 1.5
BESIDES: Final = 2e-3  # seconds that a step may take longer in any case


@dataclass
class Watch:
    """How long each thing took, each time."""

    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        begun = stopwatch.perf_counter()
        yield
        self.taken[what].append(stopwatch.perf_counter() - begun)


def figures() -> list[Figure]:
    small, large = (_measured(count) for count in (FEW, REQUESTS))
    found = []
    for what, taken in large.items():
        goal = MORE * statistics.median(small[what]) + BESIDES
        found += [_figure(f"{FEW:,}: {what}", small[what], None), _figure(f"{REQUESTS:,}: {what}", taken, goal)]
    return found


def _figure(what: str, taken: list[float], goal: float | None) -> Figure:
    return Figure(what=what, median=statistics.median(taken), high=max(taken), goal=goal)


def _measured(count: int) -> dict[str, list[float]]:
    with TemporaryDirectory() as home:
        trial = million.build(f"sqlite:///{Path(home) / 'mailer.db'}", office.rule_texts(None), count=count, waiting=False)
        trial.clock.now = NOW
        try:
            day = Workday(trial, Path(home), [million.sender(number) for number in range(10, 110)])
            day.work(Watch())  # what is only done the first time does not count
            watch = Watch()
            for _ in range(ROUNDS):
                day.work(watch)
            return watch.taken
        finally:
            trial.database.close()
