"""Is every event of the record in the table of docs/audit.md: when, who, importance, fields? `told.py` reads the source."""

from __future__ import annotations

import ast
import re

import pytest

from tests import told
from tests.test_docs import ROOT, rows

TABLE = {cells[0]: cells[1:] for cells in rows("docs/audit.md", "Events")}
EVENTS = told.events()
ACCOUNT = re.compile(r"account\.|credential\.(reserved|issued|suspended|revoked|superseded|expired|warned|extended|resumed)$")


def words(cell: str) -> set[str]:
    return set() if cell == "—" else set(cell.split(", "))


def test_the_table_names_every_event_and_no_other() -> None:
    assert set(TABLE) == set(EVENTS)
    assert len(TABLE) == len(rows("docs/audit.md", "Events")), "each once"


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_a_row_says_what_the_source_says(event: str) -> None:
    when, who, importance, fields = TABLE[event]
    found = EVENTS[event]
    assert when
    assert (words(who), words(importance), words(fields)) == (found.who, found.importance, found.fields)


def test_importances_are_known() -> None:
    assert {one for found in EVENTS.values() for one in found.importance} == set(told.IMPORTANCES)


def test_what_is_listed_by_hand_is_there() -> None:
    """A line of the list that fits no place any more would hide that the place is another one."""
    places = {place.key for place in told.places()}
    assert set(told.HANDS) - places == set()
    assert set(told.WHO) - {module for module, _function in places} == set()


def test_records_are_made_by_telling_alone() -> None:
    """What the table is compared with is then all that comes into the record."""
    makers = {
        path.relative_to(told.SOURCE).as_posix()
        for path in told.SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Record", "evidence.Record"}
    }
    assert makers == {"store/work.py"}


@pytest.mark.parametrize("event", sorted(event for event in EVENTS if ACCOUNT.match(event)))
def test_account_events_say_what_the_standard_asks_for(event: str) -> None:
    """ГОСТ Р 59548-2022: account and expiry; action and status are the event's participle."""
    assert {"credential", "valid_until"} <= EVENTS[event].fields


def test_the_flow_points_to_the_table() -> None:
    assert "audit.md#events" in (ROOT / "docs/flow.md").read_text(encoding="utf-8")
