"""Which checkpoints were signed? Kept to be looked up and to go on from; what is believed lies outside the database.

What of it goes into a letter must be signed by the office's own key: a row that somebody else wrote stands there for nothing.
The right edge beside each needs no belief: it is used only where its root is the one that was signed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sqlalchemy import insert, select

from mailer.core import merkle
from mailer.core.checkpoints import Checkpoint, Published, published_in
from mailer.core.merkle import Range
from mailer.core.note import PublicKey
from mailer.store.db import Tx
from mailer.store.schema import checkpoints

LOOKED_THROUGH: Final = 8  # rows that nobody signed hide those below them, and cost every letter no more than that


def put(tx: Tx, signed: str, *, code: str, edge: Range) -> None:
    tx.execute(insert(checkpoints).values(size=edge.size, hashes=edge.to_bytes(), note=signed, code=code))


def notes(tx: Tx) -> list[str]:
    """The signed notes, oldest first."""
    return list(tx.execute(select(checkpoints.c.note).order_by(checkpoints.c.number)).scalars())


def newest(tx: Tx) -> str | None:
    """The signed note of the newest."""
    return tx.execute(select(checkpoints.c.note).order_by(checkpoints.c.number.desc()).limit(1)).scalar_one_or_none()


def newest_signed_by(tx: Tx, key: PublicKey) -> Published | None:
    """The newest that this key signed; None where none of the last few is."""
    last_few = tx.execute(select(checkpoints.c.note).order_by(checkpoints.c.number.desc()).limit(LOOKED_THROUGH)).scalars()
    return next((found for signed in last_few if (found := _signed_by(signed, key)) is not None), None)


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


@lru_cache(maxsize=2 * LOOKED_THROUGH)  # asked for every letter, and the same for seconds
def _signed_by(signed: object, key: PublicKey) -> Published | None:
    """What stands in the column, if this key signed it and nobody added a line to it."""
    found = published_in(signed, key.name) if isinstance(signed, str) else []  # SQLite keeps whatever type was written
    if len(found) != 1:
        return None
    note, change = found[0].note, found[0].checkpoint.change
    signers = (key,) if change is None else change.signers
    return found[0] if key in signers and len(note.signatures) == len(signers) and note.is_signed(*signers) else None
