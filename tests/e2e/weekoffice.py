"""An office whose week is played through: the service with all its steps, mail servers, an officer at a terminal, one clock."""

from __future__ import annotations

import getpass
import subprocess
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from mailer.flow.report import house
from mailer.service import office
from mailer.store import db, leases, pauses
from mailer.store.ledger import Filing
from mailer.store.schema import leases as leases_table
from mailer.store.schema import ledger, metadata
from tests.cli.offices import Said, Shell
from tests.e2e import timely
from tests.e2e.bureau import Bureau, body, header
from tests.e2e.weekpost import DAYS, POST, letter
from tests.servers.dovecot import Dovecot
from tests.servers.smtp_sink import Received

ZONE: Final = ZoneInfo("Europe/Moscow")
MONDAY: Final = datetime(2026, 11, 23, tzinfo=ZONE)
OFFICER: Final = "ib@fond.example"
STEPS: Final = "intake,answer,bounce,issue,deliver,expire,alarm,checkpoint"
DIGEST: Final = "Сводка приёма запросов за "


class WeekOffice(Bureau):
    """The program at the week's own time. Commands are typed in this process, as `mailer` itself would run them; the service runs
    beside it. `dropped`: how many letters came into the mailbox so far, also those that the service itself put back."""

    def __init__(self, home: Path, url: str, dovecot: Dovecot, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(home, url, dovecot)
        self._clock = home / "clock"
        self.program = (str(Path(timely.__file__)), str(self._clock))
        self._shell = shell
        self._monkeypatch = monkeypatch
        self._service: subprocess.Popen[bytes] | None = None
        self.dropped = 0
        self.at(MONDAY)

    def __enter__(self) -> WeekOffice:
        self._monkeypatch.setenv("LANGUAGE", "ru")
        self._monkeypatch.setattr(office, "clock", timely.reader(self._clock))
        super().__enter__()
        text = self.config.read_text(encoding="utf-8")
        text = text.replace('digest_at = ""', 'digest_at = "08:00"\nbounce_address = "uc+{id}@fond.example"')
        text = text.replace('trust = "network"', 'trust = "network"\npoll_seconds = 0.5')
        self.config.write_text(f"{text}\n[alarms]\nmailbox_silent_minutes = 600\n", encoding="utf-8")
        self._database = db.connect(self._text[0])
        self._stack.callback(self._database.close)
        return self

    # Time

    @property
    def now(self) -> datetime:
        return timely.reader(self._clock)()

    def at(self, now: datetime) -> None:
        timely.write(self._clock, now)

    def morning(self, day: int) -> str:
        """The service starts at five to eight of this day (Monday is 0); the digest that the officer reads then, "" for none."""
        before = len(self.letters_to(OFFICER))
        self.at(MONDAY + timedelta(days=day, hours=7, minutes=55))
        self._service = self.start("--only", STEPS)
        self.wait_for(self._is_settled, "the service to begin")
        self.pass_time(minutes=6)
        new = [one for one in self.letters_to(OFFICER)[before:] if header(one.content, "Subject").startswith(DIGEST)]
        assert len(new) <= 1
        return body(new[0].content).replace("\r\n", "\n") if new else ""

    def evening(self) -> None:
        """The service is stopped; what is typed from now on meets nothing else that writes."""
        assert self._service is not None
        self._service.terminate()
        code = self._service.wait(30)
        assert code == 0, (code, self.log())
        self._service = None

    def pass_time(self, **step: float) -> None:
        """So much time passes, and every step of the service has seen it."""
        self.at(self.now + timedelta(**step))
        self.wait_for(self._is_settled, "the service to see what time it is")

    def arrive(self, *letters: bytes, at: datetime | None = None) -> None:
        """Letters come in, a minute after what was before, and all that the service does about them is done."""
        self.pass_time(minutes=1)
        self.dovecot.drop(letters, at=at or self.now)
        self.dropped += len(letters)
        self.wait_for(self._is_settled, "the letters to be dealt with")

    def come(self, *names: str, ago: timedelta = timedelta()) -> None:
        """Letters of the week arrive, and the rules make of them what their table says."""
        self.arrive(*(letter(name) for name in names), at=self.now - ago)
        kept = [POST[name] for name in names if POST[name].kept]
        found = self.ask("letters", "list", "--limit", str(len(kept)))
        assert [(one["from_address"], one["verdict"], one["reason"]) for one in reversed(found)] == [
            (post.address, post.verdict, post.reason) for post in kept
        ]

    def come_of(self, day: str) -> None:
        """The letters that come together on this day."""
        first, last = (list(POST).index(name) for name in DAYS[day])
        self.come(*list(POST)[first : last + 1])

    def _is_settled(self) -> bool:
        """Nothing due waits, but for a step that a person has paused, and every step went through at this very moment."""
        now = self.now
        with self._database.reading() as tx:
            backlog, holdings = house.backlog(tx, now), leases.every(tx)
            seen, due = (tx.execute(query).scalar_one() for query in (_SEEN, _SEEN.where(ledger.c.filing == Filing.DUE.value)))
            still = {step for step in STEPS.split(",") if pauses.holds(tx, step)}
        waiting = {
            "intake": self.dropped - seen + due,
            "answer": backlog.letters + backlog.bounces,
            "issue": backlog.to_issue + backlog.reserved,
            "deliver": backlog.to_send,
        }
        through = all(one.worked_at == now for one in holdings if not one.name.startswith("intake:"))
        return (
            len(holdings) == len(STEPS.split(",")) and through and not any(waiting[step] for step in waiting if step not in still)
        )

    # The officer's hands

    def type(self, *words: str, code: int = 0) -> Said:
        """A command, and what it says."""
        said = self._shell.bare("--config", str(self.config), *words)
        assert said.code == code, (words, said)
        if words[:2] == ("letters", "forward") and code == 0 and "--dry-run" not in words:
            self.dropped += 1
        return said

    def ask(self, *words: str, code: int = 0) -> list[Any]:
        return self.type(*words, "--json", code=code).objects

    def refused(self, *words: str, code: int = 3, told: str = "command.refused", says: str) -> None:
        """A command in vain: it says why, and nothing anywhere is other than before but the one record that tells of it."""
        assert self._service is None, "only when nobody else writes can it be seen who wrote"
        before, letters = self._everything(), (len(self.received()), self.dovecot.letters())
        said = self.type(*words, code=code)
        after = self._everything()
        assert says in said.out + said.err, said
        assert (len(self.received()), self.dovecot.letters()) == letters
        assert {name: rows for name, rows in after.items() if rows != before[name]}.keys() <= {"records", "audit_head"}
        new = after["records"] - before["records"]
        assert sum(new.values()) == (1 if told else 0)
        assert not before["records"] - after["records"]
        if told:
            (newest,) = self.ask("audit", "list", "--limit", "1")
            assert (newest["event"], newest["actor"]) == (told, f"operator:{getpass.getuser()}")

    def held(self, person: str | None) -> str:
        """The number of the request for this person that waits for a decision, as the work list shows it."""
        (number,) = [one["id"] for one in self.ask("requests", "list", "--held", "--limit", "100") if one["person"] == person]
        return str(number)

    def login(self, person: str, state: str = "active") -> str:
        """The newest of this person's logins in this state."""
        lines = self.ask("credentials", "list", "--state", state)
        return next(str(one["credential"]["login"]) for one in lines if one["person"] == person)

    def _everything(self) -> dict[str, Counter[Any]]:
        """Every row of every table."""
        with self._database.reading() as tx:
            return {
                table.name: Counter(repr(row) for row in tx.execute(select(table)))
                for table in metadata.sorted_tables
                if table is not leases_table
            }

    # The post

    def letters_to(self, address: str) -> Sequence[Received]:
        return [one for one in self.received() if one.recipients == (address,)]

    def subjects_to(self, address: str) -> list[str]:
        return [header(one.content, "Subject") for one in self.letters_to(address)]


_SEEN: Final = select(func.count()).select_from(ledger)
