"""Step 1: letters of one mailbox become kept letters, or a note in the ledger and nothing else.

Headers first; only what is ours is fetched whole. Keep, commit, and only then tell the server. A crash anywhere means: fetched
again, kept once. What is not ours stays where it is, untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from typing import Final, Protocol

from mailer.core import keeping
from mailer.core.caution import Caution
from mailer.errors import EdgeError, LeaseLostError, RecordError
from mailer.flow.errands import Errands
from mailer.flow.filer import Filer
from mailer.flow.keeping import IntakeSettings, Keeping
from mailer.model import Head, Kind
from mailer.store import ledger, letters, tries
from mailer.store.db import DATABASE_OUTAGE
from mailer.store.ledger import Filing
from mailer.store.letters import SINGLE_ATTEMPTS
from mailer.store.work import Pulse, Worker

FULL_EVERY: Final = timedelta(minutes=10)
NUMBER_MAX: Final = 2**63 - 1  # what a database column takes
NOT_THE_LETTERS_FAULT: Final = (EdgeError, LeaseLostError, RecordError, *DATABASE_OUTAGE)


class Mailbox(Protocol):
    """One folder of letters. Every call may raise EdgeError: then the mailbox is closed and opened again later."""

    name: str

    def open(self) -> int:
        """Connect; the epoch (UIDVALIDITY) under which items are numbered."""

    def items(self, *, full: bool) -> list[int]:
        """Numbers of the letters in the folder, ascending: all, or those newer than any seen since `open`."""

    def heads(self, items: Sequence[int]) -> list[Head]:
        """Header blocks; what the server leaves out is left out. Reading changes nothing on the server."""

    def whole(self, items: Sequence[int]) -> dict[int, bytes]: ...

    def since(self, day: date) -> list[int]:
        """Numbers of the letters in the folder that the server got on that day or later, ascending."""

    def put_back(self, content: bytes, received_at: datetime) -> None:
        """Write a letter into the folder, unread; returns only once the server agreed."""

    def file(self, items: Sequence[int]) -> None:
        """Move letters out of the folder; returns only once the server agreed. Calling twice is fine.

        EdgeSetupError: the server refuses for the time being; the mailbox stays open and can be read on.
        """

    def wait(self, seconds: float, keep_going: Callable[[], bool]) -> bool:
        """Wait for news; True: something may have arrived. Asks `keep_going` every second or so."""

    def close(self) -> None: ...


class Intake:
    """The step; it alone uses its mailbox.

    `caution` is what the step before it, that a broken line ended, has learnt. `on_trouble` is for the log; what hangs while
    `watched` ends the process.
    """

    def __init__(
        self,
        worker: Worker,
        mailbox: Mailbox,
        settings: IntakeSettings,
        caution: Caution,
        *,
        on_trouble: Callable[[str, Exception], None],
        watched: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._worker = worker
        self._mailbox = mailbox
        self._settings = settings
        self._caution = caution
        self._on_trouble = on_trouble
        self._watched = watched
        self._filer = Filer(worker, mailbox, settings.mailbox, settings.batch)
        self._errands = Errands(worker, mailbox, settings.mailbox, observe=settings.observe)
        self._keeping = Keeping(worker, self._errands, settings)
        self._pulse = Pulse(worker)
        self._epoch: int | None = None
        self._full_due: datetime | None = None
        self._new: list[int] = []
        self._careful = True  # note a try before it is made: whatever ran before may have died of a letter

    def step(self) -> bool:
        """Take in one batch of what is new, or look at what failed before, or move one batch of what was left behind."""
        epoch = self._epoch if self._epoch is not None else epoch_of(self._mailbox.open(), self._worker.clock())
        self._epoch = epoch
        if not self._new:
            self._look_out(epoch)
        size = self._caution.size(epoch, self._new[0], self._settings.batch) if self._new else 0
        batch, self._new = self._new[:size], self._new[size:]
        taken = self._take_batch(epoch, batch) if batch else 0
        self._pulse()
        if self._new:
            return True
        suspects = self._suspects(epoch)
        for item, attempts in suspects.items():
            self._take_alone(epoch, item, attempts)
        self._careful = bool(suspects)
        if not suspects and self._full_due is not None and self._errands.carry_out(epoch):
            self._full_due = None
            return True
        left_behind = not self._settings.observe and self._filer.file_left_behind(epoch)
        return left_behind or taken > 0 or bool(suspects)

    def rest(self, keep_going: Callable[[], bool]) -> None:
        """Wait until letters may have arrived."""

        def still() -> bool:
            self._pulse()
            return keep_going()

        self._mailbox.wait(self._settings.wait_seconds, still)

    def close(self) -> None:
        self._epoch = None
        self._full_due = None
        self._new = []
        self._filer.forget()
        self._mailbox.close()

    def _look_out(self, epoch: int) -> None:
        """List what is new; after connecting and every 10 minutes from all that is there."""
        now = self._worker.clock()
        full = self._full_due is None or not now < self._full_due <= now + FULL_EVERY
        items = self._mailbox.items(full=full)
        suspects = self._suspects(epoch)
        with self._worker.reading() as tx:
            unseen = ledger.unseen(tx, self._settings.mailbox, epoch, items)
        self._new = [item for item in unseen if item not in suspects and not self._caution.is_given_up(epoch, item)]
        if full:
            self._full_due = now + FULL_EVERY
            self._filer.listed(items)

    def _suspects(self, epoch: int) -> dict[int, int]:
        with self._worker.reading() as tx:
            known = tries.suspects(tx, self._settings.mailbox, epoch)
        return {item: attempts for item, attempts in known.items() if not self._caution.is_given_up(epoch, item)}

    def _take_batch(self, epoch: int, items: Sequence[int]) -> int:
        """Take letters in together; how many. If one of them cannot be looked at, they are looked at one by one."""
        if self._careful:
            self._suspect(epoch, items)
        try:
            return self._take_over_the_line(epoch, items)
        except EdgeError:
            with self._worker.writing() as unit:  # no letter was looked at: caution asks for half of them next time
                tries.forget(unit.tx, self._settings.mailbox, epoch, items)
            raise
        except NOT_THE_LETTERS_FAULT:
            raise
        except Exception as error:  # whatever a letter of a stranger's can provoke: it must not stop the others
            self._on_trouble(f"letters {items[0]}-{items[-1]} of {self._settings.mailbox}", error)
            if not self._careful:
                self._suspect(epoch, items)
            return 0

    def _suspect(self, epoch: int, items: Sequence[int]) -> None:
        name = self._settings.mailbox
        with self._worker.writing() as unit:
            tries.in_company(unit.tx, name, epoch, ledger.unseen(unit.tx, name, epoch, items))

    def _take_alone(self, epoch: int, item: int, attempts: int) -> None:
        """One more try of a letter that failed in company; after three it is set aside, and stays in the folder for people."""
        self._count(epoch, item, attempts + 1)
        try:
            if attempts < SINGLE_ATTEMPTS:
                self._take_over_the_line(epoch, [item])
            else:
                self._set_aside(epoch, item, fetched=attempts == SINGLE_ATTEMPTS)
        except LeaseLostError:
            raise
        except NOT_THE_LETTERS_FAULT:
            self._count(epoch, item, attempts)
            raise
        except Exception as error:  # as in company
            self._on_trouble(f"letter {item} of {self._settings.mailbox}", error)
            return
        with self._worker.writing() as unit:  # also of a letter that somebody has removed meanwhile
            tries.forget(unit.tx, self._settings.mailbox, epoch, [item])

    def _count(self, epoch: int, item: int, attempts: int) -> None:
        with self._worker.writing() as unit:
            tries.alone(unit.tx, self._settings.mailbox, epoch, item, attempts=attempts)

    def _take_over_the_line(self, epoch: int, items: Sequence[int]) -> int:
        """Take letters in; a line that breaks meanwhile makes cautious."""
        try:
            return self._take(epoch, items)
        except EdgeError as error:
            if self._caution.broke(epoch, items):
                with self._worker.writing() as unit:
                    where = {"mailbox": self._settings.mailbox, "epoch": epoch, "item": items[0]}
                    unit.tell("letter.unreachable", importance="alarm", outcome="failed", decided=where, why=str(error))
            raise

    def _set_aside(self, epoch: int, item: int, *, fetched: bool) -> None:
        """Keep the headers unread, quarantined; nothing at all if even fetching them fails."""
        heads = self._mailbox.heads([item]) if fetched else []
        with self._worker.writing() as unit:
            head = heads[0] if heads else Head(item=item, received_at=unit.at, size_bytes=0, header=b"")
            ledger.note(unit.tx, self._settings.mailbox, epoch, [(item, Kind.UNREADABLE, Filing.LEFT)])
            kept_id = self._keeping.keep_unread(unit, epoch, head)
            letters.quarantine(unit.tx, letters.get(unit.tx, kept_id))
            unit.tell("letter.quarantined", importance="alarm", outcome="failed", letter=kept_id, attempts=SINGLE_ATTEMPTS)
            tries.forget(unit.tx, self._settings.mailbox, epoch, [item])

    def _take(self, epoch: int, items: Sequence[int]) -> int:
        """Take these letters in; how many. What the server leaves out is none of them, so that it is not asked without a pause."""
        heads = self._mailbox.heads(items)
        taken = 0
        if len(heads) < len(items):
            self._full_due = None  # what the server left out is looked for again
        with self._watched(f"look at {self._settings.mailbox}"):
            arrivals = self._keeping.look(heads)
        for group in keeping.by_size(arrivals, self._settings.max_bytes):
            wanted = [arrival.looked.head.item for arrival in group if arrival.whole]
            bodies = self._mailbox.whole(wanted) if wanted else {}
            if len(bodies) < len(wanted):
                self._full_due = None
            complete = [arrival for arrival in group if not arrival.whole or arrival.looked.head.item in bodies]
            self._filer.file(epoch, self._keeping.keep(epoch, complete, bodies))
            taken += len(complete)
        return taken


def epoch_of(told: int, now: datetime) -> int:
    """Under which epoch the numbers of a server that says this UIDVALIDITY are noted.

    0 means that it keeps no numbers from one connection to the next: each connection is an epoch of its own, below all others.
    """
    if told == 0:
        return -int(now.timestamp() * 1_000_000)
    return told & NUMBER_MAX
