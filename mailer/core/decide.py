"""What becomes of this letter? Facts and rules give a verdict, the rule that gave it, and how it was reached.

Every answer passes one gate, refusals included: rules are the office's to edit, and no edit may make two programs write to each
other or let an answer past the caps (reliability.md, "Replies and loops").
"""

from __future__ import annotations

from dataclasses import replace

from mailer.core.rules import ANSWERED, Ruleset
from mailer.model import Decision, Facts, Kind, NameStanding, Reason, SenderStanding, Verdict

NEVER_ANSWERED = frozenset(
    {Kind.UNREADABLE, Kind.OWN_LETTER, Kind.BOUNCE, Kind.ANSWER_TO_US, Kind.MACHINE_MAIL, Kind.OTHER_SUBJECT}
)


def decide(facts: Facts, ruleset: Ruleset) -> Decision:
    """The first rule whose conditions all hold. `trace` names every rule that was tried and the fact that ruled it out."""
    trace: list[str] = []
    for rule in ruleset.rules:
        unmet = rule.unmet(facts)
        if unmet is not None:
            trace.append(f"{rule.id}: no ({unmet})")
            continue
        trace.append(f"{rule.id}: {rule.verdict.value}")
        reason = facts.reason.value if facts.reason is not None else rule.id
        decision = Decision(
            verdict=rule.verdict,
            rule_id=rule.id,
            reason=None if rule.verdict is Verdict.ISSUE else reason,
            reply=rule.reply if rule.verdict in ANSWERED else None,
            why=rule.why,
            trace=tuple(trace),
        )
        return _through_the_gate(decision, facts)
    return Decision(verdict=Verdict.HOLD, rule_id="none", reason="none", reply=None, why="no rule matched", trace=tuple(trace))


def _through_the_gate(decision: Decision, facts: Facts) -> Decision:
    if decision.verdict not in ANSWERED:
        return decision
    barred = _barred(decision, facts)
    if barred is None:
        return decision
    return replace(decision, verdict=Verdict.HOLD, reason=barred, reply=None, trace=(*decision.trace, f"gate: {barred}"))


def _barred(decision: Decision, facts: Facts) -> str | None:
    if facts.kind in NEVER_ANSWERED:
        return "never-answered"
    if facts.sender in {SenderStanding.UNKNOWN, SenderStanding.UNPROVEN}:
        return "unknown-sender"
    if decision.verdict is Verdict.ISSUE and facts.name is not NameStanding.READ:
        return (facts.reason or Reason.NAME_MISSING).value
    if decision.verdict is Verdict.ISSUE and facts.sender is SenderStanding.BLOCKED:
        return "blocked-sender"
    if facts.answers_itself:
        return "answers-itself"
    return "cap" if facts.cap_reached else None
