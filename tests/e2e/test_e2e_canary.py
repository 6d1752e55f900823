"""Does a password stand anywhere but in the reader's letter? Offices with a known one are killed at each step and searched."""

from __future__ import annotations

import base64
import io
import json
import os
import quopri
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from mailer.cli.exporting import Form
from mailer.edge.workbook import Workbook
from tests import promised
from tests.cli.offices import Shell
from tests.cli.test_cli_dry_runs import WITHOUT
from tests.crash.moments import Way
from tests.e2e.bureau import Bureau, body, header, request
from tests.e2e.canary import IN_GROUPS, PASSWORD, seen
from tests.e2e.leavings import LISTS, SHOWS, database_bytes, everything
from tests.flow.desks import OFFICER
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres
from tests.servers.services import needed

pytestmark = pytest.mark.slow

DESK, COURIER = "intake,answer,bounce,issue,expire", "deliver"
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
PERSON = f"{SURNAME} И.И."


def brought_back(answer: bytes) -> list[bytes]:
    """Letters in which people and servers send an answer back, with a request among them for each way."""
    text = body(answer)
    quoted = "".join(f"> {line}\r\n" for line in text.splitlines())
    thread = f"In-Reply-To: {header(answer, 'Message-ID')}\r\n"
    mime = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\nContent-Type: "
    page = base64.encodebytes(f"<p>{text.replace(chr(10), '<br>')}</p>".encode("cp1251", "replace")).decode()
    below = {
        "Щ.А.": ("", quoted),
        "Щ.Б.": (thread, quoted),
        "Щ.В.": ("", f"-----Исходное сообщение-----\r\nТема: {header(answer, 'Subject')}\r\n\r\n{text}"),
        "Щ.Г.": (f"{mime}text/html; charset=windows-1251\r\n", page),
        "Щ.Д.": (f"{mime}message/rfc822\r\n", base64.encodebytes(answer).decode()),
        "Щ.Е.": ("", f"Пароль {PASSWORD} не подходит"),
    }
    requests = [
        headers.encode() + request(f"{SURNAME} {initials}", CLINIC, number) + written.encode()
        for number, (initials, (headers, written)) in enumerate(below.items(), 100)
    ]
    said = f"Hi. This is the qmail-send program.\r\n\r\n<{CLINIC}>:\r\n550 5.1.1 no such user\r\n\r\n"
    head = f"From: MAILER-DAEMON@clinic.example\r\nTo: uc@fond.example\r\nReturn-Path: <>\r\n{thread}"
    bounces = [f"{head}\r\n{said}{one}".encode() for one in (text, quoted, f"--- Below this line is a copy.\r\n\r\n{text}")]
    part = BOUNCE.replace(b"message/rfc822", b"text/plain; charset=utf-8")
    return [*requests, *bounces, BOUNCE + answer + b"\r\n--b--\r\n", part + text.encode() + b"\r\n--b--\r\n"]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, PostgreSQL on a server of its own: its write-ahead log would keep what another test has planted."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'mailer.db'}"
        return
    with needed(), Postgres() as server:
        yield server.fresh()


@pytest.fixture
def bureau(tmp_path: Path, dovecot: Dovecot, database_url: str) -> Iterator[Bureau]:
    with Bureau(tmp_path, database_url, dovecot) as office:
        office.register([CLINIC, DENTIST])
        text = office.config.read_text(encoding="utf-8")
        office.config.write_text(text.replace('digest_at = ""', 'digest_at = "00:00"'), encoding="utf-8")
        (office.home / "persons.csv").write_text("code,person\n290001,Ли К.\n", encoding="utf-8")
        office.mailer("persons", "import", str(office.home / "persons.csv"), "--yes", "--reason", "список", exit_code=0)
        yield office


@pytest.fixture
def shell(bureau: Bureau, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(home=bureau.home, capsys=capsys)


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


def found_in(places: Iterator[tuple[str, bytes]], *texts: str) -> list[tuple[str, list[str]]]:
    return [(place, how) for place, content in places for text in texts if (how := seen(content, text))]


def to_officer(bureau: Bureau) -> set[str]:
    """How the subjects of the letters to the officer begin."""
    return {header(one.content, "Subject").split()[0] for one in bureau.received() if OFFICER in one.recipients}


def have_the_officer_told(bureau: Bureau) -> None:
    """An alarm and a digest leave, two days later by the program's clock."""
    service = run(bureau, "--look-often", "--ahead", "172800", only="alarm,deliver", until_idle=False)
    try:
        bureau.wait_for(lambda: to_officer(bureau) >= {"Сводка", "Требуется"}, "a digest and an alarm", 90)
    finally:
        service.terminate()
        service.wait(30)


def zipped(name: str, content: bytes) -> bytes:
    book = io.BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return book.getvalue()


def sheet(text: str, folder: Path) -> bytes:
    path = folder / "book.xlsx"
    workbook = Workbook(path, ("a",), (10,))
    workbook.add([text])
    workbook.close()
    return path.read_bytes()


@pytest.mark.parametrize("text", [PASSWORD, IN_GROUPS, SURNAME], ids=["password", "in groups", "name"])
def test_the_search_finds_what_is_there(text: str, tmp_path: Path) -> None:
    written = f"Ваш пароль: {text}, И.И.".encode()
    hidden = {
        "plain": written,
        **{f"base64 +{shift}": base64.encodebytes(b"x" * shift + written) for shift in range(3)},
        "base64 in one line": base64.b64encode(written),
        "quoted-printable": quopri.encodestring("ж".encode() * 30 + written),
        **{charset: written.decode().encode(charset) for charset in ("utf-16", "utf-16-be", "cp1251", "koi8-r")},
        "JSON": json.dumps(written.decode()).encode(),
        "JSON, every letter": "".join(f"\\u{ord(one):04x}" for one in written.decode()).encode(),
        "URL": quote(written).encode(),
        "hexadecimal": written.hex().encode(),
        "ZIP": zipped("a.txt", written),
        "ZIP in a ZIP": zipped("a.zip", zipped("b.txt", base64.b64encode(written))),
        "XLSX": sheet(written.decode(), tmp_path),
    }
    assert [how for how, content in hidden.items() if not seen(content, text)] == []
    assert [how for how, content in hidden.items() if seen(content, "никогда")] == []


def test_every_command_that_shows_something_is_looked_at() -> None:
    reading = {command for command in promised.commands() if WITHOUT.get(" ".join(command[:2])) == "reads"}
    looked_at = {promised.command_of(words.split()) for words in [*LISTS, *SHOWS, "personal find"]}
    assert reading - looked_at == {("explain",), ("audit", "verify-letter")}, "they read files that are given to them"


def test_whatever_is_planted_is_found_wherever_it_comes_out(
    bureau: Bureau, database_url: str, dovecot: Dovecot, shell: Shell
) -> None:
    """The password in headers, as an organisation, a reason and the fund's name stands in each place that shows these."""
    text = bureau.config.read_text(encoding="utf-8")
    bureau.config.write_text(text.replace('name = "ТФОМС АО"', f'name = "ТФОМС {PASSWORD}"'), encoding="utf-8")
    register = f"code,organisation,subscriber,address,answer_to\n290000,МО {PASSWORD},,{CLINIC},\n290001,МО,,{DENTIST},\n"
    (bureau.home / "senders.csv").write_text(register, encoding="utf-8")
    bureau.mailer("senders", "import", str(bureau.home / "senders.csv"), "--yes", exit_code=0)
    named = request(PERSON, CLINIC, 1).replace(f"From: {CLINIC}".encode(), f"From: {PASSWORD} <{CLINIC}>".encode())
    dovecot.drop([named, request(f"{SURNAME} {PASSWORD}", CLINIC, 2)])
    for part in (DESK, COURIER):
        assert to_the_end(bureau, only=part) == 0
    bureau.mailer("senders", "block", "290001", "--reason", PASSWORD, "--credentials", "keep", exit_code=0)
    dovecot.drop([BOUNCE + next(one.content for one in bureau.received() if seen(one.content, PASSWORD)) + b"\r\n--b--\r\n"])
    assert to_the_end(bureau, only=DESK) == 0
    have_the_officer_told(bureau)
    places = {place for place, _ in found_in(everything(bureau, shell, database_url, person=PERSON), PASSWORD)}
    exports = {f"exports/record.{form.value}" for form in Form if form is not Form.BUNDLE}
    exports |= {f"exports/{name}" for name in ("record.bundle/records.jsonl", "record-excel.csv", "person.json", "letter-2.eml")}
    commands = {"audit list --limit 1000", "letters list --limit 1000", "letters show 2", "requests show 2"}
    commands |= {"senders list", "senders export", "senders show 290000"}
    missed = {*exports, *commands, "requests list --limit 1000 --json", *(f"{one} --json" for one in commands)} - places
    assert missed == set()
    assert {"Сводка", "Требуется"} <= to_officer(bureau)
    assert sum(place.startswith("letter to the officer") for place in places) >= 2
    assert "pg_dump" in places or "mailer.db" in places


def test_no_password_stays_anywhere_whatever_dies(bureau: Bureau, database_url: str, dovecot: Dovecot, shell: Shell) -> None:
    """Success, refusal, answers that come back in every way; then a death of desk or courier at each step, in both ways."""
    dovecot.drop([request(PERSON, CLINIC, 1), request(SURNAME, CLINIC, 2)])
    assert to_the_end(bureau, only=DESK) == 0
    assert found_in(database_bytes(database_url), PASSWORD, IN_GROUPS) == [], "while the answer waits"
    assert to_the_end(bureau, only=COURIER) == 0
    dovecot.drop(brought_back(next(one.content for one in bureau.received() if seen(one.content, PASSWORD))))
    for number, death in enumerate(DEATHS, 10):
        part, at, way = death.values
        dovecot.drop([request(f"{SURNAME} {'АБВГДЕЖЗКЛМН'[number - 10]}.И.", CLINIC, number)])
        if part == COURIER:
            assert to_the_end(bureau, only=DESK) == 0
        assert to_the_end(bureau, "--at", str(at), "--way", str(way), only=str(part)) == -signal.SIGKILL, death.id
        assert to_the_end(bureau, only=DESK) == 0
        to_the_end(bureau, "--ahead", "7200", only=COURIER)
    have_the_officer_told(bureau)

    assert len(bureau.received()) >= len(DEATHS) + 2
    assert seen(b"".join(one.content for one in bureau.received()), PASSWORD), "the password was the known one"
    kept = shell("letters", "list", "--limit", "1000", "--json").objects
    assert [one["kind"] for one in kept if not one["whole"]].count("request") == 6, "what brought it back was kept, as headers"
    assert [one["reason"] for one in kept if one["kind"] == "bounce"].count("bounced") == 1, "and a bounce was believed"
    assert found_in(everything(bureau, shell, database_url, person=PERSON), PASSWORD, IN_GROUPS) == []


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
