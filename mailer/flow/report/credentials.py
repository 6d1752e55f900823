"""What is seen of the credentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailer.states import CredentialState
from mailer.store import credentials, personal
from mailer.store.credentials import Credential
from mailer.store.db import Tx


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialLine:
    credential: Credential
    person: str | None


def credential_lines(tx: Tx, limit: int, *, states: Sequence[CredentialState] = ()) -> list[CredentialLine]:
    return [
        CredentialLine(credential=found, person=_value(tx, found.person_id))
        for found in credentials.newest(tx, limit, states=states)
    ]


def _value(tx: Tx, personal_id: int | None) -> str | None:
    return personal.get(tx, personal_id).value if personal_id is not None else None
