"""What may an officer do with a kept letter?"""

from __future__ import annotations

from collections.abc import Sequence

from mailer.core.lifecycle import LETTER, LetterEvent
from mailer.errors import RefusedError
from mailer.store import letters
from mailer.store.db import Tx
from mailer.store.letters import Kept
from mailer.store.work import Unit, Worker


def retry(worker: Worker, numbers: Sequence[int], *, reason: str) -> list[Kept]:
    """Have quarantined letters read once more; RefusedError when one is not quarantined, and then none of them is."""
    with worker.writing() as unit:
        for kept in _quarantined(unit.tx, numbers, LetterEvent.RETRIED):
            letters.retry(unit.tx, kept)
            _tell_of_letter(unit, "letter.retried", kept, reason=reason)
        return [letters.get(unit.tx, number) for number in numbers]


def drop(worker: Worker, numbers: Sequence[int], *, reason: str) -> list[Kept]:
    """Give quarantined letters up; RefusedError when one is not quarantined, and then none of them is given up."""
    with worker.writing() as unit:
        for kept in _quarantined(unit.tx, numbers, LetterEvent.DROPPED):
            letters.drop(unit.tx, kept)
            _tell_of_letter(unit, "letter.dropped", kept, reason=reason)
        return [letters.get(unit.tx, number) for number in numbers]


def show(worker: Worker, number: int) -> Kept:
    """One letter for reading: subject and sender may name people, so who looks at it is recorded."""
    with worker.writing() as unit:
        kept = letters.get(unit.tx, number)
        unit.tell("letter.shown", sender=kept.sender_code, importance="notice", letter=kept.id)
        return kept


def export(worker: Worker, number: int, *, reason: str | None) -> Kept:
    """Any kept letter with its bytes. Who reads a stranger's letter is recorded before he gets it."""
    with worker.writing() as unit:
        kept = letters.get(unit.tx, number)
        if kept.erased_at is not None:
            raise RefusedError("the bytes of letter {id} were destroyed: nothing is left of them", id=kept.id)
        _tell_of_letter(unit, "letter.exported", kept, reason=reason)
        return kept


def _quarantined(tx: Tx, numbers: Sequence[int], event: LetterEvent) -> list[Kept]:
    found = [letters.get(tx, number) for number in dict.fromkeys(numbers)]
    for kept in found:
        if (kept.state, event) not in LETTER:
            raise RefusedError("letter {id} is {state}, not quarantined: nothing was changed", id=kept.id, state=kept.state.value)
    return found


def _tell_of_letter(unit: Unit, event: str, kept: Kept, *, reason: str | None) -> None:
    unit.tell(event, sender=kept.sender_code, importance="notice", letter=kept.id, reason=reason, digest=kept.digest)
