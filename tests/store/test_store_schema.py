"""The migrations build exactly the tables of `store.schema`, on both databases, and the record refuses to be changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text

from mailer.errors import SchemaError
from mailer.model import Sender
from mailer.store import db, schema
from mailer.store.db import Database, DatabaseError
from mailer.store.migrate import upgrade
from mailer.store.schema import NO_TIME
from tests.store.offices import START, Trial, set_up


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


@pytest.mark.parametrize("written", ["-infinity", "infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00+00"])
def test_what_is_no_time_is_read_as_one_that_stops_nobody(trial: Trial, written: str) -> None:
    """In any column of any row: a text is one of these on SQLite, where the column takes it."""
    with trial.database.writing() as tx:
        tx.execute(text("UPDATE instance SET created_at = :written"), {"written": written})
        assert tx.execute(select(schema.instance.c.created_at)).scalar_one() == NO_TIME
    with trial.database.reading() as tx:
        assert tx.execute(select(func.max(schema.instance.c.created_at))).scalar_one() == NO_TIME


@pytest.mark.parametrize("written", ["x", "12", "", b"\xff", 12, 1.5, "0001-01-01T00:00:00+14:00"])
def test_sqlite_keeps_anything_in_a_column_of_times(tmp_path: Path, written: object) -> None:
    office = set_up(f"sqlite:///{tmp_path / 'mailer.db'}")
    with office.database.writing() as tx:
        tx.execute(text("UPDATE instance SET created_at = :written"), {"written": written})
        assert tx.execute(select(schema.instance.c.created_at)).scalar_one() == NO_TIME
    office.database.close()


@pytest.mark.parametrize(("written", "read"), [("Ж", "Ж".encode()), (12, b"12"), (b"\xff", b"\xff"), (None, None)])
def test_what_sqlite_keeps_in_a_column_of_bytes_is_read_as_bytes(tmp_path: Path, written: object, read: bytes | None) -> None:
    office = set_up(f"sqlite:///{tmp_path / 'mailer.db'}")
    office.register(CLINIC)
    with office.database.writing() as tx:
        tx.execute(text("UPDATE senders SET salt = :written"), {"written": written})
        assert tx.execute(select(schema.senders.c.salt)).scalar_one() == read
    office.database.close()


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


CLINIC = Sender(code="290001", organisation="Больница", answer_to="gb1@clinic.example", addresses=("gb1@clinic.example",))

IN_USE_AT_0001 = (
    "INSERT INTO personal (id, kind, sender_code, key, value) VALUES (1, 'person', '290001', 'ли к.', 'Ли К.')",
    "INSERT INTO letters (id, mailbox, epoch, item, state, kind, received_at, kept_at, size_bytes, content, whole,"
    " digest, fingerprint, proven, batches, attempts)"
    " VALUES (1, 'uc', 1, 1, 'read', 'request', :at, :at, 1, :bytes, true, 'd', 'f', true, 1, 0)",
    "INSERT INTO requests (id, letter_id, state, sender_code, person_id, answer_to_id, verdict, rule_id, ruleset_hash, facts,"
    " created_at) VALUES (1, 1, 'issued', '290001', 1, 1, 'issue', 'issue', 'h', '{}', :at)",
    "INSERT INTO credentials (id, request_id, sender_code, person_id, answer_to_id, login, state, reserved_at, valid_until,"
    " last_day, term_rule) VALUES ('c', 1, '290001', 1, 1, 'login', 'active', :at, :at, '2027-02-23', 'r')",
    "INSERT INTO replies (id, request_id, credential_id, name, sender_code, recipient_id, message_id, state, key_epoch, sealed,"
    " digest, created_at, sends, attempts, next_at, fence)"
    " VALUES ('r', 1, 'c', 'issued', '290001', 1, '<m>', 'sending', 'e', :bytes, 'd',"
    " :at, 1, 1, :at, 3)",
)


def test_a_database_in_use_is_brought_forward_whole(database_url: str) -> None:
    db.create(database_url)
    upgrade(database_url, to="0001")
    old = Database(database_url)
    at = START if not old.sqlite else START.isoformat(timespec="microseconds")
    with old.writing() as tx:
        for statement in IN_USE_AT_0001:
            tx.execute(text(statement), {"at": at, "bytes": b"x"} if ":at" in statement else {})
    old.close()

    upgrade(database_url)

    database = db.connect(database_url)
    with database.reading() as tx:
        for table in ("personal", "letters", "requests", "credentials", "replies"):
            assert tx.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 1, table
        assert tx.execute(text("SELECT letter_id FROM requests")).scalar_one() == 1
        if database.sqlite:
            assert tx.execute(text("PRAGMA foreign_key_check")).all() == []
    database.close()
