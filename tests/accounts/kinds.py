"""The places of validity that must keep the contract, each ready to be ordered from. A new kind adds itself to `KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from mailer.core.accounts import Handout, Order, Standing
from mailer.core.secret import PROFILES, Secret, opaque_login, password
from mailer.core.terms import term
from mailer.edge.keys import Keyring
from mailer.edge.keys_pool import PoolKeys
from mailer.edge.marks_handed import HandedOutFile
from mailer.errors import MailerError
from mailer.flow.issue import Accounts
from mailer.store import accounts_pool, credentials, requests
from mailer.store.accounts_local import LocalAccounts
from mailer.store.accounts_pool import NewPair, PoolAccounts
from mailer.store.credentials import Intent
from mailer.store.db import Tx
from mailer.store.logins import Logins
from mailer.store.schema import personal
from mailer.store.schema import requests as requests_table
from tests.flow.desks import ZONE
from tests.store.offices import INSTANCE, START, Trial

PEPPER = b"p" * 32
UNTIL = term(START, ZONE, 3, None).until


@dataclass(kw_only=True)
class Kind:
    """A place under test. `order` reserves a credential and says what is to be made; `stored` is all that the place keeps."""

    name: str
    trial: Trial
    accounts: Accounts
    order: Callable[[Tx], Order]
    stored: Callable[[Tx], list[Any]]

    def make(self, tx: Tx, order: Order) -> Handout:
        return the_one(self.accounts.create(tx, [order]))


@dataclass(kw_only=True)
class Cellar:
    """A pool over a real key ring, and the file of what went out."""

    trial: Trial
    home: Path

    def __post_init__(self) -> None:
        self.keyring = Keyring(self.home / "keys")
        if not (self.home / "keys").exists():
            self.keyring.found(START.date(), self.trial.randbytes)
        self.pool_keys = PoolKeys(self.keyring, instance=INSTANCE)
        self.handed_out = HandedOutFile(self.home / "keys")
        self.handed_out.make()
        self.logins = Logins(key=PEPPER, handed_out=self.handed_out)
        self.pool = PoolAccounts(opener=self.pool_keys, logins=self.logins)

    def fill(self, tx: Tx, *logins: str, expires_at: datetime | None = None) -> None:
        """Pairs whose passwords are `pw of <login>`."""
        accounts_pool.add(tx, [self.pair(login, expires_at) for login in logins], at=START)

    def pair(self, login: str, expires_at: datetime | None = None) -> NewPair:
        pair_id = self.trial.randbytes(16).hex()
        packed = accounts_pool.pack(self.logins, pair_id, login, Secret(f"pw of {login}"), expires_at)
        sealed = self.pool_keys.seal_to_pool(packed, pair_id)
        return NewPair(id=pair_id, mark=self.logins.mark(login), sealed=sealed, expires_at=expires_at)

    def draw(self, tx: Tx, *credential_ids: str, until: datetime = UNTIL) -> list[str]:
        """The logins drawn."""
        drawn = self.pool.draw(tx, credential_ids, until=until, now=self.trial.clock(), enough=0).drawn
        return [one.login for one in drawn]


def the_one(made: Mapping[str, Handout | MailerError]) -> Handout:
    (handout,) = made.values()
    if isinstance(handout, MailerError):
        raise handout
    return handout


def reserve(trial: Trial, tx: Tx, login: str) -> str:
    """A reserved credential of a person of its own; its id."""
    person_id = tx.execute(
        insert(personal).values(kind="person", sender_code="290001", key=login, value="Ли К.").returning(personal.c.id)
    ).scalar_one()
    values = {"verdict": "issue", "rule_id": "issue", "ruleset_hash": "h", "facts": "{}", "state": "approved", "decided_at": START}
    request_id = tx.execute(
        insert(requests_table)
        .values(sender_code="290001", person_id=person_id, answer_to_id=person_id, created_at=START, **values)
        .returning(requests_table.c.id)
    ).scalar_one()
    credential_id = trial.randbytes(16).hex()
    intent = Intent(request=requests.get(tx, request_id), credential_id=credential_id, login=login, term=term(START, ZONE, 3, None))
    credentials.reserve(tx, [intent], at=START)
    return credential_id


def local(trial: Trial, home: Path) -> Kind:
    place = LocalAccounts(peppers={1: PEPPER}, algorithm="hmac-sha256")

    def order(tx: Tx) -> Order:
        login = opaque_login("tmp-29-", trial.chance.randrange)
        made = password(PROFILES["default"], trial.chance.randrange)
        return Order(credential_id=reserve(trial, tx, login), login=login, password=made, expires_at=UNTIL)

    return Kind(name="local", trial=trial, accounts=place, order=order, stored=lambda tx: _rows(tx, "accounts_local"))


def pool(trial: Trial, home: Path) -> Kind:
    cellar = Cellar(trial=trial, home=home)

    def order(tx: Tx) -> Order:
        login = f"uc{trial.chance.randrange(10**9)}"
        cellar.fill(tx, login, expires_at=UNTIL + timedelta(days=30))
        credential_id = reserve(trial, tx, login)
        assert cellar.draw(tx, credential_id) == [login]
        return Order(credential_id=credential_id, login=login, password=None, expires_at=UNTIL)

    return Kind(name="pool", trial=trial, accounts=cellar.pool, order=order, stored=lambda tx: _rows(tx, "pool_pairs"))


def _rows(tx: Tx, table: str) -> list[Any]:
    from mailer.store.schema import metadata

    return [value for row in tx.execute(select(metadata.tables[table])) for value in row]


def opens(kind: Kind, tx: Tx, login: str, secret: Secret) -> bool:
    """Whether the login works, as far as the place can be asked; else whether it is enabled."""
    if isinstance(kind.accounts, LocalAccounts):
        return kind.accounts.check(tx, login, secret, kind.trial.clock()) is Standing.VALID
    return any(one.login == login and one.enabled for one in kind.accounts.list_managed(tx))


KINDS = {"local": local, "pool": pool}
