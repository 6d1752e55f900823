"""`mailer keys` as it is typed."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
from pathlib import Path

import pytest

from mailer.store import schema, senders
from tests.cli.offices import Shell, age, desk_in


def backup(shell: Shell, *names: str) -> Path:
    folder = shell.home / "backup"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shell.home / name, folder / name)
    return folder


RIGHT = ("keys/record.key", "keys/checkpoint.key", "keys/pepper.key", "keys/issuing/1.key")


def test_the_list_shows_who_holds_what_and_what_may_be_copied(shell: Shell) -> None:
    said = shell("keys", "list", "--json")
    assert said.code == 0
    assert {(one["kind"], one["holder"], one["backup"]) for one in said.objects} == {
        ("record", "desk, courier, commands", "must"),
        ("pepper", "desk, commands", "must"),
        ("pool", "the issue step alone", "must"),
        ("epoch", "the courier alone", "never"),
        ("checkpoint", "desk, commands that sign", "must"),
    }
    assert shell("keys", "list").code == 0


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("pepper.key", "those persons need new ones"),
        ("checkpoint.key", "can be signed"),
        ("issuing/1.key", "import them again"),
        ("courier", "must be reissued"),
    ],
)
def test_a_missing_key_is_said_plainly(shell: Shell, name: str, lost: str) -> None:
    path = shell.home / "keys" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    said = shell("keys", "list")
    assert said.code == 1
    assert "MISSING" in said.out
    assert lost in said.out


def test_a_lost_pepper_that_verifiers_name_is_missed_and_never_made_anew(shell: Shell) -> None:
    assert shell("keys", "rotate", "pepper").code == 0
    with sqlite3.connect(shell.home / "mailer.db") as connection:
        connection.execute("UPDATE accounts_local SET algorithm = 'hmac-sha256:2'")
    connection.close()
    (shell.home / "keys" / "pepper-2.key").unlink()
    said = shell("keys", "list")
    assert said.code == 1
    assert "pepper-2.key: MISSING" in said.out
    assert "those persons need new ones" in said.out
    assert "pepper-2.key is missing" in shell("check").out
    assert "the new key is 3" in shell("keys", "rotate", "pepper").out


def test_keys_are_rotated_and_destroyed(shell: Shell) -> None:
    assert shell("keys", "rotate", "pepper").code == 0
    assert shell("keys", "rotate", "pool").code == 0
    assert shell("keys", "rotate", "epoch").code == 0
    assert shell("keys", "rotate", "record").code == 3
    assert shell("keys", "new").code == 0
    assert shell("keys", "destroy-expired").code == 0
    assert shell("keys", "list").code == 0


def test_a_new_pair_is_made_where_the_couriers_keys_are_gone(shell: Shell) -> None:
    before = {path.stem for path in (shell.home / "keys" / "epochs").iterdir()}
    (shell.home / "keys" / "courier").rename(shell.home / "elsewhere")
    assert "epoch: the key" in shell("keys", "new", "--dry-run").out
    assert not (shell.home / "keys" / "courier").exists()
    assert shell("keys", "new").code == 0
    (made,) = (shell.home / "keys" / "courier").iterdir()
    assert made.stem > max(before)
    assert "nothing is missing" in shell("keys", "new", "--dry-run").out


def test_a_right_backup_is_right_as_folder_and_as_archive(shell: Shell) -> None:
    folder = backup(shell, *RIGHT)
    assert shell("keys", "backup-check", str(folder)).code == 0
    archive = shell.home / "backup.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, "keys")
    assert shell("keys", "backup-check", str(archive)).code == 0
    assert shell("keys", "backup-check", str(shell.home / "mailer.db")).code == 0


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param(RIGHT[1:], "record.key is not in it", id="one is missing"),
        pytest.param((*RIGHT, "mailer.db"), "beside a copy of the database", id="with the database"),
    ],
)
def test_a_wrong_backup_is_named(shell: Shell, names: tuple[str, ...], said: str) -> None:
    outcome = shell("keys", "backup-check", str(backup(shell, *names)))
    assert outcome.code == 1
    assert said in outcome.out


def test_a_couriers_key_in_a_backup_is_named(shell: Shell) -> None:
    (key,) = [path.relative_to(shell.home).as_posix() for path in (shell.home / "keys" / "courier").iterdir()]
    outcome = shell("keys", "backup-check", str(backup(shell, *RIGHT, key)))
    assert outcome.code == 1
    assert "a key of the courier must not be in any backup" in outcome.out


def test_a_backup_that_is_not_there_is_a_wrong_word(shell: Shell) -> None:
    assert shell("keys", "backup-check", str(shell.home / "nowhere")).code == 2


def test_what_is_no_backup_is_a_wrong_word(shell: Shell) -> None:
    shutil.make_archive(str(shell.home / "good"), "zip", backup(shell, *RIGHT))
    said = shell("keys", "backup-check", str(shell.home / "good.zip"))
    assert (said.code, said.out) == (2, "")
    assert "good.zip is neither a folder nor a tar archive" in said.err


def test_an_office_of_an_older_version_is_believed_after_its_upgrade(shell: Shell) -> None:
    """Its register was told to nobody, and it has no key for ready pairs."""
    age(shell.home)
    with sqlite3.connect(shell.home / "mailer.db") as connection:
        connection.execute("INSERT INTO senders (code, organisation, answer_to, blocked) VALUES ('290009', 'x', 'a@b.example', 0)")
    connection.close()
    for folder in ("pools", "issuing"):
        shutil.rmtree(shell.home / "keys" / folder)
    assert shell("init", "--upgrade").code == 0
    with desk_in(shell.home) as desk, desk.trial.database.reading() as tx:
        assert senders.get(tx, "290009").organisation == "x"
        assert senders.faults(tx, desk.trial.pen.key) == {}
        assert desk.keyring.pools() == [1]
    assert shell("keys", "list").code == 0
    assert shell("init", "--upgrade").code == 0
    told = [one for one in shell("audit", "list", "--json").objects if one["event"] == "database.upgraded"]
    assert [one["details"] for one in told] == [{"before": "0002", "after": schema.VERSION}], (
        "the second time nothing was to be done"
    )


def test_check_names_a_row_of_the_register_that_nobody_wrote(shell: Shell) -> None:
    with sqlite3.connect(shell.home / "mailer.db") as connection:
        connection.execute("UPDATE senders SET answer_to = 'thief@evil.example' WHERE code = '290001'")
    connection.close()
    said = shell("check")
    assert said.code == 2
    assert "290001: the row of the register is not as it was last written" in said.out
    listed = shell.home / "senders.csv"
    listed.write_text(
        "code,organisation,subscriber,address,answer_to\n290001,ГБУЗ «Больница»,,gb1@clinic.example,\n", encoding="utf-8"
    )
    assert shell("senders", "import", str(listed), "--yes").code == 0
    assert "290001: the row" not in shell("check").out
