"""Step 7, once a day: the officer is written what was done, what waits, what ends soon and what needs him.

One letter a day, whoever runs and however often it is started: the day's row and the letter are one transaction.
After a stand-still there is one letter, for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from mailer.core import digest
from mailer.core.alarms import Alarm
from mailer.core.replyvalues import LetterValues
from mailer.errors import SetupError
from mailer.flow.stationery import Stationery
from mailer.store import audit, digests, personal
from mailer.store.db import Tx
from mailer.store.work import Unit, Worker

EVERY: Final = timedelta(minutes=1)
FIRST_AFTER: Final = timedelta(seconds=20)  # after a start the mailboxes are first looked through


@dataclass(frozen=True, kw_only=True, slots=True)
class DigestSettings:
    """`officer`: whom to write to; `at`: from which hour on, in the fund's zone."""

    officer: str
    at: time


class DigestStep:
    """The step. `needs`: what needs a person now; `say` translates into the language of letters."""

    def __init__(
        self,
        worker: Worker,
        stationery: Stationery,
        settings: DigestSettings,
        *,
        needs: Callable[[Tx, datetime], Sequence[Alarm]],
        say: Callable[[str], str],
        on_trouble: Callable[[str, Exception], None],
    ) -> None:
        self._worker = worker
        self._stationery = stationery
        self._settings = settings
        self._needs = needs
        self._say = say
        self._on_trouble = on_trouble
        self._looked = worker.clock() - EVERY + FIRST_AFTER

    def step(self) -> bool:
        """Write today's digest if it is time to; whether it was written."""
        now = self._worker.clock()
        if timedelta(0) <= now - self._looked < EVERY:
            return False
        self._looked = now
        with self._worker.reading() as tx:
            day = digest.due_day(now, self._stationery.fund.zone, self._settings.at, digests.founded_at(tx))
            if day is None or digests.is_written(tx, day):
                return False
        try:
            self._stationery.ready()
        except SetupError as error:
            self._on_trouble("daily digest", error)
            return False
        with self._worker.writing() as unit:
            return self._write(unit, day)

    def _write(self, unit: Unit, day: date) -> bool:
        seq, before = audit.head(unit.tx), digests.last(unit.tx)
        if not digests.write(unit.tx, day, at=unit.at, seq=seq):
            return False
        fund = self._stationery.fund
        alarms, checkpoint = self._needs(unit.tx, unit.at), self._stationery.newest_checkpoint(unit.tx)
        signed = None if checkpoint is None else checkpoint.signed
        found = digests.gather(unit.tx, before, now=unit.at, seq=seq, alarms=alarms, checkpoint=signed)
        about = LetterValues(fund_name=fund.name, contact=fund.contact, portal_url=fund.portal_url)
        self._stationery.write(
            unit,
            request_id=None,
            sender_code=None,
            recipient=personal.address(unit, "", self._settings.officer, self._stationery.randbytes),
            name="digest",
            values=digest.values(found, about, day, fund.zone, self._say),
            answered=None,
        )
        return True
