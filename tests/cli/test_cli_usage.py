"""Is a mistake in a command told in the reader's language, and its help page too?"""

from __future__ import annotations

import io

import pytest
from typer.exceptions import Abort
from typer.main import get_command

from mailer.cli.app import build, run, speak
from mailer.cli.options import confirmed
from mailer.cli.usage import in_words
from tests.cli.test_cli_dry_runs import commands

MISTAKES = [
    pytest.param("nosuch", "there is no command 'nosuch'", "нет команды 'nosuch'", id="command"),
    pytest.param(
        "requests lst", "there is no command 'lst'; similar: 'list'", "нет команды 'lst'; похожие: 'list'", id="similar-command"
    ),
    pytest.param("status --nosuch", "there is no option --nosuch", "нет параметра --nosuch", id="option"),
    pytest.param("status -x", "there is no option -x", "нет параметра -x", id="short-option"),
    pytest.param(
        "status --jso", "there is no option --jso; similar: --json", "нет параметра --jso; похожие: --json", id="similar-option"
    ),
    pytest.param("status --config", "a command is missing", "не указана команда", id="no-command"),
    pytest.param("requests show", "'№' is missing", "не указано: '№'", id="no-argument"),
    pytest.param("credentials revoke x", "'--reason' is missing", "не указано: '--reason'", id="no-option"),
    pytest.param(
        "pause",
        "'STEP' is missing; one of: intake, issue, deliver",
        "не указано: 'STEP'; одно из: intake, issue, deliver",
        id="no-choice",
    ),
    pytest.param("requests list --since", "'--since' needs a value after it", "после '--since' нужно значение", id="no-value"),
    pytest.param("status --json=1", "'--json' takes no value", "у '--json' не бывает значения", id="value-for-a-flag"),
    pytest.param("status one two", "unexpected: one two", "лишнее в команде: one two", id="too-much"),
    pytest.param("requests show one", "'№': a whole number must stand here", "'№': здесь нужно целое число", id="no-number"),
    pytest.param(
        "requests list --limit 0", "'--limit': the number must be at least 1", "'--limit': число не меньше 1", id="too-small"
    ),
    pytest.param(
        "credentials extend x --reason y --months 121",
        "'--months': the number must be at most 120",
        "'--months': число не больше 120",
        id="too-large",
    ),
    pytest.param(
        "audit export x --format y",
        "'--format': 'y' is not one of 'jsonl', 'csv', 'xlsx', 'cef', 'journal', 'bundle'",
        "'--format': 'y' не подходит; одно из: 'jsonl', 'csv', 'xlsx', 'cef', 'journal', 'bundle'",
        id="no-such-choice",
    ),
    pytest.param(
        "requests list --since 33.33.2026",
        "'--since': '33.33.2026' is not written as '23.11.2026', '2026-11-23'",
        "'--since': '33.33.2026' записано не так, как '23.11.2026', '2026-11-23'",
        id="no-date",
    ),
    *(
        pytest.param(
            f"{command} {option} {day}",
            f"'{option}': the year must lie between 1970 and 9000",
            f"'{option}': допустимы годы с 1970 по 9000",
            id=f"no-year-{option}-{day}",
        )
        for day in ("01.01.0001", "9999-12-31")
        for command, option in (
            ("credentials extend x --reason y", "--until"),
            ("credentials revoke --reason y", "--issued-since"),
            ("credentials revoke --reason y", "--issued-until"),
            ("requests list", "--since"),
            ("requests list", "--until"),
            ("requests reprocess --reason y", "--since"),
            ("letters rescan --reason y", "--since"),
            ("audit export x", "--from"),
            ("audit export x", "--to"),
            ("senders block x --reason y --credentials keep", "--until"),
        )
    ),
    pytest.param(
        "credentials extend x --reason y",
        "give either --until or --months",
        "укажите либо --until, либо --months",
        id="a-mistake-of-ours",
    ),
]


@pytest.mark.parametrize(("typed", "english", "russian"), MISTAKES)
def test_a_mistake_is_told_in_the_readers_language(
    typed: str, english: str, russian: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(typed.split()) == 2
    assert capsys.readouterr() == ("", f"wrong usage: {english} (see --help)\n")
    monkeypatch.setenv("LANGUAGE", "ru")
    assert run(typed.split()) == 2
    assert capsys.readouterr() == ("", f"неверный вызов: {russian} (справка: --help)\n")


def test_a_sentence_that_is_not_known_stays_as_it_is() -> None:
    assert in_words("Something else happened.") == "Something else happened."


def names() -> list[str]:
    speak()
    return ["", *(name for name, _command in commands(get_command(build())))]


@pytest.mark.parametrize("name", names())
def test_a_help_page_is_in_the_readers_language(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run([*name.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(" ".join(["Usage: mailer", *name.split(), "[OPTIONS]"]))
    assert "Show this help and exit." in said
    monkeypatch.setenv("LANGUAGE", "ru")
    assert run([*name.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(" ".join(["Вызов: mailer", *name.split(), "[ПАРАМЕТРЫ]"]))
    assert "Показать эту справку и выйти." in said
    assert [
        word for word in ("Usage", "OPTIONS", "COMMAND", "ARGS", "Options", "Commands", "Show", "required") if word in said
    ] == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("y\n", True, id="yes"),
        pytest.param("Да\n", True, id="russian-yes"),
        pytest.param("нет\n", False, id="russian-no"),
        pytest.param("\n", False, id="nothing"),
        pytest.param("может быть\nд\n", True, id="asked-again"),
    ],
)
def test_a_question_is_answered_in_both_languages(written: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    speak()
    monkeypatch.setattr("sys.stdin", io.StringIO(written))
    assert confirmed("Carry this out?") is expected


def test_a_question_that_nobody_answers_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(Abort):
        confirmed("Carry this out?")


def test_a_noun_alone_gets_its_help_in_the_readers_language(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "ru")
    assert run(["requests"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[0]) == ("", "Вызов: mailer requests [ПАРАМЕТРЫ] КОМАНДА [АРГУМЕНТЫ]...")
