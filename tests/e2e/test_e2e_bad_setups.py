"""Does every wrong setup end its command with a sentence that names the thing and what to do, and is nothing changed by it?

Each folder of tests/bad_configs is one wrong setup: the files in which it differs from a good office, `mailer.db.sql` for what
differs in the database, and `expected.toml`. Nothing here reaches a mail server: every command must end before that.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CASES = sorted(folder for folder in (ROOT / "tests/bad_configs").iterdir() if folder.is_dir())
EXPECTED, CHANGED_TABLES = "expected.toml", "mailer.db.sql"
SENDERS = """code,organisation,subscriber,address,answer_to
290001,ГБУЗ АО «Городская больница № 1»,29(ГБ1) Регистратура Иванова И.И.,gb1@clinic.example,
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """What `expected.toml` says; `missing` are files or folders of the good office that are not there in this one."""

    command: list[str]
    exit_code: int
    fragments: list[str]
    missing: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


def mailer(home: Path, *arguments: str, environment: dict[str, str] | None = None) -> tuple[int, str]:
    """Run one command in this office: exit code, and all that it said, in English."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAILER_", "LANGUAGE"))}
    done = subprocess.run(
        [sys.executable, "-m", "mailer", *arguments],
        capture_output=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        cwd=home,
        env=inherited | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"} | (environment or {}),
        check=False,
    )
    return done.returncode, done.stderr.decode() + done.stdout.decode()


@pytest.fixture(scope="module")
def good_office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office that lacks nothing: its own copies of rules and templates, passwords, one sender."""
    home = tmp_path_factory.mktemp("good-office")
    (home / "senders.csv").write_text(SENDERS, encoding="utf-8")
    for server in ("imap", "smtp"):
        (home / f"{server}.password").write_text("secret\n", encoding="utf-8")
    for command in (["init", "--eject"], ["senders", "import", "senders.csv"], ["rules", "check"]):
        code, said = mailer(home, *command)
        assert code == 0, said
    return home


def set_up(case: Case, folder: Path, good: Path, home: Path) -> None:
    shutil.copytree(good, home)
    for name in case.missing:
        gone = home / name
        if gone.is_dir():
            shutil.rmtree(gone)
        else:
            gone.unlink()
    shutil.copytree(folder, home, dirs_exist_ok=True, ignore=shutil.ignore_patterns(EXPECTED, CHANGED_TABLES))
    if (folder / CHANGED_TABLES).exists():
        with closing(sqlite3.connect(home / "mailer.db")) as database:
            database.executescript((folder / CHANGED_TABLES).read_text(encoding="utf-8"))


def files(home: Path) -> dict[str, bytes]:
    """Every file and what it holds, but the database.

    Only the day's key pairs are left out: a run makes those of a new day, and so it may when this test meets midnight.
    """
    found = {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    left_out = ("keys/epochs/", "keys/courier/", "mailer.db")
    return {name: content for name, content in found.items() if not name.startswith(left_out)}


def rows(home: Path) -> object:
    """Every row of the database, so that no sender or anything else in it can change unseen; but for the record that a command
    failed, which is all that such a command may leave. Of what is no database of ours, its bytes."""
    path = home / "mailer.db"
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
            told = "SELECT * FROM records WHERE event NOT IN ('command.failed', 'command.refused') ORDER BY seq"
            return {
                name: database.execute(told if name == "records" else f"SELECT * FROM {name}").fetchall()
                for name in names
                if name != "audit_head"
            }
    except sqlite3.DatabaseError:
        return path.read_bytes()


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_wrong_setup_is_named_and_changes_nothing(folder: Path, good_office: Path, tmp_path: Path) -> None:
    case = Case(**tomllib.loads((folder / EXPECTED).read_text(encoding="utf-8")))
    home = tmp_path / "office"
    set_up(case, folder, good_office, home)
    before, rows_before = files(home), rows(home)

    code, said = mailer(home, *case.command, environment=case.environment)

    assert "Traceback" not in said
    assert code == case.exit_code, said
    assert [fragment for fragment in case.fragments if fragment not in said] == [], said
    assert {name for name, _content in files(home).items() ^ before.items()} == set()
    assert rows(home) == rows_before
