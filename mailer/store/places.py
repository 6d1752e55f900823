"""Everywhere inside our database that a login may be valid: an office that changed its kind of accounts has some in each."""

from __future__ import annotations

from mailer.store import accounts_local, accounts_pool
from mailer.store.db import Tx


def disable(tx: Tx, credential_id: str) -> None:
    """End the login wherever it is. Needs no key: the courier, who ends superseded ones, holds none of ours."""
    accounts_local.disable(tx, credential_id)
    accounts_pool.disable(tx, credential_id)


def is_from_pool(tx: Tx, credential_id: str) -> bool:
    """Whether the login came ready made from elsewhere, where its end is set too."""
    return accounts_pool.holds(tx, credential_id)
