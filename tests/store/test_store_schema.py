"""The migrations build exactly the tables of `store.schema`, on both databases, and the record refuses to be changed."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from mailer.errors import SchemaError
from mailer.store import db, schema
from mailer.store.db import Database, DatabaseError
from tests.store.offices import Trial


def test_migrations_and_tables_agree(trial: Trial) -> None:
    with trial.database.writing() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_the_version_named_in_the_program_is_the_newest_migration() -> None:
    assert ScriptDirectory("mailer/store/migrations").get_current_head() == schema.VERSION


@pytest.mark.parametrize("statement", ["UPDATE records SET event = 'x'", "DELETE FROM records"])
def test_a_record_can_be_neither_changed_nor_deleted(trial: Trial, statement: str) -> None:
    with trial.worker().writing() as unit:
        unit.tell("letter.kept", letter=1)
    with pytest.raises(DatabaseError, match="append-only"), trial.database.writing() as tx:
        tx.execute(text(statement))


def test_a_missing_database_is_refused_and_not_created(tmp_path) -> None:
    path = tmp_path / "nowhere.db"
    with pytest.raises(SchemaError, match="mailer init"):
        db.connect(f"sqlite:///{path}")
    assert not path.exists()


def test_a_database_of_another_version_is_refused(trial: Trial) -> None:
    with trial.database.writing() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="9999"):
        db.connect(trial.url)


def test_nothing_is_written_through_a_reading_transaction(trial: Trial) -> None:
    with pytest.raises(DatabaseError), trial.database.reading() as tx:
        tx.execute(text("UPDATE audit_head SET seq = 7"))


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(SchemaError, match="mysql"):
        Database("mysql://localhost/mailer")
