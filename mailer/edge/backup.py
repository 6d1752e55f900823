"""What lies in a backup? A folder or a tar archive is read through; nothing is unpacked, nothing is changed."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from mailer.errors import SetupError

BEGINNING_BYTES: Final = 200  # a key file has 65
DATABASES: Final = (b"SQLite format 3\0", b"PGDMP", b"PostgreSQL database dump")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A file of the backup: its path inside, and how it begins."""

    path: str
    beginning: bytes

    @property
    def is_database(self) -> bool:
        """A copy of a SQLite file, or a dump of PostgreSQL in its own or in plain form."""
        return any(mark in self.beginning for mark in DATABASES)


def contents(place: Path) -> list[Found]:
    """Every file in a folder or archive, or the one database that it is. SetupError when it is none of these or unreadable."""
    try:
        if place.is_dir():
            return [Found(path=str(path.relative_to(place)), beginning=_begin(path)) for path in sorted(_files(place))]
        if tarfile.is_tarfile(place):
            with tarfile.open(place) as archive:
                return [Found(path=member.name, beginning=_of(archive, member)) for member in archive if member.isfile()]
        found = Found(path=place.name, beginning=_begin(place))
    except (OSError, tarfile.TarError, EOFError) as error:
        raise SetupError("the backup {path} cannot be read: {why}", path=place, why=error) from error
    if not found.is_database:
        raise SetupError("{path} is neither a folder nor a tar archive, and no copy of a database either", path=place)
    return [found]


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():  # not rglob: it passes over folders that it may not read, and a key could lie in one
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_file():
            yield path


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(BEGINNING_BYTES)


def _of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file: BinaryIO | None = archive.extractfile(member)  # type: ignore[assignment]
    return b"" if file is None else file.read(BEGINNING_BYTES)
