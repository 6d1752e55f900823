"""Whose end is near, who lives longer, and whose account is still to be disabled? The times of credentials that were issued."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update

from mailer.model import Term
from mailer.states import CredentialState, RequestState
from mailer.store.credentials import Credential, read
from mailer.store.db import Tx
from mailer.store.schema import credentials, personal, requests

DISABLE_WITHIN: Final = timedelta(minutes=2)  # twice the wait before it is tried again


def nearing(tx: Tx, now: datetime, *, days: int) -> list[Credential]:
    """Active ones that end within about so many days, soonest first: whose answer was sent, and that no newer one follows.

    Whose person or address was erased is left out: there is nobody to write to.
    """
    newer = credentials.alias("newer")
    followed = select(newer.c.id).where(
        newer.c.person_id == credentials.c.person_id,
        newer.c.state.in_([CredentialState.ACTIVE.value, CredentialState.RESERVED.value]),
        newer.c.id != credentials.c.id,
        newer.c.reserved_at >= credentials.c.reserved_at,
    )
    answered = select(requests.c.id).where(
        requests.c.id == credentials.c.request_id, requests.c.state == RequestState.ANSWERED.value
    )
    person, address = personal.alias("person"), personal.alias("address")
    told = credentials.join(person, (person.c.id == credentials.c.person_id) & person.c.surname.is_not(None))
    told = told.join(address, (address.c.id == credentials.c.answer_to_id) & address.c.value.is_not(None))
    query = (
        select(credentials)
        .select_from(told)
        .where(
            credentials.c.state == CredentialState.ACTIVE.value,
            credentials.c.valid_until.between(now, now + timedelta(days=days + 2)),
            answered.exists(),
            ~followed.exists(),
        )
    )
    return [read(row) for row in tx.execute(query.order_by(credentials.c.valid_until, credentials.c.id))]


def warned(tx: Tx, credential_id: str, days: int) -> None:
    """A letter about its end is written, the one due so many days before."""
    tx.execute(update(credentials).where(credentials.c.id == credential_id).values(warned_days=days))


def extend(tx: Tx, credential_id: str, term: Term, *, warned_days: int | None) -> None:
    """It has another end from now on; `warned_days`: which of the letters about it come too late already."""
    values = {"valid_until": term.until, "last_day": term.last_day, "term_rule": term.rule, "warned_days": warned_days}
    tx.execute(update(credentials).where(credentials.c.id == credential_id).values(**values))


def disable_later(tx: Tx, credential_id: str, *, since: datetime, again_at: datetime) -> None:
    """Its account could not be disabled since then; it is tried again."""
    values = {"disabling_since": since, "disabling_next": again_at}
    tx.execute(update(credentials).where(credentials.c.id == credential_id).values(**values))


def disabled(tx: Tx, credential_id: str) -> None:
    """There is no account left to be disabled."""
    values = {"disabling_since": None, "disabling_next": None}
    tx.execute(update(credentials).where(credentials.c.id == credential_id).values(**values))


def to_disable(tx: Tx, now: datetime, limit: int) -> list[Credential]:
    """Those whose account is to be disabled now; a clock that was set back makes none wait for the time it showed."""
    due = (credentials.c.disabling_next <= now) | (credentials.c.disabling_next > now + DISABLE_WITHIN)
    query = select(credentials).where(credentials.c.disabling_since.is_not(None), due)
    return [read(row) for row in tx.execute(query.order_by(credentials.c.disabling_next).limit(limit))]
