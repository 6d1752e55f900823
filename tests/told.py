"""What does the program tell to the record? Every place that tells, read from the source: event, detail fields, importance, who.

Where the event, the importance or the fields are no literal at the place itself, they are listed here by hand, with the reason. A
place that is neither literal nor listed is an error, and so is a line of the list that fits no place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parents[1] / "mailer"
IMPORTANCES: Final = ("info", "notice", "warning", "alarm")
HEADER: Final = {"sender", "request", "importance", "outcome", "decided", "unit", "state", "event"}
DECISION: Final = frozenset({"verdict", "rule", "reason", "ruleset", "facts"})  # approving.told_of
ALARM: Final = frozenset({"kind", "place", "since", "count", "numbers"})  # alarm._told
PAPERS: Final = frozenset({"act_digest", "extract_digest"})  # destruction.write: the digests of both

# Who comes by a module that tells. Whatever `override` does, a person does.
WHO: Final[Mapping[str, str]] = {
    "flow/alarm.py": "desk",
    "flow/answer.py": "desk",
    "flow/bounced.py": "desk",
    "flow/checkpoint.py": "desk",
    "flow/custody.py": "courier, operator",
    "flow/deliver.py": "courier",
    "flow/ending.py": "desk, courier, operator",
    "flow/errands.py": "desk",
    "flow/expire.py": "desk",
    "flow/export.py": "operator",
    "flow/filer.py": "desk",
    "flow/intake.py": "desk",
    "flow/keeping.py": "desk",
    "flow/issue.py": "desk",
    "flow/places.py": "operator",
    "flow/reserving.py": "desk",
    "flow/runs.py": "desk, courier",
    "flow/stationery.py": "desk, operator",
    "flow/tray.py": "desk",
    "flow/undelivered.py": "desk, courier",
    "store/failures.py": "desk, operator",
    "store/personal.py": "desk, operator",
    "store/persons.py": "operator",
    "store/senders.py": "operator",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """One event as one place may tell it."""

    event: str
    importance: frozenset[str] = frozenset({"info"})
    fields: frozenset[str] = frozenset()
    who: frozenset[str] = frozenset()


def by_hand(event: str, importance: str, fields: frozenset[str] | set[str] = frozenset()) -> Told:
    return Told(event=event, importance=frozenset(importance.split(", ")), fields=frozenset(fields))


@dataclass(frozen=True, kw_only=True)
class Hand:
    """What stands at a place besides its literal keywords, and why that is not literal."""

    why: str
    told: tuple[Told, ...] = ()
    fields: frozenset[str] = field(default_factory=frozenset)  # of `decided`, for a place whose event is literal


# (module, function) -> ...
HANDS: Final[Mapping[tuple[str, str], Hand]] = {
    ("flow/alarm.py", "AlarmStep._settle"): Hand(why="fields of an alarm, the same for record and command", fields=ALARM),
    ("flow/answer.py", "Answer._decide"): Hand(
        why="one place for both modes",
        told=(by_hand("letter.observed", "info", {*DECISION, "template"}), by_hand("letter.ignored", "info", DECISION)),
    ),
    ("flow/answer.py", "Answer._open_request"): Hand(
        why="the verdict's state names the event; approving chooses the importance",
        told=(
            by_hand("request.approved", "info", DECISION),
            by_hand("request.held", "notice", DECISION),
            by_hand("request.refused", "info", DECISION),
        ),
    ),
    ("flow/custody.py", "_open"): Hand(
        why="a pair of the day, or one that a person asked for",
        told=(by_hand("key.made", "info"), by_hand("key.rotated", "notice")),
    ),
    ("flow/deliver.py", "Deliver._tell"): Hand(
        why="one form for all that becomes of a reply",
        told=(
            by_hand("reply.leased", "info", {"next_at"}),
            by_hand("reply.sent", "info", {"message_id"}),
            by_hand("reply.postponed", "info", {"next_at"}),
            by_hand("reply.doubted", "alarm"),
            by_hand("reply.returned", "notice"),
            by_hand("reply.failed", "warning, alarm"),
        ),
    ),
    ("flow/errands.py", "Errands._tell_returned"): Hand(
        why="where it lies now, if the server said so", fields=frozenset({"epoch", "item"})
    ),
    ("flow/keeping.py", "Keeping._tell_over"): Hand(
        why="the amounts of a day's share", fields=frozenset({"group", "letters", "size_bytes"})
    ),
    ("flow/intake.py", "Intake._take_over_the_line"): Hand(why="a name before", fields=frozenset({"mailbox", "epoch", "item"})),
    ("flow/issue.py", "Issue._tell_pause"): Hand(
        why="one place for both", told=(by_hand("issuing.paused", "alarm"), by_hand("issuing.resumed", "notice"))
    ),
    ("flow/override/again.py", "reissue"): Hand(why="always approved", told=(by_hand("request.approved", "notice"),)),
    ("flow/override/again.py", "_resume"): Hand(why="always withdrawn", told=(by_hand("request.withdrawn", "notice"),)),
    ("flow/override/again.py", "_tell"): Hand(
        why="one form for both", told=(by_hand("credential.reissue-asked", "notice"), by_hand("credential.resumed", "notice"))
    ),
    ("flow/override/closing.py", "_hold"): Hand(why="always held", told=(by_hand("request.held", "notice"),)),
    ("flow/override/corrections.py", "correct"): Hand(
        why="always held; approving chooses the importance", told=(by_hand("request.corrected", "notice"),)
    ),
    ("flow/override/corrections.py", "_Clerk._apply"): Hand(
        why="the verdict's state names the event",
        told=tuple(
            by_hand(event, "notice", {*DECISION, "reprocessed"})
            for event in ("request.approved", "request.held", "request.refused")
        ),
    ),
    ("flow/override/destruction.py", "destroy"): Hand(why="the papers' digests", fields=PAPERS),
    ("flow/override/filed.py", "remove"): Hand(why="the papers' digests", fields=PAPERS),
    ("flow/override/letters.py", "_tell_of_letter"): Hand(
        why="one form for four deeds",
        told=tuple(
            by_hand(event, "notice") for event in ("letter.retried", "letter.dropped", "letter.exported", "letter.forwarded")
        ),
    ),
    ("flow/override/orders.py", "issue"): Hand(
        why="the rules may want it held",
        told=(
            by_hand("request.approved", "notice", {*DECISION, "asked", "issue_after"}),
            by_hand("request.held", "notice", {*DECISION, "asked"}),
        ),
    ),
    ("flow/override/pauses.py", "_tell"): Hand(
        why="one form for both", told=(by_hand("step.paused", "notice"), by_hand("step.resumed", "notice"))
    ),
    ("flow/override/personal.py", "_tell"): Hand(
        why="one form for both", told=(by_hand("personal.found", "notice"), by_hand("personal.exported", "notice"))
    ),
    ("flow/override/refusals.py", "tell"): Hand(why="one form for both", fields=frozenset({"command", "about", "why"})),
    ("flow/override/register.py", "_change"): Hand(
        why="one form for both", told=(by_hand("sender.edited", "notice"), by_hand("sender.unblocked", "notice"))
    ),
    ("flow/override/requests.py", "_put"): Hand(
        why="one form for both",
        told=(
            by_hand("request.approved", "notice", {"verdict", "rule", "reason"}),
            by_hand("request.refused", "notice", {"verdict", "rule", "reason"}),
        ),
    ),
    ("flow/override/requests.py", "_put_back"): Hand(
        why="one form for three deeds",
        told=tuple(
            by_hand(event, "notice", {"verdict", "rule", "reason", "fault"})
            for event in ("request.held", "request.withdrawn", "request.undone")
        ),
    ),
    ("flow/runs.py", "start"): Hand(
        why="digests, compared by their names", fields=frozenset({"configuration", "templates", "rules"})
    ),
}
FORMS: Final = {("flow/approving.py", "tell")}  # who calls it tells: those places are read instead


@dataclass(frozen=True, kw_only=True)
class Place:
    module: str
    function: str
    call: ast.Call
    constants: Mapping[str, str]
    approving: bool  # through `approving.tell`, which adds nothing but the state's event

    @property
    def key(self) -> tuple[str, str]:
        return self.module, self.function


def places() -> Iterator[Place]:
    """Every `unit.tell(…)` and `approving.tell(…)`."""
    for path in sorted(SOURCE.rglob("*.py")):
        module = path.relative_to(SOURCE).as_posix()
        parsed = ast.parse(path.read_text(encoding="utf-8"))
        for function, call in _calls(parsed, ""):
            of = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) and call.func.attr == "tell" else ""
            if of in {"unit", "self._unit", "approving"} and (module, function) not in FORMS:
                yield Place(module=module, function=function, call=call, constants=_constants(parsed), approving=of == "approving")


def _calls(node: ast.AST, name: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call, with the name of the function it stands in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _calls(child, f"{name}.{child.name}".lstrip("."))
            continue
        if isinstance(child, ast.Call):
            yield name, child
        yield from _calls(child, name)


def told_at(place: Place) -> list[Told]:
    """What is told at a place; AssertionError when that is neither literal nor listed by hand."""
    keywords = {one.arg: one.value for one in place.call.keywords}
    assert None not in keywords, f"{place.key}: fields by ** cannot be read"
    hand = HANDS.get(place.key)
    fields = frozenset(str(name) for name in keywords if name not in HEADER) | _decided(place, keywords.get("decided"), hand)
    who = frozenset(WHO.get(place.module, "operator" if "override/" in place.module else "nobody").split(", "))
    assert who != {"nobody"}, f"{place.module}: who comes by here is not said"
    events = [] if place.approving else _literals(place.call.args[0], place.constants)
    if events:
        importances = _literals(keywords["importance"], place.constants) if "importance" in keywords else ["info"]
        assert importances, f"{place.key}: the importance is not literal"
        if _condition(place.call.args[0]) == _condition(keywords.get("importance")) != "":  # one condition chooses both
            return [
                Told(event=event, importance=frozenset({importance}), fields=fields, who=who)
                for event, importance in zip(events, importances, strict=True)
            ]
        return [Told(event=event, importance=frozenset(importances), fields=fields, who=who) for event in events]
    assert hand is not None, f"{place.key}: {ast.unparse(place.call)}: the event is not literal, and not listed by hand"
    assert hand.told, f"{place.key}: listed by hand without its events"
    return [Told(event=one.event, importance=one.importance, fields=one.fields | fields, who=who) for one in hand.told]


def _literals(node: ast.expr, constants: Mapping[str, str]) -> list[str]:
    """The texts that an expression may give; none, if it may give something else."""
    match node:
        case ast.Constant(value=str() as text):
            return [text]
        case ast.Name(id=name) if name in constants:
            return [constants[name]]
        case ast.IfExp():
            branches = [_literals(node.body, constants), _literals(node.orelse, constants)]
            return branches[0] + branches[1] if all(branches) else []
    return []


def _condition(node: ast.expr | None) -> str:
    return ast.unparse(node.test) if isinstance(node, ast.IfExp) else ""


def _constants(module: ast.Module) -> dict[str, str]:
    """The texts that have a name in a module."""
    named = [node for node in module.body if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant)]
    return {ast.unparse(node.target): node.value.value for node in named if isinstance(node.value, ast.Constant)}


def _decided(place: Place, node: ast.expr | None, hand: Hand | None) -> frozenset[str]:
    if node is None:
        return frozenset()
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return frozenset(str(key.value) for key in node.keys if isinstance(key, ast.Constant))
    assert hand is not None, f"{place.key}: the fields of `decided` are not literal, and not listed by hand"
    return hand.fields


def events() -> dict[str, Told]:
    """Every event with all that any place tells of it."""
    found: dict[str, Told] = {}
    for place in places():
        for one in told_at(place):
            before = found.get(one.event, Told(event=one.event, importance=frozenset()))
            found[one.event] = Told(
                event=one.event,
                importance=before.importance | one.importance,
                fields=before.fields | one.fields,
                who=before.who | one.who,
            )
    return found
