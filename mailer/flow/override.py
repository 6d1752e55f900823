"""What may a person change? Every manual action, from commands or the console, goes this one way and is told to the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mailer.core import evidence, ruleexamples
from mailer.core.lifecycle import CREDENTIAL, CredentialEvent
from mailer.core.rules import Ruleset
from mailer.errors import RefusedError
from mailer.model import Sender
from mailer.store import credentials, office, senders
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.work import Worker


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
