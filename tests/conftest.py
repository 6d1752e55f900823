"""What tests of every room ask for: databases and servers, each fresh. The last lines of a run say which of them were missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres
from tests.servers.services import last_lines, needed
from tests.store.offices import Trial, set_up


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


@pytest.fixture
def trial(database_url: str) -> Iterator[Trial]:
    """An empty office, once on each kind of database."""
    office = set_up(database_url)
    yield office
    office.database.close()


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
