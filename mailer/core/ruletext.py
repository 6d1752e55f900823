"""How is a rule file written? The tables of `rules/NN-topic.toml`, and the words for every mistake in one.

Rules are closed tables, not a language: `when` names facts of `model.Facts`, joined by AND; `any` holds alternatives, joined by OR.
A word or list of words means "is one of", a boolean means itself, `{ over = 3 }` and `{ under = 15 }` compare whole numbers.
What several rules are to each other is asked in `rules`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, LiteralString, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from mailer.errors import SetupError, wrong_value
from mailer.model import Kind, NameStanding, Reason, Repair, SenderStanding, Verdict

MISTAKES: Final = {  # of our own kinds; pydantic's are in `errors.wrong_value`
    "any": SetupError("each alternative of any must name facts, and no any: write several rules instead"),
    "no-word": SetupError("must name at least one word"),
    "no-number": SetupError("no whole number from 0 lies within these limits"),
    "example": SetupError("must have a subject, or facts with a kind"),
    "sender": SetupError("stands beside facts, not among them"),
}


def _mistake(kind: LiteralString) -> PydanticCustomError:
    return PydanticCustomError(kind, "")


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

    @model_validator(mode="after")
    def _holds_for_some(self) -> Self:
        lowest = 0 if self.over is None else max(self.over + 1, 0)
        if not self.holds(lowest):
            raise _mistake("no-number")
        return self


AKind = Annotated[Kind, Field(strict=False)]
AName = Annotated[NameStanding, Field(strict=False)]
ASender = Annotated[SenderStanding, Field(strict=False)]
AReason = Annotated[Reason, Field(strict=False)]
ARepair = Annotated[Repair, Field(strict=False)]
AVerdict = Annotated[Verdict, Field(strict=False)]
Count = Annotated[int, Field(ge=0)]

Kinds = Annotated[tuple[AKind, ...], BeforeValidator(_as_list), Field(strict=False)]
Names = Annotated[tuple[AName, ...], BeforeValidator(_as_list), Field(strict=False)]
Senders = Annotated[tuple[ASender, ...], BeforeValidator(_as_list), Field(strict=False)]
Reasons = Annotated[tuple[AReason, ...], BeforeValidator(_as_list), Field(strict=False)]
Repairs = Annotated[tuple[ARepair, ...], BeforeValidator(_as_list), Field(strict=False)]


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

    @field_validator("kind", "name", "sender", "reason", "repairs")
    @classmethod
    def _some(cls, words: tuple[Any, ...]) -> tuple[Any, ...]:
        if not words:
            raise _mistake("no-word")
        return words

    @field_validator("any")
    @classmethod
    def _one_level(cls, alternatives: tuple[When, ...]) -> tuple[When, ...]:
        if any(one.any or not one.named() for one in alternatives):
            raise _mistake("any")
        return alternatives

    def named(self) -> list[tuple[str, Any]]:
        """The conditions that were written, without `any`."""
        return [(name, value) for name, value in self if value is not None and name != "any"]


class FactsText(_Table):
    """The facts of an example, by which its letter differs from a plain first request. The fields are those of `model.Facts`."""

    kind: AKind | None = None
    name: AName | None = None
    sender: None = None
    reason: AReason | None = None
    repairs: Repairs | None = None
    phrase_first: bool | None = None
    duplicate: bool | None = None
    too_old: bool | None = None
    display_name_of_another: bool | None = None
    person_unlisted: bool | None = None
    address_changed: bool | None = None
    active_credential: bool | None = None
    active_minutes: Count | None = None
    issued_30d: Count | None = None
    sender_active: Count | None = None
    sender_today: Count | None = None
    sender_limit_reached: bool | None = None
    cap_reached: bool | None = None
    answers_itself: bool | None = None

    @field_validator("sender", mode="before")
    @classmethod
    def _beside(cls, _value: object) -> None:
        raise _mistake("sender")

    def named(self) -> list[tuple[str, Any]]:
        """The facts that were written."""
        return [(name, value) for name, value in self if value is not None]


class ExampleText(_Table):
    """One `[[rule.example]]`: this letter gets this verdict by the rule in which the example stands, with all rules before it."""

    subject: str | None = None
    sender: ASender = SenderStanding.KNOWN
    facts: FactsText = FactsText.model_construct()
    verdict: AVerdict
    reason: str | None = None

    @model_validator(mode="after")
    def _says_what_came(self) -> Self:
        if self.subject is None and self.facts.kind is None:
            raise _mistake("example")
        return self


class RuleText(_Table):
    """One `[[rule]]`: `reply` names a template, `why` is read by the officer."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,60}$")]
    when: When
    verdict: AVerdict
    reply: str | None = None
    why: Annotated[str, Field(min_length=1)]
    example: Annotated[tuple[ExampleText, ...], Field(strict=False)] = ()


class FormText(_Table):
    phrase: Annotated[str, Field(min_length=3)]
    separator: Annotated[str, Field(min_length=1, max_length=1)] = "="
    placeholder: Annotated[str, Field(min_length=1)] = "Фамилия И.О."


class FileText(_Table):
    form: FormText | None = None
    rule: Annotated[tuple[RuleText, ...], Field(strict=False)] = ()


TABLES: Final[Mapping[tuple[str, ...], type[_Table]]] = {
    (): FileText,
    ("form",): FormText,
    ("rule",): RuleText,
    ("rule", "when"): When,
    ("rule", "when", "any"): When,
    ("rule", "example"): ExampleText,
    ("rule", "example", "facts"): FactsText,
}


def problem(file: str, detail: ErrorDetails) -> SetupError:
    """What is wrong at one place of a file: the file, the table, the key or the word, and what is right there."""
    location = detail["loc"]
    *tables, last = location or ("",)
    if isinstance(last, int) and tables and tables[-1] in When.model_fields and tables[-1] != "any":
        key, tables = f"{tables[-1]} {detail['input']!r}", tables[:-1]  # one word of a list: the word itself shows the place
    elif isinstance(last, int):
        key, tables = "", list(location)
    else:
        key = str(last)
    where = " ".join(_steps(tables)) or SetupError("top level")
    if detail["type"] == "extra_forbidden":
        known = list(_table_at(tables).model_fields)
        nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        hint = nearest or [", ".join(known)]
        return SetupError("{file}: {where}: unknown key {key}; known is {hint}", file=file, where=where, key=key, hint=hint[0])
    why = MISTAKES.get(detail["type"]) or wrong_value(detail["type"], detail["msg"], dict(detail.get("ctx", {})))
    if not key:
        return SetupError("{file}: {where}: {why}", file=file, where=where, why=why)
    return SetupError("{file}: {where} {key}: {why}", file=file, where=where, key=key, why=why)


def _steps(location: Sequence[str | int]) -> list[str]:
    """The tables on the way to a place, as they are written: `[[rule]] 3`, `when`, `any 1`; counted from 1."""
    steps: list[str] = []
    for step in location:
        if isinstance(step, int):
            steps[-1] += f" {step + 1}"
        else:
            steps.append({"rule": "[[rule]]", "example": "[[rule.example]]"}.get(step, step))
    return steps


def _table_at(location: Sequence[str | int]) -> type[_Table]:
    """The table in which a key stands: its keys are the ones to hint at."""
    return TABLES.get(tuple(step for step in location if isinstance(step, str)), Compare)
