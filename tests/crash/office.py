"""The office that is being killed: its directory, its processes, and the view of it from outside."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import make_url

from tests.crash.lines import CrashSink, ImapRelay, Trap
from tests.crash.moments import Part
from tests.crash.post import CLINICS, LATER, MAX_BYTES, MUTE, NEVER, OFFICER
from tests.servers.dovecot import Dovecot
from tests.servers.processes import runs

ROOT: Final = Path(__file__).parents[2]
DONE_FOLDER: Final = "Обработано"
CONFIG: Final = """
mode = "{mode}"

[fund]
name = "ТФОМС АО"
from = "uc@fond.example"
portal_url = "https://portal.example/"
officer = "{officer}"
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

[letters]
max_bytes = {max_bytes}

[limits]
sender_daily = 100000
sender_active = 100000
address_replies_daily = 100000
replies_daily = 100000
issues_per_10_minutes = {breaker}

[alarms]
disk_free_bytes = {disk}

[rules]
directory = "rules"
"""
# Any stock is low, so that each draw after an import tells it.
POOL: Final = """
[accounts]
kind = "pool"
low_stock = 100000
"""
FULL_DISK: Final = 10**15  # bytes that must be free for no alarm: nobody has them
# So that a login can be replaced within the campaign: the packaged rules take a second request within 15 minutes for a repetition.
AGAIN_RULE: Final = """
[[rule]]
id = "again"
when = { repairs = "quotes", active_credential = true }
verdict = "issue"
reply = "issued"
why = "Повторная выдача: фамилия записана в кавычках."
"""
REGISTER: Final = (*CLINICS, LATER, NEVER, MUTE)
REGISTERED: Final = len(REGISTER)
PATIENCE_SECONDS: Final = 120.0  # what takes longer, even on a busy machine, will not come at all
STEPS: Final = {Part.DESK: "intake,answer,bounce,issue,expire,alarm,checkpoint", Part.COURIER: "deliver"}

# Nothing is left that the program could still do without a person, or before its time.
WORK_LEFT: Final = """
SELECT (SELECT count(*) FROM letters WHERE state = 'kept') + (SELECT count(*) FROM requests WHERE state = 'approved')
     + (SELECT count(*) FROM credentials WHERE state = 'reserved') + (SELECT count(*) FROM replies WHERE state = 'sending')
     + (SELECT count(*) FROM replies WHERE state = 'queued' AND (outcome IS NULL OR outcome NOT LIKE '%451%'))
"""


class CampaignError(Exception):
    """The campaign itself could not go on: what it waited for did not come."""


class Office:
    """Use as a context manager: every process it started has ended afterwards. The directory stays; `remove` takes it away."""

    def __init__(self, url: str, dovecot: Dovecot, chance: Random) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="mailer-crash-"))
        self.dovecot = dovecot
        self.trap = Trap()
        self.sink = CrashSink(self.trap, Random(chance.random()), later=LATER, never=NEVER, mute=MUTE)
        self.relay = ImapRelay(dovecot.port, self.trap)
        self._url = url or f"sqlite:///{self.home / 'mailer.db'}"
        self._log = (self.home / "run.log").open("ab")
        self._started: list[subprocess.Popen[bytes]] = []
        self._activations = 0
        self._pairs = 0
        self._environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")} | {
            "PYTHONPATH": str(ROOT)
        }

    def __enter__(self) -> Office:
        self.sink.__enter__()
        self.relay.__enter__()
        (self.home / "imap.password").write_text("desk-password\n")
        shutil.copytree(ROOT / "rules", self.home / "rules")
        (self.home / "rules" / "25-again.toml").write_text(AGAIN_RULE, encoding="utf-8")
        usual: dict[str, object] = {"mode": "answer", "breaker": 100000, "disk": 0}
        configs: dict[str, dict[str, object]] = {
            "mailer": {},
            "observe": {"mode": "observe"},
            "narrow": {"breaker": 1},
            "alarmed": {"disk": FULL_DISK},
        }
        ports = {"imap": self.relay.port, "smtp": self.sink.port}
        for name, other in configs.items():
            text = CONFIG.format(url=self._url, max_bytes=MAX_BYTES, officer=OFFICER, **ports, **(usual | other))
            (self.home / f"{name}.toml").write_text(text, encoding="utf-8")
        pool = (self.home / "mailer.toml").read_text(encoding="utf-8") + POOL
        (self.home / "pool.toml").write_text(pool, encoding="utf-8")
        self.mailer("init")
        self.write_register(extra=0)
        self.mailer("senders", "import", "senders.csv")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.relay.__exit__(None, None, None)
        self.sink.__exit__(None, None, None)
        self._log.close()

    def remove(self) -> None:
        shutil.rmtree(self.home)

    def write_register(self, *, extra: int) -> None:
        """The senders' register with so many more rows than it began with."""
        addresses = (*REGISTER, *(f"ib@new{number}.example" for number in range(extra)))
        rows = [f"{290000 + number},МО {number},,{address}," for number, address in enumerate(addresses)]
        (self.home / "senders.csv").write_text(
            "\n".join(["code,organisation,subscriber,address,answer_to", *rows]), encoding="utf-8"
        )

    def change_rules(self) -> None:
        """Rules that say the same in other words: they have another hash and must be activated."""
        self._activations += 1
        (self.home / "rules" / "25-again.toml").write_text(f"# {self._activations}\n{AGAIN_RULE}", encoding="utf-8")

    def write_pairs(self, count: int = 30) -> None:
        """A file of ready pairs that were never there before; the password of each is `password_of` its login."""
        logins = [f"uc-{self._pairs + number}" for number in range(count)]
        self._pairs += count
        text = "\n".join(["login,password", *(f"{login},{password_of(login)}" for login in logins)])
        (self.home / "pairs.csv").write_text(text, encoding="utf-8")

    def change(self, statement: str) -> None:
        """Change what stands in the database, past the program."""
        if self._url.startswith("sqlite"):
            with closing(sqlite3.connect(self.home / "mailer.db", timeout=30)) as connection, connection:
                connection.execute(statement)
            return
        url = make_url(self._url)
        with psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def command(self, *words: str, config: str = "mailer") -> list[str]:
        return [sys.executable, "-m", "mailer", "--config", f"{config}.toml", *words]

    def doomed(self, options: Sequence[str], *words: str, config: str = "mailer") -> list[str]:
        return [sys.executable, "-m", "tests.crash.doomed", *options, "--", "--config", f"{config}.toml", *words]

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """A process in the background; what it says goes to run.log."""
        process = subprocess.Popen(
            command, cwd=self.home, env=self._environ, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        self._started = [one for one in self._started if one.poll() is None] + [process]
        return process

    def finish(self, command: Sequence[str], *, seconds: float = 4 * PATIENCE_SECONDS) -> int:
        """Run a command to its end; its exit code, negative for the signal that killed it."""
        process = self.start(command)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise CampaignError(f"did not end within {seconds} s: {' '.join(command)}") from error

    def mailer(self, *words: str, config: str = "mailer") -> None:
        code = self.finish(self.command(*words, config=config))
        if code:
            raise CampaignError(f"exit code {code}: mailer {' '.join(words)}\n{self.log_end()}")

    def log_end(self) -> str:
        return (self.home / "run.log").read_bytes()[-3000:].decode(errors="replace")

    def rows(self, query: str) -> list[dict[str, Any]]:
        """What stands in the database, read past the program."""
        if self._url.startswith("sqlite"):
            connection = sqlite3.connect(f"file:{self.home / 'mailer.db'}?mode=ro", uri=True, timeout=30)
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute(query)]
            finally:
                connection.close()
        url = make_url(self._url)
        with psycopg.connect(
            host=str(url.query["host"]), user=url.username, dbname=url.database, autocommit=True, row_factory=dict_row
        ) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def count(self, query: str) -> int:
        (row,) = self.rows(query)
        return int(next(iter(row.values())))

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise CampaignError(f"waited {seconds} s in vain for {what}\n{self.log_end()}")
            time.sleep(0.02)

    def come_to_rest(self, arrived: int) -> None:
        """Wait until so many letters are in the ledger and nothing is left to do."""
        self.wait_for(lambda: self.count("SELECT count(*) FROM ledger") == arrived, "all letters to be seen")
        self.wait_for(lambda: not self.count(WORK_LEFT), "all letters to be worked off")

    def letters_in(self, folder: str) -> Counter[int]:
        """How often each letter, by its number, lies in a folder of the mailbox."""
        return Counter(numbers(self.dovecot.letters(folder)))

    def renumber(self) -> None:
        """The mail server loses its numbers and gives new ones under another UIDVALIDITY.

        It is stopped meanwhile: a session that outlives its client would write new numbers under the old UIDVALIDITY.
        """
        box = self.dovecot.home / "mail" / "desk"
        self.dovecot.stop()
        for file in (box / "dovecot-uidlist", *box.glob("dovecot.index*")):
            file.unlink(missing_ok=True)
        self.dovecot.start()


def password_of(login: str) -> str:
    return f"password-of-{login}"


def numbers(letters: Sequence[bytes]) -> list[int]:
    found = (re.search(rb"^(?:\* )?Message-ID: <crash-(\d+)@", letter, re.M) for letter in letters)
    return [int(match[1]) for match in found if match]


def kill(pid: int) -> None:
    """SIGKILL; whoever is gone already stays gone."""
    if runs(pid):
        os.kill(pid, signal.SIGKILL)
