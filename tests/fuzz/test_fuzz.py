"""What the fuzzer found stays mended, and what it builds are letters: a few hundred of them, the same at every run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.invariants import Known, check
from tests.fuzz.pieces import build

FOUND = sorted((Path(__file__).parent / "found").glob("*.eml"))
LETTERS = sorted((Path(__file__).parents[1] / "letters").glob("*.eml"))


@pytest.mark.parametrize("path", FOUND, ids=[path.stem for path in FOUND])
def test_what_was_found_keeps_its_promises(path: Path) -> None:
    check(path.read_bytes(), Known(**json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", LETTERS, ids=[path.stem for path in LETTERS])
def test_a_real_letter_keeps_every_promise(path: Path) -> None:
    check(path.read_bytes())


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=120))
def test_a_built_letter_keeps_every_promise(choices: bytes) -> None:
    built = build(choices)

    check(built.content, built.known)


def test_the_plainest_letter_names_the_first_person() -> None:
    built = build(b"")

    assert built.known == Known(subject="Запрос атрибутов временного доступа = Иванов И.И.", person="иванов и.и.")
