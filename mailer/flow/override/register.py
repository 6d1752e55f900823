"""What may an officer change about who may ask?"""

from __future__ import annotations

from collections.abc import Sequence

from mailer.model import Sender
from mailer.store import senders
from mailer.store.work import Worker


def import_file(worker: Worker, rows: Sequence[Sender], *, file_digest: str) -> tuple[int, int]:
    """Take a checked register file in: (new, changed). Nothing is removed by an import but what nobody had written."""
    with worker.writing() as unit:
        new, changed = senders.add(unit, rows, worker.pen)
        unit.tell("senders.imported", importance="notice", file_digest=file_digest, senders=len(rows), new=new, changed=changed)
    return new, changed


def adopt(worker: Worker) -> None:
    """Tell the record of the rows that an older version of this program wrote, so that they are believed."""
    with worker.writing() as unit:
        for sender in senders.every(unit.tx):
            senders.register(unit, sender.code, worker.pen)
