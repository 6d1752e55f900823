"""Does the help name only what is there? And does a shell get its completions?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from mailer.cli.app import build, run
from mailer.cli.help import WORKFLOWS

ROOT = Path(__file__).parents[2]
COMMANDS = [command for commands in WORKFLOWS.values() for command in commands]


def options(command: str) -> Iterator[str]:
    return (word for word in command.split() if word.startswith("--"))


def test_there_are_ten_tasks() -> None:
    assert len(WORKFLOWS) == 10


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_a_task_is_there_with_its_options(command: str) -> None:
    program, *words = command.split()
    assert program == "mailer"
    found = get_command(build())
    while isinstance(found, TyperGroup):
        found = found.commands[words.pop(0)]
    known = {option for parameter in found.params for option in parameter.opts}
    assert set(options(command)) <= known
    assert not any(
        parameter.required and parameter.opts[0] not in command for parameter in found.params if parameter.opts[0].startswith("--")
    )


def test_the_tasks_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "workflows"]) == 0
    said = capsys.readouterr().out
    assert all(f"       {command}\n" in said for command in COMMANDS)
    assert max(map(len, said.splitlines())) <= 110


def mailer(*arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", "mailer", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ) | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        pytest.param("mailer pau", {"pause"}, id="command"),
        pytest.param("mailer pause ", {"intake", "issue", "deliver"}, id="choice"),
        pytest.param("mailer letters re", {"retry"}, id="sub-command"),
        pytest.param("mailer pause issue --re", {"--reason"}, id="option"),
    ],
)
def test_a_shell_completes_what_was_typed(typed: str, expected: set[str]) -> None:
    words = typed.split(" ")
    said = mailer(_MAILER_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(words) - 1))
    assert expected <= set(said.split())


def test_the_option_that_shows_the_script_speaks_russian_and_the_one_that_installs_is_not_there() -> None:
    said = mailer("--help", LC_ALL="C.UTF-8", LANGUAGE="ru")
    assert "Вывести сценарий дополнения" in said
    assert "--install-completion" not in said
