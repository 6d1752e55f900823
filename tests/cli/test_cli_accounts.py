"""`mailer accounts` and `mailer credentials check`, as an officer types them; no password is ever shown or left behind."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.offices import NOW, Shell, desk_in, found
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, Desk
from tests.flow.test_flow_steps import password_in

PAIRS = "login;password;expires\r\nuc-1;s3cret-1;31.12.2099\r\nuc-2;s3cret-2;\r\n"


@contextmanager
def desk_today(home: Path, *, epoch: int) -> Iterator[Desk]:
    """The office's steps on the day on which its commands run; the mailbox counts anew."""
    with desk_in(home) as desk:
        desk.trial.clock.now = desk.mailbox.received_at = NOW
        desk.mailbox.epoch = epoch
        desk.trial.chance.seed(epoch)
        yield desk


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """An office with one login; the login and its password."""
    home = tmp_path_factory.mktemp("office")
    found(home)
    with desk_today(home, epoch=2) as desk:
        desk.take(request("Фомин Ф.Ф.", CLINIC.answer_to, 50))
        desk.run()
        return (home, *password_in(desk.postman.sent[0][1]))


@pytest.fixture
def shell(founded: tuple[Path, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(home=shutil.copytree(founded[0], tmp_path / "office"), capsys=capsys)


def pairs_file(shell: Shell, content: str = PAIRS, *, mode: int = 0o600) -> Path:
    path = shell.home / "pairs.csv"
    path.write_bytes(content.encode("cp1251"))
    path.chmod(mode)
    return path


def test_pairs_are_imported_counted_and_the_file_removed_on_request(shell: Shell) -> None:
    path = pairs_file(shell)
    said = shell("accounts", "import", str(path), "--remove-file")
    assert (said.code, said.err) == (0, "")
    assert "2 pairs imported" in said.out
    assert not path.exists()
    assert shell("accounts", "list", "--json").objects == [
        {
            "kind": "local",
            "local": {"enabled": 2, "ended": 0},
            "pool": {"free": 2, "ending": 0, "taken": 0, "handed": 0, "spent_before": 0, "damaged": 0},
        }
    ]
    assert "pool: 2 pairs free" in shell("accounts", "list").out


def test_the_bytes_are_overwritten_before_the_file_goes(shell: Shell) -> None:
    """Seen through a second name of the same file."""
    path = pairs_file(shell)
    other = shell.home / "other-name"
    os.link(path, other)
    assert shell("accounts", "import", str(path), "--remove-file").code == 0
    assert set(other.read_bytes()) == {0}


def test_imported_passwords_stand_nowhere(shell: Shell) -> None:
    shell("accounts", "import", str(pairs_file(shell)), "--remove-file")
    shell("accounts", "list")
    holding = [file.name for file in shell.home.rglob("*") if file.is_file() and b"s3cret" in file.read_bytes()]
    assert holding == []


def test_a_file_others_can_read_is_warned_of(shell: Shell) -> None:
    said = shell("accounts", "import", str(pairs_file(shell, mode=0o644)))
    assert said.code == 0
    assert "can be read by other users" in said.err


def test_a_bad_row_changes_nothing_and_the_file_stays(shell: Shell) -> None:
    path = pairs_file(shell, PAIRS + "uc-1;s3cret-3;\r\n;s3cret-4;\r\n")
    said = shell("accounts", "import", str(path), "--remove-file")
    assert said.code == 2
    assert said.err.splitlines() == [
        "line 4: the login stands in line 2 already",
        "line 5: login is empty",
        f"{path}: nothing was imported",
    ]
    assert path.exists()
    assert shell("accounts", "list", "--json").objects[0]["pool"]["free"] == 0


def test_the_same_file_twice_is_refused(shell: Shell) -> None:
    shell("accounts", "import", str(pairs_file(shell)))
    said = shell("accounts", "import", str(pairs_file(shell)))
    assert said.code == 2
    assert "line 2: the login was imported or used before" in said.err
    assert "line 3: the login was imported or used before" in said.err


def test_an_office_of_kind_pool_hands_the_pairs_out(shell: Shell) -> None:
    shell("accounts", "import", str(pairs_file(shell)))
    with desk_today(shell.home, epoch=3) as desk:
        desk.kind = "pool"
        desk.take(request("Ли К.", CLINIC.answer_to, 51))
        desk.run()
        assert len(desk.postman.sent) == 1
    assert shell("accounts", "list", "--json").objects[0]["pool"]["handed"] == 1
    assert shell("accounts", "reconcile").code == 0


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    ("form", "code"),
    [
        pytest.param("{0}{1}{2}", 0, id="right"),
        pytest.param("{0} {1}-{2}\n", 0, id="in groups"),
        pytest.param("{0}{1}bbbbbb", 1, id="wrong"),
        pytest.param("", 1, id="nothing"),
    ],
)
def test_a_password_is_checked_from_standard_input(
    shell: Shell, founded: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, form: str, code: int
) -> None:
    _, login, password = founded
    typed(monkeypatch, form.format(password[:6], password[6:12], password[12:]))
    heard = shell("credentials", "check", login)
    assert heard.code == code
    assert heard.out.startswith("wrong password" if code else "valid until")
    assert password not in heard.out + heard.err
    (told,) = shell("audit", "list", "--json", "--limit", "1").objects
    assert (told["event"] == "credential.checked") is (code == 0)
    assert code or told["details"]["standing"] == "valid"


def test_the_russian_layout_is_recognised_and_told(
    shell: Shell, founded: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, login, password = founded
    typed(monkeypatch, password.translate(str.maketrans("bdfghjkmnrstuvwz", "ивапрольткыегмця")))
    heard = shell("credentials", "check", login)
    assert heard.code == 0
    assert "Russian layout" in heard.out


def test_an_ended_and_an_unknown_login_are_told_apart(
    shell: Shell, founded: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, login, password = founded
    shell("credentials", "revoke", login, "--reason", "уволен")
    typed(monkeypatch, password)
    ended = shell("credentials", "check", login)
    assert (ended.code, "no longer valid: revoked" in ended.out) == (1, True)
    typed(monkeypatch, password)
    unknown = shell("credentials", "check", "tmp-29-nobodys1")
    assert (unknown.code, unknown.out) == (1, "there is no such login\n")


def test_orphans_are_shown_and_ended_only_with_a_reason(shell: Shell, founded: tuple[Path, str, str]) -> None:
    _, login, _ = founded
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        tx.exec_driver_sql(f"UPDATE credentials SET state = 'revoked' WHERE login = '{login}'")
    said = shell("accounts", "reconcile")
    assert said.code == 1
    heading, line = said.out.splitlines()
    assert line.startswith(login)
    assert line.index("account without") == heading.index("difference"), "the words stand last: they are of any length"
    assert shell("accounts", "reconcile", "--disable-orphans").code == 2
    assert shell("accounts", "reconcile", "--json").objects[0]["without_credential"][0]["enabled"] is True
    assert shell("accounts", "reconcile", "--disable-orphans", "--reason", "сверка").code == 1
    assert shell("accounts", "reconcile").out == "accounts and credentials agree\n"


def test_an_office_of_an_earlier_version_is_brought_forward(shell: Shell, founded: tuple[Path, str, str]) -> None:
    """Without the files and marks of this version; afterwards its old logins count as used."""
    _, login, _ = founded
    for name in ("handed-out.log", "issuing/1.key", "pools/1.pub"):
        (shell.home / "keys" / name).unlink()
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        tx.exec_driver_sql("DELETE FROM used_logins")
    (shell.home / "keys" / "handed-out.log").unlink()
    missing = shell("check")
    assert "handed-out.log is missing" in missing.out
    assert shell("init", "--upgrade").code == 0
    said = shell("accounts", "import", str(pairs_file(shell, f"login,password\r\n{login},x\r\n")))
    assert "line 2: the login was imported or used before" in said.err
