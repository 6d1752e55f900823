"""What docs/json.md promises of `--json`, and what breaks the promise in what a command printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "json.md"
INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


@cache
def commands() -> Mapping[tuple[str, ...], str]:
    """The words of a command -> the object of its lines."""
    return {tuple(command.split()): found for command, _lines, found in _table(_section("Commands"))}


@cache
def words() -> Mapping[str, Sequence[str]]:
    """The lists of words."""
    return {name: re.findall("`(.+?)`", told) for name, told in _table(_section("Words"))}


@cache
def objects() -> Mapping[str, Mapping[str, str]]:
    """Object -> field -> type."""
    parts = re.split(r"^### (.+)\n", _section("Objects"), flags=re.MULTILINE)[1:]
    tables = {name: _table(text) for name, text in zip(parts[::2], parts[1::2], strict=True)}
    made: dict[str, dict[str, str]] = {}
    for name, rows in tables.items():
        made[name] = {}
        for field, kind, _meaning in rows:
            whole = re.fullmatch("all of `(.+)`", field)
            made[name] |= {one: other for one, other, _ in tables[whole[1]]} if whole else {field: kind}
    return made


def types() -> Iterator[str]:
    """Every name that stands in a type."""
    for fields in objects().values():
        for kind in fields.values():
            yield from re.findall(r"[a-z-]+", kind)


def command_of(arguments: Iterable[str]) -> tuple[str, ...] | None:
    """The row of the table that tells of these arguments; None when none does."""
    given = list(arguments)
    if "--config" in given:
        del given[given.index("--config") : given.index("--config") + 2]
    rest = [one for one in given if not one.startswith("--config=")]
    found = [
        row
        for row in commands()
        if all(word in rest if word.startswith("-") else rest[place : place + 1] == [word] for place, word in enumerate(row))
    ]
    return max(found, key=len, default=None)


def broken(arguments: Iterable[str], printed: Sequence[Any]) -> list[str]:
    """What is otherwise than promised in the lines of a command, each with where it stands."""
    command = command_of(arguments)
    if command is None:
        return [f"{DOCUMENT.name} does not know what prints {line}" for line in printed]
    return [fault for line in printed for fault in _faults(line, commands()[command], " ".join(command))]


def _faults(value: Any, kind: str, place: str) -> Iterator[str]:
    if kind.endswith("?"):
        if value is not None:
            yield from _faults(value, kind[:-1], place)
    elif kind.startswith("["):
        yield from _faults_of_several(value, kind[1:-1], place)
    elif kind.startswith("{"):
        names, _, values = kind[1:-1].partition(": ")
        yield from _faults_of_several(list(value) if isinstance(value, dict) else value, names, place)
        yield from _faults_of_several(list(value.values()) if isinstance(value, dict) else value, values, place)
    elif kind in objects():
        yield from _faults_of_object(value, objects()[kind], place)
    elif kind in words():
        if value not in words()[kind]:
            yield f"{place}: {value!r} is no {kind}"
    elif not _is(value, kind):
        yield f"{place}: {value!r} is no {kind}"


def _faults_of_several(values: Any, kind: str, place: str) -> Iterator[str]:
    if not isinstance(values, list):
        yield f"{place}: {values!r} are not several"
        return
    for number, one in enumerate(values):
        yield from _faults(one, kind, f"{place}[{number}]")


def _faults_of_object(value: Any, fields: Mapping[str, str], place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: {value!r} is no object"
        return
    yield from (f"{place}.{name} is missing" for name in fields.keys() - value.keys())
    yield from (f"{place}.{name} is not promised" for name in value.keys() - fields.keys())
    for name in fields.keys() & value.keys():
        yield from _faults(value[name], fields[name], f"{place}.{name}")


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "text":
            return isinstance(value, str)
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "instant":
            return isinstance(value, str) and INSTANT.fullmatch(value) is not None and datetime.fromisoformat(value).tzinfo is UTC
        case "day":
            return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
        case "any":
            return True
    raise AssertionError(f"{DOCUMENT.name} has a type {kind} and does not say what it is")


def _section(heading: str) -> str:
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _table(text: str) -> list[list[str]]:
    """The cells of the first table in it, code marks around a whole cell taken off."""
    table = re.search(r"^\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table, f"there is no table in {text[:50]!r}"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    return [[re.sub(r"^`([^`]+)`$", r"\1", cell) for cell in row] for row in rows]
