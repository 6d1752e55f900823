"""Which letters has intake looked at in vain? Counted in a commit of its own, forgotten with the note in the ledger.

A row that is still there was in hand when a look failed or the process died. Such letters are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update

from mailer.store.db import Tx
from mailer.store.schema import tries


def suspects(tx: Tx, mailbox: str, epoch: int) -> dict[int, int]:
    """Item -> how many looks at it alone count; those looked at least come first, so that one never keeps the others waiting."""
    query = select(tries.c.item, tries.c.attempts).where(tries.c.mailbox == mailbox, tries.c.epoch == epoch)
    return {item: attempts for item, attempts in tx.execute(query.order_by(tries.c.looks, tries.c.item))}  # noqa: C416  rows


def in_company(tx: Tx, mailbox: str, epoch: int, items: Sequence[int]) -> None:
    """These letters are looked at together: that is not counted, only noted."""
    known = suspects(tx, mailbox, epoch)
    rows = [{"mailbox": mailbox, "epoch": epoch, "item": item, "looks": 0, "attempts": 0} for item in items if item not in known]
    if rows:
        tx.execute(insert(tries), rows)


def alone(tx: Tx, mailbox: str, epoch: int, item: int, *, attempts: int) -> None:
    """The letter is looked at alone: so many looks count, with this one."""
    tx.execute(
        update(tries)
        .where(tries.c.mailbox == mailbox, tries.c.epoch == epoch, tries.c.item == item)
        .values(looks=tries.c.looks + 1, attempts=attempts)
    )


def forget(tx: Tx, mailbox: str, epoch: int, items: Sequence[int]) -> None:
    tx.execute(delete(tries).where(tries.c.mailbox == mailbox, tries.c.epoch == epoch, tries.c.item.in_(items)))
