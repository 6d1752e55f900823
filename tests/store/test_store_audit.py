"""The record: gapless, whole with its transaction, and every kind of meddling found."""

from __future__ import annotations

import pytest

from mailer.core import evidence
from mailer.store import audit, verification
from mailer.store.verification import Outcome, Verdict
from mailer.store.work import Unit
from tests.store.offices import START, Trial


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
    assert verification.verify(trial.database, trial.pen.key) == Verdict(outcome=Outcome.OK, checked=3, size=3)


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
