"""What becomes of this letter? Facts and rules give a verdict, the rule that gave it, and how it was reached.

Every answer passes one gate, refusals included: rules are the office's to edit, and no edit may make two programs write to each
other or let an answer past the caps (reliability.md, "Replies and loops").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from mailer.core.reach import Reach
from mailer.core.rules import ANSWERED, Ruleset
from mailer.model import Decision, Facts, Kind, NameStanding, Reason, SenderStanding, Verdict

NEVER_ANSWERED = frozenset(
    {Kind.UNREADABLE, Kind.OWN_LETTER, Kind.BOUNCE, Kind.ANSWER_TO_US, Kind.MACHINE_MAIL, Kind.OTHER_SUBJECT}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One bar of the gate: an answer passes while the fact is one of `passes`, else the letter is held for `reason`."""

    fact: str
    passes: Any
    reason: str
    only: Verdict | None = None  # for this verdict alone


GATE: Final = (
    Bar(fact="kind", passes=tuple(kind for kind in Kind if kind not in NEVER_ANSWERED), reason="never-answered"),
    Bar(fact="sender", passes=(SenderStanding.KNOWN, SenderStanding.BLOCKED), reason="unknown-sender"),
    Bar(fact="name", passes=(NameStanding.READ,), reason=Reason.NAME_MISSING.value, only=Verdict.ISSUE),
    Bar(fact="sender", passes=(SenderStanding.KNOWN,), reason="blocked-sender", only=Verdict.ISSUE),
    Bar(fact="answers_itself", passes=(False,), reason="answers-itself"),
    Bar(fact="cap_reached", passes=(False,), reason="cap"),
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """A rule, and why it did not decide: the condition that was not met and what was found there; `unmet` is None where it did.

    `name` is the rule's id, with its line where it has several.
    """

    name: str
    verdict: Verdict
    why: str
    unmet: str | None
    found: Any = None


def tried(facts: Facts, ruleset: Ruleset) -> list[Tried]:
    """Every rule down to the first that decides, as `decide` asks them."""
    asked = []
    for place, rule in enumerate(ruleset.rules):
        unmet = rule.unmet(facts)
        found = None if unmet in {None, "any"} else getattr(facts, str(unmet))
        asked.append(Tried(name=ruleset.name(place), verdict=rule.verdict, why=rule.why, unmet=unmet, found=found))
        if unmet is None:
            break
    return asked


def _through_the_gate(decision: Decision, facts: Facts) -> Decision:
    if decision.verdict not in ANSWERED:
        return decision
    barred = gate(decision.verdict, facts)
    if barred is None:
        return decision
    return replace(decision, verdict=Verdict.HOLD, reason=barred, reply=None, trace=(*decision.trace, f"gate: {barred}"))


def gate(verdict: Verdict, facts: Facts) -> str | None:
    """Why nothing may be answered so, whoever decides; None when it may."""
    for bar in _bars(verdict):
        if getattr(facts, bar.fact) not in bar.passes:
            return facts.reason.value if bar.fact == "name" and facts.reason is not None else bar.reason
    return None


def _bars(verdict: Verdict) -> Iterator[Bar]:
    return (bar for bar in GATE if bar.only in {None, verdict})


def unanswered(ruleset: Ruleset) -> list[int]:
    """The places of rules that answer in vain: whichever letter comes to them, the gate makes its answer a hold."""
    reach = Reach([rule.cases for rule in ruleset.rules])
    found = []
    for place, rule in enumerate(ruleset.rules):
        passing = tuple((bar.fact, bar.passes) for bar in _bars(rule.verdict))
        if rule.verdict in ANSWERED and reach.reaches(place, range(place)) and not reach.reaches(place, range(place), passing):
            found.append(place)
    return found
