"""What does the office want done? Rule texts become a checked Ruleset with a hash; first match wins.

How a file is written is told in `ruletext`. Here the files are taken as one list: a rule that can never decide (`reach`), an answer
without a template and a missing last rule are found when the rules are loaded. Two rules may share an id only side by side: they
are then two lines of one rule.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from mailer.core.reach import Cases, Conditions, Reach, meets
from mailer.core.ruletext import FileText, FormText, RuleText, When, problem
from mailer.errors import SetupError, SetupErrors
from mailer.model import Facts, Form, SenderStanding, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A letter, and the verdict that it shall get by the rule in which the example stands.

    `facts` are those in which it differs from a plain first request of this sender; `reason` None: whichever.
    """

    subject: str | None
    sender: SenderStanding
    facts: tuple[tuple[str, Any], ...]
    verdict: Verdict
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A checked rule of `file`: all `conditions` hold, and one of `alternatives` where there are any."""

    id: str
    file: str
    verdict: Verdict
    reply: str | None
    why: str
    conditions: Conditions
    alternatives: Cases
    examples: tuple[Example, ...] = ()

    def unmet(self, facts: Facts) -> str | None:
        """The first condition that these facts do not meet; None when all hold."""
        for name, wanted in self.conditions:
            if not meets(wanted, getattr(facts, name)):
                return name
        if self.alternatives and not any(
            all(meets(wanted, getattr(facts, name)) for name, wanted in one) for one in self.alternatives
        ):
            return "any"
        return None

    @property
    def cases(self) -> Cases:
        """The conditions with each alternative in turn."""
        return tuple((*self.conditions, *one) for one in self.alternatives) or (self.conditions,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruleset:
    """Checked rules in their order. `hash` is SHA-256 over the names and texts of the files: each decision stores it."""

    form: Form
    rules: tuple[Rule, ...]
    hash: str

    @property
    def replies(self) -> frozenset[str]:
        return frozenset(rule.reply for rule in self.rules if rule.reply is not None)

    def name(self, place: int) -> str:
        """A rule as people are told of it: its id, and which of its lines where it has several, as `machine-mail (2)`."""
        lines = [other for other, rule in enumerate(self.rules) if rule.id == self.rules[place].id]
        return self.rules[place].id if len(lines) == 1 else f"{self.rules[place].id} ({lines.index(place) + 1})"


ANSWERED: Final = (Verdict.REFUSE, Verdict.ISSUE)


def load(texts: Mapping[str, str]) -> Ruleset:
    """Check rule files (file name -> text); SetupErrors name file, rule, what is wrong and the nearest right word."""
    problems: list[SetupError] = []
    forms: list[FormText] = []
    rules: list[Rule] = []
    for file in sorted(texts):
        try:
            parsed = FileText.model_validate(tomllib.loads(texts[file]))
        except tomllib.TOMLDecodeError as error:
            problems.append(SetupError("{file} is not valid TOML: {why}", file=file, why=error))
        except ValidationError as error:
            problems += [problem(file, detail) for detail in error.errors()]
        else:
            forms += [parsed.form] if parsed.form else []
            rules += [compiled(file, rule) for rule in parsed.rule]
    problems = problems or [*_form_problems(forms), *_order_problems(rules)]
    if problems:
        raise SetupErrors(problems)
    form = Form(**forms[0].model_dump()) if forms else Form()
    return Ruleset(form=form, rules=tuple(rules), hash=digest(texts))


def digest(texts: Mapping[str, str]) -> str:
    """The hash of a rule set: two sets are the same when names and texts of all files are."""
    return hashlib.sha256(b"".join(name.encode() + b"\0" + texts[name].encode() + b"\0" for name in sorted(texts))).hexdigest()


def compiled(file: str, text: RuleText) -> Rule:
    """One table of a file as a rule; how it stands among the others is not asked here."""
    return Rule(
        id=text.id,
        file=file,
        verdict=text.verdict,
        reply=text.reply,
        why=text.why,
        conditions=_conditions(text.when),
        alternatives=tuple(_conditions(one) for one in text.when.any),
        examples=tuple(
            Example(subject=one.subject, sender=one.sender, facts=tuple(one.facts.named()), verdict=one.verdict, reason=one.reason)
            for one in text.example
        ),
    )


def _conditions(when: When) -> Conditions:
    return tuple(when.named())


def _form_problems(forms: Sequence[FormText]) -> list[SetupError]:
    return [SetupError("[form] stands in more than one rule file: keep one")] if len(forms) > 1 else []


def _order_problems(rules: Sequence[Rule]) -> list[SetupError]:
    if not rules:
        return [SetupError("there is no rule at all: `mailer init --eject` copies the packaged ones out")]
    problems = []
    last_place: dict[str, int] = {}
    for place, rule in enumerate(rules):
        if last_place.get(rule.id, place - 1) != place - 1:
            problems.append(SetupError("{file}: the rule id {id} is used twice", file=rule.file, id=rule.id))
        last_place[rule.id] = place
        if rule.verdict in ANSWERED and rule.reply is None:
            problems.append(
                SetupError("{file}: rule {id} answers, so it needs reply = the name of a template", file=rule.file, id=rule.id)
            )
        if rule.verdict not in ANSWERED and rule.reply is not None:
            problems.append(
                SetupError(
                    "{file}: rule {id} answers nothing ({verdict}), so it takes no reply",
                    file=rule.file,
                    id=rule.id,
                    verdict=rule.verdict.value,
                )
            )
    problems += _unreached(rules)
    if rules[-1].cases != ((),):
        problems.append(SetupError("the last rule must match everything (when = {{}}), so that every letter has a verdict"))
    return problems


def _unreached(rules: Sequence[Rule]) -> list[SetupError]:
    """Rules that can never decide. The last one must stand there even when the others leave it nothing."""
    reach = Reach([rule.cases for rule in rules])
    problems = []
    for place, rule in enumerate(rules):
        last = place == len(rules) - 1 and rule.cases == ((),)
        if reach.reaches(place, range(place)) or (last and all(other.cases != ((),) for other in rules[:place])):
            continue
        problems.append(_unreached_by(rule, [rules[other].id for other in reach.takers(place)]))
    return problems


def _unreached_by(rule: Rule, takers: Sequence[str]) -> SetupError:
    match list(dict.fromkeys(takers)):
        case []:
            return SetupError(
                "{file}: rule {id} can never match: no letter has all these facts at once", file=rule.file, id=rule.id
            )
        case [other]:
            return SetupError(
                "{file}: rule {id} is never reached: {other} stands before it", file=rule.file, id=rule.id, other=other
            )
        case others:
            return SetupError(
                "{file}: rule {id} is never reached: before it {others} together take all its letters",
                file=rule.file,
                id=rule.id,
                others=", ".join(others),
            )
