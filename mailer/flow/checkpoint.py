"""Step 8: the record is signed as it stands and published outside the database, unless something in it is not as it was.

`flow/signing.py` signs; here is when: at the start and the stop, after 100 new records but at most once in 10 seconds, every
quarter of an hour also when nothing happens. A patrol reads the older records again, a page a second, once a day. Whoever of the
two finds a fault, nothing is signed: *checkpoint.refused* is told once and raises an alarm; *checkpoint.resumed* when it is mended
or a restore was declared. The daily digest takes the newest checkpoint to the officer.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from mailer.core.checkpoints import Published, is_due
from mailer.flow.signing import Signer
from mailer.store import audit
from mailer.store.verification import Fault, Walk
from mailer.store.work import Worker

PATROL_EACH: Final = timedelta(days=1)
PAGE_EACH: Final = timedelta(seconds=1)
LOOK_AGAIN: Final = timedelta(minutes=1)
REFUSED: Final = "checkpoint.refused"
RESUMED: Final = "checkpoint.resumed"


class CheckpointStep:
    """The step. `on_trouble` hears why nothing is signed."""

    def __init__(self, worker: Worker, signer: Signer, *, on_trouble: Callable[[str, Exception], None]) -> None:
        self._worker = worker
        self._signer = signer
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
        if refused:
            with self._worker.writing() as unit:
                unit.tell(RESUMED, importance="notice", size=found.checkpoint.size)
        return True

    def _refuse(self, fault: Fault) -> None:
        self._refused_at = self._worker.clock()
        self._patrol.again()
        self._on_trouble("checkpoint", fault.why)
        with self._worker.reading() as tx:
            told = audit.latest(tx, REFUSED, RESUMED) == REFUSED
        if not told:
            with self._worker.writing() as unit:
                unit.tell(REFUSED, importance="alarm", outcome="failed", seq=fault.seq, why=fault.why.message)


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
