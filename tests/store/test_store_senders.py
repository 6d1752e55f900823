"""Is a row of the register read together with the record that tells of it, whoever writes meanwhile?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from mailer.store import audit, senders
from mailer.store.db import Tx
from tests.flow.desks import CLINIC
from tests.store.offices import Trial, after_the_first

RENAMED = replace(CLINIC, organisation="Поликлиника")


pytestmark = pytest.mark.parametrize("trial", ["postgresql"], indirect=True)  # SQLite lets one write at a time


@pytest.fixture
def shared(trial: Trial) -> Trial:
    """An office in which one sender is registered."""
    trial.register(CLINIC)
    return trial


def _rename(trial: Trial, *, patience: str = "10s") -> None:
    with trial.worker().writing() as unit:
        unit.tx.exec_driver_sql(f"SET LOCAL lock_timeout = '{patience}'")
        senders.put(unit, RENAMED, trial.pen)


@pytest.mark.parametrize("moment", ["newest_of_senders", "_read_salted"])
def test_an_honest_change_between_two_looks_is_no_meddling(shared: Trial, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is committed right after the record, or right after the row, was read for the first time."""
    with shared.worker().writing() as unit:
        module = audit if moment == "newest_of_senders" else senders
        looks = after_the_first(monkeypatch, module, moment, lambda: _rename(shared))
        row = senders.row(unit.tx, CLINIC.code, shared.pen.key)
    assert looks == [1]
    assert (row.sender, row.fault) == (RENAMED, None)


def test_meddling_stays_meddling(shared: Trial) -> None:
    with shared.database.writing() as tx:
        tx.exec_driver_sql("UPDATE senders SET organisation = 'Другая'")
    with shared.worker().writing() as unit:
        row = senders.row(unit.tx, CLINIC.code, shared.pen.key)
    assert row.fault == "the row of the register is not as it was last written"


@pytest.mark.parametrize("codes", [[CLINIC.code], None], ids=["one", "all"])
def test_whoever_is_to_change_a_row_is_alone(shared: Trial, codes: list[str] | None) -> None:
    """Else one of two changes would be lost. Reading waits for nobody, so that steps and commands never wait for one another."""
    with shared.worker().writing() as unit:
        senders.lock(unit.tx, codes)
        with pytest.raises(OperationalError, match="lock timeout"):
            _rename(shared, patience="50ms")
        with shared.database.writing() as other, shared.database.reading() as third:
            assert _name(other, shared) == _name(third, shared) == CLINIC.organisation
    _rename(shared)
    with shared.database.reading() as tx:
        assert _name(tx, shared) == RENAMED.organisation


def _name(tx: Tx, trial: Trial) -> str:
    return senders.row(tx, CLINIC.code, trial.pen.key).sender.organisation
