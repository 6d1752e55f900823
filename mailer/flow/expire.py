"""Step 6: who has a login is warned before its end; at the end it is marked and disabled wherever it is valid.

Nothing depends on this sweep being in time: a check of a login tests the term itself. It also tells the sums of failed checks, once
their minute is over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mailer.core import evidence, terms
from mailer.core.lifecycle import CredentialEvent
from mailer.errors import N_, EdgeError, LeaseLostError, RecordError
from mailer.flow import ending, tidings
from mailer.flow.ending import Disabler
from mailer.flow.stationery import Stationery
from mailer.states import CredentialState
from mailer.store import credentials, failures, lifespans, standing
from mailer.store.credentials import Credential
from mailer.store.db import DatabaseError
from mailer.store.work import Unit, Worker

BATCH: Final = 100
LOOK_EVERY: Final = timedelta(minutes=10)  # for terms that are about to end: a day more or less is what counts
NOT_THE_LETTERS_FAULT: Final = (LeaseLostError, RecordError, DatabaseError, EdgeError)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpireSettings:
    """`warn_days`: how many days before the last one a letter goes out; none in `observe`. Days are those of `zone`."""

    warn_days: Sequence[int]
    zone: ZoneInfo


class Expire:
    """The step. `on_trouble` hears of a warning that could not be written."""

    def __init__(
        self,
        worker: Worker,
        accounts: Disabler,
        stationery: Stationery,
        settings: ExpireSettings,
        *,
        on_trouble: Callable[[str, Exception], None],
    ) -> None:
        self._worker = worker
        self._accounts = accounts
        self._stationery = stationery
        self._settings = settings
        self._on_trouble = on_trouble
        self._looked: datetime | None = None

    def step(self) -> bool:
        """End what is over, then warn of what will be; whether there was anything. Warnings never keep back an end."""
        return self._end() or self._warn_all()

    def _end(self) -> bool:
        with self._worker.reading() as tx:
            now = self._worker.clock()
            over = credentials.ended(tx, now, 1) or lifespans.to_disable(tx, now, 1)
            if not over and not failures.any_untold(tx, now):
                return False
        with self._worker.writing() as unit:
            for credential in lifespans.to_disable(unit.tx, unit.at, BATCH):
                ending.retry(unit, self._accounts, credential)
            for credential in credentials.ended(unit.tx, unit.at, BATCH):
                ending.end(unit, self._accounts, credential, CredentialEvent.EXPIRED)
                unit.tell(
                    "credential.expired",
                    sender=credential.sender_code,
                    request=credential.request_id,
                    credential=credential.id,
                    valid_until=evidence.instant(credential.valid_until),
                )
            failures.tell(unit)
        return True

    def _warn_all(self) -> bool:
        """Warn all that are due, looking for them now and then; whether any was."""
        now = self._worker.clock()
        if not self._settings.warn_days or (self._looked and timedelta(0) <= now - self._looked < LOOK_EVERY):
            return False
        with self._worker.reading() as tx:
            longest = max(self._settings.warn_days)
            found = [one.id for one in lifespans.nearing(tx, now, days=longest) if self._due(one, now) is not None]
        if found:
            self._stationery.ready()
        for start in range(0, len(found), BATCH):
            with self._worker.writing() as unit:
                for credential_id in found[start : start + BATCH]:
                    self._warn(unit, credential_id)
        self._looked = now
        return bool(found)

    def _due(self, credential: Credential, now: datetime) -> int | None:
        if credential.issued_at is None or credential.state is not CredentialState.ACTIVE or credential.valid_until < now:
            return None
        today, issued_on = (at.astimezone(self._settings.zone).date() for at in (now, credential.issued_at))
        days = [number for number in self._settings.warn_days if credential.warned_days is None or number < credential.warned_days]
        return terms.warning_due(credential.last_day, today, issued_on, days)

    def _warn(self, unit: Unit, credential_id: str) -> None:
        """One letter, if it is still called for; what breaks it leaves neither letter nor mark, and it is tried again."""
        credential = credentials.lock(unit.tx, credential_id)
        days = self._due(credential, unit.at)
        if days is None:
            return
        try:
            with unit.savepoint():
                lifespans.warned(unit.tx, credential.id, days)
                why = self._warning(unit, credential, days)
                unit.tell(
                    "credential.warned" if why is None else "credential.distrusted",
                    sender=credential.sender_code,
                    request=credential.request_id,
                    importance="info" if why is None else "alarm",
                    outcome="done" if why is None else "failed",
                    credential=credential.id,
                    days=days,
                    valid_until=evidence.instant(credential.valid_until),
                    why=why,
                )
        except NOT_THE_LETTERS_FAULT:
            raise
        except Exception as error:  # one letter that cannot be written must not stop the others
            self._on_trouble(f"warning about credential {credential.id}", error)

    def _warning(self, unit: Unit, credential: Credential, days: int) -> str | None:
        """Write the letter; why none can be written, else None. That it was written before, only who forgot it here can hide."""
        key = self._worker.pen.key
        if standing.was_warned(unit.tx, credential, days, key):
            return N_("the letter about its end was written before")
        return tidings.write(unit, self._stationery, credential, "expiring", key=key)
