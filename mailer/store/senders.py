"""The office's register: who may ask, from which addresses and points, and where the answer goes.

Every row that is written is told to the record by the salted digest of all it says. Who reads a row asks `fault` before an answer
goes where the row says: one that is not as it was last told, changed or put back to an older state, counts as unknown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from sqlalchemy import delete, func, insert, select, update

from mailer.core import evidence, registerplan, subscriber
from mailer.core.evidence import Sealed
from mailer.errors import N_, NotFoundError
from mailer.model import Sender
from mailer.store import audit
from mailer.store.audit import Pen
from mailer.store.db import Tx, is_snapshot
from mailer.store.personal import SALT_BYTES
from mailer.store.schema import sender_addresses, sender_points, senders
from mailer.store.work import Unit

PAGE: Final = 1000
# A row and the record that tells of it are read one after the other; on PostgreSQL a change might be committed between the two,
# and an honest row would look meddled with. So the row is locked first, and every change of it takes that lock before it is told.
Lock = Literal["to read", "to change"]


def by_address(tx: Tx, address: str) -> Sender | None:
    """The sender who registered this bare address (case folded, domain in IDNA form)."""
    code = tx.execute(select(sender_addresses.c.code).where(sender_addresses.c.address == address)).scalar_one_or_none()
    return None if code is None else get(tx, code)


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
    """NotFoundError when there is no such sender. In a transaction that writes, nobody changes the row until it ends."""
    return _one(tx, code, "to read")


def lock(tx: Tx, code: str) -> Sender:
    """As `get`, and nobody else reads it to write either: for whoever is to change it."""
    return _one(tx, code, "to change")


def several(tx: Tx, codes: Sequence[str]) -> dict[str, Sender]:
    """These senders by their codes; held as with `get`."""
    return {sender.code: sender for sender in _read(tx, codes, "to read")}


def every(tx: Tx) -> list[Sender]:
    return _read(tx, None)


def lock_every(tx: Tx) -> list[Sender]:
    """As `every`, and nobody else changes any of them until this transaction ends."""
    return _read(tx, None, "to change")


def count(tx: Tx) -> int:
    return tx.execute(select(func.count()).select_from(senders)).scalar_one()


def add(unit: Unit, rows: Iterable[Sender], pen: Pen) -> None:
    """Put senders in, or bring known ones up to date: addresses and points are added, none is taken away."""
    for row in rows:
        before = _read(unit.tx, [row.code], "to change")
        if not before:
            put(unit, row, pen)
        elif registerplan.differences(before[0], after := registerplan.merged(before[0], row)):
            put(unit, after, pen)


def put(unit: Unit, row: Sender, pen: Pen) -> None:
    """Let the register say this of the sender and nothing else, and tell the record of it."""
    said = {
        "organisation": row.organisation,
        "answer_to": row.answer_to,
        "blocked": row.blocked,
        "blocked_until": row.blocked_until,
        "block_reason": row.block_reason,
        "answer_changed_at": row.answer_changed_at,
    }
    if unit.tx.execute(update(senders).where(senders.c.code == row.code).values(**said)).rowcount == 0:
        unit.tx.execute(insert(senders).values(code=row.code, **said))
    vacate(unit.tx, [row.code])
    addresses = [{"address": address, "code": row.code} for address in row.addresses]
    points = [{"key": subscriber.key(point), "point": point, "code": row.code} for point in row.points]
    if addresses:
        unit.tx.execute(insert(sender_addresses), addresses)
    if points:
        unit.tx.execute(insert(sender_points), points)
    register(unit, row.code, pen)


def vacate(tx: Tx, codes: Sequence[str]) -> None:
    """Take addresses and points from these senders, all of which are put anew: one may hand them to another."""
    for ways in (sender_addresses, sender_points):
        for start in range(0, len(codes), PAGE):
            tx.execute(delete(ways).where(ways.c.code.in_(codes[start : start + PAGE])))


def register(unit: Unit, code: str, pen: Pen) -> None:
    """Tell the record how this row stands from now on. Only for a row of which `fault` found nothing before it was changed."""
    salt = pen.randbytes(SALT_BYTES)
    unit.tx.execute(update(senders).where(senders.c.code == code).values(salt=salt))
    unit.tell("sender.registered", sender=code, digest=_digest(get(unit.tx, code), salt))


def fault(tx: Tx, sender: Sender, key: bytes) -> str | None:
    """Why this row is not the one that was last written, or None when it is."""
    return faults_of(tx, [sender], key).get(sender.code)


def faults_of(tx: Tx, rows: Sequence[Sender], key: bytes) -> dict[str, str]:
    """Code -> what is wrong with it; codes whose rows are as they were last written are left out."""
    codes = [sender.code for sender in rows]
    told = audit.newest_registered(tx, codes)
    salts = {row.code: row.salt for row in tx.execute(select(senders.c.code, senders.c.salt).where(senders.c.code.in_(codes)))}
    found = {sender.code: _fault(sender, salts.get(sender.code), told.get(sender.code), key) for sender in rows}
    return {code: why for code, why in found.items() if why is not None}


def faults(tx: Tx, key: bytes) -> dict[str, str]:
    """The same over the whole register, by pages; rows that were taken out are named too."""
    registered, rows = audit.registered_codes(tx), every(tx)  # in this order: a row that comes between is not taken for gone
    found: dict[str, str] = {}
    for start in range(0, len(rows), PAGE):
        found |= faults_of(tx, rows[start : start + PAGE], key)
    gone = registered - {sender.code for sender in rows}
    return found | dict.fromkeys(sorted(gone), N_("the row of the register is gone"))


def _fault(sender: Sender, salt: bytes | None, told: Sealed | None, key: bytes) -> str | None:
    if told is None or salt is None:
        return N_("the record knows no such row of the register")
    why = evidence.fault(told, key)
    if why is not None:
        return str(why)
    header = evidence.read_header(told)
    if (header["event"], header["sender"]) != ("sender.registered", sender.code):
        return N_("the record tells of another row of the register")
    if evidence.read_details(told)["digest"] != _digest(sender, salt):
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


def _one(tx: Tx, code: str, lock: Lock) -> Sender:
    found = _read(tx, [code], lock)
    if not found:
        raise NotFoundError("there is no sender {code}", code=code)
    return found[0]


def _read(tx: Tx, codes: Sequence[str] | None, lock: Lock | None = None) -> list[Sender]:
    heads = select(senders).order_by(senders.c.code)
    ways = select(sender_addresses).order_by(sender_addresses.c.address)
    points = select(sender_points).order_by(sender_points.c.point)
    if codes is not None:
        heads = heads.where(senders.c.code.in_(codes))
        ways = ways.where(sender_addresses.c.code.in_(codes))
        points = points.where(sender_points.c.code.in_(codes))
    if lock is not None and not is_snapshot(tx):
        heads = heads.with_for_update(read=lock == "to read", key_share=lock == "to change")
    found = tx.execute(heads).all()  # first, since the lock is on them
    addresses_of: dict[str, list[str]] = defaultdict(list)
    points_of: dict[str, list[str]] = defaultdict(list)
    for row in tx.execute(ways):
        addresses_of[row.code].append(row.address)
    for row in tx.execute(points):
        points_of[row.code].append(row.point)
    return [
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
        )
        for row in found
    ]
