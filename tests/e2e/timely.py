"""The program at a time of its own: `python timely.py CLOCK …` instead of `python -m mailer …`. Not a test.

CLOCK is a file that holds one moment. Time stands still there until somebody writes a later one; then clock and stopwatch of every
program that reads the file go on together, so that to each of them just so much time has passed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from mailer.cli.app import run
from mailer.service import idle, office, survey


def write(file: Path, now: datetime) -> None:
    """Whoever reads meanwhile sees the moment before, or this one."""
    unfinished = file.with_suffix(".part")
    unfinished.write_text(now.isoformat())
    os.replace(unfinished, file)


def reader(file: Path) -> Callable[[], datetime]:
    return lambda: datetime.fromisoformat(file.read_text())


if __name__ == "__main__":
    clock = reader(Path(sys.argv[1]))
    office.clock = idle.clock = clock
    survey.monotonic = lambda: clock().timestamp()
    sys.exit(run(sys.argv[2:]))
