"""How does what was blanked leave the files? The database is written anew without its free room, and its log is cut to nothing.

SQLite: VACUUM, then the log into the file and cut off. PostgreSQL: VACUUM FULL of every table that may hold names, which only their
owner may; what stands in its write-ahead log until it is used again, in replicas, archives and backups, is beyond us.
"""

from __future__ import annotations

import re
import time
from contextlib import closing
from typing import Any, Final

from mailer.errors import N_, EdgeError, SetupError
from mailer.store import erasure
from mailer.store.db import Database, DatabaseError

ATTEMPTS: Final = 15  # a second apart
BUSY: Final = N_("others work with the database all the time: stop the service for a moment")


def check(database: Database) -> None:
    """SetupError when this database could not be compacted afterwards: asked before anything is destroyed."""
    if database.sqlite:
        return
    with database.reading() as tx:
        for table in erasure.tables():
            owns = f"SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = '{table.name}'::regclass"  # noqa: S608  our own names
            if not tx.exec_driver_sql(owns).scalar_one():
                raise SetupError(
                    "the table {table} belongs to another role, and only its owner may write it anew without what was erased: "
                    "set [database] owner_url to the database as its owner",
                    table=table.name,
                )


def compact(database: Database) -> None:
    """Write the database anew. EdgeError when it cannot be done now; nothing is lost by it, and it may be repeated."""
    try:
        with database.unbound() as driver:
            if database.sqlite:
                driver.execute("VACUUM")
                if driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    raise EdgeError(BUSY)
            else:
                for table in erasure.tables():
                    _rewrite(driver, table.name)
    except DatabaseError as error:
        raise _failed(error.orig) from error
    except database.driver_error as error:
        raise _failed(error) from error


def _failed(error: BaseException | None) -> EdgeError:
    return EdgeError("the database could not be written anew: {why}", why=str(error).strip())


def _rewrite(driver: Any, table: str) -> None:
    """Again and again, until no older snapshot has to see what was blanked."""
    kept: list[int] = []

    def hear(said: Any) -> None:
        kept.extend(int(number) for number in re.findall(r"\d+", said.message_detail or "")[:1])

    driver.add_notice_handler(hear)
    try:
        for _attempt in range(ATTEMPTS):
            kept.clear()
            with closing(driver.cursor()) as cursor:
                cursor.execute(f"VACUUM (FULL, VERBOSE, ANALYZE) {table}")
            if not any(kept[:1]):
                return
            time.sleep(1)
        raise EdgeError(BUSY)
    finally:
        driver.remove_notice_handler(hear)
