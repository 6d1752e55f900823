"""What was destroyed, whatever backup of the database is restored? A file beside the keys that only grows.

One line for each row and letter whose data was destroyed: its mark (`core.erasing.mark`), from which nothing can be read. The line
is on the disk before the commit that destroys, so a crash in between leaves a line too many: the database does not know that mark,
and what it names is destroyed by the same command that does so after a restore. Like `handed-out.log` it must not be restored with
the database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mailer.edge.marks import append, make
from mailer.errors import N_, EdgeError, SetupError

NAME: Final = "erased.log"
MISSING: Final = N_(
    "the file {path} is missing: bring it back as it was last, it must be newer than the database; without it a restored database "
    "would hold persons again whose data was destroyed. Where there never was one, `mailer init --upgrade` makes it"
)
_LINE: Final = re.compile(rb"[0-9a-f]{64}")


class ErasedFile:
    """The file of one host."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    def make(self) -> None:
        """An empty file, unless it is there."""
        make(self._path)

    def marks(self) -> set[str]:
        """Every mark; SetupError when the file is missing. Lines cut off by a crash are no lines."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError as error:
            raise SetupError(MISSING, path=self._path) from error
        except OSError as error:
            raise SetupError("the file {path} cannot be read: {why}", path=self._path, why=error.strerror) from error
        return {line.decode() for line in lines[:-1] if _LINE.fullmatch(line)}

    def note(self, marks: Iterable[str]) -> None:
        """Keep marks; returns once they are on the disk. Noting again is harmless."""
        new = sorted(set(marks) - self.marks())
        if not new:
            return
        try:
            append(self._path, "".join(f"{mark}\n" for mark in new).encode("ascii"))
        except OSError as error:
            raise EdgeError("the file {path} cannot be written: {why}", path=self._path, why=error.strerror) from error
