"""A whole office for end-to-end tests: the real program as processes, a real Dovecot, an SMTP server that writes all down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any

from tests.promised import broken
from tests.servers.dovecot import Dovecot
from tests.servers.smtp_sink import Received, letters_in

ROOT = Path(__file__).parent.parent.parent
PHRASE = "Запрос атрибутов временного доступа"
CONFIG = """
timezone = "Europe/Moscow"
mode = "{mode}"

[fund]
name = "ТФОМС АО"
from = "uc@fond.example"
portal_url = "https://portal.example/"
contact = "отдел информационной безопасности"
officer = "ib@fond.example"
digest_at = ""

[database]
url = "{url}"

[[mailbox]]
name = "uc"
host = "127.0.0.1"
port = {imap}
tls = "none"
user = "desk"
password_file = "imap.password"
trust = "network"

[smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"

[limits]
replies_daily = 100000
issues_per_10_minutes = 100000
{more}
"""


def request(
    person: str, sender: str, number: int = 0, *, subject: str | None = None, date: str = "Mon, 23 Nov 2026 12:00:00 +0300"
) -> bytes:
    """A request as a clinic's program writes it: raw UTF-8 headers."""
    return (
        f"From: {sender}\r\nTo: uc@fond.example\r\nSubject: {subject or f'{PHRASE} = {person}'}\r\nDate: {date}\r\n"
        f"Message-ID: <request-{number}-{sender}>\r\n\r\nпрошу\r\n"
    ).encode()


def body(content: bytes) -> str:
    """The text of a reply."""
    text = message_from_bytes(content).get_payload(decode=True)
    assert isinstance(text, bytes)
    return text.decode()


def header(content: bytes, name: str) -> str:
    message: Message = message_from_bytes(content)
    return str(make_header(decode_header(str(message[name]))))


class Bureau:
    """One office in a directory. Use as a context manager: every process it started has ended afterwards."""

    program: Sequence[str] = ("-m", "mailer")  # what Python is to run

    def __init__(
        self, home: Path, url: str, dovecot: Dovecot, *, mode: str = "answer", more: str = "", delay_seconds: float = 0
    ) -> None:
        self.home = home
        self.config = home / "mailer.toml"
        self.dovecot = dovecot
        self.outbox = home / "outbox"
        self._text = (url, mode, more)
        self._delay = delay_seconds
        self._stack = ExitStack()
        self.smtp_port = 0  # chosen by the first `start_sink`
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")} | {
            "PYTHONPATH": str(ROOT)
        }

    def __enter__(self) -> Bureau:
        self.outbox.mkdir()
        self.start_sink()
        url, mode, more = self._text
        self.config.write_text(
            CONFIG.format(url=url, mode=mode, more=more, imap=self.dovecot.port, smtp=self.smtp_port), encoding="utf-8"
        )
        (self.home / "imap.password").write_text("desk-password\n")
        self.mailer("init", exit_code=0)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def start_sink(self) -> None:
        """The SMTP server, on the same port each time."""
        command = [sys.executable, "tests/servers/smtp_sink.py", "--folder", str(self.outbox), "--delay-seconds", str(self._delay)]
        self._sink = subprocess.Popen(
            [*command, "--port", str(self.smtp_port)], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=self.environ
        )
        self._stack.callback(_end, self._sink)
        assert self._sink.stdout is not None
        self._stack.callback(self._sink.stdout.close)
        self.smtp_port = int(self._sink.stdout.readline())

    def stop_sink(self) -> None:
        _end(self._sink)

    def register(self, addresses: Iterable[str]) -> None:
        rows = [
            "code,organisation,subscriber,address,answer_to",
            *(f"{290000 + n},МО {n},,{address}," for n, address in enumerate(addresses)),
        ]
        (self.home / "senders.csv").write_text("\n".join(rows), encoding="utf-8")
        self.mailer("senders", "import", str(self.home / "senders.csv"), exit_code=0)

    def mailer(self, *arguments: str, exit_code: int | None = None, timeout: float = 120, stdin: bytes | None = None) -> str:
        """Run one command to its end; what it said."""
        done = subprocess.run(
            [sys.executable, *self.program, "--config", str(self.config), *arguments],
            capture_output=True,
            timeout=timeout,
            env=self.environ,
            cwd=self.home,
            input=stdin,
            check=False,
        )
        said = done.stdout.decode() + done.stderr.decode()
        if exit_code is not None:
            assert done.returncode == exit_code, said
        return said

    def json(self, *arguments: str) -> list[Any]:
        found = [json.loads(line) for line in self.mailer(*arguments, "--json").splitlines() if line.startswith("{")]
        faults = broken(arguments, found)
        assert not faults, faults
        return found

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The service in the background; its log goes to run.log."""
        log = self._stack.enter_context((self.home / "run.log").open("ab"))
        service = subprocess.Popen(
            [sys.executable, *self.program, "--config", str(self.config), "run", *arguments],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=self.environ,
            cwd=self.home,
        )
        self._stack.callback(_end, service)
        return service

    def log(self) -> str:
        return (self.home / "run.log").read_text(encoding="utf-8")

    def received(self) -> Sequence[Received]:
        return letters_in(self.outbox)

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}\n{self.log()}"
            time.sleep(0.02)


def _end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
