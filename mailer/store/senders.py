"""The office's register: who may ask, from which addresses and points, and where the answer goes.

Every row that is written is told to the record by the salted digest of all it says. Who lets an answer go where a row says reads it
as a `Row`, beside what the record tells: one that is not as it was last told, changed or put back, counts as unknown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from mailer.core import evidence, registerplan, subscriber
from mailer.core.evidence import Sealed
from mailer.errors import N_, NotFoundError, TamperedError
from mailer.model import Sender
from mailer.store import audit
from mailer.store.audit import Pen
from mailer.store.db import Tx, is_snapshot
from mailer.store.personal import SALT_BYTES
from mailer.store.schema import sender_addresses, sender_points, senders
from mailer.store.work import Unit

PAGE: Final = 1000
REGISTERED: Final = "sender.registered"  # told of each row as a whole, whenever it is written


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`fault`: why the row is not as it was last written; None when it is."""

    sender: Sender
    fault: str | None


def by_address(tx: Tx, address: str, key: bytes) -> Row | None:
    """The row that registered this bare address (case folded, domain in IDNA form)."""
    code = tx.execute(select(sender_addresses.c.code).where(sender_addresses.c.address == address)).scalar_one_or_none()
    return None if code is None else row(tx, code, key)


def row(tx: Tx, code: str, key: bytes) -> Row:
    """NotFoundError when there is no such sender."""
    found = rows(tx, [code], key)
    if not found:
        raise _missing(code)
    return found[code]


def rows(tx: Tx, codes: Collection[str], key: bytes) -> dict[str, Row]:
    """These rows by their codes."""
    found, told = audit.with_newest(tx, REGISTERED, codes, lambda: _read_salted(tx, codes))
    return {sender.code: Row(sender=sender, fault=_fault(sender, salt, told.get(sender.code), key)) for sender, salt in found}


def code_by_point(tx: Tx, point: str) -> str | None:
    """Whose subscriber point this is; a display name is compared with it, it never selects a sender of mail."""
    return tx.execute(select(sender_points.c.code).where(sender_points.c.key == subscriber.key(point))).scalar_one_or_none()


def codes_of(tx: Tx, addresses: Sequence[str]) -> dict[str, str]:
    """Address -> code, for those that are in the register."""
    query = select(sender_addresses.c.address, sender_addresses.c.code).where(sender_addresses.c.address.in_(addresses))
    return {row.address: row.code for row in tx.execute(query)}


def organisations(tx: Tx, codes: Sequence[str]) -> dict[str, str]:
    """Code -> the organisation's name."""
    query = select(senders.c.code, senders.c.organisation).where(senders.c.code.in_(codes))
    return {row.code: row.organisation for row in tx.execute(query)}


def get(tx: Tx, code: str) -> Sender:
    found = _read(tx, [code])
    if not found:
        raise _missing(code)
    return found[0]


def every(tx: Tx) -> list[Sender]:
    return _read(tx, None)


def lock(tx: Tx, codes: Collection[str] | None = None) -> None:
    """Nobody else changes these senders, or any, until this transaction ends: whoever is to change them takes this first of all."""
    if not is_snapshot(tx):
        query = select(senders.c.code).order_by(senders.c.code).with_for_update(key_share=True)
        tx.execute(query if codes is None else query.where(senders.c.code.in_(codes))).all()


def count(tx: Tx) -> int:
    return tx.execute(select(func.count()).select_from(senders)).scalar_one()


def add(unit: Unit, new: Iterable[Sender], pen: Pen) -> None:
    """Put senders in, or bring known ones up to date: addresses and points are added, none is taken away."""
    for sender in new:
        before = _read(unit.tx, [sender.code])
        if not before:
            put(unit, sender, pen)
        elif registerplan.differences(before[0], after := registerplan.merged(before[0], sender)):
            put(unit, after, pen)


def put(unit: Unit, sender: Sender, pen: Pen) -> None:
    """Let the register say this of the sender and nothing else, and tell the record of it."""
    said = {
        "organisation": sender.organisation,
        "answer_to": sender.answer_to,
        "blocked": sender.blocked,
        "blocked_until": sender.blocked_until,
        "block_reason": sender.block_reason,
        "answer_changed_at": sender.answer_changed_at,
    }
    if unit.tx.execute(update(senders).where(senders.c.code == sender.code).values(**said)).rowcount == 0:
        unit.tx.execute(insert(senders).values(code=sender.code, **said))
    vacate(unit.tx, [sender.code])
    addresses = [{"address": address, "code": sender.code} for address in sender.addresses]
    points = [{"key": subscriber.key(point), "point": point, "code": sender.code} for point in sender.points]
    if addresses:
        unit.tx.execute(insert(sender_addresses), addresses)
    if points:
        unit.tx.execute(insert(sender_points), points)
    register(unit, sender.code, pen)


def vacate(tx: Tx, codes: Sequence[str]) -> None:
    """Take addresses and points from these senders, all of which are put anew: one may hand them to another."""
    for ways in (sender_addresses, sender_points):
        for start in range(0, len(codes), PAGE):
            tx.execute(delete(ways).where(ways.c.code.in_(codes[start : start + PAGE])))


def register(unit: Unit, code: str, pen: Pen) -> None:
    """Tell the record how this row stands from now on. Only for a row that had no fault before it was changed."""
    salt = pen.randbytes(SALT_BYTES)
    unit.tx.execute(update(senders).where(senders.c.code == code).values(salt=salt))
    unit.tell(REGISTERED, sender=code, digest=_digest(get(unit.tx, code), salt))


def faults(tx: Tx, key: bytes) -> dict[str, str]:
    """Code -> what is wrong with it, over the whole register by pages; rows that were taken out are named too."""
    registered = audit.senders_of(tx, REGISTERED)  # first: a row that comes meanwhile is not taken for gone
    codes = tx.execute(select(senders.c.code).order_by(senders.c.code)).scalars().all()
    found: dict[str, str] = {}
    for start in range(0, len(codes), PAGE):
        page = rows(tx, codes[start : start + PAGE], key)
        found |= {code: one.fault for code, one in page.items() if one.fault is not None}
    return found | dict.fromkeys(sorted(registered - set(codes)), N_("the row of the register is gone"))


def _missing(code: str) -> NotFoundError:
    return NotFoundError("there is no sender {code}: `mailer senders list` shows those there are", code=code)


def _fault(sender: Sender, salt: bytes | None, told: Sealed | None, key: bytes) -> str | None:
    if told is None or salt is None:
        return N_("the record knows no such row of the register")
    parts = evidence.parts(told, key)
    if isinstance(parts, TamperedError):
        return str(parts)
    header, details = parts
    if (header["event"], header["sender"]) != (REGISTERED, sender.code):
        return N_("the record tells of another row of the register")
    if details["digest"] != _digest(sender, salt):
        return N_("the row of the register is not as it was last written")
    return None


def _digest(sender: Sender, salt: bytes) -> str:
    """Of all that the row says, in one form; the salt lies beside it, so that an address can be erased."""
    said: list[object] = [sender.code, sender.organisation, sender.answer_to, sender.blocked]
    said += [sorted(sender.addresses), sorted(sender.points)]
    moments = [None if at is None else evidence.instant(at) for at in (sender.blocked_until, sender.answer_changed_at)]
    if any(moments) or sender.block_reason:  # rows that were told before there were such are as they were
        said += [*moments, sender.block_reason]
    return evidence.personal_digest(salt, json.dumps(said, ensure_ascii=False, separators=(",", ":")))


def _read(tx: Tx, codes: Collection[str] | None) -> list[Sender]:
    return [sender for sender, _ in _read_salted(tx, codes)]


def _read_salted(tx: Tx, codes: Collection[str] | None) -> list[tuple[Sender, bytes | None]]:
    """The senders, each with the salt of its digest in the record."""
    heads = select(senders).order_by(senders.c.code)
    ways = select(sender_addresses).order_by(sender_addresses.c.address)
    points = select(sender_points).order_by(sender_points.c.point)
    if codes is not None:
        heads = heads.where(senders.c.code.in_(codes))
        ways = ways.where(sender_addresses.c.code.in_(codes))
        points = points.where(sender_points.c.code.in_(codes))
    addresses_of: dict[str, list[str]] = defaultdict(list)
    points_of: dict[str, list[str]] = defaultdict(list)
    for row in tx.execute(ways):
        addresses_of[row.code].append(row.address)
    for row in tx.execute(points):
        points_of[row.code].append(row.point)
    return [
        (
            Sender(
                code=row.code,
                organisation=row.organisation,
                answer_to=row.answer_to,
                addresses=tuple(addresses_of[row.code]),
                points=tuple(points_of[row.code]),
                blocked=row.blocked,
                blocked_until=row.blocked_until,
                block_reason=row.block_reason,
                answer_changed_at=row.answer_changed_at,
            ),
            row.salt,
        )
        for row in tx.execute(heads)
    ]
