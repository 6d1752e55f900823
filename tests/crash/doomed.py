"""How does a process die at an exact moment of its own work? It runs the program as it is, and kills itself there.

    python -m tests.crash.doomed --at "reply.sent" --way failed --nth 1 -- --config mailer.toml run --only deliver

Everything behind `--` is mailer's own command line. Before it starts, the functions at the named moments are wrapped, in this
process alone; nothing in the program knows of it. Death is SIGKILL: no handler, no `finally`, no goodbye.
`--look-often` has the step that raises alarms look at once and every second, not after 20 seconds and every minute.
`--ahead SECONDS` sets the program's clock forward, from the start or, with `--ahead-once EVENT`, from the commit that tells it.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from mailer.cli import main
from mailer.flow import alarm
from mailer.service import idle, office
from mailer.store import audit
from mailer.store.db import Database, Tx
from tests.crash.moments import CALLS, SILENT, Way


class Doom:
    """The moment at which this process ends, if it has one, and how far its clock is ahead."""

    def __init__(self, at: str, way: Way, nth: int, ahead: timedelta, ahead_once: str) -> None:
        self._at = at
        self._way = way
        self._left = nth
        self._ahead = ahead
        self._ahead_once = ahead_once
        self._leapt = not ahead_once
        self._lock = threading.Lock()

    def clock(self) -> datetime:
        return datetime.now(UTC) + (self._ahead if self._leapt else timedelta())

    def passes(self, names: set[str], way: Way) -> None:
        if way is Way.DONE and self._ahead_once in names:
            self._leapt = True
        if self._at not in names or way is not self._way:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def watch_commits(doom: Doom) -> None:
    """Every transaction's end passes by its names: the events it tells, and what it writes without telling."""
    noted = threading.local()  # a transaction stays in one thread
    append, writing = audit.append, Database.writing

    def noting_append(tx: Tx, pen: audit.Pen, at: datetime, told: Sequence[Any]) -> range:
        numbers = append(tx, pen, at, told)
        noted.names.update(record.event for record in told)
        return numbers

    @contextmanager
    def passing_writing(database: Database) -> Iterator[Tx]:
        names: set[str] = set()
        with writing(database) as tx:
            noted.names = names
            yield tx
            doom.passes(names, Way.FAILED)
        doom.passes(names, Way.DONE)

    def note(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def noting(*arguments: Any, **named: Any) -> Any:
                found = function(*arguments, **named)
                noted.names.add(name)
                return found

            return noting

        return wrap

    audit.append = noting_append
    Database.writing = passing_writing  # type: ignore[method-assign]
    for name, path in SILENT.items():
        _replace(path, note(name))


def watch_calls(doom: Doom) -> None:
    def around(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(function)
            def passing(*arguments: Any, **named: Any) -> Any:
                doom.passes({name}, Way.FAILED)
                found = function(*arguments, **named)
                doom.passes({name}, Way.DONE)
                return found

            return passing

        return wrap

    for name, path in CALLS.items():
        _replace(path, around(name))


def _replace(path: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    module, _, name = path.partition(":")
    place: Any = importlib.import_module(module)
    *outer, last = name.split(".")
    for one in outer:
        place = getattr(place, one)
    setattr(place, last, wrap(getattr(place, last)))


def run() -> None:
    parser = argparse.ArgumentParser(prog="doomed")
    parser.add_argument("--at", default="")
    parser.add_argument("--way", type=Way, choices=list(Way), default=Way.FAILED)
    parser.add_argument("--nth", type=int, default=1)
    parser.add_argument("--ahead", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--ahead-once", default="", metavar="EVENT")
    parser.add_argument("--look-often", action="store_true")
    parser.add_argument("words", nargs="+")
    given = parser.parse_args()
    doom = Doom(given.at, given.way, given.nth, timedelta(seconds=given.ahead), given.ahead_once)
    watch_commits(doom)
    watch_calls(doom)
    office.clock = doom.clock
    idle.clock = doom.clock
    if given.look_often:
        vars(alarm).update(EVERY=timedelta(seconds=1), FIRST_AFTER=timedelta(0))
    sys.argv = ["mailer", *given.words]
    main()


if __name__ == "__main__":
    run()
