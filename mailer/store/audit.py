"""How is the record written and read? One locked head gives the next seq; stored bytes are the truth, columns are projections.

A record is appended as the last thing of its transaction, after rendering and sealing, so that the head is locked for as short as
possible. Nothing here changes or deletes a record; triggers refuse it too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, literal, select, update
from sqlalchemy.exc import DBAPIError

from mailer.core import evidence
from mailer.core.evidence import Record, Sealed
from mailer.errors import RecordError, TamperedError
from mailer.store.db import Tx
from mailer.store.schema import audit_head, records

PAGE = 1000
_BYTES = tuple(records.c[name] for name in ("seq", "header", "nonce", "details", "leaf", "mac"))  # what is proved, no projection
REGISTERED = records.c.event == literal("sender.registered", literal_execute=True)  # as written: SQLite's partial index needs it


@dataclass(frozen=True, kw_only=True, slots=True)
class Pen:
    """What writing a record takes besides the record: the record key, and chance for the nonces."""

    key: bytes
    randbytes: Callable[[int], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What verification met first: `seq` and why; and how many records were read."""

    checked: int
    seq: int | None = None
    why: TamperedError | None = None


def append(tx: Tx, pen: Pen, at: datetime, told: Sequence[Record]) -> range:
    """Write records in their order, gapless; their seqs. RecordError: they cannot be written, so the whole transaction must not
    happen."""
    if not told:
        return range(0)
    try:
        last = tx.execute(select(audit_head.c.seq).with_for_update()).scalar_one()
        sealed = [
            evidence.seal(record, seq=seq, at=at, nonce=pen.randbytes(evidence.NONCE_BYTES), key=pen.key)
            for seq, record in enumerate(told, last + 1)
        ]
        tx.execute(insert(records), [_row(record, at, one) for record, one in zip(told, sealed, strict=True)])
        tx.execute(update(audit_head).values(seq=last + len(told)))
    except DBAPIError as error:
        raise RecordError("the record cannot be written: {why}", why=str(error.orig).strip()) from error
    return range(last + 1, last + 1 + len(told))


def latest(tx: Tx, *events: str) -> str | None:
    """Which of these events was told last; None when none of them ever was."""
    query = select(records.c.event).where(records.c.event.in_(events)).order_by(records.c.seq.desc()).limit(1)
    return tx.execute(query).scalar_one_or_none()


def of_request(tx: Tx, request_id: int, *events: str) -> list[Sealed]:
    """The records of a request, oldest first; of these events only, if any are named."""
    query = select(records).where(records.c.request_id == request_id).order_by(records.c.seq)
    if events:
        query = query.where(records.c.event.in_(events))
    return [_sealed(row) for row in tx.execute(query)]


def of_requests(tx: Tx, request_ids: Sequence[int], *events: str) -> dict[int, list[Sealed]]:
    """The records of several requests, of these events only, each request's oldest first."""
    query = select(records.c.request_id, *_BYTES).where(records.c.request_id.in_(request_ids), records.c.event.in_(events))
    found: dict[int, list[Sealed]] = {request_id: [] for request_id in request_ids}
    for row in tx.execute(query.order_by(records.c.seq)):
        found[row.request_id].append(_sealed(row))
    return found


def newest_registered(tx: Tx, codes: Collection[str]) -> dict[str | None, Sealed]:
    """Code -> the record that tells how this row of the senders' register was last written."""
    newest = select(func.max(records.c.seq)).where(records.c.sender_code.in_(codes), REGISTERED).group_by(records.c.sender_code)
    rows = tx.execute(select(records.c.sender_code, *_BYTES).where(records.c.seq.in_(newest)))
    return {row.sender_code: _sealed(row) for row in rows}


def registered_codes(tx: Tx) -> set[str]:
    """Codes of which the record tells that they were written into the register."""
    return {code for code in tx.execute(select(records.c.sender_code).where(REGISTERED).distinct()).scalars() if code is not None}


def of_letter(tx: Tx, letter_id: int) -> list[Sealed]:
    """The records of a letter and of the request in it, oldest first: its timeline."""
    requested = select(records.c.request_id).where(records.c.letter_id == letter_id, records.c.request_id.is_not(None)).distinct()
    numbers = tx.execute(requested).scalars().all()  # asked first: PostgreSQL reads the whole record for both in one question
    query = select(records).where((records.c.letter_id == letter_id) | records.c.request_id.in_(numbers)).order_by(records.c.seq)
    return [_sealed(row) for row in tx.execute(query)]


def page(tx: Tx, *, after: int, limit: int = PAGE) -> list[Sealed]:
    return [_sealed(row) for row in _page(tx, after, limit)]


def last(tx: Tx, count: int) -> list[Sealed]:
    """The newest records, oldest first."""
    rows = tx.execute(select(records).order_by(records.c.seq.desc()).limit(count)).all()
    return [_sealed(row) for row in reversed(rows)]


def newest_at(tx: Tx, event: str | None = None) -> datetime | None:
    """The time of the newest record, or of the newest of this event."""
    query = select(records.c.at).order_by(records.c.seq.desc()).limit(1)
    return tx.execute(query if event is None else query.where(records.c.event == event)).scalar_one_or_none()


def of_event(tx: Tx, event: str, at: datetime) -> list[Sealed]:
    """The records of an event that were written at this very moment."""
    query = select(records).where(records.c.event == event, records.c.at == at).order_by(records.c.seq)
    return [_sealed(row) for row in tx.execute(query)]


def without_request(tx: Tx, events: Sequence[str], *, after: int) -> list[Sealed]:
    """The records of these events that belong to no request, after this seq."""
    query = select(records).where(records.c.event.in_(events), records.c.request_id.is_(None), records.c.seq > after)
    return [_sealed(row) for row in tx.execute(query.order_by(records.c.seq))]


def head(tx: Tx) -> int:
    """The seq of the newest record; 0 when there is none."""
    seq: int = tx.execute(select(audit_head.c.seq)).scalar_one()
    return seq


def counts_since(tx: Tx, seq: int) -> dict[str, int]:
    """Event -> how often it was told after this seq."""
    query = select(records.c.event, func.count()).where(records.c.seq > seq).group_by(records.c.event)
    return {event: count for event, count in tx.execute(query)}  # noqa: C416  rows are no pairs to the type checker


def verify(tx: Tx, key: bytes, *, since: int = 1) -> Finding:
    """Check order, bytes, MACs and projections of all records from `since` on; the first fault ends it. Reads by pages."""
    seq = since - 1
    for row in _all(tx, after=seq):
        seq += 1
        why = TamperedError("a record is missing") if row.seq != seq else _fault(row, key)
        if why is not None:
            return Finding(checked=seq - since, seq=seq, why=why)
    counted = head(tx)
    if counted != seq and not (seq < since and counted < since):
        return Finding(checked=seq - since + 1, seq=seq + 1, why=TamperedError("the head counts other records than there are"))
    return Finding(checked=max(0, seq - since + 1))


def _all(tx: Tx, *, after: int) -> Iterator[Row[Any]]:
    while rows := _page(tx, after, PAGE):
        yield from rows
        after = rows[-1].seq


def _page(tx: Tx, after: int, limit: int) -> Sequence[Row[Any]]:
    return tx.execute(select(records).where(records.c.seq > after).order_by(records.c.seq).limit(limit)).all()


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


def _fault(row: Row[Any], key: bytes) -> TamperedError | None:
    if not all(isinstance(part, bytes) for part in (row.header, row.nonce, row.details, row.leaf, row.mac)):
        return TamperedError("what is stored is no longer bytes")  # SQLite keeps whatever type was written
    return evidence.fault(_sealed(row), key) or _projection_fault(row)


def _projection_fault(row: Row[Any]) -> TamperedError | None:
    sealed = _sealed(row)
    header = evidence.read_header(sealed)
    shown: Mapping[str, object] = {
        "at": evidence.instant(row.at),
        "event": row.event,
        "importance": row.importance,
        "actor": row.actor,
        "sender": row.sender_code,
        "request": row.request_id,
        "outcome": row.outcome,
    }
    for key, value in shown.items():
        if header[key] != value:
            return TamperedError("the column beside the record tells another {key}", key=key)
    if evidence.read_details(sealed).get("letter") != row.letter_id:
        return TamperedError("the column beside the record tells another {key}", key="letter")
    return None


def _sealed(row: Row[Any]) -> Sealed:
    return Sealed(seq=row.seq, header=row.header, nonce=row.nonce, details=row.details, leaf=row.leaf, mac=row.mac)
