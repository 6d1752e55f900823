"""At which moments can a process die? Every one that has a name, each in two ways.

A commit is named by the event it tells to the record, or by what it writes where it tells none. A line to a mail server is named by
the command on it. `test_crash_moments.py` compares the commits with the record's events in docs/audit.md, so that a new event
cannot be forgotten here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Part(StrEnum):
    """Who dies."""

    SUPERVISOR = "supervisor"
    DESK = "desk"
    COURIER = "courier"
    PERSON = "person"  # a command that somebody gave


class Way(StrEnum):
    """FAILED: the step was begun and did not happen. DONE: it happened, and nobody was left to hear of it."""

    FAILED = "failed"
    DONE = "failed, but was done"


class Place(StrEnum):
    """Where the moment is caught: in the process itself, or from outside, on its line to the mail server."""

    COMMIT = "commit"  # of a transaction
    CALL = "call"  # of a function that touches keys, or the files beside them
    IMAP = "imap"
    SMTP = "smtp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    part: Part
    place: Place
    name: str
    way: Way

    @property
    def where(self) -> str:
        return WHERE[self.place]

    def __str__(self) -> str:
        return f"{self.part} {self.where} «{self.name}» {self.way}"


WHERE: Final = {
    Place.COMMIT: "at a commit",
    Place.CALL: "at the keys",
    Place.IMAP: "on a line to IMAP",
    Place.SMTP: "on a line to SMTP",
}

# Commits by the events they tell.
EVENTS: Final[Mapping[str, Part]] = {
    "letter.kept": Part.DESK,
    "intake.capped": Part.DESK,
    "letter.renumbered": Part.DESK,
    "letter.unreachable": Part.DESK,
    "filing.refused": Part.DESK,
    "filing.resumed": Part.DESK,
    "letter.quarantined": Part.DESK,
    "letter.observed": Part.DESK,
    "letter.ignored": Part.DESK,
    "request.held": Part.DESK,
    "request.refused": Part.DESK,
    "request.approved": Part.DESK,
    "reply.bounced": Part.DESK,
    "credential.suspended": Part.COURIER,
    "issuing.paused": Part.DESK,
    "issuing.resumed": Part.DESK,
    "credential.reserved": Part.DESK,
    "credential.issued": Part.DESK,
    "pool.skipped": Part.DESK,
    "pool.low": Part.DESK,
    "reply.queued": Part.DESK,
    "reply.leased": Part.COURIER,
    "reply.returned": Part.COURIER,
    "reply.postponed": Part.COURIER,
    "delivery.paused": Part.COURIER,
    "delivery.resumed": Part.COURIER,
    "reply.sent": Part.COURIER,
    "reply.doubted": Part.COURIER,
    "reply.failed": Part.COURIER,
    "request.answered": Part.COURIER,
    "credential.superseded": Part.COURIER,
    "credential.expired": Part.DESK,
    "credential.check-failed": Part.DESK,
    "pool.imported": Part.PERSON,
    "account.disabled": Part.PERSON,
    "key.made": Part.COURIER,
    "key.destroyed": Part.COURIER,
    "key.rotated": Part.PERSON,
    "alarm.raised": Part.DESK,
    "alarm.cleared": Part.DESK,
    "notice.queued": Part.DESK,
    "senders.imported": Part.PERSON,
    "sender.registered": Part.PERSON,
    "sender.shown": Part.PERSON,
    "senders.exported": Part.PERSON,
    "persons.imported": Part.PERSON,
    "persons.shown": Part.PERSON,
    "rules.activated": Part.PERSON,
    "credential.revoked": Part.PERSON,
    "letter.retried": Part.PERSON,
    "letter.dropped": Part.PERSON,
    "letter.exported": Part.PERSON,
    "command.refused": Part.PERSON,
    "step.paused": Part.PERSON,
    "step.resumed": Part.PERSON,
}

# Events that are told only in the commit of another one.
TOLD_WITH: Final[Mapping[str, str]] = {
    **{f"sender.{deed}": "sender.registered" for deed in ("added", "edited", "blocked", "unblocked", "merged")},
    "sender.distrusted": "request.held",
    "persons.distrusted": "request.held",
    "persons.listed": "persons.imported",
    "key.needed": "key.destroyed",
}

# Events that the campaign does not bring about: each is told in one transaction, and a test of its own looks at it.
ELSEWHERE: Final[Mapping[str, str]] = {
    "personal.distrusted": "tests/flow/test_flow_attacks_rows.py",
    "credential.abandoned": "tests/flow/test_flow_closing.py",
    "credential.distrusted": "tests/flow/test_flow_standing.py",
    "credential.extended": "tests/flow/test_flow_again.py",
    "credential.reissue-asked": "tests/flow/test_flow_again.py",
    "credential.resumed": "tests/flow/test_flow_again.py",
    "reply.requeued": "tests/flow/test_flow_again.py",
    "credential.warned": "tests/flow/test_flow_expire.py",
    "account.disabling-failed": "tests/flow/test_flow_expire.py",
    "audit.exported": "tests/cli/test_cli_export.py",
    "audit.key-changed": "tests/crash/test_crash_signing_key.py",
    "audit.key-lost": "tests/crash/test_crash_signing_key.py",
    "audit.pruned": "tests/flow/test_flow_pruning.py",
    "audit.restored": "tests/flow/test_flow_checkpoint.py",
    "command.failed": "tests/cli/test_cli_record_of_commands.py",
    "configuration.changed": "tests/service/test_service_runs.py",
    "credential.checked": "tests/cli/test_cli_accounts.py",
    "credential.shown": "tests/cli/test_cli_record_of_commands.py",
    "database.upgraded": "tests/cli/test_cli_keys.py",
    "letter.shown": "tests/cli/test_cli_record_of_commands.py",
    "service.lost": "tests/service/test_service_runs.py",
    "service.started": "tests/service/test_service_runs.py",
    "service.stopped": "tests/service/test_service_runs.py",
    "checkpoint.refused": "tests/flow/test_flow_checkpoint.py",
    "checkpoint.resumed": "tests/flow/test_flow_checkpoint.py",
    "personal.compacted": "tests/cli/test_cli_personal.py",
    "personal.condemned": "tests/flow/test_flow_filed.py",
    "personal.erased": "tests/flow/test_flow_personal.py",
    "personal.exported": "tests/flow/test_flow_personal.py",
    "personal.found": "tests/flow/test_flow_personal.py",
    "personal.removed": "tests/flow/test_flow_filed.py",
    "request.shown": "tests/cli/test_cli_worklist.py",
    "request.undone": "tests/flow/test_flow_decisions.py",
    "requests.searched": "tests/cli/test_cli_worklist.py",
    "request.withdrawn": "tests/flow/test_flow_personal.py",
    "letter.forwarded": "tests/flow/test_flow_errands.py",
    "letter.returned": "tests/flow/test_flow_errands.py",
    "rescan.asked": "tests/flow/test_flow_errands.py",
    "rescan.begun": "tests/flow/test_flow_errands.py",
    "request.corrected": "tests/flow/test_flow_corrections.py",
}

# Commits that tell nothing: name -> the function of the store that does the writing.
SILENT: Final[Mapping[str, str]] = {
    "letters claimed": "mailer.store.letters:claim",
    "letters filed": "mailer.store.ledger:filed",
    "lease taken": "mailer.store.leases:acquire",
    "lease left": "mailer.store.leases:release",
    "checkpoint noted": "mailer.store.checkpoints:put",
}

# Calls that touch keys, or the files beside them: name -> the function.
CALLS: Final[Mapping[str, str]] = {
    "reply sealed": "mailer.edge.keys:Keyring.seal",
    "reply opened": "mailer.edge.keys:Keyring.open",
    "key written": "mailer.edge.keys_file:write",
    "login noted": "mailer.edge.marks_handed:HandedOutFile.note",
    "checkpoint signed": "mailer.core.note:sign",
    "checkpoint published": "mailer.edge.checkpoints:CheckpointFile.append",
    "signing key written": "mailer.edge.signing:_put",
}

IMAP: Final = ("login", "select", "search", "headers", "whole", "move", "idle")
SMTP: Final = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot")

_BY_PART: Final[Sequence[tuple[Part, Place, Sequence[str]]]] = (
    *((part, Place.COMMIT, (event,)) for event, part in EVENTS.items()),
    (Part.DESK, Place.COMMIT, tuple(SILENT)),
    (Part.COURIER, Place.COMMIT, ("lease taken", "lease left")),
    (Part.DESK, Place.CALL, ("reply sealed", "login noted", "checkpoint signed", "checkpoint published")),
    (Part.COURIER, Place.CALL, ("reply opened", "key written")),
    (Part.DESK, Place.IMAP, IMAP),
    (Part.COURIER, Place.SMTP, SMTP),
)

ALL: Final = tuple(
    Moment(part=part, place=place, name=name, way=way) for part, place, names in _BY_PART for name in names for way in Way
)
