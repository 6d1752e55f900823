"""How does a step take kept letters in hand? A try is counted before the work; a bad letter never stops the others.

Not a step: answer and bounce read through it, each its own kind of letters. A batch that fails is tried letter by letter; a letter
that fails alone three times, or takes the process with it, is quarantined, and the others have long gone on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from mailer.core import evidence
from mailer.errors import LeaseLostError, RecordError, TamperedError
from mailer.store import audit, leases, letters
from mailer.store.db import DATABASE_OUTAGE, Tx
from mailer.store.leases import Lease
from mailer.store.letters import Kept
from mailer.store.work import Unit, Worker

DECIDED: Final = frozenset(
    {"letter.observed", "letter.ignored", "request.approved", "request.held", "request.refused", "reply.bounced"}
)


class Tray:
    """The letters of one step: `bounces`, or all others; `batch` at a time.

    `on_trouble` hears of those that could not be read, for the log; what hangs while `watched` ends the process.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        bounces: bool,
        batch: int,
        on_trouble: Callable[[str, Exception], None],
        watched: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._worker = worker
        self._bounces = bounces
        self._batch = batch
        self._on_trouble = on_trouble
        self._watched = watched

    def any_waiting(self) -> bool:
        with self._worker.reading() as tx:
            return letters.waiting(tx, self._lease, self._worker.clock(), bounces=self._bounces)

    def work(self, read: Callable[[Unit, Kept], None]) -> bool:
        """Have a batch read; whether there were any. `read` changes what it decides in the transaction it is given."""
        self._quarantine_spent()
        claimed = self.claim()
        if not claimed:
            return False
        try:
            self.read_all(claimed, read)
        except LeaseLostError:
            raise
        except (RecordError, *DATABASE_OUTAGE):
            with self._worker.writing() as unit:
                letters.give_back(unit.tx, claimed)
            raise
        except Exception as error:  # whatever a letter of a stranger's can provoke: it must not stop the others
            self._on_trouble(f"letters {claimed[0].id}-{claimed[-1].id}", error)
        return True

    def claim(self) -> list[Kept]:
        """Letters taken in hand; none while another worker is at its turn."""
        with self._worker.writing() as unit:
            if not leases.is_turn_free(unit.tx, self._lease):
                return []
            return letters.claim(unit.tx, self._batch, self._lease, unit.at, bounces=self._bounces)

    def read_all(self, claimed: Sequence[Kept], read: Callable[[Unit, Kept], None]) -> None:
        with self._worker.writing(alone=True) as unit:
            for kept in claimed:
                with unit.savepoint(), self._watched(f"letter {kept.id}"):
                    told = _told(unit.tx, kept, self._worker.pen.key)
                    if not _is_told(kept, told):
                        raise TamperedError("letter {id} is not the one that was kept", id=kept.id)
                    if any(header["event"] in DECIDED for header, _ in told):
                        raise TamperedError("letter {id} was decided already", id=kept.id)
                    read(unit, kept)

    @property
    def _lease(self) -> Lease:
        if self._worker.lease is None:
            raise ValueError("letters are read under a lease only")
        return self._worker.lease

    def _quarantine_spent(self) -> None:
        now = self._worker.clock()
        with self._worker.reading() as tx:
            spent = letters.spent(tx, self._lease, now, bounces=self._bounces)
        if spent:
            with self._worker.writing(alone=True) as unit:
                for kept in letters.spent(unit.tx, self._lease, now, bounces=self._bounces):
                    letters.quarantine(unit.tx, kept)
                    unit.tell("letter.quarantined", importance="alarm", outcome="failed", letter=kept.id, attempts=kept.attempts)


def is_as_kept(tx: Tx, kept: Kept, key: bytes) -> bool:
    """Whether the record tells of this very letter: who can only write the database brings no letter in, nor to another step."""
    return _is_told(kept, _told(tx, kept, key))


def is_forwarded(tx: Tx, kept: Kept, key: bytes) -> bool:
    """Whether the record tells that a person had this letter put back for people."""
    return any(header["event"] == "letter.forwarded" for header, _ in _told(tx, kept, key))


def _told(tx: Tx, kept: Kept, key: bytes) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Header and details of those records of a letter and its request that hold, oldest first."""
    return [parts for one in audit.of_letter(tx, kept.id) if not isinstance(parts := evidence.parts(one, key), TamperedError)]


def _is_told(kept: Kept, told: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> bool:
    if hashlib.sha256(kept.content).hexdigest() != kept.digest:
        return False
    for header, details in told:
        if header["event"] == "letter.kept":
            named = [details.get(name) for name in ("letter", "digest", "proven", "kind", "received_at", "fingerprint")]
            received_at = evidence.instant(kept.received_at)
            return named == [kept.id, kept.digest, kept.proven, kept.kind.value, received_at, kept.fingerprint]
    return False
