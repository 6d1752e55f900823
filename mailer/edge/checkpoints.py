"""Where do checkpoints lie outside the database? In a file that only grows, each followed by an empty line.

Like `handed-out.log` it must not be restored together with the database, and whoever can write the database should not be able to
write it: best on another machine. A line that a crash cut off stays there; readers pass it over (`core.checkpoints`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailer.errors import EdgeError, SetupError

NETWORK_FILE_SYSTEMS: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph", "glusterfs", "fuse.glusterfs"})


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointFile:
    """The file of one office; processes of one host share it."""

    path: Path

    def exists(self) -> bool:
        return self.path.exists()

    def make(self) -> None:
        """An empty file, unless it is there."""
        self.path.touch(mode=0o644, exist_ok=True)

    def text(self) -> str:
        """All of it; empty when it is not there. SetupError when it cannot be read."""
        try:
            return self.path.read_bytes().decode(errors="replace").replace("\r\n", "\n")  # a letter's text may have been saved so
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise SetupError("the file {path} cannot be read: {why}", path=self.path, why=error.strerror) from error

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else signs meanwhile. The file is made if it is not there; EdgeError when that cannot be done."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise self._failed(error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)  # until it is closed
            except OSError as error:  # a share that knows no locks
                raise self._failed(error) from error
            yield
        finally:
            os.close(handle)

    def append(self, signed: str) -> None:
        """Put a signed note on the disk; EdgeError when it did not get there whole."""
        try:
            with self.path.open("r+b", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                before = os.pread(file.fileno(), 2, max(0, end - 2))
                gap = b"" if end == 0 or before == b"\n\n" else b"\n\n"  # the one before was cut off by a crash
                lines = gap + signed.encode() + b"\n"
                written = file.write(lines)
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failed(error) from error
        if written != len(lines):
            raise self._failed(OSError(None, "the disk is full"))

    def is_on_another_machine(self) -> bool:
        """Whether the folder is a share of the network, as far as this machine can tell."""
        try:
            mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
            folder = self.path.parent.resolve()
        except OSError:
            return False
        inside = [(Path(place), kind) for place, kind in mounts if folder.is_relative_to(place)]
        kind = max(inside, key=lambda mount: len(mount[0].parts), default=(folder, ""))[1]
        return kind in NETWORK_FILE_SYSTEMS

    def _failed(self, error: OSError) -> EdgeError:
        return EdgeError("the file {path} cannot be written: {why}", path=self.path, why=error.strerror)
