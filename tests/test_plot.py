"""Does one test leave nothing to the next in the PostgreSQL database that they share?"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from tests.servers.plot import Plot
from tests.servers.postgres import Postgres
from tests.store.offices import found

SENDER = "INSERT INTO senders (code, organisation, answer_to, blocked) VALUES ('1', 'МО', 'a@b.example', false)"
LEFT = {
    "rows": [SENDER],
    "rows that refer to each other": [SENDER, "INSERT INTO sender_addresses (address, code) VALUES ('a@b.example', '1')"],
    "a changed row": ["UPDATE instance SET name = 'other'", "UPDATE audit_head SET seq = 7, hashes = '\\x01'"],
    "no row at all": ["DELETE FROM instance"],
    "numbers": ["SELECT nextval('letters_id_seq')"],
    "no guard": ["ALTER TABLE records DISABLE TRIGGER ALL"],
    "another guard": ["CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"],
    "no index": ["DROP INDEX ix_personal_folded"],
    "a column": ["ALTER TABLE senders ADD COLUMN more text"],
    "a table": ["CREATE TABLE more (id integer)"],
    "what the planner knows": [SENDER, "ANALYZE senders"],
}


@pytest.fixture(scope="module")
def url(_postgres: Postgres) -> str:
    return _postgres.address("plot")


@pytest.fixture(scope="module")
def plot(_postgres: Postgres, url: str) -> Iterator[Plot]:
    founded = _postgres.fresh()
    found(founded)
    made = Plot(_postgres, founded, url)
    yield made
    made.clear()
    _postgres.drop(founded)


def connected(url: str, *, autocommit: bool = True) -> psycopg.Connection[tuple[object, ...]]:
    parsed = make_url(url)
    return psycopg.connect(host=str(parsed.query["host"]), user=parsed.username, dbname=parsed.database, autocommit=autocommit)


def held(url: str) -> object:
    """Every row, number, column, index, guard and function."""
    with connected(url) as connection:
        tables = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]
        asked = [
            *(f"SELECT * FROM {table} ORDER BY 1" for table in tables),
            "SELECT sequencename, last_value FROM pg_sequences ORDER BY 1",
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
            "SELECT tgname, tgenabled FROM pg_trigger ORDER BY 1",
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
            "SELECT tablename, attname FROM pg_stats WHERE schemaname = 'public' ORDER BY 1, 2",
        ]
        return tables, [connection.execute(query.encode()).fetchall() for query in asked]


@pytest.mark.parametrize("statements", LEFT.values(), ids=LEFT)
def test_what_one_test_left_the_next_does_not_find(plot: Plot, url: str, statements: list[str]) -> None:
    plot.lay()
    before = held(url)
    with connected(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    assert held(url) != before
    plot.lay()
    assert held(url) == before


def test_a_transaction_that_was_left_open_hinders_nobody(plot: Plot, url: str) -> None:
    plot.lay()
    before = held(url)
    left = connected(url, autocommit=False)
    left.execute(SENDER)
    plot.lay()
    assert held(url) == before
    left.close()


def test_anew_its_files_hold_nothing_of_a_test_before(plot: Plot, url: str) -> None:
    oid = b"SELECT oid FROM pg_database WHERE datname = current_database()"
    plot.lay()
    with connected(url) as connection:
        first = connection.execute(oid).fetchall()
    plot.lay()
    with connected(url) as connection:
        assert connection.execute(oid).fetchall() == first
    plot.lay(anew=True)
    with connected(url) as connection:
        assert connection.execute(oid).fetchall() != first
