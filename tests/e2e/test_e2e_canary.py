"""Does a password stand anywhere but in the reader's letter? Offices with a known one are killed at each step and searched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.crash.moments import Way
from tests.e2e.bureau import Bureau, request
from tests.e2e.canary import IN_GROUPS, PASSWORD, seen
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import programs

pytestmark = pytest.mark.slow

DESK, COURIER = "intake,answer,issue,expire", "deliver"
SURNAME = "Канарейкин"
CLINIC, DENTIST = "ib@clinic.example", "dent@clinic.example"
BOUNCE = (
    "From: MAILER-DAEMON@clinic.example\r\nTo: uc@fond.example\r\nReturn-Path: <>\r\nSubject: Undelivered\r\n"
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nnot delivered\r\n"
    "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
    f"Final-Recipient: rfc822; {CLINIC}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
).encode()
DEATHS = [
    pytest.param(part, at, way, id=f"{at} {way}")
    for part, at in (
        (DESK, "credential.reserved"),
        (DESK, "reply sealed"),
        (DESK, "credential.issued"),
        (COURIER, "reply.leased"),
        (COURIER, "reply opened"),
        (COURIER, "reply.sent"),
    )
    for way in Way
]
COMMANDS = (
    ("audit", "list", "--limit", "1000", "--json"),
    ("audit", "list", "--limit", "1000"),
    ("requests", "list", "--json"),
    ("requests", "show", "1", "--json"),
    ("letters", "list", "--json"),
    ("letters", "show", "1"),
    ("credentials", "list", "--json"),
    ("keys", "list", "--json"),
    ("status",),
)


@pytest.fixture
def bureau(tmp_path: Path, dovecot: Dovecot, database_url: str) -> Iterator[Bureau]:
    with Bureau(tmp_path, database_url, dovecot) as office:
        office.register([CLINIC, DENTIST])
        yield office


def run(bureau: Bureau, *options: str, only: str, until_idle: bool = True) -> subprocess.Popen[bytes]:
    """The program with the known password; what it says goes to run.log."""
    with (bureau.home / "run.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.canary", *options, "--", "--config", str(bureau.config), "run", "--only", only]
            + ["--until-idle"] * until_idle,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=bureau.environ,
            cwd=bureau.home,
        )


def to_the_end(bureau: Bureau, *options: str, only: str) -> int:
    return run(bureau, *options, only=only).wait(120)


def database_bytes(url: str) -> Iterator[tuple[str, bytes]]:
    """A dump of the database and every file of its server, the write-ahead log among them."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return  # its files lie in the office's folder
    home = Path(str(parsed.query["host"]))
    with psycopg.connect(host=str(home), user=parsed.username, dbname=parsed.database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    dump = [programs() / "pg_dump", "--host", home, "--username", parsed.username or "", parsed.database or ""]
    yield "pg_dump", subprocess.run([str(word) for word in dump], capture_output=True, check=True).stdout
    for path in (home / "data").rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def everything(bureau: Bureau, url: str) -> Iterator[tuple[str, bytes]]:
    """All that the office leaves behind, but for the letters that its mail server took."""
    for path in bureau.home.rglob("*"):
        if path.is_file() and bureau.outbox not in path.parents:
            yield str(path), path.read_bytes()
    yield from database_bytes(url)
    for command in COMMANDS:
        yield " ".join(command), bureau.mailer(*command).encode()


def found_in(places: Iterator[tuple[str, bytes]], *texts: str) -> list[tuple[str, list[str]]]:
    return [(place, how) for place, content in places for text in texts if (how := seen(content, text))]


def test_the_search_finds_what_is_there() -> None:
    for text in (PASSWORD, IN_GROUPS, SURNAME):
        assert seen(f"x{text}x".encode(), text)
    import base64
    import quopri

    for before in ("", "x", "xx"):
        coded = base64.encodebytes(f"{before}Ваш пароль: {PASSWORD}, {SURNAME} И.И.".encode())
        assert seen(coded, PASSWORD)
        assert seen(coded, SURNAME)
    assert seen(quopri.encodestring(f"{'ж' * 30} {PASSWORD} {SURNAME}".encode()), SURNAME)
    assert seen(PASSWORD.encode("utf-16"), PASSWORD)


def test_no_password_stays_anywhere_whatever_dies(bureau: Bureau, database_url: str, dovecot: Dovecot) -> None:
    """Success, refusal, a bounce that brings the whole answer back; then a death of desk or courier at each step, in both ways."""
    dovecot.drop([request(f"{SURNAME} И.И.", CLINIC, 1), request(SURNAME, CLINIC, 2)])
    assert to_the_end(bureau, only=DESK) == 0
    assert found_in(database_bytes(database_url), PASSWORD, IN_GROUPS) == [], "while the answer waits"
    assert to_the_end(bureau, only=COURIER) == 0
    returned = next(one.content for one in bureau.received() if seen(one.content, PASSWORD))
    dovecot.drop([BOUNCE + returned + b"\r\n--b--\r\n"])
    for number, death in enumerate(DEATHS, 10):
        part, at, way = death.values
        dovecot.drop([request(f"{SURNAME} {'АБВГДЕЖЗКЛМН'[number - 10]}.И.", CLINIC, number)])
        if part == COURIER:
            assert to_the_end(bureau, only=DESK) == 0
        assert to_the_end(bureau, "--at", str(at), "--way", str(way), only=str(part)) == -signal.SIGKILL, death.id
        assert to_the_end(bureau, only=DESK) == 0
        to_the_end(bureau, "--ahead", "7200", only=COURIER)

    assert len(bureau.received()) >= len(DEATHS) + 2
    assert seen(b"".join(one.content for one in bureau.received()), PASSWORD), "the password was the known one"
    assert found_in(everything(bureau, database_url), PASSWORD, IN_GROUPS) == []


def test_no_name_stands_in_log_or_record(bureau: Bureau, database_url: str, dovecot: Dovecot) -> None:
    dovecot.drop([request(f"{SURNAME} И.И.", CLINIC, 1), request(SURNAME, DENTIST, 2)])
    for part in (DESK, COURIER):
        assert to_the_end(bureau, only=part) == 0
    told = bureau.mailer("audit", "list", "--limit", "1000", "--json")
    assert "request.answered" in told
    assert found_in(iter([("log", bureau.log().encode()), ("record", told.encode())]), SURNAME) == []


@pytest.mark.parametrize("only", [DESK, COURIER])
def test_a_running_process_shows_no_password_and_leaves_no_core(bureau: Bureau, dovecot: Dovecot, only: str) -> None:
    process = run(bureau, only=only, until_idle=False)
    other = run(bureau, only=COURIER if only == DESK else DESK, until_idle=False)
    try:
        dovecot.drop([request(f"{SURNAME} И.И.", CLINIC, 1)])
        bureau.wait_for(lambda: bool(bureau.received()), "the answer", 60)
        proc = Path(f"/proc/{process.pid}")
        for name in ("cmdline", "environ"):
            assert seen((proc / name).read_bytes(), PASSWORD) == []
        assert re.search(r"^Max core file size +0 +0 ", (proc / "limits").read_text(), re.M)
    finally:
        for one in (process, other):
            os.kill(one.pid, signal.SIGTERM)
            one.wait(30)
