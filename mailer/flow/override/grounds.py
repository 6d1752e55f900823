"""On what does an officer decide? The request as the record tells it, the sender as the register has it today, and the gate.

Rules are the office's, and a person may decide otherwise. The gate is nobody's: what it bars, no person lets through.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailer.core import mime
from mailer.core.decide import gate
from mailer.core.rules import Ruleset
from mailer.errors import N_, RefusedError
from mailer.flow.stationery import refuse_unwritable
from mailer.flow.tray import is_as_kept
from mailer.model import Facts, Kind, Letter, Own, Sender, Verdict
from mailer.store import facts, letters, personal, proof, requests, senders
from mailer.store.facts import Limits
from mailer.store.letters import Kept
from mailer.store.personal import Personal
from mailer.store.requests import Request
from mailer.store.senders import Row
from mailer.store.work import Unit, Worker

BARRED: Final = {
    "unknown-sender": N_(
        "request {id} comes from nobody in the register: "
        "`mailer senders add CODE --organisation … --from-request {id} --reason …` enters the sender; nothing was changed"
    ),
    "blocked-sender": N_(
        "the sender of request {id} is blocked: unblock the sender first, or refuse the request; nothing was changed"
    ),
    "answers-itself": N_(
        "the answer to request {id} would go to our own address: correct the address in the register; nothing was changed"
    ),
    "cap": N_(
        "today's answers are used up ([limits] replies_daily, address_replies_daily): decide on request {id} tomorrow; "
        "nothing was changed"
    ),
    "never-answered": N_(
        "the letter of request {id} is {kind}, to which nothing is ever answered; to issue all the same: "
        "mailer issue NAME --to SENDER; to close it: mailer requests withdraw {id}; nothing was changed"
    ),
}
MEDDLED: Final = N_(
    "request {id} is not as it was recorded ({why}): have it judged anew from its letter, `mailer requests reprocess {id}`, "
    "or withdraw it; nothing was changed"
)
NAMELESS: Final = N_("request {id} names nobody: `mailer requests correct {id} --name` says who is meant; nothing was changed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """By what decisions are bound: the rules in force, our own addresses, the office's numbers, and how long an approval waits."""

    ruleset: Ruleset
    own: Own
    limits: Limits
    delay: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """A request on which a person decides. `sender`: as the register has it today, who answers for the address of the letter."""

    request: Request
    kept: Kept | None
    letter: Letter | None
    sender: Sender | None
    person: Personal | None
    facts: Facts


def look(unit: Unit, worker: Worker, policy: Policy, request: Request) -> Ground:
    """RefusedError when request, letter or register are not as they were told: nobody decides on what a stranger wrote there."""
    key = worker.pen.key
    why = proof.request_fault(proof.docket(unit.tx, [request], key), request)
    if why is not None:
        raise RefusedError(MEDDLED, id=request.id, why=why)
    kept, letter = letter_of(unit, key, policy.ruleset, request)
    sender = _sender(unit, key, request, letter)
    person = None if request.person_id is None else personal.get(unit.tx, request.person_id)
    if person is not None and sender is not None and person.name is not None and person.sender_code != sender.code:
        person = personal.person(unit, sender.code, person.name, worker.pen.randbytes)
    known = facts.of_person(
        unit.tx,
        sender,
        person.id if person else None,
        kind=kept.kind if kept else Kind.REQUEST,
        limits=policy.limits,
        now=unit.at,
        key=key,
    )
    return Ground(request=request, kept=kept, letter=letter, sender=sender, person=person, facts=known)


def admit(unit: Unit, worker: Worker, ground: Ground, verdict: Verdict) -> tuple[Sender, Personal]:
    """The sender who is answered and the registered address it goes to; RefusedError says what the gate bars, and what to do."""
    request, barred = ground.request, gate(verdict, ground.facts)
    if ground.sender is None or barred is not None:
        message = BARRED.get(barred or "unknown-sender", NAMELESS)
        raise RefusedError(message, id=request.id, kind=ground.facts.kind.value)
    refuse_unwritable(ground.sender)
    return ground.sender, personal.address(unit, ground.sender.code, ground.sender.answer_to, worker.pen.randbytes)


def letter_of(unit: Unit, key: bytes, ruleset: Ruleset, request: Request) -> tuple[Kept | None, Letter | None]:
    """The letter that is answered, None when a person asked for it; RefusedError when it is not as it was kept."""
    letter_id = requests.origin(unit.tx, request)
    if letter_id is None:
        return None, None
    kept = letters.get(unit.tx, letter_id)
    if not is_as_kept(unit.tx, kept, key):
        raise RefusedError(
            "the letter of request {id} is not the one that was kept: somebody changed it; withdraw the request", id=request.id
        )
    return kept, mime.read(kept.content, whole=kept.whole, size_bytes=kept.size_bytes, phrase=ruleset.form.phrase)


def _sender(unit: Unit, key: bytes, request: Request, letter: Letter | None) -> Sender | None:
    if request.sender_code is not None:
        row: Row | None = senders.row(unit.tx, request.sender_code, key)
    elif letter is not None and letter.sender is not None:
        row = senders.by_address(unit.tx, letter.sender, key)  # registered since, or not proven by the channel: the person vouches
    else:
        row = None
    return None if row is None else trusted(row)


def trusted(row: Row) -> Sender:
    """RefusedError when this row of the register is not as it was last written."""
    code, why = row.sender.code, row.fault
    if why is not None:
        raise RefusedError("the row of sender {code} in the register is not to be trusted: {why}", code=code, why=why)
    return row.sender
