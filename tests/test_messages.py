"""Is the Russian catalogue complete, true to its places, and compiled?"""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_keywords
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[1]
RUSSIAN = ROOT / "mailer/locale/ru/LC_MESSAGES"


def forms(text: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The text itself, or each of its plural forms."""
    return (text,) if isinstance(text, str) else tuple(text)


def places(text: str) -> set[str]:
    """The named places of a message: {path}, %(name)s."""
    return set(re.findall(r"\{\w*[^{}]*\}|%\(\w+\)\w", text.replace("{{", "").replace("}}", "")))


@pytest.fixture(scope="module")
def source() -> set[tuple[str, ...]]:
    """What stands in the source now, found with the keywords that `make messages` uses."""
    named = re.search(r"^keywords=\((.+)\)$", (ROOT / "scripts/messages").read_text(encoding="utf-8"), re.MULTILINE)
    assert named
    found = extract_from_dir(ROOT / "mailer", keywords=parse_keywords(named[1].split()))
    return {forms(message) for _file, _line, message, _comments, _context in found}


@pytest.fixture(scope="module")
def catalogue() -> list[Message]:
    with (RUSSIAN / "mailer.po").open("rb") as file:
        return [message for message in read_po(file, locale="ru") if message.id]


def test_the_catalogue_holds_the_source(source: set[tuple[str, ...]], catalogue: list[Message]) -> None:
    missing = source - {forms(message.id) for message in catalogue}
    assert not missing, "run `make messages`, then translate: " + "; ".join(sorted(map(str, missing)))


def test_every_message_is_translated(catalogue: list[Message]) -> None:
    wanting = [message.id for message in catalogue if not all(forms(message.string)) or message.fuzzy]
    assert wanting == []


def test_translations_keep_the_places(catalogue: list[Message]) -> None:
    lost = []
    for message in catalogue:
        given = set().union(*map(places, forms(message.id)))
        lost += [form for form in forms(message.string) if form and places(form) != given]
    assert lost == []


def test_the_catalogue_is_compiled(catalogue: list[Message]) -> None:
    compiled: Catalog = read_mo(io.BytesIO((RUSSIAN / "mailer.mo").read_bytes()))
    translated = {forms(message.id): forms(message.string) for message in catalogue if all(forms(message.string))}
    assert {forms(message.id): forms(message.string) for message in compiled if message.id} == translated, "run `make messages`"
