"""What the service needs runs out or misbehaves: the disk, the database, the clock. It waits, says so, and goes on by itself."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from mailer.store import db
from tests.e2e.bureau import Bureau, request
from tests.e2e.test_e2e_poison import UNRULY
from tests.servers.dovecot import Dovecot
from tests.servers.postgres import Postgres
from tests.servers.services import needed

pytestmark = pytest.mark.slow

SENDERS = [f"ib@clinic{n}.example" for n in range(20)]
EVERYTHING = "intake,answer,issue,deliver,expire"
FULL = "the disk is nearly full"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "mailer-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here (needs root): {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until not one byte more fits on the disk."""
    with path.open("wb", buffering=0) as ballast:
        for size in (65536, 4096):
            try:
                while ballast.write(b"b" * size):
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017  every other error fails the test


def empty_log(database: Path) -> None:
    connection = sqlite3.connect(database, timeout=30)
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()
    assert busy == 0


def unruly(bureau: Bureau, clock: Path) -> subprocess.Popen[bytes]:
    """All steps in one process whose clock is off by what stands in this file."""
    clock.write_text("0")
    with (bureau.home / "run.log").open("ab") as log:
        command = [sys.executable, UNRULY, "--config", str(bureau.config), "run", "--only", EVERYTHING]
        environ = bureau.environ | {"UNRULY_CLOCK": str(clock)}
        return subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=bureau.home)


def states(bureau: Bureau) -> list[str]:
    return [line["credential"]["state"] for line in bureau.json("credentials", "list")]


def test_on_a_full_disk_letters_wait_and_logins_still_end(tmp_path: Path, small_disk: Path, dovecot: Dovecot) -> None:
    url, clock, ballast = f"sqlite:///{small_disk / 'mailer.db'}", tmp_path / "clock", small_disk / "ballast"
    reserve = small_disk / "mailer.db.reserve"
    with Bureau(tmp_path, url, dovecot, more=f'[keys]\ndirectory = "{small_disk / "keys"}"') as bureau:
        bureau.register(SENDERS)
        service = unruly(bureau, clock)
        try:
            dovecot.drop([request(person, SENDERS[0], n) for n, person in enumerate(("Ли К.", "Ким Я."))])
            bureau.wait_for(lambda: len(bureau.json("requests", "list", "--state", "answered")) == 2, "the first answers", 120)
            assert reserve.stat().st_size == 256 * 1024
            empty_log(small_disk / "mailer.db")  # or the service itself would find room by emptying it
            fill(ballast)
            dovecot.drop([request(f"Иванов {letter}.А.", SENDERS[1], n) for n, letter in enumerate("АБВГДЕ")])
            bureau.wait_for(lambda: FULL in bureau.mailer("status"), "the pause to be told", 120)
            assert not reserve.exists()
            login = bureau.json("credentials", "list")[0]["credential"]["login"]
            bureau.mailer("credentials", "revoke", login, "--reason", "диск полон", exit_code=0)
            assert sorted(states(bureau)) == ["active", "revoked"]
            clock.write_text(str(100 * 24 * 3600))
            bureau.wait_for(lambda: sorted(states(bureau)) == ["expired", "revoked"], "the other to expire", 120)
            clock.write_text("0")
            assert len(dovecot.letters("INBOX")) == 6
            assert len(bureau.received()) == 2
            ballast.unlink()
            bureau.wait_for(lambda: len(bureau.received()) == 8, "the answers", 180)
            bureau.wait_for(reserve.exists, "the reserve", 120)
            bureau.wait_for(lambda: FULL not in bureau.mailer("status"), "the all-clear", 120)
        finally:
            service.terminate()
            service.wait(30)
        assert dovecot.letters("INBOX") == []
        bureau.mailer("audit", "verify", exit_code=0)
        database = db.connect(url)
        with database.reading() as tx:
            assert tx.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]
        database.close()


def test_the_database_goes_away_and_comes_back(tmp_path: Path, dovecot: Dovecot) -> None:
    # The mail server has the first answer half a second before the courier knows: the database goes away in between.
    with needed(), Postgres() as server, Bureau(tmp_path, server.fresh(), dovecot, delay_seconds=0.5) as bureau:
        bureau.register(SENDERS)
        bureau.start()
        dovecot.drop([request("Ли К.", SENDERS[0], 1)])
        bureau.wait_for(lambda: len(bureau.received()) == 1, "the first answer", 120)
        server.stop()
        try:
            dovecot.drop([request("Ким Я.", SENDERS[0], 2)])
            bureau.wait_for(lambda: bureau.log().count("step failed") >= 10, "every step to fail", 120)
        finally:
            server.resume()
        bureau.wait_for(lambda: len(bureau.json("requests", "list", "--state", "answered")) == 2, "the second answer", 180)
        assert len({answer.content for answer in bureau.received()}) == 2, "what goes out again is byte for byte the same"
        bureau.mailer("audit", "verify", exit_code=0)


def test_the_clock_jumps_an_hour_forward_and_back(tmp_path: Path, dovecot: Dovecot) -> None:
    url, clock = f"sqlite:///{tmp_path / 'mailer.db'}", tmp_path / "clock"
    with Bureau(tmp_path, url, dovecot) as bureau:
        bureau.register(SENDERS)
        service = unruly(bureau, clock)
        try:
            for number, seconds in enumerate((0, 3600, 0, -3600, 0)):
                clock.write_text(str(seconds))
                dovecot.drop([request(f"Иванов {'АБВГД'[number]}.А.", SENDERS[number], number)])
                bureau.wait_for(lambda number=number: len(bureau.received()) == number + 1, f"answer {number}", 120)
        finally:
            service.terminate()
            service.wait(30)
        bureau.mailer("audit", "verify", exit_code=0)
