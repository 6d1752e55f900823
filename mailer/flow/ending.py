"""How does a login end? Its state first, then its account; an account that cannot be disabled now is tried again until it is.

Not a step: expire, deliver and undelivered end logins through it, and so does a person. A place of validity that fails keeps back
neither the state nor the record, nor what else is done in the same transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

from mailer.core import evidence
from mailer.core.lifecycle import CredentialEvent
from mailer.errors import LeaseLostError, RecordError
from mailer.store import credentials, lifespans
from mailer.store.credentials import Credential
from mailer.store.db import DatabaseError, Tx
from mailer.store.work import Unit

AGAIN: Final = timedelta(minutes=1)
NOT_THE_PLACES_FAULT: Final = (LeaseLostError, RecordError, DatabaseError)


class Disabler(Protocol):
    """The part of the places of validity that ends a login; it takes the open transaction."""

    def disable(self, tx: Tx, credential_id: str) -> None: ...


def end(unit: Unit, accounts: Disabler, credential: Credential, event: CredentialEvent) -> None:
    """Change its state, and disable its account wherever it is. What the event was, the caller tells."""
    credentials.move(unit.tx, credential, event, at=unit.at)
    why = _disable(unit, accounts, credential)
    if why is not None:
        _note(unit, credential, since=unit.at)
        unit.tell(
            "account.disabling-failed",
            sender=credential.sender_code,
            request=credential.request_id,
            importance="alarm",
            outcome="failed",
            credential=credential.id,
            why=why,
            valid_until=evidence.instant(credential.valid_until),
        )


def retry(unit: Unit, accounts: Disabler, credential: Credential) -> None:
    """Try once more to disable the account of a login that is over; told when it succeeds."""
    since = credential.disabling_since or unit.at
    if _disable(unit, accounts, credential) is not None:
        _note(unit, credential, since=since)
        return
    lifespans.disabled(unit.tx, credential.id)
    unit.tell(
        "account.disabled",
        sender=credential.sender_code,
        request=credential.request_id,
        importance="notice",
        credential=credential.id,
        reason="tried again",
        since=evidence.instant(since),
        valid_until=evidence.instant(credential.valid_until),
    )


def _note(unit: Unit, credential: Credential, *, since: datetime) -> None:
    lifespans.disable_later(unit.tx, credential.id, since=since, again_at=unit.at + AGAIN)


def _disable(unit: Unit, accounts: Disabler, credential: Credential) -> str | None:
    """None when it is done; else what kind of failure it was. Its words may be a stranger's and stay out of the record."""
    try:
        with unit.savepoint():
            accounts.disable(unit.tx, credential.id)
    except NOT_THE_PLACES_FAULT:
        raise
    except Exception as error:  # whatever a place of validity may meet: the others must end all the same
        return type(error).__name__
    return None
