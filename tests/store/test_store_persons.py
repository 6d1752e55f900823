"""Is a list of persons as it was last written, whoever changes it meanwhile?"""

from __future__ import annotations

import pytest

from mailer.model import PersonName, Sender
from mailer.store import audit, personal, persons
from tests.store.offices import Trial, after_the_first

CODE = "290001"
LI = PersonName(surname="Ли", initials="К.")
KIM = PersonName(surname="Ким", initials="О.")


@pytest.fixture
def shared(trial: Trial) -> Trial:
    """An office in which one sender may ask for one person."""
    trial.register(Sender(code=CODE, organisation="МО", answer_to="a@clinic.example", addresses=("a@clinic.example",)))
    put(trial, LI)
    return trial


def put(trial: Trial, *people: PersonName) -> None:
    with trial.worker().writing() as unit:
        rows = [personal.person(unit, CODE, one, trial.randbytes) for one in people]
        persons.put(unit, CODE, rows, replaces=False)


@pytest.mark.parametrize("trial", ["postgresql"], indirect=True)  # SQLite lets one write at a time
@pytest.mark.parametrize("moment", ["newest_of_senders", "_entries"])
def test_an_honest_change_between_two_looks_is_no_meddling(shared: Trial, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is committed right after the record, or right after the list, was read for the first time."""
    with shared.worker().writing() as unit:
        module = audit if moment == "newest_of_senders" else persons
        looks = after_the_first(monkeypatch, module, moment, lambda: put(shared, KIM))
        found = persons.fault(unit.tx, CODE, shared.pen.key)
        kim = personal.find_person(unit.tx, CODE, KIM)
        assert kim is not None
        assert persons.allows(unit.tx, CODE, kim.id, shared.pen.key)
    assert (looks, found) == ([1], None)


def test_many_lists_are_looked_at_by_pages(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons, "PAGE", 2)
    codes = [f"29{number:04}" for number in range(5)]
    trial.register(
        *(Sender(code=code, organisation="МО", answer_to=f"{code}@b.example", addresses=(f"{code}@b.example",)) for code in codes)
    )
    with trial.worker().writing() as unit:
        for code in codes:
            persons.put(unit, code, [personal.person(unit, code, LI, trial.randbytes)], replaces=True)
    with trial.database.writing() as tx:
        tx.exec_driver_sql(f"UPDATE listed_persons SET digest = NULL WHERE sender_code = '{codes[3]}'")
    with trial.database.reading() as tx:
        found = persons.lists(tx, trial.pen.key)
        assert [(one.sender_code, one.listed_persons, one.fault is None) for one in found] == [
            (code, 1, code != codes[3]) for code in codes
        ]
        assert list(persons.faults(tx, trial.pen.key)) == [codes[3]]
