"""Step 8: the record is signed as it stands and published outside the database, unless something in it is not as it was.

`flow/signing.py` signs; here is when: at the start and the stop, after 100 new records but at most once in 10 seconds, every
quarter of an hour also when nothing happens. A patrol reads the older records again, a page a second, once a day. Whoever of the
two finds a fault, nothing is signed: *checkpoint.refused* is told once and raises an alarm; *checkpoint.resumed* when it is mended
or a restore was declared. Once a day the checkpoint goes to the officer by letter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from mailer.core.checkpoints import Published, is_due
from mailer.core.reply import local_moment
from mailer.core.replyvalues import CheckpointValues
from mailer.errors import SetupError
from mailer.flow.signing import Signer
from mailer.flow.stationery import Stationery
from mailer.store import audit, personal
from mailer.store import checkpoints as kept
from mailer.store.verification import Fault, Walk
from mailer.store.work import Unit, Worker

PATROL_EACH: Final = timedelta(days=1)
PAGE_EACH: Final = timedelta(seconds=1)
LOOK_AGAIN: Final = timedelta(minutes=1)
REFUSED: Final = "checkpoint.refused"
RESUMED: Final = "checkpoint.resumed"


@dataclass(frozen=True, kw_only=True, slots=True)
class DayLetter:
    """The day's checkpoint to the officer, whole, so that it lies with somebody else, too."""

    stationery: Stationery
    officer: str

    def write(self, unit: Unit, published: Published) -> None:
        """SetupError when nothing can be sealed now."""
        self.stationery.ready()
        fund = self.stationery.fund
        values = CheckpointValues(
            fund_name=fund.name,
            contact=fund.contact,
            portal_url=fund.portal_url,
            records=published.checkpoint.size,
            signed_at=local_moment(published.checkpoint.at, fund.zone),
            code=published.code,
            note=tuple(published.signed.splitlines()),
        )
        recipient = personal.address(unit.tx, "", self.officer, self.stationery.randbytes)
        self.stationery.write(
            unit, request_id=None, sender_code=None, recipient=recipient, name="checkpoint", values=values, answered=None
        )


class CheckpointStep:
    """The step. `letter` goes to the officer, None where nobody is written to; `zone`: in which his day changes."""

    def __init__(
        self,
        worker: Worker,
        signer: Signer,
        *,
        zone: ZoneInfo,
        letter: DayLetter | None,
        on_trouble: Callable[[str, Exception], None],
    ) -> None:
        self._worker = worker
        self._signer = signer
        self._zone = zone
        self._letter = letter
        self._on_trouble = on_trouble
        self._patrol = Patrol(worker, signer)
        self._signed: Published | None = None
        self._signed_at: datetime | None = None
        self._refused_at: datetime | None = None
        self._well = False

    def step(self) -> bool:
        """Read a page of the older records again; sign when it is time to. Whether anything was signed or refused."""
        self._well = False
        self._patrol.step()
        acted = self._is_time() and self._sign()
        self._well = True
        return acted

    def close(self) -> None:
        """Sign what is there at a stop. What hinders that is told, it hinders no stop."""
        if not self._well:
            return
        try:
            self._sign()
        except Exception as error:  # whatever it is, the process ends now
            self._on_trouble("checkpoint at the stop", error)

    def _is_time(self) -> bool:
        now = self._worker.clock()
        if self._refused_at is not None:
            return not timedelta(0) <= now - self._refused_at < LOOK_AGAIN
        with self._worker.reading() as tx:
            size = audit.head(tx)
        signed = self._signed.checkpoint.size if self._signed else 0
        return is_due(size - signed, self._signed_at, now)

    def _sign(self) -> bool:
        found = self._patrol.fault or self._signer.publish()
        if isinstance(found, Fault):
            self._refuse(found)
            return True
        self._signed, self._signed_at, self._refused_at = found, self._worker.clock(), None
        with self._worker.reading() as tx:
            refused = audit.latest(tx, REFUSED, RESUMED) == REFUSED
            mailed_at = kept.last_mailed(tx)
        if refused:
            with self._worker.writing() as unit:
                unit.tell(RESUMED, importance="notice", size=found.checkpoint.size)
        if self._letter is not None and self._is_of_another_day(mailed_at):
            self._mail(self._letter, found)
        return True

    def _mail(self, letter: DayLetter, published: Published) -> None:
        """What hinders the letter is told; it is written with a later checkpoint of the day."""
        try:
            with self._worker.writing() as unit:
                letter.write(unit, published)
                kept.mailed(unit.tx, published, unit.at)
        except SetupError as error:
            self._on_trouble("letter to the officer", error)

    def _refuse(self, fault: Fault) -> None:
        self._refused_at = self._worker.clock()
        self._patrol.again()
        self._on_trouble("checkpoint", fault.why)
        with self._worker.reading() as tx:
            told = audit.latest(tx, REFUSED, RESUMED) == REFUSED
        if not told:
            with self._worker.writing() as unit:
                unit.tell(REFUSED, importance="alarm", outcome="failed", seq=fault.seq, why=fault.why.message)

    def _is_of_another_day(self, mailed_at: datetime | None) -> bool:
        return mailed_at is None or mailed_at.astimezone(self._zone).date() != self._worker.clock().astimezone(self._zone).date()


class Patrol:
    """Reads what is under checkpoints once more, from the first record on. `fault`: what it met the last time."""

    def __init__(self, worker: Worker, signer: Signer) -> None:
        self.fault: Fault | None = None
        self._worker = worker
        self._signer = signer
        self._walk: Walk | None = None
        self._upto = 0
        self._due_at: datetime | None = None

    def step(self) -> None:
        now = self._worker.clock()
        if self._due_at is not None and now < self._due_at <= now + PATROL_EACH:  # the second: the clock was set back
            return
        if self._walk is None:
            with self._signer.standing() as said:
                self._walk = Walk(self._worker.pen.key, [one.checkpoint for one in said.valid])
                self._upto = said.last.checkpoint.size if said.last else 0
        with self._worker.reading() as tx:
            met = self._walk.page(tx, self._upto)
        self._due_at = now + PAGE_EACH
        if met is not None or self._walk.edge.size >= self._upto:
            self.fault, self._walk, self._due_at = met, None, now + PATROL_EACH

    def again(self) -> None:
        """Begin anew at the next step: what was wrong may be mended."""
        self._walk, self._due_at = None, None
