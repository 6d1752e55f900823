"""Can a rule ever decide? The facts are a closed space; what the rules before a rule take is cut out of its share.

The answer is exact for the space of all facts but what NEVER_TOGETHER names: a rule is called out of reach only when no letter at
all comes to it. Numbers are looked at where some rule draws a limit; of repairs each is an axis of its own, used or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from mailer.core.ruletext import Compare
from mailer.model import Kind, NameStanding, Reason, Repair, SenderStanding

Conditions = tuple[tuple[str, Any], ...]
Cases = tuple[Conditions, ...]  # a rule takes a letter that meets all conditions of one of its cases
Box = Mapping[str, frozenset[Any]]  # axis -> the values left on it; an axis that is not named is open

WORDS: Final[Mapping[str, Iterable[Any]]] = {
    "kind": Kind,
    "name": NameStanding,
    "sender": SenderStanding,
    "reason": (None, *Reason),
}
YES_OR_NO: Final = frozenset({True, False})
MAY_BE_UNKNOWN: Final = "active_minutes"
# How a letter is read: a reason only with a name that could not be read, a name only from a request (or a machine's), and so on.
NEVER_TOGETHER: Final[Cases] = (
    (("reason", tuple(Reason)), ("name", (NameStanding.READ, NameStanding.NONE))),
    (("name", (NameStanding.UNREADABLE,)), ("kind", tuple(kind for kind in Kind if kind is not Kind.REQUEST))),
    (("name", (NameStanding.NONE,)), ("kind", (Kind.REQUEST,))),
    (("name", (NameStanding.READ,)), ("kind", tuple(kind for kind in Kind if kind not in {Kind.REQUEST, Kind.MACHINE_MAIL}))),
    (("repairs", tuple(Repair)), ("kind", tuple(kind for kind in Kind if kind is not Kind.REQUEST))),
    (("phrase_first", True), ("kind", tuple(kind for kind in Kind if kind is not Kind.MACHINE_MAIL))),
    (("active_minutes", Compare.model_construct()), ("active_credential", False)),
)


def meets(wanted: Any, value: Any) -> bool:
    """Whether a fact's value is one that a condition wants."""
    if isinstance(wanted, bool):
        return bool(value) is wanted
    if isinstance(wanted, Compare):
        return wanted.holds(value)
    if isinstance(value, tuple):
        return any(one in wanted for one in value)
    return value in wanted


class Reach:
    """The space that the conditions of these rules divide, in their order."""

    def __init__(self, rules: Sequence[Cases]) -> None:
        self._values = _values([*NEVER_TOGETHER, *(case for cases in rules for case in cases)])
        self._inside = [[box for case in cases for box in self._boxes(case)] for cases in rules]
        self._outside = [[self._ways_out(case) for case in cases] for cases in rules]
        self._never = [self._ways_out(case) for case in NEVER_TOGETHER]

    def reaches(self, place: int, before: Iterable[int], also: Conditions = ()) -> bool:
        """Whether some letter fits the rule at `place`, none of the rules at `before`, and meets `also`."""
        traps = [*(trap for other in before for trap in self._outside[other]), *self._never]
        boxes = (_narrowed(box, limit) for box in self._inside[place] for limit in self._boxes(also))
        return any(box is not None and _escapes(box, traps) for box in boxes)

    def takers(self, place: int) -> list[int]:
        """The earlier rules that together leave nothing to the one at `place`, as few as can be; none: it contradicts itself."""
        if not self.reaches(place, ()):
            return []
        for alone in range(place):
            if not self.reaches(place, [alone]):
                return [alone]
        needed = list(range(place))
        for other in reversed(range(place)):
            fewer = [one for one in needed if one != other]
            if not self.reaches(place, fewer):
                needed = fewer
        return needed

    def _boxes(self, case: Conditions) -> list[Box]:
        """The part of the space in which all conditions hold; one box for each repair that is asked for."""
        boxes: list[Box] = [{}]
        for name, wanted in case:
            limits = self._limits(name, wanted, holds=True)
            boxes = [narrow for box in boxes for limit in limits if (narrow := _narrowed(box, limit)) is not None]
        return boxes

    def _ways_out(self, case: Conditions) -> list[Box]:
        """What it takes not to meet a case: one of these."""
        return [dict(pair for limit in self._limits(name, wanted, holds=False) for pair in limit.items()) for name, wanted in case]

    def _limits(self, name: str, wanted: Any, *, holds: bool) -> list[Box]:
        if name == "repairs":
            return [{f"repair {repair.value}": frozenset([holds])} for repair in wanted]
        return [{name: frozenset(value for value in self._values.get(name, YES_OR_NO) if meets(wanted, value) is holds)}]


def _values(cases: Iterable[Conditions]) -> Mapping[str, frozenset[Any]]:
    """The values on each axis that tell all conditions apart: of numbers the first of each stretch between two limits."""
    values: dict[str, set[Any]] = {name: set(words) for name, words in WORDS.items()}
    for name, wanted in (condition for case in cases for condition in case):
        if isinstance(wanted, Compare):
            limits = {0} if wanted.over is None else {0, wanted.over + 1}
            limits |= set() if wanted.under is None else {wanted.under}
            values.setdefault(name, {None} if name == MAY_BE_UNKNOWN else set()).update(one for one in limits if one >= 0)
    return {name: frozenset(found) for name, found in values.items()}


def _narrowed(box: Box, limit: Box) -> Box | None:
    """What of the box lies within the limit: the box itself when all of it does, None when nothing does."""
    changed: dict[str, frozenset[Any]] = {}
    for axis, allowed in limit.items():
        left = box.get(axis)
        both = allowed if left is None else left & allowed
        if not both:
            return None
        if both != left:
            changed[axis] = both
    return {**box, **changed} if changed else box


def _escapes(box: Box, traps: Sequence[Sequence[Box]]) -> bool:
    """Whether some point of the box lies outside every trap. A trap is given by its ways out; the one with fewest goes first."""
    while True:
        before, undecided = box, list[tuple[Sequence[Box], list[Box]]]()
        for trap in traps:
            ways = [narrow for way in trap if (narrow := _narrowed(box, way)) is not None]
            if not ways:
                return False
            if len(ways) == 1:
                box = ways[0]
            elif not any(way is box for way in ways):
                undecided.append((trap, ways))
        if not undecided:
            return True
        traps = [trap for trap, _ in undecided]
        if box is before:
            break
    _, ways = min(undecided, key=lambda one: len(one[1]))
    return any(_escapes(way, traps) for way in ways)
