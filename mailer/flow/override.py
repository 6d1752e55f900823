"""What may a person change? Every manual action, from commands or the console, goes this one way and is told to the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mailer.core import evidence, ruleexamples
from mailer.core.lifecycle import CREDENTIAL, LETTER, CredentialEvent, LetterEvent
from mailer.core.rules import Ruleset
from mailer.errors import RefusedError
from mailer.model import Sender
from mailer.store import credentials, letters, office, senders
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.letters import Kept
from mailer.store.work import Unit, Worker


class Disabler(Protocol):
    """The part of the places of validity that ends a login; it takes the open transaction."""

    def disable(self, tx: Tx, credential_id: str) -> None: ...


def import_senders(worker: Worker, rows: Sequence[Sender], *, file_digest: str) -> tuple[int, int]:
    """Take a checked register file in: (new, changed). Nothing is removed by an import but what nobody had written."""
    with worker.writing() as unit:
        new, changed = senders.add(unit, rows, worker.pen)
        unit.tell("senders.imported", importance="notice", file_digest=file_digest, senders=len(rows), new=new, changed=changed)
    return new, changed


def adopt_register(worker: Worker) -> None:
    """Tell the record of the rows that an older version of this program wrote, so that they are believed."""
    with worker.writing() as unit:
        for sender in senders.every(unit.tx):
            senders.register(unit, sender.code, worker.pen)


def activate_rules(worker: Worker, ruleset: Ruleset, content: Mapping[str, str]) -> None:
    """From now on these rules decide; a running desk takes them up when it is started again.

    RefusedError when an example in the rule files comes out otherwise: rules that contradict themselves never take force.
    """
    failed = [outcome for outcome in ruleexamples.run(ruleset) if not outcome.passed]
    if failed:
        raise RefusedError(
            "the rules are not activated, examples come out otherwise: {examples}; see `mailer rules test`",
            examples=", ".join(f"{ruleset.name(outcome.place)} #{outcome.number}" for outcome in failed),
        )
    with worker.writing() as unit:
        before = office.active(unit.tx)
        office.activate(unit.tx, ruleset_hash=ruleset.hash, content=content, actor=worker.actor, at=unit.at)
        unit.tell("rules.activated", importance="notice", ruleset=ruleset.hash, before=before.hash if before else None)


def revoke(worker: Worker, accounts: Disabler, written: str, *, reason: str) -> Credential:
    """End a credential now, wherever it is valid. RefusedError when it has ended already, NotFoundError when there is none."""
    with worker.writing() as unit:
        credential = credentials.find(unit.tx, written)
        if (credential.state, CredentialEvent.REVOKED) not in CREDENTIAL:
            raise RefusedError(
                "the credential {login} is {state} and cannot be revoked", login=credential.login, state=credential.state.value
            )
        credentials.move(unit.tx, credential, CredentialEvent.REVOKED, at=unit.at)
        accounts.disable(unit.tx, credential.id)
        unit.tell(
            "credential.revoked",
            sender=credential.sender_code,
            request=credential.request_id,
            importance="notice",
            credential=credential.id,
            reason=reason,
            valid_until=evidence.instant(credential.valid_until),
        )
        return credentials.get(unit.tx, credential.id)


def retry_letters(worker: Worker, numbers: Sequence[int], *, reason: str) -> list[Kept]:
    """Have quarantined letters read once more; RefusedError when one is not quarantined, and then none of them is."""
    with worker.writing() as unit:
        for kept in _quarantined(unit.tx, numbers, LetterEvent.RETRIED):
            letters.retry(unit.tx, kept)
            _tell_of_letter(unit, "letter.retried", kept, reason=reason)
        return [letters.get(unit.tx, number) for number in numbers]


def drop_letters(worker: Worker, numbers: Sequence[int], *, reason: str) -> list[Kept]:
    """Give quarantined letters up; RefusedError when one is not quarantined, and then none of them is given up."""
    with worker.writing() as unit:
        for kept in _quarantined(unit.tx, numbers, LetterEvent.DROPPED):
            letters.drop(unit.tx, kept)
            _tell_of_letter(unit, "letter.dropped", kept, reason=reason)
        return [letters.get(unit.tx, number) for number in numbers]


def export_letter(worker: Worker, number: int, *, reason: str | None) -> Kept:
    """Any kept letter with its bytes. Who reads a stranger's letter is recorded before he gets it."""
    with worker.writing() as unit:
        kept = letters.get(unit.tx, number)
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
