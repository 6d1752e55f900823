"""What the commands show of an office that only observes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.cli.app import run
from tests.cli.offices import Shell, desk_in, init
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Two letters were observed: a good one, and one without initials."""
    init(tmp_path)
    with desk_in(tmp_path) as desk:
        desk.observe = True
        desk.take(request("Пришва А.А.", CLINIC.answer_to, 1), request("Иванов", CLINIC.answer_to, 2))
        desk.run()
    capsys.readouterr()
    return Shell(home=tmp_path, capsys=capsys)


def test_what_would_follow_is_listed_with_the_words_of_the_refusal(shell: Shell) -> None:
    said = shell("requests", "list", "--observed")
    assert (said.code, said.err) == (0, "")
    assert "a login until 23.02.2027" in said.out
    assert "a refusal: Отказ: не указаны инициалы" in said.out
    assert (
        "letter 2 would be answered so (the request number comes with the request):\n  | Отказ: не указаны инициалы\n" in said.out
    )
    assert "  | Организация: ГБУЗ «Больница»\n" in said.out
    refused, issued = shell("requests", "list", "--observed", "--json").objects
    assert (refused["letter_id"], refused["verdict"], refused["reason"]) == (2, "refuse", "initials-missing")
    assert (issued["letter_id"], issued["person"], issued["last_day"], issued["body"]) == (1, "Пришва А.А.", "2027-02-23", None)
    assert len(shell("requests", "list", "--observed", "--limit", "1", "--json").objects) == 1
    assert shell("requests", "list").out == "there are no requests\n"


@pytest.mark.parametrize(("mode", "warned"), [("observe", False), ("answer", True)])
def test_status_says_what_was_observed_and_in_mode_answer_that_it_stays_unanswered(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, mode: str, warned: bool
) -> None:
    monkeypatch.setenv("MAILER_MODE", mode)
    said = shell("status").out
    assert "observed, would be: issue 1, refuse 1; look at them: mailer requests list --observed\n" in said
    assert ("stay in the mailbox unanswered" in said) is warned
    assert shell("status", "--json").objects[0]["status"]["observed"] == {"issue": 1, "refuse": 1}


def test_an_office_that_never_observed_says_nothing_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "--config", str(tmp_path / "mailer.toml")]) == 0
    shell = Shell(home=tmp_path, capsys=capsys)
    assert "observed" not in shell("status").out
    assert shell("requests", "list", "--observed").out == "no letter was observed\n"
