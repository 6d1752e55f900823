"""What may an officer decide about a request? Approve, refuse, hold, withdraw, and take an approval back while it still waits.

Of several requests all are decided or none. Each decision is told with who made it and why; an approval in the very form on which
the issue step acts, and it waits `delay` first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from mailer.core import evidence, kinds
from mailer.core.lifecycle import REQUEST, RequestEvent
from mailer.core.replyvalues import TEMPLATES, RefusedValues
from mailer.errors import N_, RefusedError
from mailer.flow import approving, refusing
from mailer.flow.approving import PERSON
from mailer.flow.override import grounds
from mailer.flow.override.grounds import Ground, Policy
from mailer.flow.stationery import Stationery
from mailer.model import Kind, Reading, Reason, Sender, Verdict
from mailer.states import RequestState
from mailer.store import credentials, leases, personal, proof, requests
from mailer.store.db import Tx
from mailer.store.personal import Personal
from mailer.store.requests import Bound, Request
from mailer.store.work import Unit, Worker

IMPOSSIBLE: Final = {
    RequestEvent.APPROVED: N_("request {id} is {state}, not held: it cannot be approved; nothing was changed"),
    RequestEvent.REFUSED: N_("request {id} is {state}, not held: it cannot be refused; nothing was changed"),
    RequestEvent.HELD: N_("request {id} is {state}, not approved: there is nothing to hold or to undo; nothing was changed"),
    RequestEvent.WITHDRAWN: N_("request {id} is {state}: only what is held or approved can be withdrawn; nothing was changed"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """What was decided of one request. `record` is the seq of its record; 0 in a dry run.

    Of an approval: when it is issued, and the address to which the answer will go; of a refusal: the address.
    """

    request: int
    state: RequestState
    record: int = 0
    issue_after: datetime | None = None
    answer_to: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Which letter refuses, and what it explains."""

    template: str = "refused"
    reason: Reason | None = None

    def __post_init__(self) -> None:
        if self.reason is not None and TEMPLATES[self.template] is not RefusedValues:
            raise RefusedError("the letter {template} explains no reason: leave --why out", template=self.template)


class Sheet:
    """What one command decides; the numbers of its records are known once it is over."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self._decided: list[tuple[int, Decided]] = []

    def note(self, decided: Decided) -> None:
        """The last record that was told is its own."""
        self._decided.append((len(self.unit.records) - 1, decided))

    def done(self) -> list[Decided]:
        seqs = self.unit.seqs
        return [replace(one, record=seqs[place] if seqs else 0) for place, one in self._decided]


def approve(worker: Worker, policy: Policy, numbers: Sequence[int], *, reason: str, dry_run: bool = False) -> list[Decided]:
    """Have logins issued for held requests, after the delay; RefusedError says why one cannot be, and then none is."""
    with worker.writing(dry_run=dry_run) as unit:
        leases.take_turn_of(unit.tx, "answer")  # caps are counted here as the answer step counts them
        sheet = Sheet(unit)
        for request in _open(unit.tx, numbers, RequestEvent.APPROVED):
            ground = grounds.look(unit, worker, policy, request)
            whose = grounds.admit(unit, worker, ground, Verdict.ISSUE)
            sheet.note(put_approved(unit, ground, whose, by_person(Verdict.ISSUE, reason), policy.delay))
    return sheet.done()


def put_approved(
    unit: Unit, ground: Ground, whose: tuple[Sender, Personal], decided: Mapping[str, object], delay: timedelta
) -> Decided:
    """The approval in tables and record: for the person of the ground, by the sender to the address of `whose`."""
    issue_after = unit.at + delay
    told = {**decided, "issue_after": evidence.instant(issue_after)}
    return replace(_put(unit, RequestEvent.APPROVED, ground, whose, told, delay=delay), issue_after=issue_after)


def refuse(
    worker: Worker,
    policy: Policy,
    stationery: Stationery,
    numbers: Sequence[int],
    refusal: Refusal,
    *,
    reason: str,
    dry_run: bool = False,
) -> list[Decided]:
    """Refuse held requests by letter; RefusedError where nothing may be written to the sender, and then none is refused."""
    with worker.writing(dry_run=dry_run) as unit:
        leases.take_turn_of(unit.tx, "answer")
        sheet = Sheet(unit)
        for request in _open(unit.tx, numbers, RequestEvent.REFUSED):
            ground = grounds.look(unit, worker, policy, request)
            sender, answer_to = grounds.admit(unit, worker, ground, Verdict.REFUSE)
            told = {"template": refusal.template, "why": refusal.reason.value if refusal.reason else None}
            sheet.note(put_refused(unit, ground, (sender, answer_to), {**by_person(Verdict.REFUSE, reason), **told}))
            refusing.write(
                unit,
                stationery,
                request_id=request.id,
                sender=sender,
                answer_to=answer_to,
                received_at=ground.kept.received_at if ground.kept else request.created_at,
                name=refusal.template,
                reading=_explained(ground, policy, refusal.reason),
                answered=ground.letter,
            )
    return sheet.done()


def _explained(ground: Ground, policy: Policy, reason: Reason | None) -> Reading:
    """The letter as it reads, or as the officer says that it does."""
    nothing = Reading(kind=Kind.NEAR_SUBJECT)  # asked for without a letter
    read = kinds.judge(ground.letter, policy.ruleset.form, policy.own) if ground.letter else nothing
    return read if reason in {None, read.reason} else replace(read, person=None, reason=reason, mistake=None)


def put_refused(unit: Unit, ground: Ground, whose: tuple[Sender, Personal], decided: Mapping[str, object]) -> Decided:
    """The refusal in tables and record; its letter is still to be written."""
    return _put(unit, RequestEvent.REFUSED, ground, whose, decided)


def _put(
    unit: Unit,
    event: RequestEvent,
    ground: Ground,
    whose: tuple[Sender, Personal],
    decided: Mapping[str, object],
    *,
    delay: timedelta = timedelta(0),
) -> Decided:
    request, (sender, answer_to) = ground.request, whose
    bound = Bound(sender_code=sender.code, person_id=ground.person.id if ground.person else None, answer_to_id=answer_to.id)
    state = requests.decide(unit.tx, request, event, bound, at=unit.at, delay=delay)
    approving.tell(
        unit,
        state,
        request=request.id,
        sender=sender.code,
        letter=request.letter_id,
        reissue_of=request.reissue_of,
        person=ground.person,
        answer_to=answer_to,
        decided=decided,
        importance="notice",
    )
    return Decided(request=request.id, state=state, answer_to=answer_to.value)


def hold(worker: Worker, numbers: Sequence[int], *, reason: str, dry_run: bool = False) -> list[Decided]:
    """Put approved requests before a person again, as long as no login is being made for them."""
    return _keep_back(worker, numbers, RequestEvent.HELD, reason=reason, dry_run=dry_run)


def withdraw(worker: Worker, numbers: Sequence[int], *, reason: str, dry_run: bool = False) -> list[Decided]:
    """Close requests without any letter: held ones, and approved ones for which no login is being made."""
    return _keep_back(worker, numbers, RequestEvent.WITHDRAWN, reason=reason, dry_run=dry_run)


def undo(worker: Worker, numbers: Sequence[int], *, reason: str, dry_run: bool = False) -> list[Decided]:
    """Take a person's approvals back while they wait: each is held again as before. RefusedError once the time is over."""
    with worker.writing(dry_run=dry_run) as unit:
        sheet = Sheet(unit)
        for request in _open(unit.tx, numbers, RequestEvent.HELD):
            last = proof.last_decision(proof.docket(unit.tx, [request], worker.pen.key), request)
            if last is None or last.details.get("rule") != PERSON:
                raise RefusedError(
                    "request {id} was approved by the rules, not by a person: `mailer requests hold {id}` holds it; "
                    "nothing was changed",
                    id=request.id,
                )
            if request.issue_after is None or not unit.at < request.issue_after:
                raise RefusedError(
                    "the time to undo request {id} is over: hold or withdraw it, or, once the login is made, "
                    "`mailer credentials revoke`; nothing was changed",
                    id=request.id,
                )
            decided = by_person(Verdict.HOLD, reason)
            sheet.note(_put_back(unit, worker, request, RequestEvent.HELD, decided, event="request.undone"))
    return sheet.done()


def by_person(verdict: Verdict, reason: str) -> dict[str, object]:
    return {"verdict": verdict.value, "rule": PERSON, "reason": reason}


def _keep_back(worker: Worker, numbers: Sequence[int], event: RequestEvent, *, reason: str, dry_run: bool) -> list[Decided]:
    verdict = Verdict.HOLD if event is RequestEvent.HELD else Verdict.IGNORE
    with worker.writing(dry_run=dry_run) as unit:
        sheet = Sheet(unit)
        for request in _open(unit.tx, numbers, event):
            sheet.note(_put_back(unit, worker, request, event, by_person(verdict, reason)))
    return sheet.done()


def _put_back(
    unit: Unit, worker: Worker, request: Request, change: RequestEvent, decided: Mapping[str, object], *, event: str | None = None
) -> Decided:
    """Held or withdrawn as it stands. What somebody else wrote into a request is never told as if it had been decided."""
    fault = proof.request_fault(proof.docket(unit.tx, [request], worker.pen.key), request)
    if fault is not None and change is RequestEvent.HELD:
        raise RefusedError(grounds.MEDDLED, id=request.id, why=fault)
    reason = PERSON if change is RequestEvent.HELD and event is None else None
    state = requests.decide(unit.tx, request, change, request.bound, at=unit.at, reason=reason)
    approving.tell(
        unit,
        state,
        request=request.id,
        sender=request.sender_code,
        letter=request.letter_id,
        reissue_of=request.reissue_of,
        person=None if fault else row_of(unit.tx, request.person_id),
        answer_to=None if fault else row_of(unit.tx, request.answer_to_id),
        decided={**decided, "fault": fault},
        importance="notice",
        event=event,
    )
    return Decided(request=request.id, state=state)


def _open(tx: Tx, numbers: Sequence[int], event: RequestEvent) -> Iterator[Request]:
    """These requests, each once, in the order in which every command takes them, and nobody else's until this transaction ends."""
    for number in sorted(set(numbers)):
        request = requests.lock(tx, number)
        credential = credentials.of_request(tx, request.id)
        if credential is not None and request.state is RequestState.HELD:
            raise RefusedError(
                "the login that was reserved for request {id} is still to be given up, which `mailer run` does first of all: "
                "decide after that; nothing was changed",
                id=request.id,
            )
        if credential is not None:
            raise RefusedError(
                "request {id} is {state}, its login {login} is made or being made: `mailer credentials revoke` ends a login; "
                "nothing was changed",
                id=request.id,
                state=request.state.value,
                login=credential.login,
            )
        if (request.state, event) not in REQUEST:
            raise RefusedError(IMPOSSIBLE[event], id=request.id, state=request.state.value)
        yield request


def row_of(tx: Tx, row_id: int | None) -> Personal | None:
    """The name or address that a request points to."""
    return None if row_id is None else personal.get(tx, row_id)
