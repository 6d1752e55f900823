"""One PostgreSQL database for one test after the other, emptied between them: making it anew takes twenty times as long.

Only its rows and sequences are put back. What else a test did to it, as to columns, indexes or functions, makes it anew; disabled
triggers are enabled again. Nothing is vacuumed behind a test's back: rows keep the order in which they were written.
"""

from __future__ import annotations

from typing import Final

import psycopg
from sqlalchemy import make_url

from tests.servers.postgres import Postgres

WORN: Final = 100  # tests, after which it is made anew: deleted rows still take room

OTHERS: Final = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IS DISTINCT FROM 'idle'"""
DISABLED: Final = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgenabled <> 'O'"
SHAPE: Final = """
SELECT (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
       (SELECT string_agg(concat_ws(' ', oid, tgenabled), ',' ORDER BY oid) FROM pg_trigger),
       (SELECT string_agg(concat_ws(' ', oid, xmin), ',' ORDER BY oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
       (SELECT count(*) FROM pg_stats WHERE schemaname = 'public')"""
TABLES: Final = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
SEQUENCES: Final = """
SELECT format('SELECT setval(%L, %s, %L)', sequencename, coalesce(last_value, start_value), last_value IS NOT NULL)
FROM pg_sequences WHERE schemaname = 'public'"""


class Plot:
    """The database `url` of this server, each time like the one at `like`, to which nobody may be connected."""

    def __init__(self, server: Postgres, like: str, url: str) -> None:
        self._server, self._like, self._url = server, like, url
        with _connected(like) as connection:
            for (table,) in connection.execute(TABLES):
                connection.execute(
                    f"ALTER TABLE {table} SET (autovacuum_enabled = false, toast.autovacuum_enabled = false)".encode()
                )
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._shape: object = None
        self._emptying = ""
        self._uses = 0

    def lay(self, *, anew: bool = False) -> None:
        """`anew`: also its files hold nothing that an earlier test wrote."""
        self._uses += 1
        if anew or self._uses > WORN or not self._emptied():
            self.clear()
            self._make()

    def clear(self) -> None:
        """Remove it, whoever is still connected."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._server.drop(self._url)

    def _make(self) -> None:
        self._server.copy(self._like, self._url)
        self._connection = _connected(self._url)
        tables = self._column(TABLES)
        # Without triggers, so also without foreign keys.
        statements = ["SET LOCAL session_replication_role = replica", *(f"DELETE FROM {table}" for table in tables)]
        for table in tables:
            (rows,) = self._column(f"SELECT quote_literal(json_agg(rows)) FROM {table} AS rows")
            if rows is not None:
                statements.append(f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, {rows})")
        self._emptying = "; ".join(["BEGIN", *statements, *self._column(SEQUENCES), "COMMIT"])
        self._shape = self._rows(SHAPE)
        self._uses = 1

    def _emptied(self) -> bool:
        """Whether it is now as it was made."""
        if self._connection is None:
            return False
        self._rows(OTHERS)
        for table in self._column(DISABLED):
            self._connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL".encode())
        if self._rows(SHAPE) != self._shape:
            return False
        self._connection.execute(self._emptying.encode())
        return True

    def _column(self, query: str) -> list[object]:
        return [value for (value,) in self._rows(query)]

    def _rows(self, query: str) -> list[tuple[object, ...]]:
        assert self._connection is not None
        return self._connection.execute(query.encode()).fetchall()


def _connected(url: str) -> psycopg.Connection[tuple[object, ...]]:
    parsed = make_url(url)
    where = {"host": str(parsed.query["host"]), "user": parsed.username, "dbname": parsed.database}
    return psycopg.connect(**where, autocommit=True, options="-c lock_timeout=5s")
