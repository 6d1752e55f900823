"""What do people ask intake to do in a mailbox, which it alone may touch? Put a letter back, look again at what was left there.

An errand is written before anything happens on the server, so that a letter that is put back is known again wherever a crash came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import exists, insert, select, update

from mailer.store.db import Tx
from mailer.store.schema import errands, letters


class ErrandKind(StrEnum):
    FORWARD = "forward"  # a kept letter back into the folder, for people
    RESCAN = "rescan"  # what was left in the folder since a day is looked at again


_FORWARD: Final = errands.c.kind == ErrandKind.FORWARD.value
_RESCAN: Final = errands.c.kind == ErrandKind.RESCAN.value


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """`letter_id`: what is put back; `since`: from which day on is looked again."""

    id: int
    mailbox: str
    kind: ErrandKind
    letter_id: int | None
    since: date | None
    asked_at: datetime
    done_at: datetime | None


def ask(tx: Tx, mailbox: str, kind: ErrandKind, *, at: datetime, letter_id: int | None = None, since: date | None = None) -> None:
    values = {"mailbox": mailbox, "kind": kind.value, "letter_id": letter_id, "since": since, "asked_at": at}
    tx.execute(insert(errands).values(**values))


def pending(tx: Tx, mailbox: str) -> list[Errand]:
    """What is still to be done there, oldest first. A row of no kind, or for no letter, asks for nothing: only who writes the
    database behind our back makes it, and it must not keep back what people asked for."""
    has_letter = exists().where(letters.c.id == errands.c.letter_id)
    query = select(errands).where(errands.c.mailbox == mailbox, errands.c.done_at.is_(None), (_FORWARD & has_letter) | _RESCAN)
    return [_made(row._asdict()) for row in tx.execute(query.order_by(errands.c.id))]


def done(tx: Tx, errand: Errand, *, at: datetime) -> bool:
    """It is done; False when it was so already."""
    open_errand = (errands.c.id == errand.id) & errands.c.done_at.is_(None)
    return tx.execute(update(errands).where(open_errand).values(done_at=at)).rowcount == 1


def forwarded(tx: Tx, mailbox: str, fingerprints: Sequence[str]) -> dict[str, Errand]:
    """Fingerprint -> the newest errand that puts such a letter back, or has put it back; all others are left out."""
    query = (
        select(letters.c.fingerprint, *errands.c)
        .join(errands, errands.c.letter_id == letters.c.id)
        .where(letters.c.fingerprint.in_(fingerprints), errands.c.mailbox == mailbox, _FORWARD)
        .order_by(errands.c.id)
    )
    found = {}
    for row in tx.execute(query):
        values = row._asdict()
        fingerprint = values.pop("fingerprint")
        found[fingerprint] = _made(values)
    return found


def _made(values: dict[str, Any]) -> Errand:
    return Errand(**values | {"kind": ErrandKind(values["kind"])})
