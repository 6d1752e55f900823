"""How do kept letters leave the folder they came to? Only after the commit, and again until the server agreed.

Not a step: intake files through it. What the server refuses to move stays where it is and is answered all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mailer.errors import EdgeSetupError
from mailer.store import ledger
from mailer.store.work import Worker


class Mover(Protocol):
    """The part of a mailbox that moves letters."""

    def file(self, items: Sequence[int]) -> None:
        """EdgeSetupError: the server refuses for the time being."""


class Filer:
    """Moves the letters of one mailbox, at most `batch` of those left behind at a time."""

    def __init__(self, worker: Worker, mailbox: Mover, name: str, batch: int) -> None:
        self._worker = worker
        self._mailbox = mailbox
        self._name = name
        self._batch = batch
        self._present: set[int] = set()  # at the last full listing, while letters left behind are still to be moved
        self._refused = False

    def listed(self, items: Sequence[int]) -> None:
        """These are all the letters in the folder now."""
        self._present = set(items)

    def forget(self) -> None:
        self._present = set()

    def file(self, epoch: int, items: Sequence[int]) -> bool:
        """Move letters; whether the server agreed. What it refuses stays due and is moved after a later full listing."""
        if not items:
            return True
        try:
            self._mailbox.file(items)
        except EdgeSetupError as error:
            self._tell_refusal(error)
            return False
        with self._worker.writing() as unit:
            ledger.filed(unit.tx, self._name, epoch, items)
        self._tell_refusal(None)
        return True

    def file_left_behind(self, epoch: int) -> bool:
        """Move a batch of what was kept but not moved; what has gone meanwhile counts as moved. Whether there may be more."""
        if not self._present:
            return False
        with self._worker.reading() as tx:
            due = ledger.due(tx, self._name, epoch, self._batch)
        if due and self.file(epoch, [item for item in due if item in self._present] or due):
            return True
        self._present = set()
        return False

    def _tell_refusal(self, error: EdgeSetupError | None) -> None:
        """Told when moving begins to fail and when it works again, not for every letter."""
        if self._refused == (error is not None):
            return
        self._refused = error is not None
        with self._worker.writing() as unit:
            if error is not None:
                unit.tell("filing.refused", importance="alarm", outcome="failed", mailbox=self._name, why=str(error))
            else:
                unit.tell("filing.resumed", importance="notice", mailbox=self._name)
