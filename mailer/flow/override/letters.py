"""What may an officer do with a kept letter?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from mailer.core.lifecycle import LETTER, LetterEvent
from mailer.errors import RefusedError
from mailer.flow.tray import is_as_kept
from mailer.model import Kind
from mailer.store import errands, ledger, letters
from mailer.store.db import Tx
from mailer.store.errands import ErrandKind
from mailer.store.ledger import Filing
from mailer.store.letters import Kept
from mailer.store.work import Unit, Worker


def retry(worker: Worker, numbers: Sequence[int], *, reason: str, dry_run: bool = False) -> list[Kept]:
    """Have quarantined letters read once more; RefusedError when one is not quarantined, and then none of them is."""
    with worker.writing(dry_run=dry_run) as unit:
        for kept in _quarantined(unit.tx, numbers, LetterEvent.RETRIED):
            letters.retry(unit.tx, kept)
            _tell_of_letter(unit, "letter.retried", kept, reason=reason)
        return [letters.get(unit.tx, number) for number in numbers]


def drop(worker: Worker, numbers: Sequence[int], *, reason: str, dry_run: bool = False) -> list[Kept]:
    """Give quarantined letters up; RefusedError when one is not quarantined, and then none of them is given up."""
    with worker.writing(dry_run=dry_run) as unit:
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


def forward(worker: Worker, numbers: Sequence[int], *, reason: str, dry_run: bool = False) -> list[Kept]:
    """Have kept letters put back into the folder they came to, for people; intake does it and never reads them as new.

    RefusedError when one cannot be put back, or still lies there, and then none is.
    """
    with worker.writing(dry_run=dry_run) as unit:
        found = [letters.get(unit.tx, number) for number in dict.fromkeys(numbers)]
        for kept in found:
            _refuse_staying(unit.tx, worker.pen.key, kept)
            errands.ask(unit.tx, kept.mailbox, ErrandKind.FORWARD, at=unit.at, letter_id=kept.id)
            _tell_of_letter(unit, "letter.forwarded", kept, reason=reason)
        return found


def rescan(worker: Worker, mailboxes: Sequence[str], since: date, *, reason: str, dry_run: bool = False) -> None:
    """Have intake look again at the letters that it left in these mailboxes since that day, as if they were new."""
    with worker.writing(dry_run=dry_run) as unit:
        for mailbox in mailboxes:
            errands.ask(unit.tx, mailbox, ErrandKind.RESCAN, at=unit.at, since=since)
            unit.tell("rescan.asked", importance="notice", mailbox=mailbox, since=since.isoformat(), reason=reason)


def _refuse_staying(tx: Tx, key: bytes, kept: Kept) -> None:
    """RefusedError for a letter that needs not or cannot be put back."""
    filed = ledger.filing(tx, kept.mailbox, kept.epoch, kept.item) is Filing.DONE
    if kept.kind is Kind.BOUNCE or (filed and not kept.whole) or not is_as_kept(tx, kept, key):
        raise RefusedError(
            "letter {id} is not kept as it came, and cannot be put back: it lies in the done folder; nothing was changed",
            id=kept.id,
        )
    if not filed:
        raise RefusedError(
            "letter {id} still lies in the folder of {mailbox}; nothing was changed", id=kept.id, mailbox=kept.mailbox
        )
    if any(one.letter_id == kept.id for one in errands.pending(tx, kept.mailbox)):
        raise RefusedError("letter {id} is being put back already; nothing was changed", id=kept.id)


def _quarantined(tx: Tx, numbers: Sequence[int], event: LetterEvent) -> list[Kept]:
    found = [letters.get(tx, number) for number in dict.fromkeys(numbers)]
    for kept in found:
        if (kept.state, event) not in LETTER:
            raise RefusedError("letter {id} is {state}, not quarantined: nothing was changed", id=kept.id, state=kept.state.value)
    return found


def _tell_of_letter(unit: Unit, event: str, kept: Kept, *, reason: str | None) -> None:
    unit.tell(event, sender=kept.sender_code, importance="notice", letter=kept.id, reason=reason, digest=kept.digest)
