"""What would a command do? `--dry-run` says it, changes neither tables nor files, and is refused what the command itself is."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from mailer.cli import init
from mailer.cli.app import build
from mailer.store import schema
from tests.cli.offices import NOW, Shell, age, desk_in, publish
from tests.cli.test_cli_accounts import pairs_file

WITHOUT = {  # why there is nothing to try
    "check": "reads",
    "status": "reads",
    "explain": "reads",
    "senders list": "reads",
    "senders show": "reads",
    "senders export": "reads",
    "senders template": "reads",
    "persons list": "reads",
    "persons show": "reads",
    "accounts list": "reads",
    "letters list": "reads",
    "letters show": "reads",
    "requests list": "reads",
    "requests show": "reads",
    "requests watch": "reads",
    "credentials list": "reads",
    "credentials show": "reads",
    "credentials check": "reads",
    "rules show": "reads",
    "rules check": "reads",
    "rules test": "reads",
    "keys list": "reads",
    "keys backup-check": "reads",
    "personal find": "reads",
    "audit list": "reads",
    "audit verify": "reads",
    "audit verify-letter": "reads",
    "audit checkpoints": "reads",
    "help workflows": "reads",
    "letters export": "writes one new file, which is named",
    "personal export": "writes one new file, which is named",
    "audit export": "writes one new file, which is named",
    "run": "is the service; mode `observe` is its trial",
    "doctor": "is a trial itself: its letters are all it does",
    "demo": "is an office of its own, made for trying",
    "demo send": "is an office of its own, made for trying",
}


def commands(found: object, name: str = "") -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    """Everything that can be typed, with its name."""
    assert isinstance(found, TyperCommand | TyperGroup)
    if isinstance(found, TyperGroup):
        for noun, below in found.commands.items():
            yield from commands(below, f"{name} {noun}".strip())
    if not isinstance(found, TyperGroup) or (name and found.invoke_without_command):
        yield name, found


def test_what_changes_something_can_be_tried() -> None:
    without = {
        name
        for name, command in commands(get_command(build()))
        if not any("--dry-run" in parameter.opts for parameter in command.params)
    }
    assert without == set(WITHOUT)


def state(home: Path) -> Mapping[str, str]:
    """All that lies in the folder: digests of the files, and the database as SQL."""
    seen = {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in home.rglob("*")
        if not path.name.startswith("mailer.db")
    }
    if (home / "mailer.db").exists():
        with sqlite3.connect(home / "mailer.db") as connection:
            seen["database"] = "\n".join(connection.iterdump())
        connection.close()
    return seen


def as_founded(shell: Shell) -> None:
    """Nothing is different."""


def quarantined(shell: Shell) -> None:
    write(shell, "UPDATE letters SET state = 'quarantined', attempts = 3 WHERE id > 2")


def orphaned(shell: Shell) -> None:
    write(shell, "UPDATE credentials SET state = 'revoked'")


def write(shell: Shell, sql: str) -> None:
    with desk_in(shell.home) as desk, desk.trial.database.writing() as tx:
        tx.execute(text(sql))


def with_pairs(shell: Shell) -> None:
    pairs_file(shell)


def with_lists(shell: Shell) -> None:
    senders = "code,organisation,subscriber,address,answer_to\n290009,Новая,,new@clinic.example,\n"
    (shell.home / "senders.csv").write_text(senders, encoding="utf-8")
    (shell.home / "persons.csv").write_text("code,person\n290001,Ли К.\n", encoding="utf-8")


def edited(shell: Shell) -> None:
    file = shell.home / "rules" / "30-requests.toml"
    file.write_text(file.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")


def without_keys(shell: Shell) -> None:
    for folder in ("epochs", "courier", "pools", "issuing"):
        for path in (shell.home / "keys" / folder).iterdir():
            path.unlink()


def aged(shell: Shell) -> None:
    """The pair of today was made long ago, and so was its successor."""
    for folder, end in (("epochs", "pub"), ("courier", "key")):
        for path in (shell.home / "keys" / folder).iterdir():
            shutil.copy(path, path.with_name(f"2026-01-01.{end}"))
            path.rename(path.with_name(f"2026-02-02.{end}"))


def restored(shell: Shell) -> None:
    """An older database under newer checkpoints."""
    publish(shell.home)
    copy = shell.home / "backup"
    shutil.copy(shell.home / "mailer.db", copy)
    assert shell("keys", "rotate", "pepper").code == 0
    publish(shell.home)
    for journal in shell.home.glob("mailer.db-*"):
        journal.unlink()
    copy.rename(shell.home / "mailer.db")


def bare(shell: Shell) -> None:
    """No office yet."""
    shutil.rmtree(shell.home)
    shell.home.mkdir()


def written(shell: Shell) -> None:
    """No office yet, but its configuration and rules."""
    (shell.home / "mailer.db").unlink()
    shutil.rmtree(shell.home / "keys")


def halved(shell: Shell) -> None:
    (shell.home / "keys" / "checkpoint.key").unlink()


def older(shell: Shell) -> None:
    age(shell.home)
    for name in ("handed-out.log", "checkpoint.key", "checkpoint.pub"):
        (shell.home / "keys" / name).unlink()


@pytest.mark.parametrize(
    ("before", "command", "code", "said"),
    [
        pytest.param(with_pairs, "accounts import {home}/pairs.csv --remove-file", 0, ["2 pairs would be imported"], id="import"),
        pytest.param(
            orphaned,
            "accounts reconcile --disable-orphans --reason x",
            1,
            ["account without a living credential, would be disabled"],
            id="reconcile",
        ),
        pytest.param(
            quarantined,
            "letters retry 3 4 --reason x",
            0,
            [f"letter {number} would be kept; nothing was changed" for number in (3, 4)],
            id="retry",
        ),
        pytest.param(quarantined, "letters drop 3 --reason x", 0, ["letter 3 would be dropped; nothing was changed"], id="drop"),
        pytest.param(
            with_lists, "senders import {home}/senders.csv --yes", 0, ["1 new, 0 changed", "nothing was changed"], id="senders"
        ),
        pytest.param(
            with_lists, "persons import {home}/persons.csv --yes", 0, ["1 persons new", "nothing was changed"], id="persons"
        ),
        pytest.param(edited, "rules activate", 0, ["would be activated: ", "nothing was changed"], id="activate"),
        pytest.param(
            without_keys,
            "keys new",
            0,
            [f"epoch: the key {NOW.date()} would be made", "pool: the key 1 would be made", "nothing was changed"],
            id="keys-new",
        ),
        pytest.param(as_founded, "keys new", 0, ["nothing is missing of today's keys"], id="keys-there"),
        pytest.param(as_founded, "keys rotate pepper", 0, ["pepper: the new key would be 2"], id="pepper"),
        pytest.param(as_founded, "keys rotate pool", 0, ["pool: the new key would be 2"], id="pool"),
        pytest.param(as_founded, "keys rotate epoch", 0, ["epoch: the new key would be 20"], id="epoch"),
        pytest.param(aged, "keys destroy-expired", 0, ["would be destroyed: 2026-01-01; nothing was changed"], id="destroy"),
        pytest.param(as_founded, "keys destroy-expired", 0, ["there is nothing to destroy"], id="nothing-to-destroy"),
        pytest.param(restored, "audit declare-restore --reason x", 0, ["would be declared: ", "nothing was changed"], id="restore"),
        pytest.param(as_founded, "audit change-key --reason x", 0, ["the old key would name a new one"], id="change-key"),
        pytest.param(
            halved, "audit declare-lost-key --reason x --yes", 0, ["the lost key: ", "nothing was changed"], id="lost-key"
        ),
        pytest.param(
            bare,
            "init --eject",
            0,
            ["/rules: would be made", "/mailer.toml: would", "tables would be made", "keys would be made", "rules would be"],
            id="init",
        ),
        pytest.param(written, "init", 0, ["tables would be made", "nothing was changed"], id="init-by-config"),
        pytest.param(
            older,
            "init --upgrade",
            0,
            [f"version 0002 and would be brought to {schema.VERSION}", "/handed-out.log: would", "/checkpoint.key: would"],
            id="upgrade",
        ),
        pytest.param(as_founded, "init --upgrade", 0, [f"the database has version {schema.VERSION}\n"], id="upgraded"),
    ],
)
def test_it_is_said_what_would_be_done_and_nothing_is(
    shell: Shell, before: Callable[[Shell], None], command: str, code: int, said: list[str]
) -> None:
    before(shell)
    seen = state(shell.home)
    words = command.format(home=shell.home).split()
    tried = shell(*words, "--dry-run")
    assert [part for part in said if part not in tried.out] == []
    assert (tried.code, tried.err) == (code, "")
    assert state(shell.home) == seen
    assert shell(*words).code == code, "the command itself ends the same way"


def failing(shell: Shell) -> None:
    """A rule whose example comes out otherwise."""
    file = shell.home / "rules" / "30-requests.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("under = 15", "under = 1"), encoding="utf-8")


def forgotten(shell: Shell) -> None:
    """The file of checkpoints is gone."""
    publish(shell.home)
    (shell.home / "keys" / "checkpoints.txt").unlink()


def changed(shell: Shell) -> None:
    """A record is another one."""
    write(shell, "DROP TRIGGER records_UPDATE")
    write(shell, "UPDATE records SET details = nonce WHERE seq = 2")


def beheaded(shell: Shell) -> None:
    """Restored, and the head is not that of the records."""
    restored(shell)
    write(shell, "UPDATE audit_head SET hashes = zeroblob(length(hashes))")


def another(shell: Shell) -> None:
    """A database, but none of ours."""
    written(shell)
    (shell.home / "mailer.db").write_bytes(b"\0")


def newer(shell: Shell) -> None:
    write(shell, "UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize(
    ("before", "command", "code"),
    [
        pytest.param(with_pairs, "accounts import {home}/pairs.csv --expires-column end", 2, id="import"),
        pytest.param(as_founded, "letters retry 1 --reason x", 3, id="retry"),
        pytest.param(as_founded, "letters drop 99 --reason x", 1, id="drop"),
        pytest.param(failing, "rules activate", 3, id="activate"),
        pytest.param(as_founded, "keys rotate record", 3, id="rotate"),
        pytest.param(as_founded, "audit declare-restore --reason x", 3, id="restore"),
        pytest.param(beheaded, "audit declare-restore --reason x", 3, id="restore-damaged-head"),
        pytest.param(forgotten, "audit declare-restore --reason x", 3, id="restore-nothing-published"),
        pytest.param(forgotten, "audit change-key --reason x", 3, id="change-key-forgotten"),
        pytest.param(changed, "audit change-key --reason x", 3, id="change-key-damaged"),
        pytest.param(as_founded, "audit declare-lost-key --reason x", 3, id="lost-key"),
        pytest.param(as_founded, "init", 2, id="init"),
        pytest.param(as_founded, "init --eject", 2, id="init-eject"),
        pytest.param(another, "init", 2, id="init-another-database"),
        pytest.param(halved, "init --upgrade", 2, id="upgrade-half-a-key"),
        pytest.param(newer, "init --upgrade", 2, id="upgrade-newer"),
        pytest.param(another, "init --upgrade", 2, id="upgrade-another-database"),
    ],
)
def test_what_the_command_is_refused_its_trial_is(shell: Shell, before: Callable[[Shell], None], command: str, code: int) -> None:
    before(shell)
    seen = state(shell.home)
    words = command.format(home=shell.home).split()
    tried = shell(*words, "--dry-run")
    assert state(shell.home) == seen
    done = shell(*words)
    assert (tried.code, tried.out, tried.err) == (code, done.out, done.err)
    assert done.code == code


def test_a_restore_without_the_key_is_tried_as_it_would_end(shell: Shell) -> None:
    restored(shell)
    halved(shell)
    tried = shell("audit", "declare-restore", "--reason", "x", "--dry-run")
    assert (tried.code, tried.out.split(":")[0]) == (2, "would be declared")
    assert "`mailer audit declare-lost-key" in tried.err
    done = shell("audit", "declare-restore", "--reason", "x")
    assert (done.code, done.out.split(":")[0], done.err) == (2, "declared", tried.err)


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_a_machine_is_told_that_nothing_changed(shell: Shell, command: str) -> None:
    quarantined(shell)
    (said,) = shell("letters", command, "3", "--reason", "x", "--json", "--dry-run").objects
    assert said == {"letter_id": 3, "state": "kept" if command == "retry" else "dropped", "changed": False}


@pytest.mark.parametrize(("dry_run", "changed"), [(["--dry-run"], False), ([], True)], ids=["dry-run", "done"])
def test_a_machine_is_told_whether_accounts_changed(shell: Shell, dry_run: list[str], changed: bool) -> None:
    orphaned(shell)
    (said,) = shell("accounts", "reconcile", "--disable-orphans", "--reason", "x", "--json", *dry_run).objects
    assert (len(said["without_credential"]), said["changed"]) == (1, changed)


def test_an_office_on_postgresql_is_tried_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], postgres_url: str) -> None:
    example = (Path(init.__file__).parent / "mailer.toml.example").read_text(encoding="utf-8")
    shell = Shell(home=tmp_path, capsys=capsys)
    for url, code in (("postgresql+psycopg://nobody@localhost:1/none", 2), (postgres_url, 0), (postgres_url, 2)):
        Path(shell.config).write_text(example.replace("sqlite:///mailer.db", url), encoding="utf-8")
        tried, done = shell("init", "--dry-run"), shell("init")
        assert (tried.code, tried.err) == (done.code, done.err)
        assert done.code == code
        shutil.rmtree(tmp_path / "keys", ignore_errors=True)
