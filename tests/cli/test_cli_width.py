"""Does what is listed and shown fit 100 columns? All of it on a terminal; elsewhere all but tables, where a row is a line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from rich.text import Text
from typer.main import get_command

from mailer.cli.app import build
from mailer.cli.show import WIDEST
from mailer.model import Sender
from tests.cli.offices import Shell, desk_in, found
from tests.cli.test_cli_dry_runs import commands
from tests.e2e.bureau import request

LONG: Final = Sender(
    code="2999990000000000",
    organisation="Государственное бюджетное учреждение здравоохранения «Областная клиническая больница № 1» " * 2,
    answer_to="reception-of-the-department-of-radiology@regional-clinical-hospital.example",
    addresses=(
        "reception-of-the-department-of-radiology@regional-clinical-hospital.example",
        "reception-of-the-department-of-cardiology@regional-clinical-hospital.example",
    ),
    points=("29(ОКБ1) Регистратура отделения лучевой диагностики Константинопольская-Рождественская А.А.",),
)
LISTS: Final = {
    "senders list": [""],
    "persons list": [""],
    "accounts list": [""],
    "letters list": ["", "--quarantined"],
    "requests list": ["", "--held", "--undelivered", "--observed"],
    "credentials list": [""],
    "rules show": [""],
    "keys list": [""],
    "audit list": [""],
}
SHOWN: Final = {
    "senders show": ["290001", LONG.code],
    "persons show": [LONG.code],
    "letters show": ["1", "2", "5"],
    "requests show": ["1", "2", "3", "4", "5"],
    "credentials show": ["{login}"],
    "rules show": ["near-subject", "issue"],
}


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The office, with a sender of whom everything is long, and his letter."""
    home = tmp_path_factory.mktemp("office")
    found(home)
    (home / "persons.csv").write_text(f"code,person\n{LONG.code},Константинопольская-Рождественская А.А.\n", encoding="utf-8")
    with desk_in(home) as desk:
        desk.trial.register(LONG)
        desk.mailbox.epoch = 2
        desk.take(request("Константинопольская-Рождественская А.А.", LONG.answer_to, 50))
        desk.run()
    return home


@pytest.fixture
def shell(founded: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(home=founded, capsys=capsys)
    shell("persons", "import", str(founded / "persons.csv"))
    return shell


def too_wide(said: str) -> list[str]:
    return [line for line in said.splitlines() if Text.from_ansi(line).cell_len > WIDEST]


def words(shell: Shell, command: str, more: str) -> list[str]:
    login = shell("credentials", "list", "--state", "active", "--json").objects[0]["credential"]["login"] if "{" in more else ""
    return [*command.split(), *more.format(login=login).split()]


def test_every_list_and_show_is_tried() -> None:
    names = {name for name, _command in commands(get_command(build())) if name.split()[-1] in {"list", "show"}}
    assert names == set(LISTS) | set(SHOWN)


CASES: Final = [(command, more) for table in (LISTS, SHOWN) for command, mores in table.items() for more in mores]


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(("command", "more"), CASES)
def test_a_terminal_of_100_columns_is_wide_enough(
    shell: Shell, command: str, more: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = words(shell, command, more)
    for name, value in {"TTY_COMPATIBLE": "1", "TERM": "xterm", "COLUMNS": str(WIDEST), "LANGUAGE": language}.items():
        monkeypatch.setenv(name, value)
    said = shell(*typed)
    assert (said.code, said.err, too_wide(said.out)) == (0, "", [])


@pytest.mark.parametrize(("command", "more"), [(command, more) for command in SHOWN for more in SHOWN[command]])
def test_what_is_shown_fits_into_a_file_too(shell: Shell, command: str, more: str) -> None:
    said = shell(*words(shell, command, more))
    assert (said.code, said.err, too_wide(said.out)) == (0, "", [])


@pytest.mark.parametrize("command", ["letters list", "audit list", "senders list"])
def test_a_list_has_a_row_a_line_in_a_file(shell: Shell, command: str) -> None:
    machine, people = shell(*command.split(), "--json"), shell(*command.split())
    assert len(people.out.splitlines()) == len(machine.out.splitlines()) + 1
