"""What does the office want done? Rule texts become a checked Ruleset with a hash; first match wins.

Rules are closed tables, not a language: `when` names facts of `model.Facts`, joined by AND; `any` holds alternatives, joined by OR.
A word or list of words means "is one of", a boolean means itself, `{ over = 3 }` and `{ under = 15 }` compare whole numbers. An
unknown fact, a wrong type, a rule that can never be reached and a missing last rule are all found when the rules are loaded.
Two rules may share an id only side by side: they are then two lines of one rule.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from mailer.errors import SetupError, SetupErrors, wrong_value
from mailer.model import Facts, Form, Kind, NameStanding, Reason, Repair, SenderStanding, Verdict


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)  # built once, inside FileText


class Compare(_Table):
    """A whole number lies above `over` and below `under`; an unknown number matches neither."""

    over: int | None = None
    under: int | None = None

    def holds(self, value: int | None) -> bool:
        if value is None:
            return False
        return (self.over is None or value > self.over) and (self.under is None or value < self.under)

    def covers(self, other: Compare) -> bool:
        return (self.over is None or (other.over is not None and other.over >= self.over)) and (
            self.under is None or (other.under is not None and other.under <= self.under)
        )


Kinds = Annotated[tuple[Annotated[Kind, Field(strict=False)], ...], BeforeValidator(_as_list), Field(strict=False)]
Names = Annotated[tuple[Annotated[NameStanding, Field(strict=False)], ...], BeforeValidator(_as_list), Field(strict=False)]
Senders = Annotated[tuple[Annotated[SenderStanding, Field(strict=False)], ...], BeforeValidator(_as_list), Field(strict=False)]
Reasons = Annotated[tuple[Annotated[Reason, Field(strict=False)], ...], BeforeValidator(_as_list), Field(strict=False)]
Repairs = Annotated[tuple[Annotated[Repair, Field(strict=False)], ...], BeforeValidator(_as_list), Field(strict=False)]


class When(_Table):
    """The conditions of a rule: facts joined by AND, and of `any` at least one. A fact that is not named does not matter.

    The fields are those of `model.Facts`.
    """

    kind: Kinds | None = None
    name: Names | None = None
    sender: Senders | None = None
    reason: Reasons | None = None
    repairs: Repairs | None = None
    phrase_first: bool | None = None
    duplicate: bool | None = None
    too_old: bool | None = None
    display_name_of_another: bool | None = None
    person_unlisted: bool | None = None
    address_changed: bool | None = None
    active_credential: bool | None = None
    active_minutes: Compare | None = None
    issued_30d: Compare | None = None
    sender_active: Compare | None = None
    sender_today: Compare | None = None
    sender_limit_reached: bool | None = None
    cap_reached: bool | None = None
    answers_itself: bool | None = None
    any: Annotated[tuple[When, ...], Field(strict=False)] = ()

    @field_validator("any")
    @classmethod
    def _one_level(cls, alternatives: tuple[When, ...]) -> tuple[When, ...]:
        if any(one.any or not one.named() for one in alternatives):
            raise PydanticCustomError("any", "each alternative of any must name facts, and no any: write several rules instead")
        return alternatives

    def named(self) -> list[tuple[str, Any]]:
        """The conditions that were written, without `any`."""
        return [(name, value) for name, value in self if value is not None and name != "any"]

    def covers(self, other: When) -> bool:
        """Whether every letter that fits `other` certainly fits this one."""
        theirs = dict(other.named())
        if self.any and self.any != other.any:
            return False
        return all(name in theirs and _covers(mine, theirs[name]) for name, mine in self.named())


class RuleText(_Table):
    """One `[[rule]]`: `reply` names a template, `why` is read by the officer."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    when: When
    verdict: Annotated[Verdict, Field(strict=False)]
    reply: str | None = None
    why: Annotated[str, Field(min_length=1)]


class FormText(_Table):
    phrase: Annotated[str, Field(min_length=3)]
    separator: Annotated[str, Field(min_length=1, max_length=1)] = "="
    placeholder: Annotated[str, Field(min_length=1)] = "Фамилия И.О."


class FileText(_Table):
    form: FormText | None = None
    rule: Annotated[tuple[RuleText, ...], Field(strict=False)] = ()


Conditions = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A checked rule: all `conditions` hold, and one of `alternatives` where there are any."""

    id: str
    verdict: Verdict
    reply: str | None
    why: str
    conditions: Conditions
    alternatives: tuple[Conditions, ...]

    def unmet(self, facts: Facts) -> str | None:
        """The first condition that these facts do not meet; None when all hold."""
        for name, wanted in self.conditions:
            if not _meets(wanted, getattr(facts, name)):
                return name
        if self.alternatives and not any(
            all(_meets(wanted, getattr(facts, name)) for name, wanted in one) for one in self.alternatives
        ):
            return "any"
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruleset:
    """Checked rules in their order. `hash` is SHA-256 over the names and texts of the files: each decision stores it."""

    form: Form
    rules: tuple[Rule, ...]
    hash: str

    @property
    def replies(self) -> frozenset[str]:
        return frozenset(rule.reply for rule in self.rules if rule.reply is not None)


ANSWERED: Final = (Verdict.REFUSE, Verdict.ISSUE)


def load(texts: Mapping[str, str]) -> Ruleset:
    """Check rule files (file name -> text); SetupErrors name file, rule, what is wrong and the nearest right word."""
    problems: list[SetupError] = []
    forms: list[FormText] = []
    rules: list[tuple[str, RuleText]] = []
    for file in sorted(texts):
        try:
            parsed = FileText.model_validate(tomllib.loads(texts[file]))
        except tomllib.TOMLDecodeError as error:
            problems.append(SetupError("{file} is not valid TOML: {why}", file=file, why=error))
        except ValidationError as error:
            problems += [_problem(file, detail) for detail in error.errors()]
        else:
            forms += [parsed.form] if parsed.form else []
            rules += [(file, rule) for rule in parsed.rule]
    problems = problems or [*_form_problems(forms), *_order_problems(rules)]
    if problems:
        raise SetupErrors(problems)
    form = Form(**forms[0].model_dump()) if forms else Form()
    return Ruleset(form=form, rules=tuple(_compiled(rule) for _, rule in rules), hash=digest(texts))


def digest(texts: Mapping[str, str]) -> str:
    """The hash of a rule set: two sets are the same when names and texts of all files are."""
    return hashlib.sha256(b"".join(name.encode() + b"\0" + texts[name].encode() + b"\0" for name in sorted(texts))).hexdigest()


def _compiled(text: RuleText) -> Rule:
    return Rule(
        id=text.id,
        verdict=text.verdict,
        reply=text.reply,
        why=text.why,
        conditions=tuple(text.when.named()),
        alternatives=tuple(tuple(one.named()) for one in text.when.any),
    )


def _form_problems(forms: Sequence[FormText]) -> list[SetupError]:
    return [SetupError("[form] stands in more than one rule file: keep one")] if len(forms) > 1 else []


def _order_problems(rules: Sequence[tuple[str, RuleText]]) -> list[SetupError]:
    if not rules:
        return [SetupError("there is no rule at all: `mailer init --eject` copies the packaged ones out")]
    problems = []
    last_place: dict[str, int] = {}
    for place, (file, rule) in enumerate(rules):
        if last_place.get(rule.id, place - 1) != place - 1:
            problems.append(SetupError("{file}: the rule id {id} is used twice", file=file, id=rule.id))
        last_place[rule.id] = place
        if rule.verdict in ANSWERED and rule.reply is None:
            problems.append(
                SetupError("{file}: rule {id} answers, so it needs reply = the name of a template", file=file, id=rule.id)
            )
        for _, before in rules[:place]:
            if before.when.covers(rule.when):
                problems.append(
                    SetupError(
                        "{file}: rule {id} is never reached: {other} stands before it", file=file, id=rule.id, other=before.id
                    )
                )
                break
    if rules[-1][1].when != When():
        problems.append(SetupError("the last rule must match everything (when = {{}}), so that every letter has a verdict"))
    return problems


def _meets(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, bool):
        return bool(value) is wanted
    if isinstance(wanted, Compare):
        return wanted.holds(value)
    if isinstance(value, tuple):
        return any(one in wanted for one in value)
    return value in wanted


def _covers(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, Compare):
        return mine.covers(theirs)
    if isinstance(mine, bool):
        return mine is theirs
    return set(theirs) <= set(mine)


def _problem(file: str, detail: ErrorDetails) -> SetupError:
    location = [str(step) for step in detail["loc"]]
    key = location[-1] if location else ""
    steps = " ".join(f"[[rule]] {int(step) + 1}" if step.isdigit() else step for step in location[:-1] if step != "rule")
    where = steps or SetupError("top level")
    if detail["type"] == "extra_forbidden":
        known = list(_table_at(location[:-1]).model_fields)
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        hint = nearest or [", ".join(known)]
        return SetupError("{file}: {where}: unknown key {key}; known is {hint}", file=file, where=where, key=key, hint=hint[0])
    why = wrong_value(detail["type"], detail["msg"], dict(detail.get("ctx", {})))
    return SetupError("{file}: {where} {key}: {why}", file=file, where=where, key=key, why=why)


def _table_at(location: Sequence[str]) -> type[_Table]:
    """The table in which a key stands: its keys are the ones to hint at."""
    match location:
        case []:
            return FileText
        case ["form"]:
            return FormText
        case ["rule", _]:
            return RuleText
        case ["rule", _, "when"] | ["rule", _, "when", "any", _]:
            return When
    return Compare
