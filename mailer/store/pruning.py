"""What was taken from the beginning of the record, on the record? The anchor tells it; here is also what must not be taken yet.

Deleting is the owner's alone, and only here: the guard against it falls and stands again in the same transaction, in which the
record tells up to where, and the right edge of the tree there. From that anchor whoever verifies goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, delete, func, select

from mailer.core import evidence, merkle
from mailer.core.merkle import Range
from mailer.errors import N_, SetupError
from mailer.states import CredentialState, LetterState, ReplyState, RequestState
from mailer.store import audit
from mailer.store.db import Tx
from mailer.store.schema import audit_head, credentials, letters, records, replies, requests

PRUNED: Final = "audit.pruned"
SETTLED: Final = (RequestState.REFUSED.value, RequestState.ANSWERED.value, RequestState.WITHDRAWN.value)
ENDED: Final = (
    *(CredentialState.ABANDONED.value, CredentialState.EXPIRED.value),
    *(CredentialState.REVOKED.value, CredentialState.SUPERSEDED.value),
)
ON_THE_WAY: Final = (ReplyState.QUEUED.value, ReplyState.SENDING.value, ReplyState.UNKNOWN.value)
UNREAD: Final = (LetterState.KEPT.value, LetterState.QUARANTINED.value)
_SQLITE_GUARD: Final = (
    "CREATE TRIGGER records_DELETE BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """The record begins after `edge.size` records, whose tree ended with this edge; record `seq` tells so."""

    edge: Range
    seq: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """The first record that something still rests on, and what."""

    seq: int
    why: str


def anchor(tx: Tx, key: bytes) -> Anchor | None:
    """Where the record begins, by the newest pruning that it tells of; None when it begins with the first, or none that holds."""
    told = audit.newest_of(tx, PRUNED)
    if told is None or evidence.fault(told, key) is not None:
        return None
    header, details = evidence.read_both(told)
    if header["event"] != PRUNED:
        return None
    return Anchor(edge=merkle.from_bytes(details["upto"], bytes.fromhex("".join(details["hashes"]))), seq=told.seq)


def first(tx: Tx, *, upto: int) -> int | None:
    """The lowest seq there is up to `upto`."""
    seq: int | None = tx.execute(select(func.min(records.c.seq)).where(records.c.seq <= upto)).scalar_one()
    return seq


def newest_at(tx: Tx, *, upto: int) -> datetime | None:
    """The latest time that a record up to this one carries: clocks jump."""
    at: datetime | None = tx.execute(select(func.max(records.c.at)).where(records.c.seq <= upto)).scalar_one()
    return at


def needed(tx: Tx, *, upto: int) -> Needed | None:
    """The first of these records that something unfinished, or still valid, is proven by; None when nothing is."""
    open_requests = select(requests.c.id).where(requests.c.state.not_in(SETTLED))
    living = select(credentials.c.request_id).where(credentials.c.state.not_in(ENDED) | credentials.c.disabling_since.is_not(None))
    answers = select(replies.c.request_id).where(replies.c.request_id.is_not(None), replies.c.state.in_(ON_THE_WAY))
    notices = select(replies.c.created_at).where(replies.c.request_id.is_(None), replies.c.state.in_(ON_THE_WAY))
    unread = select(letters.c.id).where(letters.c.state.in_(UNREAD))
    found = [
        Needed(seq=seq, why=why)
        for which, why in (
            (_of(open_requests), N_("its request is not over")),
            (_of(living), N_("its login is not over")),
            (_of(answers), N_("its answer is not out, or in doubt")),
            ((records.c.event == "notice.queued") & records.c.at.in_(notices), N_("its letter to the officer is not out")),
            (records.c.letter_id.in_(unread), N_("its letter has not been read")),
        )
        if (seq := tx.execute(select(func.min(records.c.seq)).where(records.c.seq <= upto, which)).scalar_one()) is not None
    ]
    return min(found, key=lambda one: one.seq, default=None)


def check_owner(tx: Tx) -> None:
    """SetupError when the tables belong to somebody else."""
    if tx.dialect.name == "sqlite":
        return
    owns = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'records'::regclass"
    if not tx.exec_driver_sql(owns).scalar_one():
        raise SetupError(
            "the record belongs to another role, and only its owner may prune it: set [database] owner_url to the owner"
        )


def hold_head(tx: Tx) -> None:
    """Nobody appends until this transaction ends. Before the guard falls: whoever appends takes the two in this order as well."""
    tx.execute(select(audit_head.c.seq).with_for_update())


def remove(tx: Tx, *, upto: int) -> int:
    """Delete the records up to this one; how many they were."""
    sqlite = tx.dialect.name == "sqlite"
    tx.exec_driver_sql("DROP TRIGGER IF EXISTS records_DELETE" if sqlite else "ALTER TABLE records DISABLE TRIGGER records_change")
    count = tx.execute(delete(records).where(records.c.seq <= upto)).rowcount
    tx.exec_driver_sql(_SQLITE_GUARD if sqlite else "ALTER TABLE records ENABLE TRIGGER records_change")
    return count


def _of(wanted: Select[tuple[int]]) -> ColumnElement[bool]:
    """Records of these requests, and of their letters before there was one."""
    theirs = select(requests.c.letter_id).where(requests.c.id.in_(wanted), requests.c.letter_id.is_not(None))
    return records.c.request_id.in_(wanted) | records.c.letter_id.in_(theirs)
