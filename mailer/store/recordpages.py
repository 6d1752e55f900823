"""Which records does somebody ask for, and how are they read without holding anything up? By pages of seq, each for itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from mailer.core.evidence import Sealed
from mailer.store.db import Tx
from mailer.store.schema import records

PAGE = 2000
_STORED = (records.c.seq, records.c.header, records.c.nonce, records.c.details, records.c.leaf, records.c.mac)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What is asked for; nothing given is everything. `since` and `until` are instants, the second not included."""

    since: datetime | None = None
    until: datetime | None = None
    events: Sequence[str] = ()
    actor: str | None = None
    sender: str | None = None

    def told(self) -> dict[str, object]:
        """As the record and a bundle's manifest speak of it."""
        return {
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "events": list(self.events),
            "actor": self.actor,
            "sender": self.sender,
        }


def page(tx: Tx, selection: Selection, *, after: int, upto: int) -> list[Sealed]:
    """The next records that are asked for, beyond record `after` and up to `upto`; none when there are no more."""
    query = select(*_STORED).where(records.c.seq > after, records.c.seq <= upto, *_times(selection), *_kinds(selection))
    return [_sealed(row) for row in tx.execute(query.order_by(records.c.seq).limit(PAGE)).all()]


def every(tx: Tx, selection: Selection, *, after: int, upto: int) -> list[tuple[Sealed, bool]]:
    """The next records one and all, and whether each is of the kinds that are asked for."""
    kinds = _kinds(selection)
    asked = kinds[0] if kinds else records.c.seq > 0
    for kind in kinds[1:]:
        asked &= kind
    query = select(*_STORED, asked.label("asked")).where(records.c.seq > after, records.c.seq <= upto)
    return [(_sealed(row), bool(row.asked)) for row in tx.execute(query.order_by(records.c.seq).limit(PAGE)).all()]


def span(tx: Tx, selection: Selection, *, upto: int) -> tuple[int, int]:
    """First and last record of the time that is asked for, in the order of seq; the last before the first when there is none."""
    query = select(func.min(records.c.seq), func.max(records.c.seq)).where(records.c.seq <= upto, *_times(selection))
    first, last = tx.execute(query).one()
    return (first, last) if first is not None else (1, 0)


def leaves(tx: Tx, *, after: int, upto: int) -> Iterator[bytes]:
    """The leaves of the records beyond `after`, up to `upto`."""
    query = select(records.c.leaf).where(records.c.seq > after, records.c.seq <= upto).order_by(records.c.seq)
    yield from tx.execute(query.execution_options(yield_per=PAGE)).scalars()  # an option of the statement, not of the whole tx


def count(tx: Tx, selection: Selection, *, upto: int) -> int:
    query = select(func.count()).select_from(records).where(records.c.seq <= upto, *_times(selection), *_kinds(selection))
    return tx.execute(query).scalar_one()


def _times(selection: Selection) -> list[ColumnElement[bool]]:
    since, until = selection.since, selection.until
    return [
        *([] if since is None else [records.c.at >= since]),
        *([] if until is None else [records.c.at < until]),
    ]


def _kinds(selection: Selection) -> list[ColumnElement[bool]]:
    return [
        *([records.c.event.in_(selection.events)] if selection.events else []),
        *([] if selection.actor is None else [records.c.actor == selection.actor]),
        *([] if selection.sender is None else [records.c.sender_code == selection.sender]),
    ]


def _sealed(row: Any) -> Sealed:
    return Sealed(seq=row.seq, header=row.header, nonce=row.nonce, details=row.details, leaf=row.leaf, mac=row.mac)
