"""Letters that kill, hang or bloat the desk, as a service manager sees it: started again each time it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.bureau import Bureau, header, request
from tests.servers.dovecot import Dovecot

pytestmark = pytest.mark.slow

UNRULY = str(Path(__file__).parent / "unruly.py")
SENDERS = [f"ib@clinic{n}.example" for n in range(20)]
DESK = "intake,answer,issue,expire"


def poisoned(number: int) -> bytes:
    return request("Пришва А.А.", SENDERS[0], number).replace(b"<request-", b"<poison-")


@pytest.fixture
def bureau(tmp_path: Path, dovecot: Dovecot) -> Iterator[Bureau]:
    with Bureau(tmp_path, f"sqlite:///{tmp_path / 'mailer.db'}", dovecot, more="sender_daily = 1000") as office:
        office.register(SENDERS)
        yield office


@contextmanager
def restarted(bureau: Bureau, *arguments: str, **environ: str) -> Iterator[list[int]]:
    """A unit with Restart=always and half a second between; its exit codes."""
    codes: list[int] = []
    over = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def keep_running() -> None:
        with (bureau.home / "run.log").open("ab") as log:
            while not over.is_set():
                command = [sys.executable, UNRULY, "--config", str(bureau.config), "run", *arguments]
                process = subprocess.Popen(command, stdout=log, stderr=log, env=bureau.environ | environ, cwd=bureau.home)
                running[:] = [process]
                codes.append(process.wait())
                over.wait(0.5)

    manager = threading.Thread(target=keep_running)
    manager.start()
    try:
        yield codes
    finally:
        over.set()
        if running:
            running[0].terminate()
        manager.join(30)
        assert not manager.is_alive()


def answered(bureau: Bureau) -> set[str]:
    return {header(one.content, "In-Reply-To") for one in bureau.received()}


def drop(bureau: Bureau, good: int, bad: Sequence[int]) -> set[str]:
    """Letters in one batch, `bad` at these places; the ids of the good ones."""
    contents = [request(f"Иванов {chr(0x410 + n)}.Б.", SENDERS[n % len(SENDERS)], n) for n in range(good)]
    for place in bad:
        contents.insert(place, poisoned(1000 + place))
    bureau.dovecot.drop(contents)
    return {f"<request-{n}-{SENDERS[n % len(SENDERS)]}>" for n in range(good)}


@pytest.mark.parametrize(
    ("harm", "bad", "code"),
    [
        pytest.param("kill", [7], -9, id="kills"),
        pytest.param("kill", [0, 13], -9, id="two-kill"),
        pytest.param("kill", [1, 2, 5, 8, 13], -9, id="many-kill", marks=pytest.mark.long),
        pytest.param("hang", [7], 70, id="hangs"),
        pytest.param("grip", [7], 1, id="hangs-with-everything", marks=pytest.mark.long),
        pytest.param("hoard", [7], None, id="eats-memory"),
    ],
)
def test_the_others_are_answered_and_it_is_quarantined(bureau: Bureau, harm: str, bad: list[int], code: int | None) -> None:
    wanted = drop(bureau, 20, bad)
    bureau.start("--only", "deliver")
    with restarted(bureau, "--only", DESK, UNRULY_LETTER=f"answer:{harm}") as codes:
        bureau.wait_for(lambda: answered(bureau) == wanted, "the good letters' answers", 120)
        bureau.wait_for(lambda: len(bureau.json("letters", "list", "--quarantined")) == len(bad), "quarantine", 180)
    assert codes.count(code) == (1 + 3 * len(bad)) if code is not None else set(codes) <= {0, -15}
    assert answered(bureau) == wanted
    bureau.mailer("audit", "verify", exit_code=0)


def test_a_letter_that_kills_intake_is_set_aside_unread(bureau: Bureau) -> None:
    wanted = drop(bureau, 20, [7])
    bureau.start("--only", "deliver")
    with restarted(bureau, "--only", DESK, UNRULY_LETTER="intake:kill") as codes:
        bureau.wait_for(lambda: answered(bureau) == wanted, "the good letters' answers", 120)
        bureau.wait_for(lambda: len(bureau.json("letters", "list", "--quarantined")) == 1, "quarantine", 120)
    assert codes.count(-9) == 1 + 3
    assert bureau.dovecot.letters("INBOX") == [poisoned(1007)]
    said = bureau.mailer("status", exit_code=1)
    assert "letters list --quarantined" in said
    (letter,) = bureau.json("letters", "list", "--quarantined")
    bureau.mailer("letters", "export", str(letter["id"]), "it.eml", exit_code=0)
    assert b"<poison-1007" in (bureau.home / "it.eml").read_bytes()
    assert (bureau.home / "it.eml").stat().st_mode & 0o777 == 0o600
    assert os.environ.get("UNRULY_LETTER") is None
    bureau.mailer("letters", "retry", str(letter["id"]), "--reason", "без яда", exit_code=0)
    bureau.mailer("run", "--only", DESK, "--until-idle", exit_code=0)
    (held,) = bureau.json("requests", "list", "--state", "held")
    assert held["reason"] == "unknown-sender", "its headers alone prove nothing: a person decides"
