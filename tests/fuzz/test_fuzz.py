"""What the fuzzer found stays mended, and a few hundred of the letters it builds, the same ones each time, keep every promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.invariants import Known, check
from tests.fuzz.pieces import build

TESTS = Path(__file__).parents[1]
FOUND = sorted((TESTS / "fuzz" / "found").glob("*.eml"))
LETTERS = sorted((TESTS / "letters").glob("*.eml"))


@pytest.mark.parametrize("path", [*LETTERS, *FOUND], ids=lambda path: path.stem)
def test_a_letter_keeps_every_promise(path: Path) -> None:
    known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) if path in FOUND else {}

    check(path.read_bytes(), Known(**known))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=120))
def test_a_built_letter_keeps_every_promise(choices: bytes) -> None:
    built = build(choices)

    check(built.content, built.known)


def test_the_plainest_letter_names_the_first_person() -> None:
    built = build(b"")

    assert built.known == Known(subject="Запрос атрибутов временного доступа = Иванов И.И.", person="иванов и.и.")
