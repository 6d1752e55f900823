"""The kept letters: bytes, state and what was decided of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, bindparam, func, insert, select, update

from mailer.core import lifecycle
from mailer.core.keeping import Amount, Group
from mailer.core.lifecycle import LetterEvent
from mailer.errors import NotFoundError
from mailer.model import Decision, Kind, Letter, RawLetter
from mailer.states import LetterState
from mailer.store import leases
from mailer.store.counting import counted
from mailer.store.db import Tx
from mailer.store.leases import Lease
from mailer.store.schema import letters

SINGLE_ATTEMPTS: Final = 3  # after these a letter is quarantined
_KINDS: Final = frozenset(kind.value for kind in Kind)
_GROUPS: Final = {Kind.REQUEST: Group.STRANGER, Kind.UNREADABLE: Group.UNREADABLE, Kind.BOUNCE: Group.BOUNCE}


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
    read_after: datetime | None
    verdict: str | None
    rule_id: str | None
    reason: str | None
    erased_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What an answer needs of the letter that it answers."""

    received_at: datetime
    content: bytes


def answered(tx: Tx, letter_ids: Sequence[int]) -> dict[int, Answered]:
    """These letters by their ids."""
    rows = tx.execute(_ANSWERED, {"ids": letter_ids})
    return {row.id: Answered(received_at=row.received_at, content=row.content) for row in rows}


_ANSWERED: Final = select(letters.c.id, letters.c.received_at, letters.c.content).where(
    letters.c.id.in_(bindparam("ids", expanding=True))
)


def keep(
    tx: Tx,
    raw: RawLetter,
    letter: Letter | None,
    *,
    kind: Kind,
    proven: bool,
    sender_code: str | None,
    digest: str,
    at: datetime,
) -> int:
    """Store a letter's bytes; its id. The unique key (mailbox, epoch, item) makes a second keeping an error.

    `sender_code` is the proven sender's, if the register knows one: letters are claimed in turns by it.
    """
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
        "sender_code": sender_code,
    }
    kept_id: int = tx.execute(insert(letters).values(**values).returning(letters.c.id)).scalar_one()
    return kept_id


def known_elsewhere(tx: Tx, mailbox: str, epoch: int, letter: Letter, received_at: datetime) -> tuple[int, int] | None:
    """Epoch and item of the same letter, kept under another UIDVALIDITY: the server gave it a new number, nobody wrote again.

    Letters that were put back into a new folder may have new server dates; then their headers alone tell, a Message-ID among them.
    """
    query = select(letters.c.epoch, letters.c.item).where(
        letters.c.fingerprint == letter.fingerprint, letters.c.mailbox == mailbox, letters.c.epoch != epoch
    )
    if letter.message_id is None:  # without an id the headers of two requests for one person may be the same
        query = query.where(letters.c.received_at == received_at)
    found = tx.execute(query.order_by(letters.c.id.desc()).limit(1)).one_or_none()
    return None if found is None else (found.epoch, found.item)


def repeated(tx: Tx, letter_id: int, digest: str, fingerprint: str, received_at: datetime) -> bool:
    """Whether the same letter (same bytes, or same headers with Message-ID and Date equal) was kept before within 24 hours."""
    query = select(letters.c.id).where(
        letters.c.id < letter_id,
        letters.c.proven,  # a copy that somebody else sent beforehand must not silence the real one
        (letters.c.digest == digest) | (letters.c.fingerprint == fingerprint),
        letters.c.received_at > received_at - timedelta(hours=24),
    )
    return tx.execute(query.limit(1)).first() is not None


def waiting(tx: Tx, lease: Lease, now: datetime, *, bounces: bool) -> bool:
    """Whether there is any letter to read now that no other worker has in hand: any bounce, or any other letter."""
    due = _free(lease) & _due(now, bounces=bounces)
    return tx.execute(select(letters.c.id).where(due).limit(1)).first() is not None


def claim(tx: Tx, limit: int, lease: Lease, now: datetime, *, bounces: bool) -> list[Kept]:
    """Letters to read now, their try counted: a batch of fresh ones, else a single one that failed in company.

    Senders take turns, the oldest letter of each first, so that many letters of one hold up nobody else. Senders that are not
    in the register share one turn.
    """
    due = _due(now, bounces=bounces)
    fresh = (letters.c.state == LetterState.KEPT.value) & (letters.c.batches == 0) & due
    place = func.row_number().over(partition_by=func.coalesce(letters.c.sender_code, ""), order_by=letters.c.id).label("place")
    turns = select(letters.c.id, place).where(fresh).subquery()
    query = select(letters.c.id).join(turns, turns.c.id == letters.c.id).where(fresh).order_by(turns.c.place, letters.c.id)
    ids = tx.execute(query.limit(limit).with_for_update(skip_locked=True, of=letters)).scalars().all()
    if ids:
        return _take(tx, ids, lease, batches=letters.c.batches + 1)
    tried = select(letters.c.id).where(_free(lease) & due, letters.c.attempts < SINGLE_ATTEMPTS)
    one = tx.execute(tried.order_by(letters.c.attempts, letters.c.id).limit(1).with_for_update(skip_locked=True)).scalars().all()
    return _take(tx, one, lease, attempts=letters.c.attempts + 1) if one else []


def _take(tx: Tx, ids: Sequence[int], lease: Lease, **counted: ColumnElement[int]) -> list[Kept]:
    """These letters as they stood before, oldest first; from now on they are in this worker's hand and their try is counted."""
    rows = tx.execute(select(letters).where(letters.c.id.in_(ids)).order_by(letters.c.id)).all()
    tx.execute(update(letters).where(letters.c.id.in_(ids)).values(lease=lease.name, fence=lease.fence, **counted))
    return [_read(row) for row in rows]


def _due(now: datetime, *, bounces: bool) -> ColumnElement[bool]:
    """Bounces, or all other letters, that are not put off."""
    kind = letters.c.kind == Kind.BOUNCE.value if bounces else letters.c.kind != Kind.BOUNCE.value
    return kind & (letters.c.read_after.is_(None) | (letters.c.read_after <= now))


def _free(lease: Lease) -> ColumnElement[bool]:
    """Kept, and in nobody's hand but this worker's own."""
    own = (letters.c.lease == lease.name) & (letters.c.fence == lease.fence)
    return (letters.c.state == LetterState.KEPT.value) & (own | ~leases.is_held(letters.c.lease, letters.c.fence))


def give_back(tx: Tx, claimed: Sequence[Kept]) -> None:
    """The try did not count: what failed was the database or the record, not these letters."""
    for kept in claimed:
        tx.execute(update(letters).where(letters.c.id == kept.id).values(batches=kept.batches, attempts=kept.attempts))


def put_off(tx: Tx, kept: Kept, until: datetime) -> None:
    """Nothing can be said of it yet: it is read again later, and this try did not count."""
    values = {"batches": kept.batches, "attempts": kept.attempts, "read_after": until}
    tx.execute(update(letters).where(letters.c.id == kept.id).values(**values))


def spent(tx: Tx, lease: Lease, now: datetime, *, bounces: bool) -> list[Kept]:
    """Letters that used up their single attempts, each time killing or failing what read them."""
    query = select(letters).where(_free(lease) & _due(now, bounces=bounces), letters.c.attempts >= SINGLE_ATTEMPTS)
    return [_read(row) for row in tx.execute(query.order_by(letters.c.id))]


def count_due(tx: Tx, now: datetime, *, bounces: bool) -> int:
    query = select(func.count()).select_from(letters).where(letters.c.state == LetterState.KEPT.value)
    return tx.execute(query.where(_due(now, bounces=bounces))).scalar_one()


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
    _move(tx, kept, LetterEvent.QUARANTINED)


def retry(tx: Tx, kept: Kept) -> None:
    """Back among those to be read, with all its single attempts, but alone: it has failed in company before."""
    _move(tx, kept, LetterEvent.RETRIED, batches=1, attempts=0, lease=None, fence=0)


def drop(tx: Tx, kept: Kept) -> None:
    """Nobody reads it any more; its bytes stay."""
    _move(tx, kept, LetterEvent.DROPPED)


def _move(tx: Tx, kept: Kept, event: LetterEvent, **values: object) -> None:
    state = lifecycle.after_letter(kept.state, event)
    tx.execute(update(letters).where(letters.c.id == kept.id).values(state=state.value, **values))


def get(tx: Tx, letter_id: int) -> Kept:
    row = tx.execute(select(letters).where(letters.c.id == letter_id)).one_or_none()
    if row is None:
        raise NotFoundError("there is no letter {id}: `mailer letters list` shows those there are", id=letter_id)
    return _read(row)


def newest(tx: Tx, limit: int, *, state: LetterState | None = None) -> list[Kept]:
    query = select(letters).order_by(letters.c.id.desc()).limit(limit)
    if state is LetterState.READ:  # nearly all are: found from the newest on, not by the index of states
        query = query.where(func.coalesce(letters.c.state, "") == state.value)
    elif state is not None:
        query = query.where(letters.c.state == state.value)
    return [_read(row) for row in tx.execute(query)]


def count_of(tx: Tx, state: LetterState) -> int:
    """How many are in this state; of the few, this is quick however many there are in all."""
    return tx.execute(select(func.count()).where(letters.c.state == state.value)).scalar_one()


def counts(tx: Tx) -> dict[LetterState, int]:
    return counted(tx, letters.c.state, LetterState, most=LetterState.READ)


def kept_since(tx: Tx, since: datetime) -> dict[Group, Amount]:
    """How much was kept since then of what anybody can send. Strangers' requests are those without a sender of the register."""
    stranger = (letters.c.kind == Kind.REQUEST.value) & letters.c.sender_code.is_(None)
    other = letters.c.kind.in_([Kind.UNREADABLE.value, Kind.BOUNCE.value])
    amount = (func.count(), func.sum(func.length(letters.c.content)))
    query = select(letters.c.kind, *amount).where(letters.c.kept_at >= since, stranger | other).group_by(letters.c.kind)
    return {_GROUPS[Kind(kind)]: Amount(letters=count, size_bytes=int(size)) for kind, count, size in tx.execute(query)}


def _read(row: Row[Any]) -> Kept:
    values = row._asdict()
    values["state"] = LetterState(values["state"])
    # One that there is not is none of ours: whoever reads the letter holds its kind against the record, and sets it aside.
    values["kind"] = Kind(values["kind"]) if values["kind"] in _KINDS else Kind.UNREADABLE
    return Kept(**values)
