"""Do the documents say what the program does? Words that stand in both are compared; whether they are true, readers judge."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo
from typer.core import TyperGroup
from typer.main import get_command

from mailer.cli.app import build
from mailer.config.sections import Config, Mailbox, Smtp
from mailer.core import rules
from mailer.core.alarms import AlarmKind
from mailer.flow.answer import STATES
from mailer.model import Facts

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, code marks taken off."""
    text = (ROOT / document).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    table = re.search(r"^\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table, f"{document} has no table under {heading}"
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]


def told() -> set[str]:
    """The events that the steps and people's actions tell to the record, as they stand in the source."""
    sources = [text for file in (ROOT / "mailer").rglob("*.py") if ".tell(" in (text := file.read_text(encoding="utf-8"))]
    words = {node.value for text in sources for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    events = {word for word in words if isinstance(word, str) and re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)?", word)}
    return events | {f"request.{state.value}" for state in STATES.values()}


def keys() -> Iterator[tuple[str, FieldInfo]]:
    """Every configuration key as the README writes it."""
    for section, found in Config.model_fields.items():
        model: Any = {"mailbox": Mailbox, "smtp": Smtp}.get(section, found.annotation)
        if section != "base" and not hasattr(model, "model_fields"):
            yield section, found
        mark = f"[[{section}]]" if model is Mailbox else f"[{section}]"
        yield from ((f"{mark} {key.alias or name}", key) for name, key in getattr(model, "model_fields", {}).items())


def default(key: FieldInfo) -> str:
    if key.is_required():
        return "required"
    return "—" if key.default in (None, "") else json.dumps(key.default, ensure_ascii=False)


def commands(group: TyperGroup, before: str) -> Iterator[str]:
    """Every command by its whole name; a noun alone only where it does something itself."""
    for name, command in group.commands.items():
        if not isinstance(command, TyperGroup) or command.invoke_without_command:
            yield f"{before} {name}"
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{before} {name}")


def test_every_event_is_in_the_table() -> None:
    assert {event for event, *_ in rows("docs/audit.md", "Events")} == told()


def test_the_flow_tells_of_no_other_event() -> None:
    text = (ROOT / "docs/flow.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\*([a-z]+\.[a-z-]+)\*", text)) == told()


def test_every_key_and_its_default_are_in_the_readme() -> None:
    written = {key: value for key, value, _meaning in rows("README.md", "Configuration")}
    assert written == {name: default(key) for name, key in keys()}


def test_every_alarm_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| kind \| what it means \|\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert re.findall(r"^\| `([a-z-]+)` \| .+ \|$", table, re.MULTILINE) == [kind.value for kind in AlarmKind]


def test_every_command_is_in_the_readme() -> None:
    group = get_command(build())
    assert isinstance(group, TyperGroup)
    assert {command for command, _ in rows("README.md", "Commands")} == set(commands(group, "mailer"))


def test_the_facts_are_those_of_the_program() -> None:
    types = {"bool": "yes/no", "int": "number", "int | None": "number", "tuple[Repair, ...]": "words"}
    expected = {fact.name: types.get(str(fact.type), "word") for fact in fields(Facts)}
    assert {fact: kind for fact, kind, _ in rows("docs/rules.md", "The facts")} == expected


def test_the_packaged_rules_are_listed_in_their_order() -> None:
    packaged = rules.load({file.name: file.read_text(encoding="utf-8") for file in (ROOT / "rules").glob("*.toml")})
    listed = [
        name for cells in rows("docs/rules.md", "The packaged rules, in their order") for name in re.findall(r"[a-z-]+", cells[0])
    ]
    assert listed == list(dict.fromkeys(rule.id for rule in packaged.rules))


def test_every_dependency_has_its_reason() -> None:
    declared = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[^\w-]", requirement, maxsplit=1)[0] for requirement in declared}
    assert {package for package, _ in rows("CONTRIBUTING.md", "Dependencies")} == names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []
