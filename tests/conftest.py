"""What tests of every room ask for: databases and servers, each fresh. The last lines of a run say which of them were missing."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from mailer.store.db import Database
from tests.servers.dovecot import Dovecot
from tests.servers.plot import Plot
from tests.servers.postgres import Postgres
from tests.servers.services import last_lines, needed
from tests.store.offices import Trial, found, lay_sqlite

MEMORY: Final = Path("/dev/shm")
MEMORY_NEEDED_BYTES: Final = 2 << 30  # each process of the tests has a PostgreSQL of 100 MB there


def pytest_configure() -> None:
    """Databases and mailboxes of the tests lie in memory where there is room: no test asks whether the disk has them."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_collection_finish() -> None:
    """What was read to find the tests stays to the end: no collection of garbage need look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    with needed(), Postgres() as server:
        yield server


@pytest.fixture
def postgres_url(_postgres: Postgres) -> Iterator[str]:
    """The address of an empty PostgreSQL database, as postgresql+psycopg://…"""
    url = _postgres.fresh()
    yield url
    _postgres.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, once of each kind; the SQLite file does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'mailer.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where one office after the other stands: `lay` makes one for a test with this folder, for a test of its files `anew`.

    The engines of `database` stay, and with them the statements that SQLAlchemy has compiled: half the work of a short test.
    """

    lay: Callable[[Path, bool], Trial]
    leave: Callable[[], None]


@pytest.fixture(scope="session")
def _ground_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    link = tmp_path_factory.mktemp("ground") / "home"
    database = Database(f"sqlite:///{link / 'mailer.db'}")

    def lay(home: Path, _anew: bool) -> Trial:
        link.unlink(missing_ok=True)
        link.symlink_to(home)
        path = home / "mailer.db"
        lay_sqlite(path)
        return Trial(url=f"sqlite:///{path}", database=database)

    return Ground(lay=lay, leave=database.close)


@pytest.fixture(scope="session")
def _ground_postgresql(_postgres: Postgres) -> Iterator[Ground]:
    founded = _postgres.fresh()
    found(founded)
    url = _postgres.address("trial")
    database, plot = Database(url), Plot(_postgres, founded, url)

    def lay(_home: Path, anew: bool) -> Trial:
        plot.lay(anew=anew)
        return Trial(url=url, database=database)

    # Its connections stay as well: each costs a process of the server, which begins by reading catalogues.
    yield Ground(lay=lay, leave=lambda: None)
    database.close()
    plot.clear()


@pytest.fixture(params=["sqlite", "postgresql"])
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    """An empty office, once on each kind of database."""
    ground: Ground = request.getfixturevalue(f"_ground_{request.param}")
    yield ground.lay(tmp_path, request.node.get_closest_marker("files") is not None)
    ground.leave()


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    """A running IMAP server with one user, `desk`."""
    with needed(), Dovecot() as server:
        yield server


def pytest_unconfigure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    for line in last_lines(reporter.stats.get("skipped", [])):
        reporter.write_line(line, yellow=True)
