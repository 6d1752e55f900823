"""What needs a person, seen from outside: the real service with its servers down, `mailer status`, and the command."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bureau import Bureau, request
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.slow

ADDRESS = "gb1@clinic.example"
LONG_AGO = "2026-01-01T00:00:00.000000+00:00"


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """A program of the office's that keeps what it is told."""
    path = tmp_path / "alarm"
    path.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[1], 'a').write(sys.stdin.read())\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bureau(tmp_path: Path, dovecot: Dovecot, command: Path) -> Iterator[Bureau]:
    home = tmp_path / "office"
    home.mkdir()
    more = f'[alarms]\ncommand = ["{command}", "{home / "told"}"]\n'
    with Bureau(home, f"sqlite:///{home / 'mailer.db'}", dovecot, more=more) as office:
        office.register([ADDRESS])
        yield office


def change(bureau: Bureau, *statements: str) -> None:
    """At once: the service sees all of it or nothing."""
    with closing(sqlite3.connect(bureau.home / "mailer.db", timeout=30)) as database:
        database.execute("BEGIN IMMEDIATE")
        for statement in statements:
            database.execute(statement)
        database.commit()


def earlier(column: str, hours: int) -> str:
    return f"{column} = replace(datetime({column}, '-{hours} hours'), ' ', 'T') || '.000000+00:00'"


def needs(bureau: Bureau) -> list[dict[str, Any]]:
    (found,) = bureau.json("status")
    listed: list[dict[str, Any]] = found["needs_a_person"]
    return listed


def break_smtp(bureau: Bureau) -> None:
    """Nobody listens there."""
    text = bureau.config.read_text(encoding="utf-8")
    before, _, after = text.partition("[smtp]")
    lines = ["port = 1" if line.startswith("port = ") else line for line in after.splitlines()]
    bureau.config.write_text(before + "[smtp]" + "\n".join(lines), encoding="utf-8")


def test_a_mail_server_that_is_down_is_seen_with_its_backoff(bureau: Bureau) -> None:
    break_smtp(bureau)
    bureau.dovecot.drop([request("Пришва А.А.", ADDRESS, 1)])
    service = bureau.start()
    bureau.wait_for(lambda: "waiting for another attempt: 1 replies" in bureau.mailer("status"), "the first attempt")
    said = bureau.mailer("status", exit_code=0)
    assert "attempts: 1\n" in said
    assert "  what stopped it last: " in said
    assert "nothing needs a person\n" in said
    (found,) = bureau.json("status")
    assert (found["status"]["backoff"]["replies"], found["status"]["backoff"]["oldest_attempts"]) == (1, 1)
    service.send_signal(signal.SIGTERM)
    assert service.wait(15) == 0


def test_replies_that_wait_for_an_hour_and_a_silent_mailbox_need_a_person(bureau: Bureau) -> None:
    break_smtp(bureau)
    bureau.dovecot.drop([request("Пришва А.А.", ADDRESS, 1)])
    service = bureau.start()
    bureau.wait_for(lambda: "waiting for another attempt: 1 replies" in bureau.mailer("status"), "the first attempt")
    bureau.dovecot.stop()
    change(bureau, f"UPDATE replies SET {earlier('created_at', 2)}", f"UPDATE leases SET {earlier('worked_at', 1)}")
    bureau.wait_for((bureau.home / "told").exists, "the service to look", 100)
    said = bureau.mailer("status", exit_code=1)
    assert "! since " in said
    assert "mailbox uc: no successful check for " in said
    assert "replies waiting for more than an hour: 1\n" in said
    assert {one["kind"] for one in needs(bureau)} == {"mailbox-silent", "replies-waiting"}
    bureau.wait_for(lambda: (bureau.home / "told").read_bytes().count(b"\n") == 2, "both to be told")
    told = [json.loads(line) for line in (bureau.home / "told").read_text(encoding="utf-8").splitlines()]
    assert {(one["kind"], one["place"]) for one in told} == {("mailbox-silent", "uc"), ("replies-waiting", "")}
    assert {one["since"][:16] for one in told} == {one["since"][:16] for one in needs(bureau)}
    service.send_signal(signal.SIGTERM)
    assert service.wait(15) == 0
    bureau.mailer("audit", "verify", exit_code=0)


def test_a_service_that_does_not_run_is_missed(bureau: Bureau) -> None:
    assert bureau.mailer("status", exit_code=0)
    change(bureau, f"UPDATE instance SET created_at = '{LONG_AGO}'")
    said = bureau.mailer("status", exit_code=1)
    assert "mailbox uc: no successful check for " in said
    assert [(one["kind"], one["place"]) for one in needs(bureau)] == [
        ("mailbox-silent", "uc"),
        ("service-stopped", "desk"),
        ("service-stopped", "courier"),
    ]
    assert {one["since"] for one in needs(bureau)} == {"2026-01-01T00:00:00.000000+00:00"}
