"""What does somebody see who waits? A bar on standard error, if that is a terminal and it takes more than two seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PATIENCE_SECONDS: Final = 2.0


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """Give what is called with how many more are done; `what` is being done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    drawn = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = drawn.add_task(what, total=total)
    begun = time.monotonic()

    def advance(count: int) -> None:
        if time.monotonic() - begun > PATIENCE_SECONDS:
            drawn.start()  # once is enough, more is harmless
        drawn.advance(task, count)

    try:
        yield advance
    finally:
        drawn.stop()
