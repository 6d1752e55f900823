"""Who keeps desk and courier alive? A parent that reads no letter and holds no key: it starts, watches, restarts and stops.

A child that dies is started again after a pause that doubles while it keeps dying. A child that shows no life is killed. When the
parent dies, the children see their socket close and stop by themselves, so nothing is left running unwatched.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from mailer.service.loop import Log
from mailer.service.run import COURIER, DESK

SILENCE_SECONDS: Final = 8.0  # a living child shows itself twice a second
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 9.0
HEAD_START_SECONDS: Final = 1.0
LONGEST_PAUSE: Final = 30.0
WRONG_SETUP: Final = 2  # exit code of every command: trying again would not mend it
CALM_SECONDS: Final = 30.0  # a child that lived this long did not die of its start


class Child:
    """One part of the house as a process of the same program."""

    def __init__(self, name: str, command: Sequence[str], log: Log) -> None:
        self.name = name
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._started = self._heard = 0.0
        self._patience = START_SECONDS
        self._start_at = 0.0
        self._pause = 0.5
        self.exit_code: int | None = None
        self.lived = False

    def tend(self) -> None:
        """Start it if it is time to, take note of life or death, kill it when it is silent."""
        now = monotonic()
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return
        if self._hears():
            self._heard, self._patience, self.lived = now, SILENCE_SECONDS, True
        code = self._process.poll()
        if code is not None:
            self._died(now, code)
        elif now - self._heard > self._patience:
            self._log.warning("shows no life: killed", part=self.name, pid=self._process.pid)
            self._process.kill()

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def linger(self, seconds: float) -> None:
        """Until it has ended, or as long; it is left alive."""
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def wait(self, seconds: float) -> None:
        """Until it has ended; killed when it takes longer."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._log.warning("did not stop in time: killed", part=self.name)
            self._process.kill()
            self._process.wait()
        if self._line is not None:
            self._line.close()

    def _start(self, now: float) -> None:
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(list(self._command), stdin=theirs.fileno())  # noqa: S603  our own program
        theirs.close()
        ours.setblocking(False)
        self._line, self._started, self._heard, self._patience = ours, now, now, START_SECONDS
        self._log.info("started", part=self.name, pid=self._process.pid)

    def _hears(self) -> bool:
        if self._line is None:
            return False
        try:
            return self._line.recv(4096) != b""
        except OSError:
            return False

    def _died(self, now: float, code: int) -> None:
        if now - self._started > CALM_SECONDS:
            self._pause = 0.5
        self._log.warning("ended unasked: started again", part=self.name, exit_code=code, after_seconds=self._pause)
        if self._line is not None:
            self._line.close()
        self._process, self._line, self.exit_code = None, None, code
        self._start_at = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


class Supervisor:
    """Desk and courier. `stop` may be set by a signal or by whoever sees that all is done."""

    def __init__(self, config_path: Path, log: Log) -> None:
        program = [sys.executable, "-m", "mailer", "--config", str(config_path), "run", "--supervised", "--only"]
        self._children = [
            Child("desk", [*program, ",".join(DESK)], log),
            Child("courier", [*program, ",".join(COURIER)], log),
        ]
        self.stop = threading.Event()

    def run(self) -> bool:
        """Until `stop` is set; then both children have ended. False: a child found the setup wrong and said so."""
        refused = False
        while not self.stop.is_set() and not refused:
            for child in self._children:
                child.tend()
                refused = refused or (child.exit_code == WRONG_SETUP and not child.lived)
            self.stop.wait(0.1)
        deadline = monotonic() + STOP_SECONDS
        for child in reversed(self._children):  # the courier first: what it tells last, the desk still signs
            child.ask_to_stop()
            child.linger(HEAD_START_SECONDS)
        for child in self._children:
            child.wait(max(0.1, deadline - monotonic()))
        return not refused
