"""An office of `mailer init` in which some letters were answered, and a shell at whose prompt commands are typed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from mailer.cli.app import run
from mailer.config.load import load
from mailer.edge.keys import Keyring
from mailer.model import Sender
from mailer.service.office import Office, open_office
from mailer.store import db
from mailer.store.audit import Pen
from mailer.store.migrate import upgrade
from tests.e2e.bureau import request
from tests.flow.desks import CLINIC, Desk
from tests.promised import broken
from tests.store.offices import INSTANCE, START, Trial

NOW: Final = START + timedelta(days=2)  # when commands are typed: after all that offices of these tests have seen
HOSTILE = Sender(
    code="290666",
    organisation="\x1b]0;x\x07[link=https://x.example]Клиника[/link]\u202e",
    answer_to="hostile@clinic.example",
    addresses=("hostile@clinic.example",),
)


@dataclass(kw_only=True)
class FoundedTrial(Trial):
    """Tests of an office that `mailer init` founded write with its own record key."""

    key: bytes

    @property
    def pen(self) -> Pen:
        return Pen(key=self.key, randbytes=self.randbytes)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Types commands for the office in `home`."""

    home: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def config(self) -> str:
        return str(self.home / "mailer.toml")

    def __call__(self, *arguments: str) -> Said:
        return self.bare("--config", self.config, *arguments)

    def bare(self, *arguments: str) -> Said:
        """Without `--config`. What is printed for programs must be as promised to them."""
        code = run(arguments)
        heard = self.capsys.readouterr()
        said = Said(code=code, out=heard.out, err=heard.err)
        if "--json" in arguments:
            faults = broken(arguments, said.objects)
            assert not faults, faults
        return said


@contextmanager
def desk_in(home: Path) -> Iterator[Desk]:
    """The steps of the office in this folder, with fakes outside."""
    config = load(home / "mailer.toml", {})
    key = Keyring(config.keys_directory).secret("record")
    trial = FoundedTrial(url=config.database_url, database=db.connect(config.database_url), key=key)
    try:
        yield Desk(trial=trial, home=home)
    finally:
        trial.database.close()


def init(home: Path) -> None:
    """Make the office as `mailer init --eject` does."""
    _copy(_new(), home)


def found(home: Path) -> str:
    """Make the office: request 1 answered, 2 refused, 3 of a hostile register row and 4 of a stranger held; the answer to 1."""
    office, answer = _answered()
    _copy(office, home)
    return answer


def age(home: Path) -> None:
    """Put the database of an office of version 0002 in its place, in which nothing was done yet."""
    (home / "mailer.db").unlink()
    url = f"sqlite:///{home / 'mailer.db'}"
    db.create(url)
    upgrade(url, to="0002")
    with sqlite3.connect(home / "mailer.db") as connection:
        connection.execute("INSERT INTO instance (id, name, created_at) VALUES (1, ?, '2026-11-01')", (INSTANCE,))
        connection.execute("INSERT INTO audit_head (id, seq) VALUES (1, 0)")
    connection.close()


def office_in(home: Path) -> Office:
    return open_office(load(home / "mailer.toml", {}), {})


def publish(home: Path) -> None:
    """Sign the record and publish the checkpoint."""
    office = office_in(home)
    office.record_signer(office.worker("test")).publish()
    office.close()


# Made once in each process of the tests and then copied, because most of a short test's time would go into migrations.
# A finished office is a folder that knows no place: what `mailer.toml` names stands beside it.


@cache
def _new() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mailer.service.office.clock", lambda: NOW)  # whichever room's tests ask first
        assert run(["init", "--eject", "--config", f"{folder.name}/mailer.toml"]) == 0
    return folder


@cache
def _answered() -> tuple[TemporaryDirectory[str], str]:
    folder = TemporaryDirectory()
    home = Path(folder.name)
    init(home)
    with desk_in(home) as desk:
        desk.trial.register(HOSTILE)
        for number, (person, sender) in enumerate(
            [
                ("Пришва А.А.", CLINIC.answer_to),
                ("Иванов", CLINIC.answer_to),
                ("Ли К.", HOSTILE.answer_to),
                ("Юрьева Я.Я.", "stranger@elsewhere.example"),
            ]
        ):
            desk.take(request(person, sender, number))
        desk.run()
        answer = next(content for envelope, content in desk.postman.sent if envelope.recipient == CLINIC.answer_to).decode()
    return folder, answer


def _copy(office: TemporaryDirectory[str], home: Path) -> None:
    assert not Path(office.name, "mailer.db-wal").exists(), "the file alone is the database"
    shutil.copytree(office.name, home, dirs_exist_ok=True)
