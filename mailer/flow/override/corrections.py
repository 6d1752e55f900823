"""What may an officer set right? A name that was misread, and a verdict that today's rules would give otherwise.

A corrected request is decided by a person and by nobody else. Judging anew reads the kept letter with the rules in force; it
touches held requests only, never what a person decided, and nothing is issued twice by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mailer.core import kinds, names, requestwords
from mailer.core.decide import decide
from mailer.core.lifecycle import RequestEvent
from mailer.core.rules import Ruleset
from mailer.errors import N_, RefusedError
from mailer.flow import approving, refusing
from mailer.flow.approving import PERSON
from mailer.flow.override import grounds
from mailer.flow.override.grounds import Policy
from mailer.flow.override.requests import Decided, Sheet, row_of
from mailer.flow.stationery import Stationery
from mailer.model import Decision, Facts, Letter, PersonName, Reading, Repair, Sender, Verdict
from mailer.states import RequestState
from mailer.store import facts, leases, personal, proof, requests
from mailer.store.facts import Arrival
from mailer.store.letters import Kept
from mailer.store.personal import Personal
from mailer.store.requests import Bound, Request
from mailer.store.work import Unit, Worker

BATCH: Final = 100  # requests judged anew in one transaction
DOUBTFUL: Final = frozenset({Repair.LOOKALIKE, Repair.LATIN_INITIALS, Repair.CHARSET, Repair.INVISIBLE})
CORRECTED: Final = "name-corrected"
CHANGES: Final = {
    Verdict.ISSUE: RequestEvent.APPROVED,
    Verdict.REFUSE: RequestEvent.REFUSED,
    Verdict.IGNORE: RequestEvent.WITHDRAWN,
}
NO_LETTER: Final = N_("it has no letter of its own")
BY_PERSON: Final = N_("a person decided on it")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejudged:
    """What today's rules say of a held request. `stays`: why they were not asked, or None; `record`: 0 where nothing changed."""

    request: int
    old_rule: str
    old_reason: str | None
    rule: str
    reason: str | None
    state: RequestState
    changes: bool = False
    stays: str | None = None
    record: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """A kept letter as it reads today, and who is behind it."""

    kept: Kept
    letter: Letter | None
    reading: Reading
    facts: Facts
    decision: Decision
    sender: Sender | None
    person: Personal | None
    answer_to: Personal | None

    @property
    def bound(self) -> Bound:
        return Bound(
            sender_code=self.sender.code if self.sender else None,
            person_id=self.person.id if self.person else None,
            answer_to_id=self.answer_to.id if self.answer_to else None,
        )


def read_name(written: str, ruleset: Ruleset) -> PersonName:
    """A name as an officer types it; RefusedError unless it can be read in one way only."""
    reading = names.read(written, ruleset.form)
    if reading.person is None:
        why = requestwords.words(reading.reason, None)
        raise RefusedError(
            "the name «{written}» cannot be read ({why}): write it as {example}; nothing was changed",
            written=written,
            why=RefusedError(why.what) if why else "",
            example=ruleset.form.placeholder,
        )
    if DOUBTFUL.intersection(reading.repairs):
        raise RefusedError(
            "the name «{written}» holds letters that are not Russian: type it anew on the Russian layout; nothing was changed",
            written=written,
        )
    return reading.person


def correct(worker: Worker, policy: Policy, number: int, written: str, *, reason: str, dry_run: bool = False) -> Decided:
    """Say whom a held request is for. It stays held until a person approves it; who was read before stands in the record."""
    name = read_name(written, policy.ruleset)
    with worker.writing(dry_run=dry_run) as unit:
        sheet = Sheet(unit)
        request = _held(unit, number)
        why = proof.request_fault(proof.docket(unit.tx, [request], worker.pen.key), request)
        if why is not None:
            raise RefusedError(grounds.MEDDLED, id=number, why=why)
        person = personal.person(unit, request.sender_code or "", name, worker.pen.randbytes)
        if person.id == request.person_id:
            raise RefusedError("request {id} names this very person already; nothing was changed", id=number)
        before = row_of(unit.tx, request.person_id)
        bound = Bound(sender_code=request.sender_code, person_id=person.id, answer_to_id=request.answer_to_id)
        requests.bind(unit.tx, request, bound, at=unit.at, reason=CORRECTED)
        approving.tell(
            unit,
            RequestState.HELD,
            request=number,
            sender=request.sender_code,
            letter=request.letter_id,
            reissue_of=request.reissue_of,
            person=person,
            answer_to=row_of(unit.tx, request.answer_to_id),
            decided={"rule": PERSON, "reason": reason, "read": before.told() if before else None},
            event="request.corrected",
        )
        sheet.note(Decided(request=number, state=RequestState.HELD))
    return sheet.done()[0]


def reprocess(
    worker: Worker, policy: Policy, stationery: Stationery, numbers: Sequence[int], *, reason: str, dry_run: bool = False
) -> list[Rejudged]:
    """Judge held requests anew and apply what changes, a batch in one transaction; RefusedError when one of them is not held.

    What the rules approve waits for the delay as a person's approval does.
    """
    found: list[Rejudged] = []
    ordered = sorted(set(numbers))
    for start in range(0, len(ordered), BATCH):
        with worker.writing(dry_run=dry_run) as unit:
            leases.take_turn_of(unit.tx, "answer")
            clerk = _Clerk(unit, worker, policy, stationery, reason)
            batch = [(clerk.judge(_held(unit, number)), clerk.place) for number in ordered[start : start + BATCH]]
        seqs = unit.seqs
        found += [replace(one, record=seqs[place]) if one.changes and seqs else one for one, place in batch]
    return found


class _Clerk:
    """Judges requests anew in one transaction. `place`: of the last decision among its records."""

    def __init__(self, unit: Unit, worker: Worker, policy: Policy, stationery: Stationery, reason: str) -> None:
        self._unit = unit
        self._worker = worker
        self._policy = policy
        self._stationery = stationery
        self._reason = reason
        self.place = 0

    def judge(self, request: Request) -> Rejudged:
        """What today's rules say; what changes is done."""
        same = Rejudged(
            request=request.id,
            old_rule=request.rule_id,
            old_reason=request.reason,
            rule=request.rule_id,
            reason=request.reason,
            state=request.state,
        )
        if request.letter_id is None:
            return replace(same, stays=NO_LETTER)
        if proof.decided_by(proof.docket(self._unit.tx, [request], self._worker.pen.key), request, PERSON):
            return replace(same, stays=BY_PERSON)
        read = self._read(request)
        decision, state = read.decision, request.state
        changes = decision.verdict is not Verdict.HOLD or (
            (decision.rule_id, decision.reason, read.bound) != (request.rule_id, request.reason, request.bound)
        )
        if changes:
            state = self._apply(request, read)
        return replace(same, rule=decision.rule_id, reason=decision.reason, state=state, changes=changes)

    def _read(self, request: Request) -> _Read:
        unit, key, ruleset = self._unit, self._worker.pen.key, self._policy.ruleset
        kept, letter = grounds.letter_of(unit, key, ruleset, request)
        if kept is None:
            raise ValueError("a request with a letter has one")
        reading = kinds.judge(letter, ruleset.form, self._policy.own)
        arrival = Arrival(id=kept.id, received_at=kept.received_at, proven=kept.proven, letter=letter, reading=reading)
        known, sender = facts.gather(unit.tx, arrival, self._policy.limits, unit.at, key=key)
        code, randbytes = sender.code if sender else "", self._worker.pen.randbytes
        return _Read(
            kept=kept,
            letter=letter,
            reading=reading,
            facts=known,
            decision=decide(known, ruleset),
            sender=sender,
            person=personal.person(unit, code, reading.person, randbytes) if reading.person else None,
            answer_to=personal.address(unit, code, sender.answer_to, randbytes) if sender else None,
        )

    def _apply(self, request: Request, read: _Read) -> RequestState:
        unit, decision = self._unit, read.decision
        requests.rejudge(unit.tx, request, decision, read.facts, self._policy.ruleset.hash)
        state = request.state
        if decision.verdict is Verdict.HOLD:
            requests.bind(unit.tx, request, read.bound, at=unit.at)
        else:
            change = CHANGES[decision.verdict]
            state = requests.decide(unit.tx, request, change, read.bound, at=unit.at, delay=self._policy.delay)
        self.place = len(unit.records)
        approving.tell(
            unit,
            state,
            request=request.id,
            sender=read.bound.sender_code,
            letter=request.letter_id,
            reissue_of=request.reissue_of,
            person=read.person,
            answer_to=read.answer_to,
            decided=approving.told_of(decision, read.facts, self._policy.ruleset.hash) | {"reprocessed": self._reason},
            importance="notice",
        )
        if state is RequestState.REFUSED and decision.reply and read.sender and read.answer_to:
            refusing.write(
                unit,
                self._stationery,
                request_id=request.id,
                sender=read.sender,
                answer_to=read.answer_to,
                received_at=read.kept.received_at,
                name=decision.reply,
                reading=read.reading,
                answered=read.letter,
            )
        return state


def _held(unit: Unit, number: int) -> Request:
    request = requests.lock(unit.tx, number)
    if request.state is not RequestState.HELD:
        raise RefusedError(
            "request {id} is {state}: only what is held can be set right; nothing was changed", id=number, state=request.state.value
        )
    return request
