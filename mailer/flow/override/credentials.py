"""What may an officer do with a login that was issued?"""

from __future__ import annotations

from mailer.core import evidence
from mailer.core.lifecycle import CREDENTIAL, CredentialEvent
from mailer.errors import RefusedError
from mailer.flow import ending
from mailer.flow.ending import Disabler
from mailer.store import credentials
from mailer.store.credentials import Credential
from mailer.store.work import Unit, Worker


def revoke(worker: Worker, accounts: Disabler, written: str, *, reason: str) -> Credential:
    """End a credential now, wherever it is valid. RefusedError when it has ended already, NotFoundError when there is none."""
    with worker.writing() as unit:
        credential = credentials.find(unit.tx, written)
        if (credential.state, CredentialEvent.REVOKED) not in CREDENTIAL:
            raise RefusedError(
                "the credential {login} is {state} and cannot be revoked", login=credential.login, state=credential.state.value
            )
        end(unit, accounts, credential, reason=reason)
        return credentials.get(unit.tx, credential.id)


def show(worker: Worker, written: str) -> Credential:
    """One credential for reading, with the request it was issued on: that names a person, so who looks at it is recorded."""
    with worker.writing() as unit:
        credential = credentials.find(unit.tx, written)
        unit.tell(
            "credential.shown",
            sender=credential.sender_code,
            request=credential.request_id,
            importance="notice",
            credential=credential.id,
        )
        return credential


def end(unit: Unit, accounts: Disabler, credential: Credential, *, reason: str) -> None:
    """Revoke this credential in a transaction that does more than that."""
    ending.end(unit, accounts, credential, CredentialEvent.REVOKED)
    unit.tell(
        "credential.revoked",
        sender=credential.sender_code,
        request=credential.request_id,
        importance="notice",
        credential=credential.id,
        reason=reason,
        valid_until=evidence.instant(credential.valid_until),
    )
