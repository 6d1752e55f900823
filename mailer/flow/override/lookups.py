"""Who looked at whose data? A look at one request, and a search by a name, are told to the record before anything is shown."""

from __future__ import annotations

from mailer.core import evidence
from mailer.store import requests
from mailer.store.work import Worker


def shown(worker: Worker, number: int) -> None:
    """NotFoundError when there is no such request; RecordError: then it may not be shown."""
    with worker.writing() as unit:
        request = requests.get(unit.tx, number)
        unit.tell("request.shown", sender=request.sender_code, request=number)


def searched(worker: Worker, asked: str) -> None:
    """What was looked for stands in the record as a digest under the record key: it can be compared, and not be guessed."""
    with worker.writing() as unit:
        unit.tell("requests.searched", digest=evidence.personal_digest(worker.pen.key, asked))
