"""How many are in each state? Without going through the many that are at rest."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from sqlalchemy import ColumnElement, func, select

from mailer.store.db import Tx

State = TypeVar("State", bound=StrEnum)


def counted(tx: Tx, column: ColumnElement[str], states: type[State], *, most: State) -> dict[State, int]:
    """State -> count, of those states in which there are any. `most`: where nearly all are; these are what the others leave.

    Counting a table costs a tenth of counting it by its states.
    """
    others = [state.value for state in states if state is not most]
    rows = tx.execute(select(column, func.count()).where(column.in_(others)).group_by(column))
    found = {states(state): count for state, count in rows}
    found[most] = tx.execute(select(func.count()).select_from(column.table)).scalar_one() - sum(found.values())
    return {state: found[state] for state in states if found.get(state)}
