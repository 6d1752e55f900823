"""Does `mailer demo` show four letters that end as they must, take one's own, and leave nothing behind?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailer.config.load import load
from mailer.core.secret import PROFILES, UNMISTAKABLE
from mailer.demo.letters import FIRST_ADDRESS, Ending, post, write
from mailer.demo.place import MARK, occupied, ports_of_running
from mailer.demo.program import clean
from mailer.demo.servers import Ports
from mailer.demo.witness import Flaw, Story, Witness
from mailer.errors import SetupError
from mailer.service.office import open_office

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SECONDS = 120
SURROUNDINGS = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "", "PYTHONPATH": str(ROOT)}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mailer", *arguments]


def mailer(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=SURROUNDINGS | environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def processes_of(directory: Path) -> list[str]:
    """The command lines that name this folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it ended in this moment
            continue
        if any(str(directory) in word for word in words):
            found.append(" ".join(words))
    return found


PASSWORD_SYMBOLS = PROFILES["default"].length


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a demo that stays up; in the end it is interrupted as by Ctrl-C."""
    directory = tmp_path_factory.mktemp("demo") / "office"
    running = subprocess.Popen(
        command("demo", "--directory", str(directory)),
        env=SURROUNDINGS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    said: list[str] = []
    for line in running.stdout:
        said.append(line)
        if "Ctrl-C" in line:
            break
    assert "Ctrl-C" in "".join(said[-1:]), "".join(said)
    yield directory
    running.send_signal(signal.SIGINT)
    rest, _ = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, rest
    assert "✓ the service stopped" in rest
    assert processes_of(directory) == []
    after = mailer("demo", "send", "Запрос", "--directory", str(directory))
    assert (after.returncode, "start `mailer demo` first" in after.stderr) == (2, True)


@pytest.fixture
def witness(demo: Path) -> Iterator[Witness]:
    environ = clean(os.environ)
    office = open_office(load(demo / "mailer.toml", environ), environ)
    yield Witness(
        database=office.database,
        ruleset=office.active_rules(),
        own=office.own(),
        limits=office.limits(),
        key=office.pen().key,
        accounts=office.accounts(),
        ports=ports_of_running(demo),
    )
    office.close()


def test_four_letters_end_as_they_must(tmp_path: Path) -> None:
    directory = tmp_path / "пробный отдел"
    shown = mailer("demo", "--once", "--directory", str(directory), MAILER_MODE="observe", MAILER_NO_SUCH_KEY="1")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert (shown.stdout.count("✓"), shown.stdout.count("✗")) == (5, 0)
    for expected in (
        "Запрос атрибутов временного доступа = Соколова М.И.",
        "RE: запрос аттрибутов временного доступа – пришва а а",
        "charset, prefix, phrase-typo, separator, initials, case",
        "Логин и пароль: Пришва А.А.",
        "name-placeholder",
        "Отказ: вместо фамилии оставлен образец",
        "Отправителя нет в реестре",
        "credential.issued",
        "request.held",
    ):
        assert expected in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines() if str(tmp_path) not in line) <= 100
    assert processes_of(directory) == []


@pytest.mark.parametrize(
    ("subject", "arguments", "expected"),
    [
        pytest.param(
            "Запрос атрибутов временного доступа = Мамин-Сибиряк Д.Н.",
            (),
            [FIRST_ADDRESS, "rule  issue", "Логин и пароль: Мамин-Сибиряк Д.Н.", "reply.sent"],
            id="right",
        ),
        pytest.param(
            "Запрос атрибутов временного доступа = Ivanov I.I.",
            ("--from", "Office@dent.example"),
            ["office@dent.example", "reason  name-not-cyrillic", "Отказ: фамилия или инициалы не кириллицей", "reply.sent"],
            id="refused",
        ),
        pytest.param(
            "Запрос атрибутов временного доступа = Соколова М.И.",
            (),
            ["rule  just-issued", "letter.ignored"],
            id="again",
        ),
        pytest.param("[bold]Привет[/bold]", (), ["[bold]Привет[/bold]", "rule  other-subject", "untouched"], id="no-request"),
    ],
)
def test_ones_own_letter_is_followed_to_its_end(demo: Path, subject: str, arguments: tuple[str, ...], expected: list[str]) -> None:
    sent = mailer("demo", "send", subject, *arguments, "--directory", str(demo))
    assert sent.returncode == 0, sent.stdout + sent.stderr
    for line in (subject, *expected):
        assert line in sent.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(("--from", "nobody"), "--from", id="no-address"),
        pytest.param(("--directory", "/nowhere"), "start `mailer demo` first", id="no-demo"),
    ],
)
def test_a_letter_that_cannot_be_sent_is_a_clear_error(demo: Path, arguments: tuple[str, ...], complaint: str) -> None:
    sent = mailer("demo", "send", "Запрос", "--directory", str(demo), *arguments)
    assert sent.returncode == 2
    assert complaint in sent.stderr


def test_only_one_demo_runs_in_a_folder(demo: Path) -> None:
    second = mailer("demo", "--once", "--directory", str(demo))
    assert second.returncode == 2
    assert "already" in second.stderr


def test_the_commands_it_names_work_beside_it(demo: Path) -> None:
    for words in (["requests", "list"], ["requests", "show", "1"], ["credentials", "list"], ["audit", "verify"], ["status"]):
        done = mailer("--config", str(demo / "mailer.toml"), *words)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_wrong_end_is_seen(witness: Witness) -> None:
    posted = write(FIRST_ADDRESS, "Запрос атрибутов временного доступа = Ли К.", datetime.now(UTC))
    foreseen = witness.foresee(posted)
    post(posted, witness.ports.smtp)
    story = witness.follow(posted, foreseen)
    assert story.reply is not None
    turned = str.maketrans(UNMISTAKABLE, UNMISTAKABLE[1:] + UNMISTAKABLE[0])
    lines = [line.translate(turned) if len(line) == PASSWORD_SYMBOLS else line for line in story.reply.text.splitlines()]
    other_password = replace(story, reply=replace(story.reply, text="\n".join(lines)))
    ends: list[tuple[Story, Ending, Flaw | None]] = [
        (story, Ending.ANSWERED, None),
        (story, Ending.REFUSED, Flaw.OTHER_END),
        (story, Ending.HELD, Flaw.OTHER_END),
        (replace(story, at_rest=False), Ending.ANSWERED, Flaw.UNFINISHED),
        (replace(story, reply=None), Ending.ANSWERED, Flaw.NO_REPLY),
        (other_password, Ending.ANSWERED, Flaw.PASSWORD),
    ]
    assert [witness.flaw(told, ending) for told, ending, _flaw in ends] == [flaw for _told, _ending, flaw in ends]


def test_a_foreign_folder_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("not the demo's")
    refused = mailer("demo", "--once", "--directory", str(tmp_path))
    assert refused.returncode == 2
    assert "was not made by `mailer demo`" in refused.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["not the demo's"]


def test_a_finished_demo_makes_room_for_the_next(tmp_path: Path) -> None:
    with occupied(tmp_path) as place:
        place.furnish(Ports(imap=1, smtp=2))
        (tmp_path / "keys" / "courier").mkdir(parents=True)
        (tmp_path / "notes.txt").write_text("somebody's own")
        place.announce(Ports(imap=1, smtp=2))
        assert ports_of_running(tmp_path) == Ports(imap=1, smtp=2)
    with occupied(tmp_path), pytest.raises(SetupError, match="no demo is ready"):
        ports_of_running(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {MARK, "notes.txt"}
