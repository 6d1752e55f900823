"""Where does the running service say what it does? One line an event on standard error; no personal data, no local variables."""

from __future__ import annotations

from contextlib import suppress
from typing import TextIO

import structlog

from mailer.service.loop import Log


def make_log(stream: TextIO) -> Log:
    """Readable lines on a terminal, JSON lines elsewhere."""
    last = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.wrap_logger(  # type: ignore[no-any-return]
        _Lines(stream),
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=False), last],
        wrapper_class=structlog.BoundLogger,
    )


class _Lines:
    """A stream of lines that nobody may be reading any more: a full disk or a closed pipe must not stop the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()

    info = warning = msg
