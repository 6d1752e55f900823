"""How a thing is measured, and what is said of it."""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """What one thing costs, in seconds of the processor or that pass, and what it may; goals: for the median, for the memory."""

    what: str
    median: float
    high: float  # of 20 times 19 are below it
    goal: float | None = None
    memory_bytes: int | None = None
    memory_goal_bytes: int | None = None

    @property
    def missed(self) -> bool:
        too_slow = self.goal is not None and self.median > self.goal
        return too_slow or (self.memory_goal_bytes is not None and (self.memory_bytes or 0) > self.memory_goal_bytes)


def timed(what: str, deed: Callable[[], object], *, times: int, goal: float | None = None) -> Figure:
    """Do it so many times, after some that do not count, and not while garbage is collected.

    Time of the processor, so that it does not matter what else the machine does; not for deeds that wait for a disk or a server.
    """
    for _ in range(max(1, times // 20)):
        deed()
    gc.collect()
    gc.disable()
    taken = sorted(_once(deed) for _ in range(times))
    gc.enable()
    return Figure(what=what, median=statistics.median(taken), high=taken[times * 19 // 20], goal=goal)


def lasted(what: str, deed: Callable[[], object], *, times: int, goal: float) -> Figure:
    """Do it so many times; time that passes, for deeds that wait for a disk or a server. The first counts as the others do."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        deed()
        taken.append(time.perf_counter() - started)
    return Figure(what=what, median=statistics.median(taken), high=max(taken), goal=goal)


def peak_bytes(deed: Callable[[], object]) -> int:
    """The most memory that Python held at any moment of the deed, beyond what it held before."""
    tracemalloc.start()
    deed()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def show(group: str, figures: list[Figure]) -> None:
    table = Table(title=group, title_justify="left", title_style="bold")
    table.add_column("what", no_wrap=True)
    for column in ("median", "95 %", "goal", "memory", "goal", ""):
        table.add_column(column, justify="right", no_wrap=True)
    for one in figures:
        memory = [_megabytes(one.memory_bytes), _megabytes(one.memory_goal_bytes)]
        has_goal = one.goal is not None or one.memory_goal_bytes is not None
        result = "MISSED" if one.missed else "met" if has_goal else ""
        table.add_row(one.what, _milliseconds(one.median), _milliseconds(one.high), _milliseconds(one.goal), *memory, result)
    Console(width=132).print(table)


def _once(deed: Callable[[], object]) -> float:
    started = time.process_time_ns()
    deed()
    return (time.process_time_ns() - started) / 1e9


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.3f} ms"


def _megabytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 1e6:.1f} MB"
