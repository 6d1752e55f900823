"""How is a program of the office told of an alarm? Started without a shell, JSON on its standard input, a time limit.

It sees neither our passwords (of the environment only what a program needs to run) nor anything that strangers wrote.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from mailer.errors import EdgeError, SetupError

TIME_LIMIT_SECONDS: Final = 10.0
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")  # of the environment


class Hook:
    """`command` is the whole path of a program and its arguments. What the program prints as errors goes where ours go."""

    def __init__(self, command: Sequence[str], *, time_limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        self._command = list(command)
        self._time_limit = time_limit_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def check(self) -> None:
        """SetupError when there is no such program for us to start."""
        program = Path(self._command[0])
        if not program.is_file() or not os.access(program, os.X_OK):
            raise SetupError("[alarms] command: {path} is not there or may not be executed", path=program)

    def tell(self, content: bytes) -> None:
        """Run it to its end. EdgeError when it cannot be started, fails, or takes too long; then it is killed with its children."""
        try:
            process = subprocess.Popen(  # noqa: S603  the administrator's own program, and no shell
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            raise EdgeError("the alarm command cannot be started: {why}", why=error.strerror) from error
        self._process = process
        try:
            process.communicate(content, timeout=self._time_limit)
        except subprocess.TimeoutExpired:
            self.interrupt()
            process.wait()
            raise EdgeError("the alarm command took longer than {seconds} seconds", seconds=self._time_limit) from None
        finally:
            self._process = None
        if process.returncode != 0:
            raise EdgeError("the alarm command ended with code {code}", code=process.returncode)

    def interrupt(self) -> None:
        """End what is running now, from another thread too."""
        process = self._process
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
