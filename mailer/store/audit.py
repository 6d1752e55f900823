"""How is the record written and read? One locked head gives the next seq; stored bytes are the truth, columns are projections.

A record is appended as the last thing of its transaction, after rendering and sealing, so that the head is locked for as short as
possible. The head holds the right edge of the record's tree too (`core.merkle`), so that its root is known at any moment without
reading a record. Nothing here changes or deletes a record; triggers refuse it too. `verification` judges what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, bindparam, func, literal, select, update
from sqlalchemy.exc import DBAPIError

from mailer.core import evidence, merkle
from mailer.core.evidence import Record, Sealed
from mailer.core.merkle import Range
from mailer.errors import RecordError, TamperedError
from mailer.store.bulk import Bulk
from mailer.store.db import Tx, is_snapshot
from mailer.store.schema import audit_head, records

Things = TypeVar("Things")
PAGE = 1000
_HEAD = select(audit_head).with_for_update()
_MOVE_HEAD = update(audit_head).values(seq=bindparam("size"), hashes=bindparam("edge"))
_NEW = Bulk(records, records.c.keys())
_BYTES = tuple(records.c[name] for name in ("seq", "header", "nonce", "details", "leaf", "mac"))  # what is proved, no projection
_OF_REQUESTS = (
    select(records.c.request_id, records.c.event, *_BYTES)
    .where(records.c.request_id.in_(bindparam("ids", expanding=True)))
    .order_by(records.c.seq)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pen:
    """What writing a record takes besides the record: the record key, and chance for the nonces."""

    key: bytes
    randbytes: Callable[[int], bytes]


def append(tx: Tx, pen: Pen, at: datetime, told: Sequence[Record]) -> range:
    """Write records in their order, gapless; their seqs. RecordError: they cannot be written, so the whole transaction must not
    happen."""
    if not told:
        return range(0)
    try:
        before = _edge(tx.execute(_HEAD).one())
        sealed = [
            evidence.seal(record, seq=seq, at=at, nonce=pen.randbytes(evidence.NONCE_BYTES), key=pen.key)
            for seq, record in enumerate(told, before.size + 1)
        ]
        _NEW.put(tx, [_row(record, at, one) for record, one in zip(told, sealed, strict=True)])
        after = before.grown(one.leaf for one in sealed)
        tx.execute(_MOVE_HEAD, {"size": after.size, "edge": after.to_bytes()})
    except TamperedError as error:
        raise RecordError("the record cannot be written: {why}", why=error) from error
    except DBAPIError as error:
        raise RecordError("the record cannot be written: {why}", why=str(error.orig).strip()) from error
    return range(before.size + 1, after.size + 1)


def latest(tx: Tx, *events: str) -> str | None:
    """Which of these events was told last; None when none of them ever was."""
    query = select(records.c.event).where(records.c.event.in_(events)).order_by(records.c.seq.desc()).limit(1)
    return tx.execute(query).scalar_one_or_none()


def of_request(tx: Tx, request_id: int, *events: str) -> list[Sealed]:
    """The records of a request, oldest first; of these events only, if any are named."""
    query = select(*_BYTES).where(records.c.request_id == request_id).order_by(records.c.seq)
    if events:
        query = query.where(records.c.event.in_(events))
    return [_sealed(row) for row in tx.execute(query)]


def of_requests(tx: Tx, request_ids: Sequence[int], *events: str) -> dict[int, list[Sealed]]:
    """The records of several requests, of these events only, each request's oldest first."""
    found: dict[int, list[Sealed]] = {request_id: [] for request_id in request_ids}
    rows: Iterable[Row[Any]] = tx.execute(_OF_REQUESTS, {"ids": request_ids})
    for row in rows:
        if row.event in events:  # asked here: SQLite would take the index of events, and go through all there ever were
            found[row.request_id].append(_sealed(row))
    return found


def count_by(tx: Tx, actor: str, event: str, *, since: datetime) -> int:
    """How often somebody did this since then; for events that people bring about, which are few."""
    query = select(func.count()).where(records.c.event == event, records.c.actor == actor, records.c.at >= since)
    return tx.execute(query).scalar_one()


def newest_of_senders(tx: Tx, event: str, codes: Collection[str]) -> dict[str | None, Sealed]:
    """Code -> the record that told of this last; for the events that say how something of a sender's stands as a whole."""
    if not codes:  # SQLite would go through all that were ever registered to find none
        return {}
    newest = select(func.max(records.c.seq)).where(records.c.sender_code.in_(codes), _is(event)).group_by(records.c.sender_code)
    rows = tx.execute(select(records.c.sender_code, *_BYTES).where(records.c.seq.in_(newest)))
    return {row.sender_code: _sealed(row) for row in rows}


def with_newest(tx: Tx, event: str, codes: Collection[str], read: Callable[[], Things]) -> tuple[Things, dict[str | None, Sealed]]:
    """What `read` gives of these senders, as it stood together with the record that told of it last.

    A transaction that writes to PostgreSQL sees what others commit meanwhile, and an honest change between two looks would pass for
    meddling. Tables and record change together, so what was read belongs together when the record is the same before and after.
    """
    told = newest_of_senders(tx, event, codes)
    while True:
        found = read()
        before, told = told, told if is_snapshot(tx) else newest_of_senders(tx, event, codes)
        if told == before:
            return found, told


def senders_of(tx: Tx, event: str) -> set[str]:
    """Codes of which the record ever told this; for the same events."""
    return {code for code in tx.execute(select(records.c.sender_code).where(_is(event)).distinct()).scalars() if code is not None}


def _is(event: str) -> ColumnElement[bool]:
    return records.c.event == literal(event, literal_execute=True)  # as written: SQLite's partial index needs it


def of_letter(tx: Tx, letter_id: int) -> list[Sealed]:
    """The records of a letter and of the request in it, oldest first: its timeline."""
    requested = select(records.c.request_id).where(records.c.letter_id == letter_id, records.c.request_id.is_not(None)).distinct()
    numbers = tx.execute(requested).scalars().all()  # asked first: PostgreSQL reads the whole record for both in one question
    query = select(*_BYTES).where((records.c.letter_id == letter_id) | records.c.request_id.in_(numbers)).order_by(records.c.seq)
    return [_sealed(row) for row in tx.execute(query)]


def page(tx: Tx, *, after: int, limit: int = PAGE) -> list[Sealed]:
    return [_sealed(row) for row in _page(tx, after, limit)]


def last(tx: Tx, count: int) -> list[Sealed]:
    """The newest records, oldest first."""
    rows = tx.execute(select(*_BYTES).order_by(records.c.seq.desc()).limit(count)).all()
    return [_sealed(row) for row in reversed(rows)]


def last_of(tx: Tx, events: Collection[str], count: int) -> list[Sealed]:
    """The newest records of these events, oldest first."""
    rows = tx.execute(select(records).where(records.c.event.in_(events)).order_by(records.c.seq.desc()).limit(count)).all()
    return [_sealed(row) for row in reversed(rows)]


def newest_at(tx: Tx, event: str | None = None) -> datetime | None:
    """The time of the newest record, or of the newest of this event; by its bytes, since the column may hold no time at all."""
    query = select(*_BYTES).order_by(records.c.seq.desc()).limit(1)
    row = tx.execute(query if event is None else query.where(records.c.event == event)).one_or_none()
    return None if row is None else datetime.fromisoformat(evidence.read_header(_sealed(row))["at"])


def unsettled(tx: Tx, event: str, *settling: str) -> list[Sealed]:
    """The records of an event after which none of the others was told of the same request, oldest first."""
    later = records.alias()
    settled = select(later.c.seq).where(
        later.c.request_id == records.c.request_id, later.c.event.in_(settling), later.c.seq > records.c.seq
    )
    query = select(*_BYTES).where(records.c.event == event, ~settled.exists()).order_by(records.c.seq)
    return [_sealed(row) for row in tx.execute(query)]


def told_after(tx: Tx, seq: int) -> list[tuple[str, int | None]]:
    """Of each record after this seq, who told it and of which request."""
    return [
        (row.actor, row.request_id) for row in tx.execute(select(records.c.actor, records.c.request_id).where(records.c.seq > seq))
    ]


def of_event(tx: Tx, event: str, at: datetime) -> list[Sealed]:
    """The records of an event that were written at this very moment."""
    query = select(*_BYTES).where(records.c.event == event, records.c.at == at).order_by(records.c.seq)
    return [_sealed(row) for row in tx.execute(query)]


def without_request(tx: Tx, events: Sequence[str], *, after: int) -> list[Sealed]:
    """The records of these events that belong to no request, after this seq."""
    query = select(*_BYTES).where(records.c.event.in_(events), records.c.request_id.is_(None), records.c.seq > after)
    return [_sealed(row) for row in tx.execute(query.order_by(records.c.seq))]


def head(tx: Tx) -> int:
    """The seq of the newest record; 0 when there is none."""
    seq: int = tx.execute(select(audit_head.c.seq)).scalar_one()
    return seq


def newest_seq(tx: Tx) -> int:
    """The highest seq that a record has, whatever the head counts; 0 when there is none."""
    seq: int | None = tx.execute(select(func.max(records.c.seq))).scalar_one()
    return seq or 0


def newest_of(tx: Tx, event: str) -> Sealed | None:
    """The newest record of an event."""
    row = tx.execute(select(*_BYTES).where(records.c.event == event).order_by(records.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else _sealed(row)


def of_events(tx: Tx, *events: str, after: int = 0) -> list[Sealed]:
    """The records of these events after this seq, oldest first; for events that people bring about, which are few."""
    query = select(*_BYTES).where(records.c.event.in_(events), records.c.seq > after).order_by(records.c.seq)
    return [_sealed(row) for row in tx.execute(query)]


def edge(tx: Tx) -> Range:
    """The right edge of the tree of all records, as the head holds it. TamperedError when it holds none."""
    return _edge(tx.execute(select(audit_head)).one())


def counts_since(tx: Tx, seq: int) -> dict[str, int]:
    """Event -> how often it was told after this seq."""
    event = func.coalesce(
        records.c.event, ""
    )  # so written: grouped by the column, SQLite would count along its index all there are
    query = select(event, func.count()).where(records.c.seq > seq).group_by(event)
    return {event: count for event, count in tx.execute(query)}  # noqa: C416  rows are no pairs to the type checker


def _page(tx: Tx, after: int, limit: int) -> Sequence[Row[Any]]:
    return tx.execute(select(*_BYTES).where(records.c.seq > after).order_by(records.c.seq).limit(limit)).all()


def _row(record: Record, at: datetime, sealed: Sealed) -> dict[str, Any]:
    return {
        "seq": sealed.seq,
        "header": sealed.header,
        "nonce": sealed.nonce,
        "details": sealed.details,
        "leaf": sealed.leaf,
        "mac": sealed.mac,
        "at": at,
        "event": record.event,
        "importance": record.importance,
        "actor": record.actor,
        "sender_code": record.sender,
        "request_id": record.request,
        "outcome": record.outcome,
        "letter_id": record.details.get("letter"),
    }


def _edge(row: Row[Any]) -> Range:
    try:
        return merkle.from_bytes(row.seq, bytes(row.hashes))
    except (TypeError, ValueError) as error:  # SQLite keeps whatever type was written
        raise TamperedError("what the head holds is no edge of a tree of so many records") from error


def _sealed(row: Row[Any]) -> Sealed:
    return Sealed(seq=row.seq, header=row.header, nonce=row.nonce, details=row.details, leaf=row.leaf, mac=row.mac)
