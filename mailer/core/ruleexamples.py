"""Do the rules do what the examples inside the rule files say? Each is decided by the whole set, as a letter would be.

An example's subject line is read like a letter's; what else is known of the letter the example says, or it is as of a plain first
request. Examples are never looked at in a decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from mailer.core import subject
from mailer.core.decide import decide
from mailer.core.rules import Example, Ruleset
from mailer.core.subject import SubjectReading
from mailer.model import Decision, Facts, Form, Kind, NameStanding

KINDS: Final = {"request": Kind.REQUEST, "near": Kind.NEAR_SUBJECT, "other": Kind.OTHER_SUBJECT}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of an example: the `number`-th (from 1) of the rule at `place`; `by` is the place of the rule that decided."""

    place: int
    number: int
    example: Example
    facts: Facts
    decision: Decision
    by: int

    @property
    def passed(self) -> bool:
        """The verdict, by this rule and no other, and the reason where one is named."""
        wanted, found = self.example, self.decision
        return self.by == self.place and wanted.verdict is found.verdict and wanted.reason in {None, found.reason}


def run(ruleset: Ruleset) -> list[Outcome]:
    """Decide every example, in the order of the rules."""
    return [
        _decided(ruleset, place, number, example)
        for place, rule in enumerate(ruleset.rules)
        for number, example in enumerate(rule.examples, 1)
    ]


def untested(ruleset: Ruleset) -> list[int]:
    """The places of rules that have no example."""
    return [place for place, rule in enumerate(ruleset.rules) if not rule.examples]


def facts(example: Example, form: Form) -> Facts:
    """What the office would know of this letter."""
    said = dict(example.facts)
    reading = SubjectReading(fit="request") if example.subject is None else subject.read(example.subject, form)
    kind = said.get("kind", KINDS[reading.fit])
    reason = said.get("reason", reading.reason) if kind is Kind.REQUEST else None
    named = kind is Kind.REQUEST if example.subject is None else reading.person is not None
    plain = Facts(
        kind=kind,
        name=_name_standing(kind, read=named and reason is None),
        sender=example.sender,
        reason=reason,
        repairs=reading.repairs if kind is Kind.REQUEST else (),
        phrase_first=kind is Kind.MACHINE_MAIL and example.subject is not None and reading.fit == "request",
    )
    return replace(plain, **said)


def _name_standing(kind: Kind, *, read: bool) -> NameStanding:
    if kind is Kind.REQUEST:
        return NameStanding.READ if read else NameStanding.UNREADABLE
    return NameStanding.READ if read and kind is Kind.MACHINE_MAIL else NameStanding.NONE


def _decided(ruleset: Ruleset, place: int, number: int, example: Example) -> Outcome:
    known = facts(example, ruleset.form)
    by = next(other for other, rule in enumerate(ruleset.rules) if rule.unmet(known) is None)
    return Outcome(place=place, number=number, example=example, facts=known, decision=decide(known, ruleset), by=by)
