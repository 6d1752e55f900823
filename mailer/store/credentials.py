"""The credentials: whose they are, how long they are valid, and how far their life has come. No password ever stands here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, bindparam, func, select, update

from mailer.core import lifecycle
from mailer.core.lifecycle import CredentialEvent
from mailer.errors import NotFoundError
from mailer.model import Term
from mailer.states import CredentialState
from mailer.store.bulk import Bulk
from mailer.store.counting import counted
from mailer.store.db import Tx
from mailer.store.requests import ABANDONED, Request
from mailer.store.schema import credentials

BREAKER_WINDOW: Final = timedelta(minutes=10)
PAGE: Final = 1000
MANY: Final = 5000  # to sort so many takes SQLite 40 ms
_CREATED: Final = (
    update(credentials)
    .where(credentials.c.id.in_(bindparam("ids", expanding=True)))
    .values(state=bindparam("new_state"), issued_at=bindparam("at"))
)
_NEW: Final = Bulk(credentials, credentials.c.keys())
_ID_LETTERS: Final = frozenset("0123456789abcdef")
_NOT_ABANDONED: Final = credentials.c.state != ABANDONED


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """`valid_until` is the last instant (UTC), `last_day` its day in the fund's zone, `term_rule` the rule that made them.

    `warned_days`: the last letter about its end was the one due so many days before. `disabling_since`: it has ended, and its
    account could not be disabled since then; that is tried again at `disabling_next`.
    """

    id: str
    request_id: int
    sender_code: str
    person_id: int
    answer_to_id: int
    login: str
    state: CredentialState
    reserved_at: datetime
    issued_at: datetime | None
    valid_until: datetime
    last_day: date
    term_rule: str
    warned_days: int | None
    disabling_since: datetime | None
    disabling_next: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What is to be issued: for which request, under which id and login, for how long."""

    request: Request
    credential_id: str
    login: str
    term: Term


def reserve(tx: Tx, intents: Sequence[Intent], *, at: datetime) -> list[Credential]:
    """Store intents to issue, and give them as `reserved` does; unique by request, so one letter can never have two that live."""
    new = [_intended(intent, at) for intent in intents]
    _NEW.put(tx, [{name: getattr(one, name) for name in _NEW.columns} | {"state": one.state.value} for one in new])
    return sorted(new, key=attrgetter("id"))


def _intended(intent: Intent, at: datetime) -> Credential:
    request = intent.request
    if request.sender_code is None or request.person_id is None or request.answer_to_id is None:
        raise ValueError("an approved request has a sender, a person and an address")
    return Credential(
        id=intent.credential_id,
        request_id=request.id,
        sender_code=request.sender_code,
        person_id=request.person_id,
        answer_to_id=request.answer_to_id,
        login=intent.login,
        state=CredentialState.RESERVED,
        reserved_at=at,
        issued_at=None,
        valid_until=intent.term.until,
        last_day=intent.term.last_day,
        term_rule=intent.term.rule,
        warned_days=None,
        disabling_since=None,
        disabling_next=None,
    )


def move(tx: Tx, credential: Credential, event: CredentialEvent, *, at: datetime) -> None:
    state = lifecycle.after_credential(credential.state, event)
    values: dict[str, Any] = {"state": state.value}
    if event is CredentialEvent.CREATED:
        values["issued_at"] = at
    tx.execute(update(credentials).where(credentials.c.id == credential.id).values(**values))


def created(tx: Tx, made: Sequence[Credential], *, at: datetime) -> None:
    """The accounts of these reserved credentials were made."""
    states = {lifecycle.after_credential(credential.state, CredentialEvent.CREATED).value for credential in made}
    for state in states:
        tx.execute(_CREATED, {"ids": [credential.id for credential in made], "new_state": state, "at": at})


def reserved(tx: Tx, limit: int) -> list[Credential]:
    """Intents that are still to be carried out, oldest first; after a crash these are found here."""
    query = select(credentials).where(credentials.c.state == CredentialState.RESERVED.value)
    rows = tx.execute(query.order_by(credentials.c.reserved_at, credentials.c.id).limit(limit).with_for_update(skip_locked=True))
    return [read(row) for row in rows]


def are_reserved(tx: Tx, intended: Sequence[Credential]) -> bool:
    """Whether these, and no others, are what `reserved` would give; nobody else carries them out until this transaction ends."""
    query = select(credentials.c.id).where(credentials.c.state == CredentialState.RESERVED.value)
    query = query.order_by(credentials.c.reserved_at, credentials.c.id).limit(len(intended) + 1).with_for_update(skip_locked=True)
    return list(tx.execute(query).scalars()) == [one.id for one in intended]


def any_reserved(tx: Tx) -> bool:
    return (
        tx.execute(select(credentials.c.id).where(credentials.c.state == CredentialState.RESERVED.value).limit(1)).first()
        is not None
    )


def older_living(tx: Tx, credential: Credential) -> list[Credential]:
    """Active and suspended credentials of the same person that were issued before this one."""
    query = select(credentials).where(
        credentials.c.person_id == credential.person_id,
        credentials.c.state.in_([CredentialState.ACTIVE.value, CredentialState.SUSPENDED.value]),
        credentials.c.id != credential.id,
        credentials.c.issued_at <= credential.issued_at,
    )
    return [read(row) for row in tx.execute(query)]


def is_followed(tx: Tx, credential: Credential) -> bool:
    """Whether the same person has another credential, active or about to be, that was begun later."""
    query = select(credentials.c.id).where(
        credentials.c.person_id == credential.person_id,
        credentials.c.state.in_([CredentialState.ACTIVE.value, CredentialState.RESERVED.value]),
        credentials.c.id != credential.id,
        credentials.c.reserved_at >= credential.reserved_at,
    )
    return tx.execute(query.limit(1)).first() is not None


def ended(tx: Tx, now: datetime, limit: int) -> list[Credential]:
    """Credentials whose term is over and that are not yet marked so."""
    query = select(credentials).where(
        credentials.c.state.in_([CredentialState.ACTIVE.value, CredentialState.SUSPENDED.value]), credentials.c.valid_until < now
    )
    return [read(row) for row in tx.execute(query.order_by(credentials.c.valid_until).limit(limit))]


def living(tx: Tx, sender: str | None, since: datetime | None, until: datetime | None, limit: int) -> list[Credential]:
    """Active and suspended ones: of this sender, issued from then on, until then; those issued first before the others."""
    query = select(credentials).where(credentials.c.state.in_([CredentialState.ACTIVE.value, CredentialState.SUSPENDED.value]))
    if sender is not None:
        query = query.where(credentials.c.sender_code == sender)
    if since is not None:
        query = query.where(credentials.c.issued_at >= since)
    if until is not None:
        query = query.where(credentials.c.issued_at <= until)
    return [read(row) for row in tx.execute(query.order_by(credentials.c.issued_at, credentials.c.id).limit(limit))]


def issued_since(tx: Tx, since: datetime) -> int:
    """How many were issued or reserved in the breaker's window from then on.

    What a clock that ran ahead has dated later is not counted: the breaker would stay tripped until the time it showed.
    """
    reserved_at = credentials.c.reserved_at.between(since, since + BREAKER_WINDOW)
    query = select(func.count()).where(reserved_at, credentials.c.state != CredentialState.ABANDONED.value)
    return tx.execute(query).scalar_one()


def known(tx: Tx, credential_id: str) -> Credential | None:
    row = tx.execute(select(credentials).where(credentials.c.id == credential_id)).one_or_none()
    return None if row is None else read(row)


def get(tx: Tx, credential_id: str) -> Credential:
    found = known(tx, credential_id)
    if found is None:
        raise NotFoundError("there is no credential {id}", id=credential_id)
    return found


def lock(tx: Tx, credential_id: str) -> Credential:
    """As `get`, and nobody else changes it until this transaction ends."""
    return read(tx.execute(select(credentials).where(credentials.c.id == credential_id).with_for_update()).one())


def find(tx: Tx, written: str) -> Credential:
    """By its id, an unmistakable beginning of it, or its login."""
    own = (credentials.c.login == written) & _NOT_ABANDONED
    begun = written.lower()
    if set(begun) <= _ID_LETTERS:  # a stretch of ids: SQLite looks for no beginning in an index
        own |= credentials.c.id.between(begun, begun + "g")
    rows = tx.execute(select(credentials).where(own).limit(2)).all()
    if not rows:
        raise NotFoundError("there is no credential {id}: `mailer credentials list` shows those there are", id=written)
    if len(rows) > 1:
        raise NotFoundError("{id} begins the ids of several credentials: write more of it", id=written)
    return read(rows[0])


def by_login(tx: Tx, login: str) -> Credential | None:
    """Whose login this is, for as long as the transaction lasts nobody else's to check; None when nobody has it."""
    own = (credentials.c.login == login) & _NOT_ABANDONED
    row = tx.execute(select(credentials).where(own).with_for_update()).one_or_none()
    return None if row is None else read(row)


def every(tx: Tx) -> Iterator[Credential]:
    """All of them, by id."""
    last = ""
    while rows := tx.execute(select(credentials).where(credentials.c.id > last).order_by(credentials.c.id).limit(PAGE)).all():
        yield from map(read, rows)
        last = rows[-1].id


def newest(tx: Tx, limit: int, *, states: Sequence[CredentialState] = ()) -> list[Credential]:
    """Of these states, or of all."""
    query = select(credentials).order_by(credentials.c.reserved_at.desc(), credentials.c.id).limit(limit)
    if states:
        query = query.where(_among(tx, states))
    return [read(row) for row in tx.execute(query)]


def _among(tx: Tx, states: Sequence[CredentialState]) -> ColumnElement[bool]:
    """The condition, so written that many are looked through from the newest on, and few are found by their state and sorted."""
    values = [state.value for state in states]
    found = select(credentials.c.id).where(credentials.c.state.in_(values)).limit(MANY).subquery()
    are_many = tx.execute(select(func.count()).select_from(found)).scalar_one() == MANY
    state = func.coalesce(credentials.c.state, "") if are_many else credentials.c.state  # no index knows the first
    return state.in_(values)


def of_sender(tx: Tx, sender_code: str, states: Sequence[CredentialState], *, to_move: bool = False) -> list[Credential]:
    """This sender's credentials in one of these states; `to_move`: until the commit nobody else's to move."""
    query = select(credentials).where(
        credentials.c.sender_code == sender_code, credentials.c.state.in_([state.value for state in states])
    )
    query = query.order_by(credentials.c.id)
    return [read(row) for row in tx.execute(query.with_for_update() if to_move else query)]


def of_request(tx: Tx, request_id: int) -> Credential | None:
    """The one that was issued for it, or is about to be; what was abandoned is none."""
    row = tx.execute(select(credentials).where(credentials.c.request_id == request_id, _NOT_ABANDONED)).one_or_none()
    return None if row is None else read(row)


def no_login(credential_id: str) -> str:
    """What stands where a login was erased: as unique as the credential is."""
    return f"erased:{credential_id}"


def of_persons(tx: Tx, person_ids: Sequence[int]) -> list[Credential]:
    """All that these persons ever had, oldest first."""
    query = select(credentials).where(credentials.c.person_id.in_(person_ids))
    return [read(row) for row in tx.execute(query.order_by(credentials.c.reserved_at, credentials.c.id))]


def count_of(tx: Tx, state: CredentialState) -> int:
    """How many are in this state; of the few, this is quick however many there are in all."""
    return tx.execute(select(func.count()).where(credentials.c.state == state.value)).scalar_one()


def counts(tx: Tx) -> dict[CredentialState, int]:
    return counted(tx, credentials.c.state, CredentialState, most=CredentialState.EXPIRED)


def read(row: Row[Any]) -> Credential:
    """A row of the table as the noun."""
    values = row._asdict()
    values["state"] = CredentialState(values["state"])
    return Credential(**values)
