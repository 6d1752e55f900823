"""Is a row of the register read together with the record that tells of it, whoever writes meanwhile?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError

from mailer.model import Sender
from mailer.store import senders
from tests.store.offices import Trial

CLINIC = Sender(
    code="290001",
    organisation="Больница",
    answer_to="gb1@clinic.example",
    addresses=("gb1@clinic.example",),
    points=("29(ГБ1) Ли",),
)


def _rename(trial: Trial, name: str) -> None:
    with trial.worker().writing() as unit:
        if not trial.database.sqlite:
            unit.tx.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
        senders.put(unit, replace(CLINIC, organisation=name), trial.pen)


def _fault(trial: Trial, sender: Sender) -> str | None:
    with trial.database.reading() as tx:
        return senders.fault(tx, sender, trial.pen.key)


@pytest.mark.parametrize("way", ["by address", "one", "several", "to change", "all"])
def test_nobody_changes_a_row_between_its_reading_and_its_proof(trial: Trial, way: str) -> None:
    """Else an honest change that is committed between the two would look like meddling."""
    _rename(trial, "Больница")
    if trial.database.sqlite:
        pytest.skip("SQLite lets one write at a time")
    with trial.worker().writing() as unit:
        ways = {
            "by address": lambda: senders.by_address(unit.tx, "gb1@clinic.example"),
            "one": lambda: senders.get(unit.tx, "290001"),
            "several": lambda: senders.several(unit.tx, ["290001"])["290001"],
            "to change": lambda: senders.lock(unit.tx, "290001"),
            "all": lambda: senders.lock_every(unit.tx)[0],
        }
        found = ways[way]()
        assert found is not None
        with pytest.raises(OperationalError, match="lock timeout"):
            _rename(trial, "Поликлиника")
        assert senders.fault(unit.tx, found, trial.pen.key) is None
    _rename(trial, "Поликлиника")
    assert _fault(trial, replace(CLINIC, organisation="Поликлиника")) is None


def test_several_read_a_row_at_once(trial: Trial) -> None:
    """Services that share a database do not wait for one another over a sender; looking at it waits for nobody."""
    _rename(trial, "Больница")
    if trial.database.sqlite:
        pytest.skip("SQLite lets one write at a time")
    with trial.database.writing() as one, trial.database.writing() as other, trial.database.reading() as third:
        one.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
        other.exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
        assert senders.get(one, "290001") == senders.get(other, "290001") == senders.get(third, "290001")
    with trial.database.writing() as one, trial.database.reading() as third:
        assert senders.lock(one, "290001") == senders.get(third, "290001")
