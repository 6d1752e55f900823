"""Which letters of a mailbox have been seen, and which still wait to be moved there? No content, only numbers and kinds.

The server's flags decide nothing: people open letters. An item stands here once, from the commit in which it was first seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, update

from mailer.model import Kind
from mailer.store.db import Tx
from mailer.store.schema import ledger, letters

CHUNK = 500  # host parameters of one statement


class Filing(StrEnum):
    LEFT = "left"  # stays where it is
    DUE = "due"  # kept here; the server is still to be told
    DONE = "done"


def unseen(tx: Tx, mailbox: str, epoch: int, items: Sequence[int]) -> list[int]:
    """Those of the items (ascending) that the ledger does not know."""
    known: set[int] = set()
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK]
        query = select(ledger.c.item).where(
            ledger.c.mailbox == mailbox, ledger.c.epoch == epoch, ledger.c.item.between(chunk[0], chunk[-1])
        )
        known.update(tx.execute(query).scalars())
    return [item for item in items if item not in known]


def note(tx: Tx, mailbox: str, epoch: int, seen: Iterable[tuple[int, Kind, Filing]]) -> None:
    rows = [
        {"mailbox": mailbox, "epoch": epoch, "item": item, "kind": kind.value, "filing": filing.value}
        for item, kind, filing in seen
    ]
    if rows:
        tx.execute(insert(ledger), rows)


def filing(tx: Tx, mailbox: str, epoch: int, item: int) -> Filing:
    """How a letter that was seen stands."""
    query = select(ledger.c.filing).where(ledger.c.mailbox == mailbox, ledger.c.epoch == epoch, ledger.c.item == item)
    return Filing(tx.execute(query).scalar_one())


def due(tx: Tx, mailbox: str, epoch: int, limit: int) -> list[int]:
    """Letters that are kept and still lie in the mailbox as far as we know, oldest first."""
    query = select(ledger.c.item).where(ledger.c.mailbox == mailbox, ledger.c.epoch == epoch, ledger.c.filing == Filing.DUE.value)
    order = func.coalesce(ledger.c.item, 0)  # ordered by the column, SQLite would go through all that was ever seen
    return list(tx.execute(query.order_by(order).limit(limit)).scalars())


def filed(tx: Tx, mailbox: str, epoch: int, items: Sequence[int]) -> None:
    tx.execute(
        update(ledger)
        .where(ledger.c.mailbox == mailbox, ledger.c.epoch == epoch, ledger.c.item.in_(items))
        .values(filing=Filing.DONE.value)
    )


def forget_left(tx: Tx, mailbox: str, epoch: int, items: Sequence[int]) -> int:
    """Those of the items that were left where they are, and of which nothing was kept, count as never seen; how many."""
    return sum(tx.execute(delete(ledger).where(left)).rowcount for left in _left(mailbox, epoch, items))


def count_left(tx: Tx, mailbox: str, epoch: int, items: Sequence[int]) -> int:
    """How many `forget_left` would forget."""
    query = select(func.count()).select_from(ledger)
    return sum(tx.execute(query.where(left)).scalar_one() for left in _left(mailbox, epoch, items))


def _left(mailbox: str, epoch: int, items: Sequence[int]) -> Iterator[ColumnElement[bool]]:
    """Left where they are, nothing of them kept; a condition for each chunk of the items."""
    kept = exists().where(letters.c.mailbox == mailbox, letters.c.epoch == epoch, letters.c.item == ledger.c.item)
    is_left = func.coalesce(ledger.c.filing, "") == Filing.LEFT.value  # so written, no index leads through all that was ever left
    left = (ledger.c.mailbox == mailbox) & (ledger.c.epoch == epoch) & is_left & ~kept
    for start in range(0, len(items), CHUNK):
        yield left & ledger.c.item.in_(items[start : start + CHUNK])
