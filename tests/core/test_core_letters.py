"""Real letter files are judged as the file beside each says: kind, person, reason and repairs."""

import json
from pathlib import Path

import pytest

from mailer.core import kinds, mime
from mailer.model import Form, Own

LETTERS = sorted((Path(__file__).parents[1] / "letters").glob("*.eml"))
OWN = Own(message_id_domain="mail.fund.example", reply_subjects=("Ваш запрос временного доступа",))


@pytest.mark.parametrize("path", LETTERS, ids=[path.stem for path in LETTERS])
def test_a_letter_is_judged_as_expected(path: Path) -> None:
    reading = kinds.judge(mime.read(path.read_bytes()), Form(), OWN)

    assert {
        "kind": reading.kind,
        "person": reading.person and reading.person.canonical,
        "reason": reading.reason,
        "repairs": list(reading.repairs),
    } == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def test_every_expectation_has_its_letter() -> None:
    assert [path.with_suffix(".json") for path in LETTERS] == sorted(LETTERS[0].parent.glob("*.json"))
