"""What may an officer do where logins are valid? Fill the pool, check a login, hold the accounts against the credentials.

No step. As in `override`, every change is a person's and is told to the record with its author.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from mailer.core import accounts, evidence, pairs, secret, throttle
from mailer.core.accounts import Capabilities, Differences, Distrusted, Issued, Managed, Standing
from mailer.core.pairs import Pair
from mailer.core.secret import Secret
from mailer.errors import SetupError, SetupErrors
from mailer.states import CredentialState
from mailer.store import accounts_pool, credentials, failures, standing
from mailer.store.accounts_pool import NewPair
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.logins import Logins
from mailer.store.work import Unit, Worker


class PoolSealer(Protocol):
    """Can seal to the pool key; opens nothing."""

    def seal_to_pool(self, content: bytes, pair_id: str) -> bytes: ...


class Verifier(Protocol):
    """The place whose passwords we can check."""

    def check(self, tx: Tx, login: str, password: Secret, now: datetime) -> Standing: ...

    def read_back(self, tx: Tx, credential_id: str) -> Managed | None: ...


class Place(Protocol):
    """The part of a place of validity that is held against the credentials."""

    @property
    def capabilities(self) -> Capabilities: ...

    def list_managed(self, tx: Tx) -> Iterator[Managed]: ...

    def disable(self, tx: Tx, credential_id: str) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """What a check of a login gave. `other_layout`: the password is right if the keys had been pressed on the Latin layout.

    `wait`: too many were wrong of late; nothing was checked, and after so long it may be tried again.
    """

    standing: Standing | None
    wait: timedelta = timedelta()
    other_layout: bool = False
    credential: Credential | None = None


def import_pairs(
    worker: Worker,
    sealer: PoolSealer,
    logins: Logins,
    rows: Sequence[Pair],
    *,
    randbytes: Callable[[int], bytes],
    dry_run: bool = False,
) -> None:
    """Take checked pairs into the pool. SetupErrors name the lines whose logins were used before; then nothing is taken."""
    sealed = [_sealed(pair, sealer, logins, randbytes(16).hex()) for pair in rows]  # before anybody has to wait for us
    with worker.writing(dry_run=dry_run) as unit:
        problems = conflicts(unit.tx, logins, rows)
        if problems:
            raise SetupErrors(problems)
        accounts_pool.add(unit.tx, sealed, at=unit.at)
        unit.tell("pool.imported", importance="notice", pairs=len(rows), free=accounts_pool.count_free(unit.tx, unit.at))


def conflicts(tx: Tx, logins: Logins, rows: Sequence[Pair]) -> list[SetupError]:
    """What `import_pairs` would refuse."""
    return pairs.conflicts(rows, logins.mark, lambda marks: logins.used_among(tx, marks))


def _sealed(pair: Pair, sealer: PoolSealer, logins: Logins, pair_id: str) -> NewPair:
    packed = accounts_pool.pack(logins, pair_id, pair.login, pair.password, pair.expires_at)
    sealed = sealer.seal_to_pool(packed, pair_id)
    return NewPair(id=pair_id, mark=logins.mark(pair.login), sealed=sealed, expires_at=pair.expires_at)


def check(worker: Worker, verifier: Verifier, login: str, written: str) -> Checked:
    """Check a password as a person typed it. Failures are counted, and make the next try of the same login wait."""
    with worker.writing() as unit:
        failures.tell(unit)
        credential = credentials.by_login(unit.tx, login)
        failed, last_at = failures.since(unit.tx, credential.id if credential else failures.NOBODY, unit.at - throttle.WINDOW)
        wait = throttle.wait(failed, last_at, unit.at)
        if wait:
            return Checked(standing=None, wait=wait, credential=credential)
        found = _compare(unit, verifier, login, written)
        if found.standing is Standing.VALID:
            found = _held_against_the_record(unit, verifier, credential, found, worker.pen.key)
        if found.standing is Standing.WRONG or credential is None:
            failures.add(unit.tx, credential.id if credential else failures.NOBODY, unit.at)
        elif found.standing in {Standing.VALID, Standing.ENDED}:
            unit.tell(
                "credential.checked",
                sender=credential.sender_code,
                request=credential.request_id,
                credential=credential.id,
                standing=found.standing.value,
            )
        return Checked(standing=found.standing, other_layout=found.other_layout, credential=credential)


def _compare(unit: Unit, verifier: Verifier, login: str, written: str) -> Checked:
    standing = Standing.UNKNOWN
    for reading, other_layout in secret.readings(written):
        standing = verifier.check(unit.tx, login, reading, unit.at)
        if standing is not Standing.WRONG:
            return Checked(standing=standing, other_layout=other_layout)
    return Checked(standing=standing)


def _held_against_the_record(unit: Unit, verifier: Verifier, credential: Credential | None, found: Checked, key: bytes) -> Checked:
    """The tables say that it is valid; so must the record. Whoever wrote the tables behind our back is an alarm."""
    account = verifier.read_back(unit.tx, credential.id) if credential else None
    why = "nothing was issued for this account"
    if credential is not None and account is not None:
        fault = standing.fault(unit.tx, credential, account, key)
        if fault is None:
            return found
        why = fault
    unit.tell(
        "credential.distrusted",
        sender=credential.sender_code if credential else None,
        request=credential.request_id if credential else None,
        importance="alarm",
        outcome="failed",
        credential=credential.id if credential else None,
        why=why,
    )
    return replace(found, standing=Standing.DISTRUSTED)


def reconcile(tx: Tx, places: Sequence[Place], now: datetime, *, key: bytes) -> Differences:
    """Hold the accounts of all places against the credentials, and against the record whose key is `key`; nothing is changed."""
    known = {one.id: one for one in credentials.every(tx)}
    issued = {
        one.id: Issued(
            credential_id=one.id,
            login=one.login,
            active=one.state is CredentialState.ACTIVE,
            pending=one.state in {CredentialState.RESERVED, CredentialState.IN_DOUBT},
            valid_until=one.valid_until,
        )
        for one in known.values()
    }
    there = [(account, place.capabilities) for place in places for account in place.list_managed(tx)]
    found = accounts.compare(issued, there, now=now)
    found.distrusted.extend(_distrusted(tx, known, there, key))
    return found


def _distrusted(
    tx: Tx, known: Mapping[str, Credential], there: Sequence[tuple[Managed, Capabilities]], key: bytes
) -> Iterator[Distrusted]:
    """Accounts of what was issued that the record tells otherwise. Where the end is the place's own it is not held against us."""
    pairs = [
        (known[account.credential_id], account if can.sets_expiry else replace(account, expires_at=None))
        for account, can in there
        if account.credential_id in known and known[account.credential_id].issued_at is not None
    ]
    faults = standing.faults(tx, pairs, key)
    yield from (Distrusted(account=account, why=faults[one.id]) for one, account in pairs if one.id in faults)


def disable_orphans(worker: Worker, places: Sequence[Place], *, reason: str, dry_run: bool = False) -> Differences:
    """End every account behind which nothing living stands; what was found, before it was mended."""
    with worker.writing(dry_run=dry_run) as unit:
        found = reconcile(unit.tx, places, unit.at, key=worker.pen.key)
        known = {one.id: one for one in credentials.every(unit.tx)} if found.without_credential else {}
        for account in found.without_credential:
            for place in places:
                place.disable(unit.tx, account.credential_id)
            until, ended = account.expires_at, known.get(account.credential_id)
            unit.tell(
                "account.disabled",
                sender=ended.sender_code if ended else None,
                request=ended.request_id if ended else None,
                importance="notice",
                credential=account.credential_id,
                reason=reason,
                valid_until=None if until is None else evidence.instant(until),
            )
    return found
