"""The papers of a destruction, to be signed: new files for their owner alone, which have their names only once it is done.

Until then they are called `….part`: a crash leaves no act of what did not happen. Nothing is ever overwritten.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Final

from mailer.errors import N_, RefusedError, SetupError

TAKEN: Final = N_("{path} exists already and is not overwritten")


class Papers:
    """`with Papers(folder, "20261123-120000") as papers:` write, then `finish`; what is not finished is gone again."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder = folder
        self._stem = stem
        self._parts: dict[Path, Path] = {}

    @property
    def paths(self) -> list[Path]:
        return list(self._parts)

    def write(self, kind: str, suffix: str, content: bytes) -> str:
        """Keep one paper, on the disk; its name."""
        path = self._folder / f"{kind}-{self._stem}.{suffix}"
        part = path.with_name(path.name + ".part")
        if path.exists():
            raise RefusedError(TAKEN, path=path)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._parts[path] = part
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError as error:
            raise RefusedError(TAKEN, path=part) from error
        except OSError as error:
            raise SetupError("{path} cannot be written: {why}", path=path, why=error.strerror) from error
        return path.name

    def finish(self) -> None:
        """What they tell of is done."""
        for path, part in self._parts.items():
            try:
                os.link(part, path)  # unlike renaming, it never takes another's place
            except FileExistsError:
                raise
            except OSError:  # a file system without links: a share of Windows
                part.rename(path)
            part.unlink(missing_ok=True)

    def __enter__(self) -> Papers:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for part in self._parts.values():
            part.unlink(missing_ok=True)
