"""Where does the running service say what it does? One line an event on standard error; no personal data, no local variables."""

from __future__ import annotations

from typing import TextIO

import structlog

from mailer.service.loop import Log


def make_log(stream: TextIO) -> Log:
    """Readable lines on a terminal, JSON lines elsewhere."""
    last = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.wrap_logger(  # type: ignore[no-any-return]
        structlog.WriteLogger(stream),
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=False), last],
        wrapper_class=structlog.BoundLogger,
    )
