"""How does the trial office run the program? As anybody would: by its commands, and the service is stopped by a signal.

The outer shell's `MAILER_…` variables would be configuration of the trial office, so they are left out; the rest is handed on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic, sleep
from typing import Final

from mailer.config.load import PREFIX
from mailer.demo.place import Place
from mailer.errors import SetupError

COMMAND_SECONDS: Final = 120.0
STOP_SECONDS: Final = 12.0  # the service promises 10
LOG_LINES: Final = 12


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without configuration of another office."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}


class Program:
    """This very program, with the trial office's configuration."""

    def __init__(self, place: Place, environ: Mapping[str, str]) -> None:
        self._place = place
        self._environ = clean(environ)

    def do(self, *arguments: str) -> None:
        """One command from beginning to end; SetupError with its output when it fails."""
        done = subprocess.run(  # noqa: S603  our own program
            self._command(arguments),
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            command = " ".join(["mailer", *arguments])
            raise SetupError("`{command}` failed:\n{output}", command=command, output=(done.stdout + done.stderr).strip())

    def serve(self) -> Service:
        """Start the service; what it says goes to the log of the place."""
        with self._place.log_path.open("ab") as log:
            return Service(
                subprocess.Popen(  # noqa: S603  our own program
                    self._command(["run"]),
                    env=self._environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    process_group=0,  # Ctrl-C is meant for the demo, which then stops the service in good order
                )
            )

    def last_words(self) -> str:
        """The end of the service's log."""
        lines = self._place.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])

    def _command(self, arguments: list[str] | tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "mailer", "--config", str(self._place.config_path), *arguments]


class Service:
    """The running service: the supervisor that we started, and its children in the same process group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def runs(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> None:
        """Until it ends, asked or not."""
        self._process.wait()

    def stop(self) -> bool:
        """End it; whether it ended by itself when asked to, with all its processes. Afterwards none of them is left."""
        self._process.terminate()
        deadline = monotonic() + STOP_SECONDS
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_group()
            self._process.wait()
            return False
        while self._group_lives():
            if monotonic() > deadline:
                self._kill_group()
                return False
            sleep(0.02)
        return self._process.returncode == 0

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):  # the last one ended in this moment
            os.killpg(self.pid, signal.SIGKILL)
