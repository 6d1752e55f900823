"""How does a database get its tables? Alembic, in one transaction: a migration that fails leaves nothing behind."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from mailer.errors import SchemaError
from mailer.store.db import Database


def upgrade(url: str, *, to: str = "head") -> None:
    """Bring the database at `url` to this program's version (or an earlier one, `to`); SchemaError if that cannot be done."""
    database = Database(url, migrating=True)
    settings = Config()
    settings.set_main_option("script_location", "mailer.store:migrations")
    settings.set_main_option("path_separator", "os")
    try:
        with database.writing() as tx:
            settings.attributes["connection"] = tx
            command.upgrade(settings, to)
            if database.sqlite and tx.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise SchemaError("the tables cannot be brought to this version: {why}", why="foreign key check failed")
    except CommandError as error:
        raise SchemaError("the tables cannot be brought to this version: {why}", why=error) from error
    except DBAPIError as error:
        raise SchemaError("the tables cannot be made: {why}", why=str(error.orig).strip()) from error
    finally:
        database.close()
