"""A set-up database for store and flow tests: real tables, a fixed record key, a clock the test moves."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import make_url

from mailer.model import Sender
from mailer.store import db, office, senders
from mailer.store.audit import Pen
from mailer.store.db import Database
from mailer.store.leases import Lease, acquire
from mailer.store.migrate import upgrade
from mailer.store.work import Worker

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
INSTANCE = "0" * 32


@dataclass
class Clock:
    """Time that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **step: float) -> None:
        self.now += timedelta(**step)


@dataclass(kw_only=True)
class Trial:
    """An empty office on one database."""

    url: str
    database: Database
    clock: Clock = field(default_factory=Clock)
    chance: random.Random = field(default_factory=lambda: random.Random(20261123))

    @property
    def pen(self) -> Pen:
        return Pen(key=b"r" * 32, randbytes=self.randbytes)

    @property
    def randbytes(self) -> Callable[[int], bytes]:
        return self.chance.randbytes

    def worker(self, lease_name: str | None = None) -> Worker:
        """A worker; with a name, one that holds that lease anew (its fence grows)."""
        lease = self._lease(lease_name) if lease_name else None
        return Worker(database=self.database, pen=self.pen, clock=self.clock, actor="test", lease=lease)

    def register(self, *rows: Sender) -> None:
        """Put senders into the register, told to the record when there is anything to tell."""
        with self.worker().writing() as unit:
            senders.add(unit, rows, self.pen)

    def _lease(self, name: str) -> Lease:
        with self.database.writing() as tx:
            found = acquire(tx, name, "test", now=self.clock(), is_gone=lambda owner: True)
        assert isinstance(found, Lease)
        return found


def after_the_first(monkeypatch: pytest.MonkeyPatch, module: object, name: str, deed: Callable[[], None]) -> list[int]:
    """Have this done right after the module's function was called for the first time; `[1]` once it was."""
    look, looks = getattr(module, name), list[int]()

    def looked(*asked: object) -> object:
        seen = look(*asked)
        if not looks:
            looks.append(1)
            deed()
        return seen

    monkeypatch.setattr(module, name, looked)
    return looks


def set_up(url: str) -> Trial:
    """Make the tables and found the office in an empty database; the caller closes its database."""
    if url.startswith("sqlite"):
        lay_sqlite(Path(make_url(url).database or ""))
    else:
        found(url)
    return Trial(url=url, database=db.connect(url))


def lay_sqlite(path: Path) -> None:
    """A new office in this file, which is not there yet."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(_founded_sqlite())


def found(url: str) -> None:
    """By every migration, which takes its time: `lay_sqlite` and `Postgres.copy` repeat what it made."""
    db.create(url)
    upgrade(url)
    database = db.connect(url)
    with database.writing() as tx:
        office.found(tx, name=INSTANCE, at=START)
    database.close()


@cache
def _founded_sqlite() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mailer.db"
        found(f"sqlite:///{path}")
        assert not path.with_name("mailer.db-wal").exists(), "the file alone is the database"
        return path.read_bytes()
