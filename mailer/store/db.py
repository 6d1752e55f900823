"""How is the database reached? Two engines, reading and writing, and what each database needs to keep its promises.

SQLite: WAL, synchronous=FULL, foreign keys on, BEGIN IMMEDIATE for writing (deferred transactions meet "database is locked" when
two of them want to write). PostgreSQL: time limits, so that a stopped process cannot hold the record's head for ever.
A missing database is refused, never created: a wrong path must not start a second life. `create` is for `mailer init` alone.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from operator import methodcaller
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, select, table, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, ProgrammingError

from mailer.errors import SchemaError
from mailer.store import schema
from mailer.store.room import Room

DATABASE_OUTAGE = (OperationalError, InterfaceError)  # the database is away, full or locked: no statement is to blame
DatabaseError = DBAPIError  # what callers above the store may catch: the database, not the letter, is at fault
Tx = Connection  # an open transaction; whoever takes one commits nothing
CHANNEL = "mailer"  # PostgreSQL's NOTIFY channel

OTHERS_SECONDS: Final = 0.11  # a writer of another process asks SQLite every 100 ms; after longer work it finds its turn

# SQLite keeps also what is no UTF-8 as text; the driver would refuse it, and with it all rows of the answer.
_ANY_TEXT: Final = methodcaller("decode", "utf-8", "replace")

_TIMESTAMPTZ_AS_TEXT: Final = (1184, 0)  # PostgreSQL's number of the type; values come as text

# A process that stops while it holds the record's head loses it before those who wait for it give up, and they before their
# heartbeat is missed (20 s).
_POSTGRES_OPTIONS = "-c idle_in_transaction_session_timeout=12s -c lock_timeout=16s -c timezone=UTC"


class Database:
    """One database. Open it with `connect`, which also proves that it is ours and of the right version.

    `migrating`: SQLite rebuilds a table to change it, so foreign keys are not enforced; whoever migrates checks them at the end.
    """

    def __init__(self, url: str, *, migrating: bool = False) -> None:
        self._migrating = migrating
        self.url = _parsed(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._reader = self._engine(writing=False)
        self._writer = self._engine(writing=True)
        # SQLite lets a second writer sleep blindly for up to 100 ms; our own threads queue here instead.
        self._turn = threading.Lock() if self.sqlite else None
        self._others_until = 0.0  # other processes may write until then, and our own threads wait
        self._room = Room(Path(self.url.database or "")) if self.sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """A consistent view; nothing can be written through it."""
        with self._reader.begin() as tx:
            yield tx

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """Commits when the block ends, rolls back when it raises."""
        if self._turn is None or self._room is None:
            with self._writer.begin() as tx:
                yield tx
            return
        self._room.free_if_full()
        with self._turn:
            time.sleep(max(0.0, self._others_until - time.monotonic()))
            with self._writer.begin() as tx:
                begun = time.monotonic()
                try:
                    yield tx
                finally:
                    now = time.monotonic()
                    self._others_until = now + OTHERS_SECONDS if now - begun > OTHERS_SECONDS else 0.0

    def is_short_of_room(self) -> bool:
        """Whether new work should wait, since the disk is nearly full. PostgreSQL looks after its own disk."""
        if self._turn is None or self._room is None:
            return False
        if self._room.is_low():
            with self._turn, self._writer.connect() as connection:  # the log may hold what was long since written
                driver = connection.connection.driver_connection
                assert driver is not None  # noqa: S101  a connection that is open has a driver
                with suppress(sqlite3.OperationalError):  # too full even for that, or somebody reads: the next look tries again
                    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if self._room.is_low():
            return True
        self._room.keep()
        return False

    @contextmanager
    def watching(self) -> Iterator[Callable[[float], bool]]:
        """A function that waits up to so many seconds and says whether any process has written meanwhile."""
        with (self._reader if self.sqlite else self._writer).connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101  a connection that is open has a driver
            if self.sqlite:
                yield _data_version_watch(driver)
            else:
                driver.autocommit = True
                driver.execute(f"LISTEN {CHANNEL}")
                yield lambda seconds: any(True for _ in driver.notifies(timeout=seconds, stop_after=1))

    @property
    def driver_error(self) -> type[Exception]:
        """What the driver itself raises, used without SQLAlchemy."""
        error: type[Exception] = self._writer.dialect.loaded_dbapi.Error
        return error

    @contextmanager
    def unbound(self) -> Iterator[Any]:
        """The driver's own connection, outside any transaction: for what a database does with its files. Nobody of ours writes
        meanwhile."""
        with self._turn or nullcontext(), self._writer.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None  # noqa: S101  a connection that is open has a driver
            if not self.sqlite:
                driver.autocommit = True
            try:
                yield driver
            finally:
                connection.invalidate()  # it never goes back among those that begin transactions

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()

    def _engine(self, *, writing: bool) -> Engine:
        if not self.sqlite:
            url = self.url.update_query_dict({"options": _POSTGRES_OPTIONS})
            engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)

            @event.listens_for(engine, "connect")
            def read_any_time(connection: Any, _entry: object) -> None:
                connection.adapters.register_loader("timestamptz", _lenient(connection))

            if not writing:
                engine = engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
            return engine
        engine = create_engine(_sqlite_url(self.url), hide_parameters=True, pool_size=8, max_overflow=-1)
        begin = "BEGIN IMMEDIATE" if writing else "BEGIN"

        @event.listens_for(engine, "connect")
        def set_up(connection: Any, _entry: object) -> None:
            connection.text_factory = _ANY_TEXT
            connection.isolation_level = None  # the driver's own transaction guessing off; "begin" below is the only one
            for pragma in (
                "synchronous=FULL",
                f"foreign_keys={'OFF' if self._migrating else 'ON'}",
                "secure_delete=ON",
                "busy_timeout=30000",
                "wal_autocheckpoint=4000",  # a batch writes some hundred pages, many of them the same as the last one did
            ):
                connection.execute(f"PRAGMA {pragma}")
            if not writing:
                connection.execute("PRAGMA query_only=ON")

        @event.listens_for(engine, "begin")
        def open_transaction(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine


def connect(url: str) -> Database:
    """Open an existing database of this version; SchemaError says what is missing and which command mends it."""
    database = Database(url)
    if database.sqlite and not Path(database.url.database or "").exists():
        raise SchemaError(
            "there is no database at {path}: `mailer init` creates one; if there was one, check [database] url",
            path=database.url.database,
        )
    try:
        found = version(database)
    except DBAPIError as error:
        database.close()
        raise SchemaError(
            "the database {url} cannot be opened (check [database] url): {why}", url=_shown(database), why=str(error.orig).strip()
        ) from error
    if found != schema.VERSION:
        database.close()
        if found is None:
            raise SchemaError(
                "the database {url} holds no tables of mailer: check [database] url; `mailer init` sets up a new office",
                url=_shown(database),
            )
        raise SchemaError(
            "the database {url} has schema version {found}, this program needs {needed}: "
            "`mailer init --upgrade` brings an older one forward, a newer one needs the newer program",
            url=_shown(database),
            found=found,
            needed=schema.VERSION,
        )
    return database


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    return make_url(url).render_as_string(hide_password=True)


def version(database: Database) -> str | None:
    """The schema version the database says it has, None where there are no tables of ours."""
    try:
        with database.reading() as tx:
            return tx.execute(select(text("version_num")).select_from(table("alembic_version"))).scalar_one_or_none()
    except (OperationalError, ProgrammingError) as error:
        if "alembic_version" in str(error.orig):
            return None
        raise


def create(url: str) -> None:
    """Make the SQLite file that everything else refuses to create; FileExistsError when there is one."""
    database = _parsed(url)
    if database.get_backend_name() != "sqlite":
        return
    path = Path(database.database or "")
    path.touch(mode=0o600, exist_ok=False)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def is_snapshot(tx: Tx) -> bool:
    """Whether every statement of this transaction sees the same moment; one that writes to PostgreSQL sees what others commit."""
    return tx.dialect.name == "sqlite" or bool(tx.get_execution_options().get("postgresql_readonly"))


def notify(tx: Tx) -> None:
    """Wake the other processes when this transaction commits; on SQLite they watch the file themselves."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"NOTIFY {CHANNEL}")


def _data_version_watch(driver: Any) -> Callable[[float], bool]:
    wake = threading.Event()
    seen = driver.execute("PRAGMA data_version").fetchone()

    def changed(seconds: float) -> bool:
        nonlocal seen
        for _ in range(max(1, round(seconds / 0.02))):
            wake.wait(0.02)
            now = driver.execute("PRAGMA data_version").fetchone()
            if now != seen:
                seen = now
                return True
        return False

    return changed


def _lenient(connection: Any) -> type:
    """The driver's reader of times; what is no time of Python's (`-infinity`) it refuses, and with it all rows of the answer."""
    strict = connection.adapters.get_loader(*_TIMESTAMPTZ_AS_TEXT)
    refusal: type[Exception] = connection.DataError

    class Lenient:
        format = strict.format

        def __init__(self, oid: int, context: Any = None) -> None:
            self._load = strict(oid, context).load

        def load(self, data: Any) -> Any:
            try:
                return self._load(data)
            except refusal:
                return schema.NO_TIME

    return Lenient


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise SchemaError('[database] url is not a database address such as "sqlite:///mailer.db"') from error
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SchemaError(
            "[database] url: only sqlite:/// and postgresql+psycopg:// are supported, not {kind}", kind=parsed.drivername
        )
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _sqlite_url(url: URL) -> URL:
    """The same file, but never created by opening it."""
    return URL.create("sqlite", database="file:" + quote(url.database or ""), query={"mode": "rw", "uri": "true"})


def _shown(database: Database) -> str:
    return database.url.render_as_string(hide_password=True)
