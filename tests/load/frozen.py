"""How does a process stop while it holds the record's head? It runs the program as it is, and stops itself there (SIGSTOP).

    python -m tests.load.frozen --nth 3 -- --config mailer.toml run --only intake,answer,bounce,issue,expire

Before it starts, `store.audit.append` is wrapped in this process alone: the n-th time that records have been appended, and the head
is locked, the process stops itself with all its threads, until somebody sends SIGCONT.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime

from mailer.cli import main
from mailer.core.evidence import Record
from mailer.store import audit
from mailer.store.audit import Pen
from mailer.store.db import Tx


def freeze_at(nth: int) -> None:
    """The n-th transaction that tells something stops between its last write and its commit."""
    append = audit.append
    left = [nth]

    def stopping(tx: Tx, pen: Pen, at: datetime, told: Sequence[Record]) -> None:
        append(tx, pen, at, told)
        left[0] -= bool(told)
        if told and left[0] == 0:
            os.kill(os.getpid(), signal.SIGSTOP)

    audit.append = stopping


if __name__ == "__main__":
    own, _, words = (" ".join(sys.argv[1:])).partition(" -- ")
    freeze_at(int(own.split()[1]))
    sys.argv[1:] = words.split(" ")
    sys.exit(main())
