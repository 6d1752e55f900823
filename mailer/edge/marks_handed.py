"""Which logins went out, whatever backup of the database is restored? A file beside the keys that only grows.

One line for each login in a written answer: its mark (a keyed digest, no login can be read from it), a space, the credential's id.
The line is on the disk before the commit that lets the answer out, so a crash in between leaves a line too many and never one
too few; a line for the same credential does not hinder it. The file must not be restored together with the database, and must not
be lost: without it a restored database knows nothing of what went out after the backup was made.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from mailer.edge.marks import append, make
from mailer.errors import N_, EdgeError, EdgeSetupError, SetupError

NAME: Final = "handed-out.log"
MISSING: Final = N_(
    "the file {path} is missing: bring it back as it was last, it must be newer than the database; without it logins that went out "
    "after a backup could go out again. Where there never was one, `mailer init --upgrade` makes it"
)
_LINE: Final = re.compile(rb"([0-9a-f]{64}) ([0-9a-f]{32})")


class HandedOutFile:
    """The file of one host; processes of one host share it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME
        self._read = 0  # bytes of whole lines that are in memory
        self._holders: dict[str, str] = {}
        self._turn = threading.Lock()

    def make(self) -> None:
        """An empty file, unless it is there."""
        make(self._path)

    def ready(self) -> None:
        """SetupError when it is not there: asked before anything is issued."""
        if not self._path.exists():
            raise SetupError(MISSING, path=self._path)

    def holders(self, marks: Iterable[str]) -> dict[str, str]:
        with self._turn:
            self._catch_up()
            return {mark: holder for mark in marks if (holder := self._holders.get(mark)) is not None}

    def note(self, given: Mapping[str, str]) -> None:
        with self._turn:
            self._catch_up()
            lines = "".join(f"{mark} {credential}\n" for mark, credential in given.items() if self._holders.get(mark) != credential)
            if lines:
                try:
                    append(self._path, lines.encode("ascii"))
                except OSError as error:
                    raise EdgeError("the file {path} cannot be written: {why}", path=self._path, why=error.strerror) from error

    def _catch_up(self) -> None:
        """Read what was added since, by us or by another process. Lines cut off by a crash are no lines."""
        try:
            if self._path.stat().st_size == self._read:
                return
            with self._path.open("rb") as file:
                file.seek(self._read)
                added = file.read()
        except FileNotFoundError as error:
            raise EdgeSetupError(MISSING, path=self._path) from error
        except OSError as error:
            raise EdgeSetupError("the file {path} cannot be read: {why}", path=self._path, why=error.strerror) from error
        whole = added.rfind(b"\n") + 1
        self._read += whole
        for line in added[:whole].split(b"\n"):
            if found := _LINE.fullmatch(line):
                self._holders[found[1].decode()] = found[2].decode()
