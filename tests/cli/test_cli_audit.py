"""`mailer audit` by its words and exit codes: what is signed, a copy from elsewhere, a restore declared, a key changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mailer.config.load import load
from mailer.service.office import Office, open_office
from tests.cli.offices import Shell, found


def office_in(home: Path) -> Office:
    return open_office(load(home / "mailer.toml", {}), {})


def publish(home: Path) -> None:
    office = office_in(home)
    office.record_signer(office.worker("test")).publish()
    office.close()


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("office")
    found(home)
    return home


@pytest.fixture
def own_shell(founded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """In a copy of the office, to be changed."""
    return Shell(home=shutil.copytree(founded, tmp_path / "office"), capsys=capsys)


@pytest.fixture
def signed(own_shell: Shell) -> Shell:
    publish(own_shell.home)
    return own_shell


def test_nothing_published_is_said(own_shell: Shell) -> None:
    said = own_shell("audit", "verify")
    assert said.code == 0
    assert said.out.startswith("OK: ")
    assert said.out.endswith("inside only: no checkpoint outside the database was compared\n")


def test_all_signed_and_then_a_tail(signed: Shell) -> None:
    said = signed("audit", "verify")
    assert (said.code, said.out.split(":")[0]) == (0, "OK")
    assert "all of them under checkpoints outside the database" in said.out
    assert signed("audit", "change-key", "--reason", "раз в год").code == 0
    said = signed("audit", "verify")
    assert (said.code, said.out.split(":")[0]) == (0, "TAIL NOT YET SIGNED")
    (verdict,) = signed("audit", "verify", "--json").objects
    assert (verdict["verdict"], verdict["signed"]) == ("TAIL NOT YET SIGNED", verdict["records"] - 1)


def test_a_restored_database_is_tampered_until_it_is_declared(signed: Shell, tmp_path: Path) -> None:
    home, copy = signed.home, tmp_path / "backup.db"
    shutil.copy(home / "mailer.db", copy)
    assert signed("audit", "change-key", "--reason", "раз в год").code == 0
    publish(home)
    outside = tmp_path / "elsewhere.txt"
    shutil.copy(home / "keys" / "checkpoints.txt", outside)
    for journal in home.glob("mailer.db-*"):
        journal.unlink()
    shutil.copy(copy, home / "mailer.db")
    said = signed("audit", "verify")
    assert said.code == 1
    assert "the record ends here, and a checkpoint signed" in said.out
    said = signed("audit", "declare-restore", "--reason", "диск")
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("signed: ")
    for words in ([], ["--checkpoints", str(outside)]):  # the copy is older than the declaration
        said = signed("audit", "verify", *words)
        assert (said.code, said.out.split(":")[0]) == (0, "RESTORED ON RECORD")
        assert "a restore was declared" in said.out
    said = signed("audit", "declare-restore", "--reason", "диск")
    assert (said.code, said.out) == (3, "")


def test_a_copy_from_before_a_change_of_key_verifies(signed: Shell, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.txt"
    shutil.copy(signed.home / "keys" / "checkpoints.txt", outside)
    assert signed("audit", "change-key", "--reason", "раз в год").code == 0
    said = signed("audit", "verify", "--checkpoints", str(outside))
    assert (said.code, said.out.split(":")[0]) == (0, "TAIL NOT YET SIGNED")


@pytest.mark.parametrize("missing", ["record.key", "checkpoint.pub", "checkpoints.txt"])
def test_what_is_missing_is_no_verdict(signed: Shell, missing: str) -> None:
    (signed.home / "keys" / missing).unlink()
    said = signed("audit", "verify")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("CANNOT VERIFY: the ")
    assert missing in said.err


@pytest.mark.parametrize("content", ["", "mailer/another\n"])
def test_a_copy_without_checkpoints_of_ours_is_no_verdict(signed: Shell, tmp_path: Path, content: str) -> None:
    (tmp_path / "copy").write_text(content, encoding="utf-8")
    said = signed("audit", "verify", "--checkpoints", str(tmp_path / "copy"))
    assert (said.code, said.err.split(":")[0]) == (2, "CANNOT VERIFY")


def test_the_file_is_made_anew_from_what_the_database_has(signed: Shell) -> None:
    file = signed.home / "keys" / "checkpoints.txt"
    before = file.read_text(encoding="utf-8")
    assert signed("audit", "checkpoints").out == before


def test_check_warns_until_checkpoints_leave_the_machine(signed: Shell) -> None:
    """The office of these tests names an officer: the day's letter goes to him."""
    said = signed("check")
    assert "✓ record: its key signs; the last checkpoint is of" in said.out
    assert "! record" not in said.out
    config = signed.home / "mailer.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("\nofficer = ", "\n# officer = "), encoding="utf-8")
    assert "! record: no checkpoint leaves this machine" in signed("check").out
