"""How does intake do in its mailbox what people asked for? Put kept letters back for people, and look again at what was left.

Not a step: intake does it, who owns the connection. The errand stands in the database before the server is asked. A letter that was
put back is known by its fingerprint, also when the process died before it could note that the server took it: then it is met at
the next full listing, and is not put back again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from mailer.core.keeping import Looked
from mailer.flow.tray import is_as_kept, is_forwarded
from mailer.store import errands, ledger, letters
from mailer.store.errands import Errand, ErrandKind
from mailer.store.work import Unit, Worker


class Desk(Protocol):
    """The part of a mailbox that is asked. Every call may raise EdgeError."""

    def since(self, day: date) -> list[int]:
        """Numbers of the letters in the folder that the server got on that day or later, ascending."""

    def put_back(self, content: bytes, received_at: datetime) -> None:
        """Write a letter into the folder, unread; returns only once the server agreed."""


class Errands:
    """Those of one mailbox. `observe`: nothing is put anywhere meanwhile."""

    def __init__(self, worker: Worker, mailbox: Desk, name: str, *, observe: bool) -> None:
        self._worker = worker
        self._mailbox = mailbox
        self._name = name
        self._observe = observe

    def carry_out(self, epoch: int) -> bool:
        """Do the oldest; whether there was one. Only after all that a full listing showed was taken in: see above."""
        with self._worker.reading() as tx:
            waiting = [one for one in errands.pending(tx, self._name) if not (self._observe and one.kind is ErrandKind.FORWARD)]
        if not waiting:
            return False
        errand = waiting[0]
        if errand.kind is ErrandKind.FORWARD:
            self._put_back(errand)
        else:
            self._rescan(epoch, errand)
        return True

    def met(self, unit: Unit, epoch: int, seen: Sequence[Looked]) -> set[int]:
        """Which of these letters were put back for people, now or before: they are nobody else's."""
        prints = {looked.head.item: looked.letter.fingerprint for looked in seen if looked.letter is not None}
        found = errands.forwarded(unit.tx, self._name, sorted(set(prints.values())))
        for item, fingerprint in prints.items():
            if fingerprint in found:
                self._tell_returned(unit, found[fingerprint], {"epoch": epoch, "item": item})
        return {item for item, fingerprint in prints.items() if fingerprint in found}

    def _put_back(self, errand: Errand) -> None:
        with self._worker.reading() as tx:
            kept = letters.get(tx, errand.letter_id or 0)
            whole = is_as_kept(tx, kept, self._worker.pen.key) and is_forwarded(tx, kept, self._worker.pen.key)
        if whole:
            self._mailbox.put_back(kept.content, kept.received_at)
        with self._worker.writing() as unit:
            if whole:
                self._tell_returned(unit, errand, {})
            elif errands.done(unit.tx, errand, at=unit.at):
                why = "the letter is not the one that was kept, or nobody had it put back"
                unit.tell("letter.returned", importance="alarm", outcome="failed", letter=kept.id, mailbox=self._name, why=why)

    def _tell_returned(self, unit: Unit, errand: Errand, where: Mapping[str, object]) -> None:
        """Told once, by whoever sees it first: the answer of the server, or the next look at the folder."""
        if errands.done(unit.tx, errand, at=unit.at):
            unit.tell("letter.returned", letter=errand.letter_id, mailbox=self._name, decided=where)

    def _rescan(self, epoch: int, errand: Errand) -> None:
        items = self._mailbox.since(errand.since or date.min)
        with self._worker.writing() as unit:
            again = ledger.forget_left(unit.tx, self._name, epoch, items)
            if errands.done(unit.tx, errand, at=unit.at):
                unit.tell("rescan.begun", importance="notice", mailbox=self._name, since=str(errand.since), letters=again)
