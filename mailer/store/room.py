"""Is there room on the disk of an SQLite database? A floor below which no new work begins, and a reserve for what must go on.

The reserve is a file beside the database that holds nothing but room. It is given up when the disk is full, so that a login can
still be revoked or expire, and taken again when there is room. The sizes shrink with the disk: tests use one of 2 MB.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FLOOR_BYTES: Final = 64 * 1024 * 1024  # a FETCH of letters (8 MiB) stands in log and file, and other steps write meanwhile
RESERVE_BYTES: Final = 16 * 1024 * 1024  # a hundred credentials expire in 3 MB of log, and it grows to 4 MB before it is emptied


class Room:
    """The disk that `database` lies on; the file need not be there."""

    def __init__(self, database: Path) -> None:
        self._folder = database.parent
        self._reserve = database.with_name(database.name + ".reserve")

    def is_low(self) -> bool:
        """Whether new work should wait: less than the floor is free besides the reserve."""
        total, free = self._measure()
        missing = 0 if self._reserve.exists() else _reserve_of(total)
        return free - missing < min(FLOOR_BYTES, total // 4)

    def keep(self) -> None:
        """Take the reserve, if there is none and it leaves more than the floor; real blocks, not a hole."""
        if self._reserve.exists():
            return
        with suppress(OSError):  # another process was first, or took the room meanwhile
            descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, _reserve_of(self._measure()[0]))
            except OSError:
                self._reserve.unlink()
            finally:
                os.close(descriptor)

    def free_if_full(self) -> None:
        """Give the reserve up when so little is free that even a small write may fail."""
        total, free = self._measure()
        if free < _reserve_of(total):
            self._reserve.unlink(missing_ok=True)

    def _measure(self) -> tuple[int, int]:
        """Bytes of the disk, and those of them that are free to us."""
        disk = os.statvfs(self._folder)
        return disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize


def _reserve_of(total: int) -> int:
    return min(RESERVE_BYTES, total // 8)
