"""Which checkpoints were signed? Kept to be looked up and to go on from; what is believed lies outside the database.

The right edge beside each needs no belief: it is used only where its root is the one that was signed.
"""

from __future__ import annotations

from sqlalchemy import insert, select

from mailer.core import merkle
from mailer.core.checkpoints import Checkpoint
from mailer.core.merkle import Range
from mailer.store.db import Tx
from mailer.store.schema import checkpoints


def put(tx: Tx, signed: str, *, code: str, edge: Range) -> None:
    tx.execute(insert(checkpoints).values(size=edge.size, hashes=edge.to_bytes(), note=signed, code=code))


def notes(tx: Tx) -> list[str]:
    """The signed notes, oldest first."""
    return list(tx.execute(select(checkpoints.c.note).order_by(checkpoints.c.number)).scalars())


def newest(tx: Tx) -> str | None:
    """The signed note of the newest."""
    return tx.execute(select(checkpoints.c.note).order_by(checkpoints.c.number.desc()).limit(1)).scalar_one_or_none()


def newest_code(tx: Tx) -> str | None:
    return tx.execute(select(checkpoints.c.code).order_by(checkpoints.c.number.desc()).limit(1)).scalar_one_or_none()


def edge_of(tx: Tx, checkpoint: Checkpoint) -> Range | None:
    """The right edge whose root was signed; None when it is not kept, or is not the one."""
    for written in tx.execute(select(checkpoints.c.hashes).where(checkpoints.c.size == checkpoint.size)).scalars():
        try:
            edge = merkle.from_bytes(checkpoint.size, bytes(written))
        except (TypeError, ValueError):  # SQLite keeps whatever type was written
            continue
        if edge.root() == checkpoint.root:
            return edge
    return None
