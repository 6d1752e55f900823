"""How does a database get its tables? Alembic, in one transaction: a migration that fails leaves nothing behind."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from mailer.errors import SchemaError
from mailer.store.db import Database


def upgrade(url: str) -> None:
    """Bring the database at `url` to this program's version; SchemaError if that cannot be done."""
    database = Database(url)
    settings = Config()
    settings.set_main_option("script_location", "mailer.store:migrations")
    settings.set_main_option("path_separator", "os")
    try:
        with database.writing() as tx:
            settings.attributes["connection"] = tx
            command.upgrade(settings, "head")
    except CommandError as error:
        raise SchemaError("the tables cannot be brought to this version: {why}", why=error) from error
    except DBAPIError as error:
        raise SchemaError("the tables cannot be made: {why}", why=str(error.orig).strip()) from error
    finally:
        database.close()
