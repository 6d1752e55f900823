"""What is issued without a letter? What an officer was asked for by telephone or on paper, for a sender of the register.

The facts are gathered and the rules asked as for a letter; where these would hold it, the request needs an approval of its own.
"""

from __future__ import annotations

from typing import Final

from mailer.core import evidence
from mailer.core.decide import decide, gate
from mailer.errors import N_, RefusedError
from mailer.flow import approving
from mailer.flow.approving import PERSON
from mailer.flow.override.corrections import read_name
from mailer.flow.override.grounds import Policy, trusted
from mailer.flow.override.requests import Decided, Sheet
from mailer.flow.stationery import refuse_unwritable
from mailer.model import Kind, Verdict
from mailer.states import RequestState
from mailer.store import facts, leases, personal, requests, senders
from mailer.store.work import Worker

BARRED: Final = {
    "blocked-sender": N_("the sender {code} is blocked: unblock the sender first; nothing was changed"),
    "answers-itself": N_("the answer to {code} would go to our own address: correct it in the register; nothing was changed"),
    "cap": N_(
        "today's answers are used up ([limits] replies_daily, address_replies_daily): issue to {code} tomorrow; nothing was changed"
    ),
}


def issue(worker: Worker, policy: Policy, written: str, code: str, *, reason: str, dry_run: bool = False) -> Decided:
    """Open a request without a letter, approved by who asks for it unless a rule wants it held; RefusedError says what bars it."""
    name = read_name(written, policy.ruleset)
    with worker.writing(dry_run=dry_run) as unit:
        leases.take_turn_of(unit.tx, "answer")
        sheet = Sheet(unit)
        sender = trusted(senders.row(unit.tx, code, worker.pen.key))
        person = personal.person(unit, code, name, worker.pen.randbytes)
        answer_to = personal.address(unit, code, sender.answer_to, worker.pen.randbytes)
        known = facts.of_person(
            unit.tx, sender, person.id, kind=Kind.REQUEST, limits=policy.limits, now=unit.at, key=worker.pen.key
        )
        barred, decision = gate(Verdict.ISSUE, known), decide(known, policy.ruleset)
        if barred is not None:
            raise RefusedError(BARRED[barred], code=code)
        refuse_unwritable(sender)
        if decision.verdict not in {Verdict.ISSUE, Verdict.HOLD}:
            raise RefusedError(
                "the rule {rule} does not let it be issued: {why}; nothing was changed", rule=decision.rule_id, why=decision.why
            )
        state = RequestState.APPROVED if decision.verdict is Verdict.ISSUE else RequestState.HELD
        approved = (
            {"rule": PERSON, "issue_after": evidence.instant(unit.at + policy.delay)} if state is RequestState.APPROVED else {}
        )
        request_id = requests.open_request(
            unit.tx,
            letter_id=None,
            state=state,
            sender_code=code,
            person_id=person.id,
            answer_to_id=answer_to.id,
            decision=decision,
            facts=known,
            ruleset_hash=policy.ruleset.hash,
            at=unit.at,
            delay=policy.delay,
        )
        approving.tell(
            unit,
            state,
            request=request_id,
            sender=code,
            letter=None,
            reissue_of=None,
            person=person,
            answer_to=answer_to,
            decided=approving.told_of(decision, known, policy.ruleset.hash) | {"asked": reason} | approved,
            importance="notice",
        )
        waits = unit.at + policy.delay if state is RequestState.APPROVED else None
        sheet.note(Decided(request=request_id, state=state, issue_after=waits, answer_to=answer_to.value if waits else None))
    return sheet.done()[0]
