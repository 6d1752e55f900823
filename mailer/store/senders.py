"""The office's register: who may ask, from which addresses and points, and where the answer goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import func, insert, select, update

from mailer.core import subscriber
from mailer.errors import NotFoundError
from mailer.model import Sender
from mailer.store.db import Tx
from mailer.store.schema import sender_addresses, sender_points, senders


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
    found = _read(tx, [code])
    if not found:
        raise NotFoundError("there is no sender {code}", code=code)
    return found[0]


def every(tx: Tx) -> list[Sender]:
    return _read(tx, None)


def count(tx: Tx) -> int:
    return tx.execute(select(func.count()).select_from(senders)).scalar_one()


def add(tx: Tx, rows: Iterable[Sender]) -> tuple[int, int]:
    """Put senders in, or bring known ones up to date: addresses and points are added, none is taken away. (new, changed)."""
    known = {sender.code: sender for sender in every(tx)}
    new = changed = 0
    for row in rows:
        before = known.get(row.code)
        if before is None:
            tx.execute(
                insert(senders).values(code=row.code, organisation=row.organisation, answer_to=row.answer_to, blocked=row.blocked)
            )
            new += 1
        elif _add_to(tx, before, row):
            changed += 1
        _add_ways(tx, row, before)
    return new, changed


def _add_to(tx: Tx, before: Sender, row: Sender) -> bool:
    if (before.organisation, before.answer_to) != (row.organisation, row.answer_to):
        tx.execute(update(senders).where(senders.c.code == row.code).values(organisation=row.organisation, answer_to=row.answer_to))
        return True
    return bool(set(row.addresses) - set(before.addresses)) or bool(_keys(row) - _keys(before))


def _add_ways(tx: Tx, row: Sender, before: Sender | None) -> None:
    old_addresses = set(before.addresses) if before else set()
    old_points = _keys(before) if before else set()
    addresses = [{"address": address, "code": row.code} for address in row.addresses if address not in old_addresses]
    points = [
        {"key": key, "point": point, "code": row.code} for point in row.points if (key := subscriber.key(point)) not in old_points
    ]
    if addresses:
        tx.execute(insert(sender_addresses), addresses)
    if points:
        tx.execute(insert(sender_points), points)


def _keys(sender: Sender) -> set[str]:
    return {subscriber.key(point) for point in sender.points}


def _read(tx: Tx, codes: Sequence[str] | None) -> list[Sender]:
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
        Sender(
            code=row.code,
            organisation=row.organisation,
            answer_to=row.answer_to,
            addresses=tuple(addresses_of[row.code]),
            points=tuple(points_of[row.code]),
            blocked=row.blocked,
        )
        for row in tx.execute(heads)
    ]
