"""`mailer audit declare-lost-key` by its words and exit codes, and what verification says from then on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.offices import Shell, found, publish

DECLARE = ("audit", "declare-lost-key", "--reason", "диск сгорел")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("office")
    found(home)
    publish(home)
    return home


@pytest.fixture
def shell(founded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """An office whose record is signed, and whose signing key has lost its private half."""
    home = shutil.copytree(founded, tmp_path / "office")
    (home / "keys" / "checkpoint.key").unlink()
    return Shell(home=home, capsys=capsys)


def public_key(shell: Shell) -> str:
    return (shell.home / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()


def test_what_cannot_sign_names_the_command(shell: Shell) -> None:
    for command in (("check",), ("keys", "list"), ("run", "--only", "checkpoint"), ("audit", "change-key", "--reason", "x")):
        said = shell(*command)
        assert said.code != 0, command
        assert "mailer audit declare-lost-key" in said.out + said.err, command


def test_a_person_is_asked_first(shell: Shell) -> None:
    old, file = public_key(shell), shell.home / "keys" / "checkpoints.txt"
    before = file.read_bytes()
    said = shell(*DECLARE, "--dry-run")
    assert said.code == 0
    assert said.out.splitlines()[0] == f"the lost key: {old}"
    assert said.out.splitlines()[-1] == "nothing was changed"
    said = shell(*DECLARE)
    assert said.code == 3
    assert "--yes" in said.err
    assert (public_key(shell), file.read_bytes()) == (old, before)
    assert not (shell.home / "keys" / "checkpoint.key").exists()


def test_it_is_declared_and_every_verification_says_so(shell: Shell) -> None:
    old = public_key(shell)
    said = shell(*DECLARE, "--yes")
    assert said.code == 0
    new = public_key(shell)
    assert f"its public half: {new}" in said.out
    assert "✓ record: its key signs" in shell("check").out
    said = shell("audit", "verify")
    assert (said.code, said.out.split(":")[0]) == (3, "KEY LOST ON RECORD")
    assert said.out.splitlines()[-1] == new
    said = shell("audit", "verify", "--key", old)
    assert said.code == 3
    said = shell("audit", "verify", "--key", new)
    assert (said.code, said.out.split(":")[0]) == (0, "OK")
    assert "the key was declared lost on" in said.out
    (loss,) = shell("audit", "verify", "--json").objects[0]["lost_keys"]
    assert (loss["old"], loss["new"], loss["confirmed"]) == (old, new, False)
    (told,) = [one for one in shell("audit", "list", "--json").objects if one["event"] == "audit.key-lost"]
    assert (told["importance"], told["details"]["reason"]) == ("alarm", "диск сгорел")


def test_it_is_refused_while_the_key_is_there(shell: Shell) -> None:
    assert shell(*DECLARE, "--yes").code == 0
    for more in ("--yes", "--dry-run"):
        said = shell(*DECLARE, more)
        assert (said.code, said.out) == (3, "")
        assert "mailer audit change-key" in said.err


def test_without_the_public_half_it_is_said_where_a_copy_is(shell: Shell) -> None:
    (shell.home / "keys" / "checkpoint.pub").unlink()
    said = shell(*DECLARE, "--yes")
    assert said.code == 2
    assert "manifest.json" in said.err


@pytest.mark.parametrize(
    ("key", "code", "why"),
    [
        ("abc", 2, "this is no public key"),
        ("mailer/a+ffffffff+AQAA", 2, "this is no public key"),
        ("mailer/a+abbaed40+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 2, "another office"),
    ],
)
def test_a_key_that_cannot_be_ours_is_no_verdict(shell: Shell, key: str, code: int, why: str) -> None:
    said = shell("audit", "verify", "--key", key)
    assert (said.code, said.err.split(":")[0]) == (code, "CANNOT VERIFY")
    assert why in said.err


def test_another_key_of_this_office_is_an_alarm(shell: Shell) -> None:
    other = Shell(home=shutil.copytree(shell.home, shell.home.parent / "other"), capsys=shell.capsys)
    for one in (shell, other):
        assert one(*DECLARE, "--yes").code == 0
    said = shell("audit", "verify", "--key", public_key(other))
    assert (said.code, said.out.split(":")[0]) == (1, "TAMPERED")


def test_a_copy_from_before_the_loss_verifies_a_database_from_before_it(shell: Shell, tmp_path: Path) -> None:
    """The restored database knows nothing of the loss, nor does the copy; the office's own file does."""
    outside = shutil.copy(shell.home / "keys" / "checkpoints.txt", tmp_path / "elsewhere.txt")
    backup = shutil.copy(shell.home / "mailer.db", tmp_path / "backup.db")
    assert shell(*DECLARE, "--yes").code == 0
    for journal in shell.home.glob("mailer.db-*"):
        journal.unlink()
    shutil.copy(backup, shell.home / "mailer.db")
    assert shell("audit", "verify").code == 1
    assert shell("audit", "declare-restore", "--reason", "диск").code == 0
    for words in ((), ("--checkpoints", str(outside))):
        said = shell("audit", "verify", *words)
        assert (said.code, said.out.split(":")[0]) == (3, "KEY LOST ON RECORD")
        assert "the record of it is gone" in said.out
        confirmed = shell("audit", "verify", *words, "--key", public_key(shell))
        assert (confirmed.code, confirmed.out.split(":")[0]) == (0, "RESTORED ON RECORD")
