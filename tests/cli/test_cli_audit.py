"""`mailer audit` by its words and exit codes: what is signed, a copy from elsewhere, a restore declared, a key changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.core import oldletter
from mailer.store import checkpoints
from tests.cli.offices import Shell, desk_in, publish
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC

NEXT = 5  # letters of the folder: four are known by their numbers, and only the fifth is new


@pytest.fixture
def signed(shell: Shell) -> Shell:
    publish(shell.home)
    return shell


def test_nothing_published_is_said(shell: Shell) -> None:
    said = shell("audit", "verify")
    assert said.code == 0
    assert said.out.startswith("OK: ")
    assert said.out.endswith("inside only: no checkpoint outside the database was compared\n")


def test_all_signed_and_then_a_tail(signed: Shell) -> None:
    said = signed("audit", "verify")
    assert (said.code, said.out.split(":")[0]) == (0, "OK")
    assert "all of them under checkpoints outside the database" in said.out
    assert signed("audit", "export", "-", "--format", "jsonl").code == 0
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


def test_nothing_is_no_verdict_either(signed: Shell) -> None:
    (whole,) = signed("audit", "verify", "--json").objects
    assert signed("audit", "verify", "--since", str(whole["records"])).code == 0
    said = signed("audit", "verify", "--since", str(whole["records"] + 1))
    assert (said.code, said.out) == (2, "")
    assert said.err == f"CANNOT VERIFY: there is no record {whole['records'] + 1}: the newest is {whole['records']}\n"


def test_a_copy_from_before_a_change_of_key_verifies(signed: Shell, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.txt"
    shutil.copy(signed.home / "keys" / "checkpoints.txt", outside)
    assert signed("audit", "change-key", "--reason", "раз в год").code == 0
    said = signed("audit", "verify", "--checkpoints", str(outside))
    assert (said.code, said.out.split(":")[0]) == (0, "OK")


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


@pytest.fixture
def answered(shell: Shell, tmp_path: Path) -> tuple[Shell, Path]:
    """An answer written after a checkpoint, as its reader saved it: with header fields of mail servers above."""
    publish(shell.home)
    with desk_in(shell.home) as desk:
        desk.take(*[request("Лось Л.Л.", CLINIC.answer_to, 70 + number) for number in range(NEXT)])
        desk.run()
        ((_, content),) = desk.postman.sent
    file = tmp_path / "answer.eml"
    file.write_bytes(b"Received: from mx\r\n by mail; Mon, 23 Nov 2026\r\nX-Spam: no\r\n" + content)
    return shell, file


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"], ids=["as sent", "saved with other ends of lines"])
def test_an_old_letter_is_proved(answered: tuple[Shell, Path], ends: bytes) -> None:
    shell, file = answered
    file.write_bytes(file.read_bytes().replace(b"\r\n", ends))
    said = shell("audit", "verify-letter", str(file))
    assert (said.code, said.out.split(":")[0]) == (0, "NOT YET SIGNED")
    publish(shell.home)
    said = shell("audit", "verify-letter", str(file))
    assert (said.code, said.out.split(":")[0]) == (0, "GENUINE")
    assert "the code in it names the checkpoint of" in said.out
    (proof,) = shell("audit", "verify-letter", str(file), "--json").objects
    assert proof["named"] < proof["record_seq"] <= proof["size"]


def test_an_old_letter_that_a_lost_key_did_not_sign_says_so(answered: tuple[Shell, Path]) -> None:
    shell, file = answered
    (shell.home / "keys" / "checkpoint.key").unlink()
    assert shell("audit", "declare-lost-key", "--reason", "диск", "--yes").code == 0
    said = shell("audit", "verify-letter", str(file))
    assert (said.code, said.out.split(":")[0]) == (0, "GENUINE")
    assert said.out.endswith("it was signed after a key was lost, see `mailer audit verify`\n")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (b"\r\nDate: ", b"\r\nDate: X", "CHANGED"),
        (b"\r\n\r\n", b"\r\n\r\n0KQ=\r\n", "CHANGED"),
        (b"\r\nMessage-ID: <", b"\r\nMessage-ID: <0", "UNKNOWN"),
        (b"\r\nMessage-ID: ", b"\r\nMessage-ID: <a@b>\r\nMessage-ID: ", "UNKNOWN"),
        (b"\r\nMessage-ID: ", b"\r\nX-ID: ", "UNKNOWN"),
    ],
)
def test_a_letter_that_was_changed_or_is_not_ours(answered: tuple[Shell, Path], old: bytes, new: bytes, found: str) -> None:
    shell, file = answered
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new, 1))
    said = shell("audit", "verify-letter", str(file))
    assert (said.code, said.out.split(":")[0]) == (1, found)


def test_a_letter_whose_record_was_changed(answered: tuple[Shell, Path]) -> None:
    shell, file = answered
    publish(shell.home)
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        tx.execute(text("DROP TRIGGER records_UPDATE"))
        tx.execute(text("UPDATE records SET mac = leaf WHERE event = 'reply.queued'"))
    said = shell("audit", "verify-letter", str(file))
    assert (said.code, said.out.split(":")[0]) == (1, "TAMPERED")


def test_a_letter_whose_person_was_erased_can_no_longer_be_compared(answered: tuple[Shell, Path]) -> None:
    shell, file = answered
    said = shell("personal", "erase", "Лось Л.Л.", "--reason", "отзыв", "--revoke", "--acts", str(shell.home / "shelf"))
    assert said.code == 0
    said = shell("audit", "verify-letter", str(file))
    assert (said.code, said.out.split(":")[0]) == (2, "ERASED")
    (proof,) = shell("audit", "verify-letter", str(file), "--json").objects
    assert (proof["found"], proof["why"]) == ("ERASED", None)
    assert proof["record_seq"] < proof["erasure"]


def test_a_refusal_carries_the_code_too(shell: Shell) -> None:
    publish(shell.home)
    with desk_in(shell.home) as desk:
        desk.take(*[request("Лось", CLINIC.answer_to, 70 + number) for number in range(NEXT)])
        desk.run()
        ((_, content),) = desk.postman.sent
        with desk.trial.database.reading() as tx:
            newest = checkpoints.newest_signed_by(tx, desk.signing_key.public())
        assert newest is not None
        assert oldletter.code(content) == newest.code


def test_old_records_are_pruned_by_a_bundle(shell: Shell, tmp_path: Path) -> None:
    """All that this office has is of today: it is refused, and nothing but the refusal is told."""
    folder = tmp_path / "bundle"
    assert shell("audit", "export", str(folder), "--format", "bundle").code == 0
    prune = ("audit", "prune", "--bundle", str(folder), "--reason", "срок вышел")
    said = shell(*prune, "--dry-run")
    assert said.code == 3
    assert "[audit] keep_days" in said.err
    assert shell(*prune).code == 3
    (told,) = shell("audit", "list", "--limit", "1", "--json").objects
    assert (told["event"], told["details"]["command"]) == ("command.refused", "audit prune")
    assert shell("audit", "prune", "--bundle", str(tmp_path), "--reason", "срок вышел").code == 2
    assert shell("audit", "prune", "--bundle", str(folder), "--reason", " ").code == 2


def test_records_of_two_years_ago_are_pruned(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mailer.service import office

    now = office.clock
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        for table in ("requests", "credentials", "replies", "letters"):
            over = {"requests": "refused", "credentials": "revoked", "replies": "sent", "letters": "read"}[table]
            tx.execute(text(f"UPDATE {table} SET state = '{over}'"))  # as after a year: all of it is over
    monkeypatch.setattr(office, "clock", lambda: now() + timedelta(days=730))
    folder = tmp_path / "bundle"
    assert shell("audit", "export", str(folder), "--format", "bundle", "--to", f"{now():%Y-%m-%d}").code == 0
    prune = ("audit", "prune", "--bundle", str(folder), "--reason", "срок вышел")
    said = shell(*prune, "--dry-run")
    assert (said.code, said.out.split(":")[0]) == (0, "would be pruned")
    (done,) = shell(*prune, "--json").objects
    said = shell("audit", "verify")
    assert (said.code, said.out.split(":")[0]) == (0, "PRUNED ON RECORD")
    assert f"records up to {done['upto']} were pruned" in said.out
    (verdict,) = shell("audit", "verify", "--json").objects
    assert verdict["pruned"] == done["upto"] == done["count"]
    for command in (["requests", "show", "1"], ["requests", "list"], ["letters", "show", "1"], ["audit", "list"]):
        assert shell(*command).code == 0, command
    assert "the row of the register is not" not in shell("check").out
    again = tmp_path / "again"
    assert shell("audit", "export", str(again), "--format", "bundle").code == 0
    key = (shell.home / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()
    for one in (folder, again):
        found = subprocess.run(
            [sys.executable, str(one / "verify_export.py"), str(one), "--key", key], capture_output=True, text=True, check=False
        )
        assert (found.returncode, found.stdout.split(":")[0]) == (0, "OK"), found.stdout


@pytest.mark.parametrize(
    ("column", "value", "code"), [("at", "'long ago'", 0), ("header", "'long ago'", 3), ("details", "X'ff'", 3)]
)
def test_a_record_that_cannot_be_read_is_said_in_a_sentence(
    shell: Shell, tmp_path: Path, column: str, value: str, code: int
) -> None:
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        tx.execute(text("DROP TRIGGER records_UPDATE"))
        tx.execute(text(f"UPDATE records SET {column} = {value} WHERE seq = (SELECT seq FROM audit_head)"))
    for number, command in enumerate(
        (["list"], *(["export", str(tmp_path / form), "--format", form] for form in ("jsonl", "csv", "cef", "xlsx")))
    ):
        said = shell("audit", *command)
        assert "Traceback" not in said.err
        if number == 0:
            assert (said.code != 0) == (code != 0)
        if said.code:
            assert "cannot be read" in said.err
    assert shell("status").code in {0, 1, 3}
    assert shell("audit", "verify").code == 1


@pytest.mark.parametrize("command", ["declare-restore", "change-key"])
def test_what_changes_the_records_standing_needs_a_reason(signed: Shell, command: str) -> None:
    said = signed("audit", command, "--reason", "  ")
    assert said.code == 2
    assert "a reason must be given" in said.err
