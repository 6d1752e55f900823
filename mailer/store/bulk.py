"""How are many rows put into a table at once? By the statement that SQLAlchemy writes, without its work for each row anew.

That work costs more than the database's own, and an issued credential takes seven rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Table, insert

from mailer.store.db import Tx


@dataclass(frozen=True, kw_only=True, slots=True)
class _Prepared:
    """For one database: the statement, what makes a column's values into the driver's, and a row into its parameters."""

    written: str
    converters: Mapping[str, Callable[[Any], Any]]
    bound: Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Bulk:
    """Inserts rows that name these columns, always the same."""

    table: Table
    columns: Sequence[str]
    _prepared: dict[str, _Prepared] = field(default_factory=dict)

    def put(self, tx: Tx, rows: Sequence[dict[str, Any]]) -> None:
        """The same as `tx.execute(insert(table), rows)`. The rows are used up: values become those of the driver."""
        if not rows:
            return
        prepared = self._prepared.get(tx.dialect.name) or self._prepare(tx.dialect)
        for name, converter in prepared.converters.items():
            for row in rows:
                row[name] = converter(row[name])
        tx.exec_driver_sql(prepared.written, [prepared.bound(row) for row in rows])

    def _prepare(self, dialect: Dialect) -> _Prepared:
        compiled = insert(self.table).compile(dialect=dialect, column_keys=list(self.columns))
        converters = {name: self.table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in self.columns}
        names = compiled.positiontup
        if compiled.params.keys() != set(self.columns):
            raise ValueError(f"a column with a default must be named: {compiled.params.keys() - set(self.columns)}")
        self._prepared[dialect.name] = _Prepared(
            written=str(compiled),
            converters={name: converter for name, converter in converters.items() if converter is not None},
            bound=dict if names is None else itemgetter(*names),
        )
        return self._prepared[dialect.name]
