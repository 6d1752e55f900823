"""What is to lie in a mailbox's done folder no longer? Letters whose bytes were erased here, and those kept there too long.

The ledger's numbers are those of the folder that is read; moved, a letter has another. So it is known by what does not change:
its headers (the fingerprint), its size and the server's date. What is not exactly a letter of ours stays. Which letters will be
removed is told before the server hears of it, that they were is told with the papers afterwards: a crash in between shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from mailer.core import mime
from mailer.core.destruction import Category, Entry, Papers
from mailer.errors import N_
from mailer.flow.override.destruction import Bureau, Folder, write
from mailer.model import Head
from mailer.store import erasure
from mailer.store.work import Worker

BATCH: Final = 100
FILED: Final = N_("letter in the done folder of the mailbox")


class DoneFolder(Protocol):
    """The done folder of one mailbox, on a connection of its own."""

    def open(self) -> int: ...

    def items(self, *, full: bool) -> list[int]: ...

    def heads(self, items: Sequence[int]) -> list[Head]:
        """Headers, sizes and the server's dates; one that is gone is missing."""

    def remove(self, items: Sequence[int]) -> None:
        """These and no others, for good. EdgeSetupError when the server cannot do that."""


def condemned(worker: Worker, folder: DoneFolder, mailbox: str, *, before: datetime | None) -> dict[int, int]:
    """Number in the done folder -> our letter. `before`: letters that nobody works with go once they were kept before then."""
    folder.open()
    found: dict[int, int] = {}
    items = folder.items(full=True)
    with worker.reading() as tx:
        old = frozenset(erasure.old_letters(tx, before, erased=True)) if before is not None else frozenset[int]()
    for start in range(0, len(items), BATCH):
        heads = {}
        for head in folder.heads(items[start : start + BATCH]):
            letter = mime.read(head.header, whole=False)
            if letter is not None:
                heads[letter.fingerprint, head.received_at, head.size_bytes] = head.item
        with worker.reading() as tx:
            for row in erasure.alike(tx, mailbox, [fingerprint for fingerprint, *_ in heads]):
                item = heads.get((row.fingerprint, row.received_at, row.size_bytes))
                if item is not None and (row.erased_at is not None or row.id in old):
                    found[item] = row.id
    return found


def remove(
    worker: Worker, bureau: Bureau, papers: Folder, folder: DoneFolder, found: dict[int, int], *, mailbox: str, reason: str
) -> None:
    """Take them off the server, with act and extract."""
    letters = sorted(set(found.values()))
    with worker.writing() as unit:
        unit.tell("personal.condemned", importance="notice", mailbox=mailbox, letters=letters, reason=reason)
    items = sorted(found)
    for start in range(0, len(items), BATCH):
        folder.remove(items[start : start + BATCH])
    with worker.writing() as unit:
        said = Papers(
            operator=bureau.operator,
            operator_address=bureau.operator_address,
            system=bureau.system,
            actor=unit.actor,
            reason=reason,
            at=unit.at,
            zone=bureau.zone,
            subjects=[],
            categories=[Category(what=bureau.say(FILED), count=len(found))],
            entries=[
                Entry(at=unit.at, event="personal.removed", seq=None, subject="", what=bureau.say(FILED), number=str(number))
                for number in letters
            ],
            mailbox=mailbox,
        )
        unit.tell("personal.removed", importance="notice", mailbox=mailbox, letters=letters, decided=write(bureau, papers, said))
    papers.finish()
