"""Verification: each way to meddle with the record, at each of its rows, is found with the first bad seq; and nothing else is."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from mailer.core import evidence
from mailer.core.evidence import Record
from mailer.store import audit, verification
from mailer.store.db import DatabaseError
from mailer.store.verification import Outcome, Verdict
from tests.store.offices import START, Trial

ROWS = 5


@pytest.fixture
def told(trial: Trial) -> Trial:
    """A record of `ROWS` records; the triggers that guard it are gone."""
    with trial.worker().writing() as unit:
        for number in range(ROWS):
            unit.tell("request.refused", sender="290001", request=number, letter=number, note="ё")
    unguard(trial)
    return trial


def unguard(trial: Trial) -> None:
    postgres = trial.url.startswith("postgresql")
    statements = (
        ["ALTER TABLE records DISABLE TRIGGER ALL"] if postgres else ["DROP TRIGGER records_UPDATE", "DROP TRIGGER records_DELETE"]
    )
    run(trial, *statements)


def run(trial: Trial, *statements: str) -> None:
    with trial.database.writing() as tx:
        for statement in statements:
            tx.execute(text(statement))


def verified(trial: Trial, *, key: bytes | None = None, since: int = 1) -> Verdict:
    return verification.verify(trial.database, key or trial.pen.key, since=since)


def found(trial: Trial) -> tuple[int, str]:
    fault = verified(trial).fault
    assert fault is not None
    return fault.seq, str(fault.why)


def test_dropped_triggers_alone_change_nothing(told: Trial) -> None:
    assert verified(told) == Verdict(outcome=Outcome.OK, checked=ROWS, size=ROWS)


def test_an_empty_record_is_whole(trial: Trial) -> None:
    assert verified(trial) == Verdict(outcome=Outcome.OK, checked=0, size=0)


@pytest.mark.parametrize("seq", range(1, ROWS + 1))
@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("header", "details", "leaf"),
        ("nonce", "mac", "leaf"),
        ("details", "nonce", "leaf"),
        ("leaf", "mac", "leaf"),
        ("mac", "leaf", "MAC"),
        ("at", "'2020-01-01 00:00:00+00:00'", "tells another at"),
        ("event", "'request.approved'", "tells another event"),
        ("importance", "'alarm'", "tells another importance"),
        ("actor", "'nobody'", "tells another actor"),
        ("sender_code", "NULL", "tells another sender"),
        ("request_id", "77", "tells another request"),
        ("outcome", "'failed'", "tells another outcome"),
        ("letter_id", "77", "tells another letter"),
    ],
)
def test_an_edit_is_found_in_every_column_of_every_row(told: Trial, seq: int, column: str, value: str, why: str) -> None:
    run(told, f"UPDATE records SET {column} = {value} WHERE seq = {seq}")
    assert found(told)[0] == seq
    assert why in found(told)[1]


@pytest.mark.parametrize("column", ["header", "nonce", "details", "leaf", "mac", "at"])
def test_another_type_than_was_written_is_found(told: Trial, column: str) -> None:
    statement = f"UPDATE records SET {column} = 'long ago' WHERE seq = 3"
    if column == "at" and not told.database.sqlite:
        with pytest.raises(DatabaseError):  # PostgreSQL keeps its types
            run(told, statement)
        return
    run(told, statement)
    assert found(told)[0] == 3


@pytest.mark.parametrize("seq", range(1, ROWS + 1))
def test_a_deleted_record_is_found(told: Trial, seq: int) -> None:
    run(told, f"DELETE FROM records WHERE seq = {seq}")
    assert found(told) == (seq, "a record is missing")


@pytest.mark.parametrize("seq", range(1, ROWS + 1))
def test_a_tail_that_was_cut_off_is_found(told: Trial, seq: int) -> None:
    run(told, f"DELETE FROM records WHERE seq >= {seq}")
    assert found(told)[0] == seq


@pytest.mark.parametrize("seq", range(1, ROWS + 1))
def test_a_tail_that_was_cut_off_together_with_the_count_is_found(told: Trial, seq: int) -> None:
    run(told, f"DELETE FROM records WHERE seq >= {seq}", f"UPDATE audit_head SET seq = {seq - 1}")
    assert verified(told).outcome is Outcome.TAMPERED


@pytest.mark.parametrize(("one", "other"), [(one, other) for one in range(1, ROWS) for other in range(one + 1, ROWS + 1)])
def test_swapped_records_are_found(told: Trial, one: int, other: int) -> None:
    run(
        told,
        f"UPDATE records SET seq = 99 WHERE seq = {one}",
        f"UPDATE records SET seq = {one} WHERE seq = {other}",
        f"UPDATE records SET seq = {other} WHERE seq = 99",
    )
    assert found(told) == (one, "the MAC does not hold")


COPY = "header, nonce, details, leaf, mac, at, event, importance, actor, sender_code, request_id, outcome, letter_id"


@pytest.mark.parametrize("seq", range(1, ROWS + 1))
def test_an_inserted_copy_is_found(told: Trial, seq: int) -> None:
    """The later ones move up by one, and the head counts it."""
    run(
        told,
        f"UPDATE records SET seq = seq + 100 WHERE seq >= {seq}",
        "UPDATE records SET seq = seq - 99 WHERE seq > 100",
        f"INSERT INTO records (seq, {COPY}) SELECT {seq}, {COPY} FROM records WHERE seq = {1 if seq > 1 else 3}",
        f"UPDATE audit_head SET seq = {ROWS + 1}",
    )
    assert found(told)[0] == seq


def test_a_record_appended_by_the_database_alone_is_found(told: Trial) -> None:
    """Its bytes may be made well, and leaf, tree and head with them; the MAC cannot be."""
    forged = Record(event="request.approved", actor="mailer-desk", request=1)
    with told.database.writing() as tx:
        audit.append(tx, audit.Pen(key=b"x" * 32, randbytes=told.randbytes), START, [forged])
    assert found(told) == (ROWS + 1, "the MAC does not hold")


def test_a_row_that_the_head_does_not_count_is_found(told: Trial) -> None:
    run(told, f"INSERT INTO records (seq, {COPY}) SELECT {ROWS + 1}, {COPY} FROM records WHERE seq = 1")
    assert found(told) == (ROWS + 1, "the MAC does not hold")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (f"seq = {ROWS - 1}", "no edge"),
        (f"seq = {ROWS + 1}", "missing"),
        (f"seq = {ROWS - 2}", "other records than there are"),
        ("hashes = (SELECT leaf FROM records WHERE seq = 1)", "no edge"),
        (
            "hashes = (SELECT leaf FROM records WHERE seq = 1) || (SELECT leaf FROM records WHERE seq = 2)",
            "tree of the head is not that",
        ),
    ],
)
def test_a_changed_head_is_found_and_nothing_is_written_on_it(told: Trial, change: str, why: str) -> None:
    if "||" in change and told.database.sqlite:
        change = change.replace("hashes = ", "hashes = CAST(") + " AS BLOB)"
    run(told, f"UPDATE audit_head SET {change}")
    assert why in found(told)[1]


def test_another_key_does_not_verify(told: Trial) -> None:
    fault = verified(told, key=b"x" * 32).fault
    assert fault is not None
    assert fault.seq == 1


@pytest.mark.parametrize(("since", "checked"), [(1, 5), (3, 3), (5, 1), (6, 0), (99, 0)])
def test_since_judges_later_records_only_and_still_knows_the_tree(told: Trial, since: int, checked: int) -> None:
    assert verified(told, since=since) == Verdict(outcome=Outcome.OK, checked=checked, size=ROWS)
    run(told, "UPDATE records SET event = 'request.approved' WHERE seq = 2")
    assert (verified(told, since=since).fault is None) == (since > 2)
    run(told, "UPDATE records SET leaf = mac WHERE seq = 2")
    assert verified(told, since=since).fault is not None


@pytest.mark.parametrize("size", [verification.PAGE - 1, verification.PAGE, verification.PAGE + 1, 2 * verification.PAGE])
def test_pages_join_without_a_seam(trial: Trial, size: int) -> None:
    with trial.worker().writing() as unit:
        for _ in range(size):
            unit.tell("letter.kept")
    assert verified(trial) == Verdict(outcome=Outcome.OK, checked=size, size=size)
    unguard(trial)
    run(trial, f"DELETE FROM records WHERE seq = {min(size, verification.PAGE)}")
    assert verified(trial).fault is not None


def test_the_head_holds_the_tree_of_the_leaves(trial: Trial) -> None:
    for _ in range(3):
        with trial.worker().writing() as unit:
            unit.tell("letter.kept")
            unit.tell("request.refused")
    with trial.database.reading() as tx:
        leaves = [sealed.leaf for sealed in audit.page(tx, after=0)]
        assert audit.edge(tx) == verification.Range().grown(leaves)
        assert [evidence.leaf(one.header, one.nonce, one.details) for one in audit.page(tx, after=0)] == leaves
