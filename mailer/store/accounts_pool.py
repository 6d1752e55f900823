"""The pool of ready pairs, made elsewhere and imported by the officer: which one is next, and whose is each?

A pair is free, then taken for one credential, then handed out: its answer is written, and what was sealed is erased. While it
waits it is sealed to the pool key; nothing here can be read without it. That key is public, so a proof is sealed with each pair,
which takes the key of the marks: whoever can only write the database makes no pair, and gives none another password or end. A pair
that went out in a life of this database that a restored backup knows nothing of (`Logins`) is put aside, and so is one that does
not open.
"""

from __future__ import annotations

import hmac
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, or_, select, update

from mailer.core import evidence
from mailer.core.accounts import Capabilities, Handout, Managed, Order
from mailer.core.secret import Secret
from mailer.errors import EdgeSetupError, MailerError, RefusedError, SetupError, TamperedError
from mailer.states import PairState
from mailer.store import logins as spent
from mailer.store.db import Tx
from mailer.store.logins import Logins
from mailer.store.schema import credentials, pool_pairs

SHORTEST: Final = timedelta(days=14)  # an answer may be on its way that long: a pair that ends sooner could arrive dead
_PROOF_BYTES: Final = 32
_Stood = tuple[bytes, datetime | None, str]  # of a row what its pair was proved with: sealed bytes, end and mark


class PoolOpener(Protocol):
    """Holds the private key of the pool."""

    def open_from_pool(self, sealed: bytes, pair_id: str) -> bytes | None:
        """None when these bytes were not sealed for this pair; SetupError when the key is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPair:
    """A pair to be stored: `sealed` holds what `pack` made."""

    id: str
    mark: str
    sealed: bytes
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """A pair taken for a credential; `expires_at` is its own end, where it is known."""

    credential_id: str
    login: str
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """As many as there are, how many pairs were put aside on the way, and how many are left, counted no further than asked."""

    drawn: list[Drawn]
    left: int
    spent_before: int
    damaged: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolCounts:
    free: int  # can be handed out
    ending: int  # ends too soon to be handed out
    taken: int
    handed: int
    spent_before: int
    damaged: int


def pack(logins: Logins, pair_id: str, login: str, password: Secret, expires_at: datetime | None) -> bytes:
    """What is sealed of a pair: the proof, and what it proves."""
    content = json.dumps([pair_id, logins.mark(login), _end(expires_at), login, password.reveal()]).encode()
    return logins.pair_proof(content) + content


def unpack(logins: Logins, packed: bytes, pair_id: str, mark: str, expires_at: datetime | None) -> tuple[str, Secret] | None:
    """Login and password; None when `pack` did not make it of these: whoever writes the database can seal what he likes."""
    proof, content = packed[:_PROOF_BYTES], packed[_PROOF_BYTES:]
    if not hmac.compare_digest(proof, logins.pair_proof(content)):
        return None
    *stood, login, password = json.loads(content)
    return (login, Secret(password)) if stood == [pair_id, mark, _end(expires_at)] else None


def _end(expires_at: datetime | None) -> str | None:
    """The same words for the same end, whichever database tells it."""
    return None if expires_at is None else evidence.instant(expires_at)


def add(tx: Tx, pairs: Sequence[NewPair], *, at: datetime) -> None:
    """Take pairs in, in their order. Their logins are spent from now on."""
    spent.spend(tx, [pair.mark for pair in pairs])
    tx.execute(
        insert(pool_pairs),
        [
            {
                "id": pair.id,
                "mark": pair.mark,
                "state": PairState.FREE.value,
                "sealed": pair.sealed,
                "expires_at": pair.expires_at,
                "imported_at": at,
                "enabled": True,
            }
            for pair in pairs
        ],
    )


def counts(tx: Tx, now: datetime) -> PoolCounts:
    by_state = {
        PairState(state): count
        for state, count in tx.execute(select(pool_pairs.c.state, func.count()).group_by(pool_pairs.c.state))
    }
    free = count_free(tx, now)
    return PoolCounts(
        free=free,
        ending=by_state.get(PairState.FREE, 0) - free,
        taken=by_state.get(PairState.TAKEN, 0),
        handed=by_state.get(PairState.HANDED, 0),
        spent_before=by_state.get(PairState.SPENT_BEFORE, 0),
        damaged=by_state.get(PairState.DAMAGED, 0),
    )


def count_free(tx: Tx, now: datetime, *, most: int | None = None) -> int:
    """Pairs that can still be handed out; counted no further than `most`."""
    found = select(pool_pairs.c.number).where(_is_free(now)).limit(most).subquery()
    return tx.execute(select(func.count()).select_from(found)).scalar_one()


def disable(tx: Tx, credential_id: str) -> None:
    """Note that the login has ended with us. Where it came from it goes on until a person blocks it there."""
    tx.execute(update(pool_pairs).where(pool_pairs.c.credential_id == credential_id).values(enabled=False))


def holds(tx: Tx, credential_id: str) -> bool:
    """Whether this credential's login is a pair of the pool."""
    return tx.execute(select(pool_pairs.c.number).where(pool_pairs.c.credential_id == credential_id)).first() is not None


def _is_free(now: datetime) -> ColumnElement[bool]:
    lasts = or_(pool_pairs.c.expires_at.is_(None), pool_pairs.c.expires_at >= now + SHORTEST)
    return (pool_pairs.c.state == PairState.FREE.value) & lasts


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolAccounts:
    """Accounts of kind `pool`; every function takes the open transaction and may be repeated."""

    opener: PoolOpener
    logins: Logins
    _opened: dict[str, tuple[_Stood, tuple[str, Secret]]] = field(default_factory=dict, repr=False)  # drawn and not yet written

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(makes_secret=True, sets_expiry=False, disables=False, tells_first_use=False)

    def draw(self, tx: Tx, credential_ids: Sequence[str], *, until: datetime, now: datetime, enough: int) -> Draw:
        """Take a pair for each credential, oldest first; those that last until then before those that end sooner.

        SetupError when not one of those looked at opens: then a key may be another, and no pair is blamed for it.
        """
        drawn: list[Drawn] = []
        seen = Counter[PairState]()
        while rest := credential_ids[len(drawn) :]:
            rows = _next(tx, len(rest), until=until, now=now)
            if not rows:
                break
            gone = self.logins.handed_out.holders([row.mark for row in rows])
            waiting, changes = iter(rest), []
            for row in rows:
                opened = self._open(row)
                state, credential_id = PairState.TAKEN, None
                if row.mark in gone:
                    state = PairState.SPENT_BEFORE
                elif opened is None:
                    state = PairState.DAMAGED
                else:
                    credential_id = next(waiting)
                    drawn.append(Drawn(credential_id=credential_id, login=opened[0], expires_at=row.expires_at))
                seen[state] += 1
                changes.append({"pair": row.number, "new_state": state.value, "new_credential": credential_id})
            tx.execute(_CHANGE, changes)
        if seen[PairState.DAMAGED] and not drawn:
            raise SetupError(
                "no pair of the pool opens: are the keys in keys/issuing and keys/pepper.key those with which they were imported? "
                "If so, the pairs were changed in the database"
            )
        return Draw(
            drawn=drawn,
            left=count_free(tx, now, most=enough),
            spent_before=seen[PairState.SPENT_BEFORE],
            damaged=seen[PairState.DAMAGED],
        )

    def give_back(self, tx: Tx, credential_id: str) -> None:
        """The credential was abandoned before its answer was written: the pair is free again."""
        taken = (pool_pairs.c.credential_id == credential_id) & (pool_pairs.c.state == PairState.TAKEN.value)
        tx.execute(update(pool_pairs).where(taken).values(state=PairState.FREE.value, credential_id=None))

    def create(self, tx: Tx, orders: Sequence[Order]) -> dict[str, Handout | MailerError]:
        """The pairs that were taken for these credentials, the same however often they are asked for, until `forget_secrets`.

        TamperedError for one that is not the one that was reserved; RefusedError for one that was forgotten already.
        """
        rows = {row.credential_id: row for row in tx.execute(_TAKEN, {"ids": [order.credential_id for order in orders]})}
        return {order.credential_id: self._handout(rows.get(order.credential_id), order.login) for order in orders}

    def _handout(self, row: Row[Any] | None, login: str) -> Handout | MailerError:
        if row is None:
            return TamperedError("no pair of the pool is taken for this credential")
        if row.sealed is None:
            return RefusedError("the pair of this credential was handed out already")
        found = self._open(row)
        if found is None or found[0] != login:
            return TamperedError("the pair of the pool is not the one that was taken for this credential")
        return Handout(login=found[0], password=found[1], expires_at=row.expires_at)

    def forget_secrets(self, tx: Tx, credential_ids: Sequence[str]) -> None:
        """The answers are written: what was sealed of the pairs is erased."""
        self._opened.clear()
        tx.execute(_HANDED, {"ids": credential_ids, "new_state": PairState.HANDED.value})

    def read_back(self, tx: Tx, credential_id: str) -> Managed | None:
        return next(_managed(tx, pool_pairs.c.credential_id == credential_id), None)

    def set_expiry(self, tx: Tx, credential_id: str, expires_at: datetime) -> None:
        raise RefusedError("the end of a ready pair is set where it was made and cannot be changed here")

    def disable(self, tx: Tx, credential_id: str) -> None:
        disable(tx, credential_id)

    def enable(self, tx: Tx, credential_id: str) -> None:
        tx.execute(update(pool_pairs).where(pool_pairs.c.credential_id == credential_id).values(enabled=True))

    def remove(self, tx: Tx, credential_id: str) -> None:
        """Forget the pair; its login stays spent."""
        tx.execute(delete(pool_pairs).where(pool_pairs.c.credential_id == credential_id))

    def list_managed(self, tx: Tx) -> Iterator[Managed]:
        return _managed(tx, pool_pairs.c.credential_id.is_not(None))

    def _open(self, row: Row[Any]) -> tuple[str, Secret] | None:
        """A pair; None when it does not open, or is not the one that stands here. EdgeSetupError when the key is missing: no
        request is to blame for that. What was opened when it was drawn is remembered until its answer is written, for as long as
        its row stays the same."""
        stands = (row.sealed, row.expires_at, row.mark)
        stood, pair = self._opened.get(row.id, (None, None))
        if stands == stood:
            return pair
        if not isinstance(row.sealed, bytes):  # SQLite keeps whatever type was written
            return None
        try:
            packed = self.opener.open_from_pool(row.sealed, row.id)
        except SetupError as error:
            raise EdgeSetupError(error.message, **error.values) from error
        found = None if packed is None else unpack(self.logins, packed, row.id, row.mark, row.expires_at)
        if found is None:
            return None
        self._opened[row.id] = stands, found
        return found


_OF_CREDENTIALS: Final = pool_pairs.c.credential_id.in_(bindparam("ids", expanding=True))
_PAIR: Final = tuple(pool_pairs.c[name] for name in ("number", "id", "mark", "sealed", "expires_at", "credential_id"))
_TAKEN: Final = select(*_PAIR).where(_OF_CREDENTIALS)
_HANDED: Final = update(pool_pairs).where(_OF_CREDENTIALS).values(state=bindparam("new_state"), sealed=None)
_CHANGE: Final = (
    update(pool_pairs)
    .where(pool_pairs.c.number == bindparam("pair"))
    .values(state=bindparam("new_state"), credential_id=bindparam("new_credential"))
)


def _next(tx: Tx, count: int, *, until: datetime, now: datetime) -> list[Row[Any]]:
    """Free pairs that no other worker has in hand; as many as there are up to `count`."""
    short = pool_pairs.c.expires_at < until
    whole = or_(pool_pairs.c.expires_at.is_(None), pool_pairs.c.expires_at >= until)
    rows: list[Row[Any]] = []
    for lasts, order in ((whole, pool_pairs.c.number), (short, pool_pairs.c.expires_at.desc())):
        if len(rows) < count:
            query = select(*_PAIR).where(_is_free(now), lasts).order_by(order, pool_pairs.c.number)
            rows += tx.execute(query.limit(count - len(rows)).with_for_update(skip_locked=True)).all()
    return rows


def _managed(tx: Tx, which: ColumnElement[bool]) -> Iterator[Managed]:
    rows = tx.execute(
        select(credentials.c.id, credentials.c.login, pool_pairs.c.enabled, pool_pairs.c.expires_at)
        .join(pool_pairs, pool_pairs.c.credential_id == credentials.c.id)
        .where(which)
        .order_by(pool_pairs.c.number)
    )
    for row in rows:
        yield Managed(credential_id=row.id, login=row.login, enabled=row.enabled, expires_at=row.expires_at)
