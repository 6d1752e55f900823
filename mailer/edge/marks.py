"""Files beside the keys that only grow: what must be known whatever backup of the database is restored. A line a mark."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def make(path: Path) -> None:
    """An empty file, unless it is there."""
    path.touch(mode=0o600, exist_ok=True)


def append(path: Path, lines: bytes) -> None:
    """Returns once the lines are on the disk; OSError when they did not get there whole. Processes of one host take turns."""
    with path.open("r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed
        end = file.seek(0, os.SEEK_END)
        if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
            lines = b"\n" + lines  # the line before was cut off by a crash
        if file.write(lines) != len(lines):
            raise OSError(None, "the disk is full")
        os.fsync(file.fileno())
