"""What tests of every room ask for: databases and servers, each fresh. The last lines of a run say which of them were missing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from mailer.store import db
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres
from tests.servers.services import last_lines, needed
from tests.store.offices import Trial, found, set_up

MEMORY: Final = Path("/dev/shm")
MEMORY_NEEDED_BYTES: Final = 2 << 30  # each process of the tests has a PostgreSQL of 100 MB there


def pytest_configure() -> None:
    """Databases and mailboxes of the tests lie in memory where there is room: no test asks whether the disk has them."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


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


@pytest.fixture(scope="session")
def _founded(_postgres: Postgres) -> str:
    """An office on PostgreSQL that no test may touch: `trial` copies it."""
    url = _postgres.fresh()
    found(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    """An empty office, once on each kind of database."""
    if request.param == "sqlite":
        office = set_up(f"sqlite:///{tmp_path / 'mailer.db'}")
        yield office
        office.database.close()
        return
    founded: str = request.getfixturevalue("_founded")
    server: Postgres = request.getfixturevalue("_postgres")
    url = server.copy(founded)
    office = Trial(url=url, database=db.connect(url))
    yield office
    office.database.close()
    server.drop(url)


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
