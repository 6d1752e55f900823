"""Step 6: credentials whose term is over are marked and disabled where they are valid.

Nothing depends on this sweep being in time: a check of a login tests the term itself. It also tells the sums of failed checks, once
their minute is over.
"""

from __future__ import annotations

from typing import Final, Protocol

from mailer.core import evidence
from mailer.core.lifecycle import CredentialEvent
from mailer.store import credentials, failures
from mailer.store.db import Tx
from mailer.store.work import Worker

BATCH: Final = 100


class Disabler(Protocol):
    """The part of the places of validity that ends a login; it takes the open transaction."""

    def disable(self, tx: Tx, credential_id: str) -> None: ...


class Expire:
    """The step."""

    def __init__(self, worker: Worker, accounts: Disabler) -> None:
        self._worker = worker
        self._accounts = accounts

    def step(self) -> bool:
        """End what is over; whether there was anything."""
        with self._worker.reading() as tx:
            now = self._worker.clock()
            if not credentials.ended(tx, now, 1) and not failures.any_untold(tx, now):
                return False
        with self._worker.writing() as unit:
            for credential in credentials.ended(unit.tx, unit.at, BATCH):
                credentials.move(unit.tx, credential, CredentialEvent.EXPIRED, at=unit.at)
                self._accounts.disable(unit.tx, credential.id)
                unit.tell(
                    "credential.expired",
                    sender=credential.sender_code,
                    request=credential.request_id,
                    credential=credential.id,
                    valid_until=evidence.instant(credential.valid_until),
                )
            failures.tell(unit)
        return True
