"""The place of validity inside our own database: logins with a verifier of their password, never the password.

A check tests the term itself, so a credential is never valid a second longer because a sweep was late.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from sqlalchemy import Row, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailer.core.accounts import Capabilities, Handout, Managed, Order, Standing
from mailer.core.custody import KeyKind, loss
from mailer.core.secret import Secret
from mailer.errors import N_, MailerError, SetupError, TamperedError
from mailer.store.db import Tx
from mailer.store.schema import accounts_local

ARGON2_MEMORY_KIB: Final = 19_456  # OWASP's parameters for Argon2id: 19 MiB, 2 passes, 1 lane
ARGON2_PASSES: Final = 2
PEPPER_DIGITS: Final = 4  # no office has that many; more would be a stranger's
TAKEN: Final = N_("this login stands in the account of another credential")
_PUT: Final = {  # built once: building it costs more than running it
    name: statement.on_conflict_do_update(
        index_elements=["credential_id"],
        set_={column.name: statement.excluded[column.name] for column in accounts_local.c if not column.primary_key},
    )
    for name, statement in (("sqlite", sqlite.insert(accounts_local)), ("postgresql", postgresql.insert(accounts_local)))
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalCounts:
    enabled: int
    ended: int


def counts(tx: Tx) -> LocalCounts:
    by_enabled = {bool(enabled): count for enabled, count in tx.execute(_BY_ENABLED)}
    return LocalCounts(enabled=by_enabled.get(True, 0), ended=by_enabled.get(False, 0))


_BY_ENABLED: Final = select(accounts_local.c.enabled, func.count()).group_by(accounts_local.c.enabled)


def peppers_named(tx: Tx) -> set[int]:
    """The numbers of the peppers with which verifiers were made: each is needed, whether its file is there or not."""
    return {_pepper_of(named) for named in tx.execute(select(accounts_local.c.algorithm).distinct()).scalars()}


def disable(tx: Tx, credential_id: str) -> None:
    """End the login. Needs no key, so that the courier, who ends superseded ones, holds none of ours."""
    tx.execute(update(accounts_local).where(accounts_local.c.credential_id == credential_id).values(enabled=False))


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalAccounts:
    """Accounts of kind `local`; every function takes the open transaction and may be repeated.

    `peppers` are keys outside the database, by number: the newest makes verifiers, older ones check those that name them. A
    generated password has at least 70 random bits, so a fast keyed hash is enough (`hmac-sha256`); `argon2id` is for offices
    whose rules ask for a slow one.
    """

    peppers: Mapping[int, bytes] = field(repr=False)
    algorithm: str

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(makes_secret=False, sets_expiry=True, disables=True, tells_first_use=False)

    def create(self, tx: Tx, orders: Sequence[Order]) -> dict[str, Handout | MailerError]:
        """Make the accounts, or set fresh passwords where they exist already."""
        made: dict[str, Handout | MailerError] = {}
        taken = _others(tx, orders)
        algorithm = _named(self.algorithm, max(self.peppers))
        rows = []
        for order in orders:
            if order.password is None:
                raise ValueError("an account of our own needs a password of ours")
            if order.credential_id in taken:
                made[order.credential_id] = TamperedError(TAKEN)
                continue
            row = {"credential_id": order.credential_id, "login": order.login, "enabled": True, "expires_at": order.expires_at}
            verifier = self._verifier(algorithm, order.credential_id, order.password)
            rows.append(row | {"algorithm": algorithm, "verifier": verifier})
            made[order.credential_id] = Handout(login=order.login, password=order.password, expires_at=order.expires_at)
        if rows:
            tx.execute(_PUT[tx.dialect.name], rows)
        return made

    def forget_secrets(self, tx: Tx, credential_ids: Sequence[str]) -> None:
        """Nothing is kept from which a password could be had: a verifier is none."""

    def read_back(self, tx: Tx, credential_id: str) -> Managed | None:
        row = tx.execute(select(accounts_local).where(accounts_local.c.credential_id == credential_id)).one_or_none()
        return None if row is None else _managed(row)

    def set_expiry(self, tx: Tx, credential_id: str, expires_at: datetime) -> None:
        tx.execute(update(accounts_local).where(accounts_local.c.credential_id == credential_id).values(expires_at=expires_at))

    def disable(self, tx: Tx, credential_id: str) -> None:
        disable(tx, credential_id)

    def enable(self, tx: Tx, credential_id: str) -> None:
        tx.execute(update(accounts_local).where(accounts_local.c.credential_id == credential_id).values(enabled=True))

    def remove(self, tx: Tx, credential_id: str) -> None:
        tx.execute(delete(accounts_local).where(accounts_local.c.credential_id == credential_id))

    def list_managed(self, tx: Tx) -> Iterator[Managed]:
        for row in tx.execute(select(accounts_local).order_by(accounts_local.c.login)):
            yield _managed(row)

    def check(self, tx: Tx, login: str, password: Secret, now: datetime) -> Standing:
        """What this login with this password is worth at `now`; whether it has ended is told to the right password only."""
        row = tx.execute(select(accounts_local).where(accounts_local.c.login == login)).one_or_none()
        if row is None:
            return Standing.UNKNOWN
        if not hmac.compare_digest(row.verifier, self._verifier(row.algorithm, row.credential_id, password)):
            return Standing.WRONG
        return Standing.VALID if row.enabled and now <= row.expires_at else Standing.ENDED

    def _verifier(self, named: str, credential_id: str, password: Secret) -> bytes:
        algorithm, number = named.partition(":")[0], _pepper_of(named)
        pepper = self.peppers.get(number)
        if pepper is None:
            raise SetupError("the key pepper-{number}.key is missing: {loss}", number=number, loss=loss(KeyKind.PEPPER))
        keyed = hmac.digest(pepper, (credential_id + password.reveal()).encode(), "sha256")
        if algorithm == "hmac-sha256":
            return keyed
        salt = hashlib.sha256(credential_id.encode()).digest()[:16]
        return Argon2id(salt=salt, length=32, iterations=ARGON2_PASSES, lanes=1, memory_cost=ARGON2_MEMORY_KIB).derive(keyed)


def _others(tx: Tx, orders: Sequence[Order]) -> set[str]:
    """The credentials of these orders whose login stands in the account of another one: every login is drawn once."""
    ids = {order.login: order.credential_id for order in orders}
    rows = tx.execute(_OF_LOGINS, {"logins": list(ids)})
    return {ids[row.login] for row in rows if row.credential_id != ids[row.login]}


_OF_LOGINS: Final = select(accounts_local.c.login, accounts_local.c.credential_id).where(
    accounts_local.c.login.in_(bindparam("logins", expanding=True))
)


def _named(algorithm: str, number: int) -> str:
    """How a verifier names how it was made: `hmac-sha256` with the first pepper, `hmac-sha256:2` with the second."""
    return algorithm if number == 1 else f"{algorithm}:{number}"


def _pepper_of(named: str) -> int:
    """The pepper's number in the name of an algorithm; 1 where none stands, or what is none."""
    number = named.partition(":")[2]
    return int(number) if len(number) <= PEPPER_DIGITS and number.isdecimal() else 1


def _managed(row: Row[Any]) -> Managed:
    return Managed(credential_id=row.credential_id, login=row.login, enabled=row.enabled, expires_at=row.expires_at)
