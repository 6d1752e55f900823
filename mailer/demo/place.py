"""Where does the trial office live, and may its folder be made anew?

Only what a trial office itself makes is ever deleted, by name, and only in a folder that carries its mark. The mark is locked for
as long as the office is open and tells where its servers listen; the lock ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

from mailer.demo.servers import PASSWORD, Ports
from mailer.errors import SetupError

MARK: Final = "trial-office.json"
SIGNATURE: Final = "mailer demo"
FUND_ADDRESS: Final = "uc@fond.example"
MAILBOX: Final = "trial"

_MADE_HERE: Final = ("mailer.toml", "mailer.db", "mailer.db-wal", "mailer.db-shm", "keys", "senders.csv", "mailbox.password")
_LOG: Final = "service.log"

_CONFIGURATION: Final = """\
# Пробный отдел: папку создала команда mailer demo, следующий её запуск создаст всё заново.

timezone = "Europe/Moscow"
mode = "answer"

[fund]
name = "ТФОМС, отдел информационной безопасности (пробный)"
from = "{fund}"
portal_url = "https://portal.example/"
contact = "отдел информационной безопасности, тел. (0000) 00-00-00"

[[mailbox]]
name = "{mailbox}"
kind = "imap"
host = "127.0.0.1"
port = {imap}
tls = "none"
user = "{fund}"
password_file = "mailbox.password"
trust = "network"

[smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
"""

REGISTER: Final = """\
code,organisation,subscriber,address,answer_to
290001,ГБУЗ АО «Городская больница № 1»,29(ГБ1) Регистратура Соколова М.И.,gb1@clinic.example,
290002,ООО «Зубная клиника»,,office@dent.example,
290003,ГАУЗ АО «Районная поликлиника»,29(РП) Нач. отдела Котов Е.П.,rp@district.example,
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The folder of a trial office that is being opened; whoever has one holds the lock on its mark."""

    directory: Path
    mark: IO[str]

    @property
    def config_path(self) -> Path:
        return self.directory / "mailer.toml"

    @property
    def register_path(self) -> Path:
        return self.directory / "senders.csv"

    @property
    def log_path(self) -> Path:
        return self.directory / _LOG

    def furnish(self, ports: Ports) -> None:
        """Write the office's own files: configuration, password, register."""
        text = _CONFIGURATION.format(fund=FUND_ADDRESS, mailbox=MAILBOX, imap=ports.imap, smtp=ports.smtp)
        self.config_path.write_text(text, encoding="utf-8")
        self.register_path.write_text(REGISTER, encoding="utf-8")
        password = self.directory / "mailbox.password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD + "\n", encoding="utf-8")

    def announce(self, ports: Ports | None) -> None:
        """Tell other processes where the servers listen; None: they do not listen yet."""
        self.mark.seek(0)
        self.mark.truncate()
        json.dump({"made_by": SIGNATURE, "ports": asdict(ports) if ports else None}, self.mark)
        self.mark.flush()


@contextmanager
def occupied(directory: Path) -> Iterator[Place]:
    """The folder, emptied of an earlier trial office and locked. SetupError: it is not ours, or another demo runs in it."""
    path = directory.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(path)
        mark = (path / MARK).open("a+", encoding="utf-8")
    except OSError as error:
        raise SetupError("the folder {path} cannot be used: {why}", path=path, why=error.strerror) from error
    with mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SetupError("a demo is running in {path} already: end it first, or name another --directory", path=path) from error
        place = Place(directory=path, mark=mark)
        place.announce(None)
        _clear(path)
        yield place


def ports_of_running(directory: Path) -> Ports:
    """Where the servers of the demo that runs in this folder listen; SetupError when none does."""
    try:
        with (directory / MARK).open(encoding="utf-8") as mark:
            ports = _told(mark.read()) if _locked(mark) else None
    except OSError:
        ports = None
    if ports is None:
        raise SetupError("no demo is ready in {path}: start `mailer demo` first, in another terminal", path=directory)
    return ports


def _locked(mark: IO[str]) -> bool:
    try:
        fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _told(text: str) -> Ports | None:
    """What `announce` wrote; None as long as it says no ports."""
    try:
        ports = json.loads(text)["ports"]
    except ValueError:  # read while it was being written
        return None
    return Ports(**ports) if ports else None


def _refuse_foreign(path: Path) -> None:
    mark = path / MARK
    if not any(path.iterdir()):
        return
    if mark.is_symlink() or not mark.is_file() or SIGNATURE not in mark.read_text(encoding="utf-8", errors="replace"):
        raise SetupError("{path} is not empty and was not made by `mailer demo`: name another --directory", path=path)


def _clear(path: Path) -> None:
    for name in (*_MADE_HERE, _LOG):
        found = path / name
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink(missing_ok=True)
