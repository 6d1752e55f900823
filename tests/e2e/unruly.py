"""The program with something wrong around it: `python unruly.py …` instead of `python -m mailer …`. Not a test.

    UNRULY_LETTER=answer:kill    who reads a letter whose Message-ID holds `poison` in that step, in this way comes to harm:
                                 kill, hang, grip (hangs without letting any other thread run), hoard (memory), raise
    UNRULY_CLOCK=FILE            the clock is off by the seconds that stand in this file

The parser itself is robust, so what breaks is put around it. Waits for what hangs are cut from 5 and 20 seconds to 2 and 3.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from mailer.cli.app import run as run_command
from mailer.core import kinds
from mailer.model import Form, Letter, Own, Reading
from mailer.service import office
from mailer.service import run as service


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    time.sleep(600)


def _grip() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


def _hoard() -> None:
    hoard = []
    while True:
        hoard.append(bytes(1024 * 1024))


def _raise() -> None:
    raise RuntimeError("poison")


HARM: Mapping[str, Callable[[], None]] = {"kill": _kill, "hang": _hang, "grip": _grip, "hoard": _hoard, "raise": _raise}


def poison(step: str, harm: Callable[[], None]) -> None:
    judge = kinds.judge

    def poisoned(letter: Letter | None, form: Form, own: Own) -> Reading:
        if letter is not None and "poison" in (letter.message_id or "") and threading.current_thread().name.startswith(step):
            harm()
        return judge(letter, form, own)

    kinds.judge = poisoned
    vars(service).update(LETTER_SECONDS=2.0, GRIP_SECONDS=3.0)


def shift(file: Path) -> None:
    real = office.clock

    def shifted() -> datetime:
        return real() + timedelta(seconds=float(file.read_text()))

    office.clock = shifted


if __name__ == "__main__":
    if "UNRULY_LETTER" in os.environ:
        place, _, how = os.environ["UNRULY_LETTER"].partition(":")
        poison(place, HARM[how])
    if "UNRULY_CLOCK" in os.environ:
        shift(Path(os.environ["UNRULY_CLOCK"]))
    sys.exit(run_command(sys.argv[1:]))
