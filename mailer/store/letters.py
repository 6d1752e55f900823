"""The kept letters: bytes, state and what was decided of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, insert, select, update

from mailer.core import lifecycle
from mailer.core.lifecycle import LetterEvent
from mailer.errors import NotFoundError
from mailer.model import Decision, Kind, Letter, RawLetter
from mailer.states import LetterState
from mailer.store import leases
from mailer.store.db import Tx
from mailer.store.leases import Lease
from mailer.store.schema import letters

SINGLE_ATTEMPTS: Final = 3  # after these a letter is quarantined


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A letter as it stands in the database."""

    id: int
    mailbox: str
    epoch: int
    item: int
    state: LetterState
    kind: Kind
    received_at: datetime
    kept_at: datetime
    size_bytes: int
    content: bytes
    whole: bool
    digest: str
    fingerprint: str
    proven: bool
    sender_code: str | None
    batches: int
    attempts: int
    lease: str | None
    fence: int
    verdict: str | None
    rule_id: str | None
    reason: str | None


def several(tx: Tx, letter_ids: Sequence[int]) -> dict[int, Kept]:
    """These letters by their ids."""
    return {row.id: _read(row) for row in tx.execute(select(letters).where(letters.c.id.in_(letter_ids)))}


def keep(tx: Tx, raw: RawLetter, letter: Letter | None, *, kind: Kind, proven: bool, digest: str, at: datetime) -> int:
    """Store a letter's bytes; its id. The unique key (mailbox, epoch, item) makes a second keeping an error."""
    values = {
        "mailbox": raw.mailbox,
        "epoch": raw.epoch,
        "item": raw.item,
        "state": LetterState.KEPT.value,
        "kind": kind.value,
        "received_at": raw.received_at,
        "kept_at": at,
        "size_bytes": raw.size_bytes,
        "content": raw.content,
        "whole": raw.whole,
        "digest": digest,
        "fingerprint": digest if letter is None else letter.fingerprint,
        "proven": proven,
    }
    kept_id: int = tx.execute(insert(letters).values(**values).returning(letters.c.id)).scalar_one()
    return kept_id


def known_elsewhere(tx: Tx, mailbox: str, epoch: int, fingerprint: str, received_at: datetime) -> bool:
    """Whether the same letter was kept from this mailbox under another UIDVALIDITY: the server renumbered, nobody wrote again."""
    query = select(letters.c.id).where(
        letters.c.fingerprint == fingerprint,
        letters.c.mailbox == mailbox,
        letters.c.epoch != epoch,
        letters.c.received_at == received_at,
    )
    return tx.execute(query.limit(1)).first() is not None


def repeated(tx: Tx, letter_id: int, digest: str, fingerprint: str, received_at: datetime) -> bool:
    """Whether the same letter (same bytes, or same headers with Message-ID and Date equal) was kept before within 24 hours."""
    query = select(letters.c.id).where(
        letters.c.id < letter_id,
        letters.c.proven,  # a copy that somebody else sent beforehand must not silence the real one
        (letters.c.digest == digest) | (letters.c.fingerprint == fingerprint),
        letters.c.received_at > received_at - timedelta(hours=24),
    )
    return tx.execute(query.limit(1)).first() is not None


def waiting(tx: Tx, lease: Lease) -> bool:
    """Whether there is any letter to read that no other worker has in hand."""
    return tx.execute(select(letters.c.id).where(_free(lease)).limit(1)).first() is not None


def claim(tx: Tx, limit: int, lease: Lease) -> list[Kept]:
    """Letters to read now, oldest first, their try counted: a batch of fresh ones, else a single one that failed in company."""
    fresh = select(letters).where(letters.c.state == LetterState.KEPT.value, letters.c.batches == 0)
    rows = tx.execute(fresh.order_by(letters.c.id).limit(limit).with_for_update(skip_locked=True)).all()
    mine = {"lease": lease.name, "fence": lease.fence}
    if rows:
        tx.execute(update(letters).where(letters.c.id.in_([row.id for row in rows])).values(batches=letters.c.batches + 1, **mine))
        return [_read(row) for row in rows]
    tried = select(letters).where(_free(lease), letters.c.attempts < SINGLE_ATTEMPTS)
    row = tx.execute(tried.order_by(letters.c.attempts, letters.c.id).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if row is None:
        return []
    tx.execute(update(letters).where(letters.c.id == row.id).values(attempts=letters.c.attempts + 1, **mine))
    return [_read(row)]


def _free(lease: Lease) -> ColumnElement[bool]:
    """Kept, and in nobody's hand but this worker's own."""
    own = (letters.c.lease == lease.name) & (letters.c.fence == lease.fence)
    return (letters.c.state == LetterState.KEPT.value) & (own | ~leases.is_held(letters.c.lease, letters.c.fence))


def give_back(tx: Tx, claimed: Sequence[Kept]) -> None:
    """The try did not count: what failed was the database or the record, not these letters."""
    for kept in claimed:
        tx.execute(update(letters).where(letters.c.id == kept.id).values(batches=kept.batches, attempts=kept.attempts))


def spent(tx: Tx, lease: Lease) -> list[Kept]:
    """Letters that used up their single attempts, each time killing or failing what read them."""
    query = select(letters).where(_free(lease), letters.c.attempts >= SINGLE_ATTEMPTS)
    return [_read(row) for row in tx.execute(query.order_by(letters.c.id))]


def decided(tx: Tx, kept: Kept, decision: Decision, sender_code: str | None) -> None:
    tx.execute(
        update(letters)
        .where(letters.c.id == kept.id)
        .values(
            state=lifecycle.after_letter(kept.state, LetterEvent.READ).value,
            verdict=decision.verdict.value,
            rule_id=decision.rule_id,
            reason=decision.reason,
            sender_code=sender_code,
        )
    )


def quarantine(tx: Tx, kept: Kept) -> None:
    state = lifecycle.after_letter(kept.state, LetterEvent.QUARANTINED)
    tx.execute(update(letters).where(letters.c.id == kept.id).values(state=state.value))


def get(tx: Tx, letter_id: int) -> Kept:
    row = tx.execute(select(letters).where(letters.c.id == letter_id)).one_or_none()
    if row is None:
        raise NotFoundError("there is no letter {id}", id=letter_id)
    return _read(row)


def newest(tx: Tx, limit: int, *, state: LetterState | None = None) -> list[Kept]:
    query = select(letters).order_by(letters.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(letters.c.state == state.value)
    return [_read(row) for row in tx.execute(query)]


def counts(tx: Tx) -> dict[LetterState, int]:
    rows = tx.execute(select(letters.c.state, func.count()).group_by(letters.c.state))
    return {LetterState(state): count for state, count in rows}


def strangers_since(tx: Tx, since: datetime) -> int:
    """How many headers of letters whose senders are not proven to be in the register were kept since then."""
    query = select(func.count()).where(letters.c.kept_at >= since, letters.c.whole.is_(False), letters.c.kind == Kind.REQUEST.value)
    return tx.execute(query).scalar_one()


def _read(row: Row[Any]) -> Kept:
    values = row._asdict()
    values["state"] = LetterState(values["state"])
    values["kind"] = Kind(values["kind"])
    return Kept(**values)
