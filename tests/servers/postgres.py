"""A private PostgreSQL for the tests: its own cluster in a temporary directory, reached by a Unix socket, gone without a trace.

It must not touch the machine's own clusters, and listens on no network port, so nothing can collide. Works as root (the server then
runs as `postgres`, because it refuses root) and as an ordinary user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.servers.services import ServiceMissing

DEBIAN: Final = Path("/usr/lib/postgresql")  # one directory for each major version; its programs are not on PATH
ROLE: Final = "mailer"

# Waits until nobody holds the other end of its input, as when the process of the tests is killed; then nothing shall be left.
WATCH: Final = 'cat; "$1/pg_ctl" stop --mode=immediate --pgdata="$2/data"; rm -rf "$2"'

# The data needs to outlive nothing, so nothing is flushed to disk.
SETTINGS: Final = "-c listen_addresses='' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"


def programs() -> Path:
    """The directory of the newest server's programs; raises `ServiceMissing`."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda initdb: float(initdb.parents[1].name))
    elsewhere = shutil.which("initdb")
    if found:
        return found[-1].parent
    if elsewhere:
        return Path(elsewhere).resolve().parent
    raise ServiceMissing("PostgreSQL", "postgresql")


class Postgres:
    """A cluster to start and stop; `with Postgres() as server:` does both and removes its directory."""

    def __init__(self) -> None:
        self._programs = programs()
        self._owner = "postgres" if os.getuid() == 0 else None
        self._home = Path(tempfile.mkdtemp(prefix="postgres-"))
        if self._owner:
            shutil.chown(self._home, self._owner, self._owner)
        self._numbers = count(1)
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it takes connections; raises RuntimeError with the server's words when it does not."""
        self._run("initdb", "--auth=trust", f"--username={ROLE}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.resume()

    def resume(self) -> None:
        """Start again what `stop` has stopped, with its databases."""
        self._run("pg_ctl", "start", "--wait", f"--log={self._home}/log", f"--options=-k {self._home} {SETTINGS}")

    def stop(self) -> None:
        """Stop the server that this object started, even while clients are connected."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._run("pg_ctl", "stop", "--wait", "--mode=fast")

    def fresh(self) -> str:
        """Create an empty database and return its address in SQLAlchemy's form."""
        name = f"test_{next(self._numbers)}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.address(name)

    def copy(self, url: str, to: str) -> None:
        """Create a database like the one at `url`, to which nobody may be connected; `to` is its `address`."""
        like, name = (sql.Identifier(make_url(one).database or "") for one in (url, to))
        # Its files are copied as they are, which PostgreSQL did by itself before version 15.
        how = sql.SQL(" STRATEGY file_copy" if self._server().info.server_version >= 150_000 else "")
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, like) + how)

    def drop(self, url: str) -> None:
        """Drop a database that `fresh` or `copy` made, whoever is still connected: an empty one weighs 7 MB."""
        name = make_url(url).database or ""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def address(self, name: str) -> str:
        """How the database of this name is reached, in SQLAlchemy's form; it need not be there."""
        return f"postgresql+psycopg://{ROLE}@/{name}?host={self._home}"

    def _execute(self, statement: sql.Composed) -> None:
        self._server().execute(statement)

    def _server(self) -> psycopg.Connection[tuple[object, ...]]:
        """One connection for all commands: each would cost a process of the server."""
        if self._connection is None:
            self._connection = psycopg.connect(host=str(self._home), user=ROLE, dbname="postgres", autocommit=True)
        return self._connection

    def _watched(self) -> subprocess.Popen[bytes]:
        """In a session of its own, or what kills the tests would kill it too."""
        quiet, account = subprocess.DEVNULL, self._account()
        command = ["sh", "-c", WATCH, "sh", str(self._programs), str(self._home)]
        return subprocess.Popen(
            command, cwd="/", stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True, **account
        )

    def _account(self) -> dict[str, Any]:
        return {"user": self._owner, "group": self._owner, "extra_groups": []} if self._owner else {}

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments, f"--pgdata={self._home}/data"]
        # The server inherits what it is given here, so its words go to a file: a pipe would stay open as long as it runs.
        with tempfile.TemporaryFile() as words:
            ended = subprocess.run(command, cwd=self._home, stdout=words, stderr=words, check=False, **self._account())
            words.seek(0)
            said = words.read().decode(errors="replace")
        if ended.returncode:
            log = self._home / "log"
            raise RuntimeError(f"{program} failed:\n{said}{log.read_text(errors='replace') if log.exists() else ''}")

    def __enter__(self) -> Postgres:
        self._watch = self._watched()
        try:
            self.start()
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.stop()
        finally:
            self._clear()

    def _clear(self) -> None:
        """Let the watch go, which ends a server that would not stop and removes what is left."""
        if self._watch is not None:
            self._watch.communicate()
        shutil.rmtree(self._home, ignore_errors=True)
