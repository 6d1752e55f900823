"""The record: gapless, whole with its transaction, and every kind of meddling found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from mailer.core import evidence
from mailer.store import audit
from mailer.store.work import Unit
from tests.store.offices import START, Trial

Meddling = Callable[[Connection], None]


def tell(trial: Trial, *events: str) -> None:
    with trial.worker().writing() as unit:
        for event in events:
            unit.tell(event, request=7, letter=3, note="ё")


def test_seq_has_no_gaps_even_when_a_transaction_fails(trial: Trial) -> None:
    tell(trial, "letter.kept")
    with pytest.raises(ZeroDivisionError), trial.worker().writing() as unit:
        _tell_and_fail(unit)
    tell(trial, "request.approved", "credential.reserved")
    with trial.database.reading() as tx:
        assert [sealed.seq for sealed in audit.page(tx, after=0)] == [1, 2, 3]
        assert audit.verify(tx, trial.pen.key) == audit.Finding(checked=3)


def _tell_and_fail(unit: Unit) -> None:
    unit.tell("request.held")
    raise ZeroDivisionError


def test_a_failed_savepoint_leaves_no_record(trial: Trial) -> None:
    with trial.worker().writing() as unit:
        unit.tell("letter.kept", letter=1)
        with pytest.raises(ZeroDivisionError), unit.savepoint():
            _tell_and_fail(unit)
        unit.tell("request.refused")
    with trial.database.reading() as tx:
        assert [evidence.read_header(sealed)["event"] for sealed in audit.page(tx, after=0)] == ["letter.kept", "request.refused"]


def meddled(trial: Trial, *statements: str) -> audit.Finding:
    """What verification says after somebody who may drop triggers has written these statements."""
    postgres = trial.url.startswith("postgresql")
    unguard = (
        ["ALTER TABLE records DISABLE TRIGGER ALL"] if postgres else ["DROP TRIGGER records_UPDATE", "DROP TRIGGER records_DELETE"]
    )
    with trial.database.writing() as tx:
        for statement in (*unguard, *statements):
            tx.execute(text(statement))
    with trial.database.reading() as tx:
        return audit.verify(tx, trial.pen.key)


@pytest.mark.parametrize(
    ("statements", "seq", "why"),
    [
        pytest.param(["UPDATE records SET details = nonce WHERE seq = 2"], 2, "leaf", id="details edited"),
        pytest.param(["UPDATE records SET mac = leaf WHERE seq = 3"], 3, "MAC", id="another MAC"),
        pytest.param(["UPDATE records SET event = 'request.refused' WHERE seq = 2"], 2, "event", id="projection edited"),
        pytest.param(["UPDATE records SET request_id = 8 WHERE seq = 1"], 1, "request", id="moved to another request"),
        pytest.param(["UPDATE records SET letter_id = 8 WHERE seq = 1"], 1, "letter", id="moved to another letter"),
        pytest.param(["DELETE FROM records WHERE seq = 2"], 2, "missing", id="deleted"),
        pytest.param(["DELETE FROM records WHERE seq = 4"], 4, "head", id="tail cut off"),
        pytest.param(
            [
                "UPDATE records SET seq = 9 WHERE seq = 2",
                "UPDATE records SET seq = 2 WHERE seq = 3",
                "UPDATE records SET seq = 3 WHERE seq = 9",
            ],
            2,
            "MAC",
            id="reordered",
        ),
    ],
)
def test_meddling_is_found_with_its_first_seq(trial: Trial, statements: list[str], seq: int, why: str) -> None:
    tell(trial, "letter.kept", "request.approved", "credential.reserved", "credential.issued")
    finding = meddled(trial, *statements)
    assert finding.seq == seq
    assert why in str(finding.why)


def test_another_key_does_not_verify(trial: Trial) -> None:
    tell(trial, "letter.kept")
    with trial.database.reading() as tx:
        assert audit.verify(tx, b"x" * 32).seq == 1


def test_the_timeline_of_a_letter_reaches_from_its_keeping_to_the_answer(trial: Trial) -> None:
    with trial.worker().writing() as unit:
        unit.tell("letter.kept", letter=5)
        unit.tell("letter.kept", letter=6)
    with trial.worker().writing() as unit:
        unit.tell("request.approved", request=1, letter=5)
        unit.tell("request.held", request=2, letter=6)
        unit.tell("reply.sent", request=1)
    with trial.database.reading() as tx:
        assert [sealed.seq for sealed in audit.of_letter(tx, 5)] == [1, 3, 5]
        assert [sealed.seq for sealed in audit.of_request(tx, 1, "reply.sent")] == [5]


def test_the_time_of_all_records_of_a_transaction_is_the_same(trial: Trial) -> None:
    tell(trial, "letter.kept", "request.approved")
    with trial.database.reading() as tx:
        times = {evidence.read_header(sealed)["at"] for sealed in audit.page(tx, after=0)}
    assert times == {"2026-11-23T09:00:00.000000+00:00"}
    assert evidence.instant(START) in times
