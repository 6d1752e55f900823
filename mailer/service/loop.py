"""How does a step run for months? A thread of its own: take the lease, step until nothing is left, rest, and start again.

Knows nothing of what the step does. A failure is told to the log and to the lease's row (where `status` finds it), and the step is
built anew after a pause that doubles up to a minute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, Protocol

from mailer.errors import LeaseLostError, MailerError
from mailer.store import leases, pauses
from mailer.store.db import DatabaseError
from mailer.store.leases import Lease
from mailer.store.work import Pulse, Worker

REPORT_EVERY: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = 60.0


class Log(Protocol):
    """The part of a structlog logger that is used here."""

    def info(self, event: str, **values: object) -> object: ...

    def warning(self, event: str, **values: object) -> object: ...


class Bell:
    """Wakes the steps of a process when something was committed, here or elsewhere."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rung = 0

    def count(self) -> int:
        return self._rung

    def ring(self) -> None:
        with self._condition:
            self._rung += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Until it was rung after `seen`, or so many seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rung != seen, timeout=seconds)


class Heart:
    """Whether all loops still move: each promises to beat again within a time."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def beat(self, name: str, within: float) -> None:
        self._due[name] = monotonic() + within

    def stop(self, name: str) -> None:
        self._due.pop(name, None)

    @contextmanager
    def watched(self, name: str, within: float) -> Iterator[None]:
        """What happens inside must end within a time."""
        self.beat(name, within)
        try:
            yield
        finally:
            self.stop(name)

    def overdue(self) -> list[str]:
        now = monotonic()
        return [name for name, due in list(self._due.items()) if due < now]


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A built step, how it rests (None: until the bell), and how it ends."""

    step: Callable[[], bool]
    rest: Callable[[Callable[[], bool]], None] | None
    close: Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A step to be run: its name, how to build it for a worker, and within what time it shows life while it works.

    `shared`: several processes may do it at the same time, each under a lease of its own.
    """

    name: str
    build: Callable[[Worker], Running]
    beat_within: float
    shared: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What the loops of one process share. `worker` has no lease yet; `is_gone` tells of owners of leases."""

    worker: Worker
    owner: str
    is_gone: Callable[[str], bool]
    bell: Bell
    heart: Heart
    stop: threading.Event
    log: Log


class Loop(threading.Thread):
    """One task in its thread."""

    def __init__(self, task: Task, around: Surroundings) -> None:
        super().__init__(name=task.name, daemon=True)
        self._task = task
        self._around = around
        self._pause = 0.5
        self._waits_for = ""
        self._reported: datetime | None = None

    def run(self) -> None:
        while self._goes_on():
            try:
                lease = self._acquire()
                if lease is not None:
                    self._work_under(lease)
            except LeaseLostError:
                self._around.log.warning("lease lost", step=self._task.name)
            except Exception as error:  # whatever it is, the other steps go on and this one comes back
                self._around.log.warning("step failed", step=self._task.name, error=_line(error), retry_seconds=self._pause)
                self._sleep(self._pause)
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._around.heart.stop(self._task.name)

    def _acquire(self) -> Lease | None:
        """The lease, or None after a while of standing by."""
        around = self._around
        with around.worker.database.writing() as tx:
            now = around.worker.clock()  # asked once it is our turn: a lease taken meanwhile would seem to end too late
            found = leases.acquire(tx, self._task.name, around.owner, now=now, is_gone=around.is_gone, shared=self._task.shared)
        if isinstance(found, Lease):
            self._waits_for = ""
            return found
        if found != self._waits_for:
            around.log.info("standing by: another process does this work", step=self._task.name, owner=found)
        self._waits_for = found
        self._sleep(2.0)
        return None

    def _work_under(self, lease: Lease) -> None:
        around = self._around
        worker = Worker(
            database=around.worker.database,
            pen=around.worker.pen,
            clock=around.worker.clock,
            actor=around.worker.actor,
            lease=lease,
        )
        trouble: Exception | None = None
        self._reported = None  # it was said of another lease
        try:
            while self._goes_on():
                if self._is_paused(worker):
                    self._stand_still(worker)
                else:
                    self._run_until_paused(worker)
        except Exception as error:
            if self._around.stop.is_set():  # `stop` cuts connections: what that breaks is no trouble
                return
            trouble = error
            raise
        finally:
            if isinstance(trouble, LeaseLostError):
                self._note_loss(worker, lease)
            elif not isinstance(trouble, DatabaseError):
                self._leave(worker, lease, trouble)

    def _run_until_paused(self, worker: Worker) -> None:
        running = self._task.build(worker)
        try:
            self._step_and_rest(running, worker)
        finally:
            running.close()

    def _step_and_rest(self, running: Running, worker: Worker) -> None:
        around = self._around
        pulse = Pulse(worker)
        while self._goes_on() and not self._is_paused(worker):
            rung, began = around.bell.count(), worker.clock()
            if running.step():
                around.bell.ring()
                continue
            self._report(worker, began)
            pulse()
            self._relieve(worker)
            if running.rest is None:
                around.bell.wait(rung, 1.0)
            else:
                running.rest(self._goes_on)

    def _is_paused(self, worker: Worker) -> bool:
        """Whether a person has this step stand still: asked before each batch."""
        if not pauses.can_hold(self._task.name):
            return False
        with worker.reading() as tx:
            return pauses.holds(tx, self._task.name)

    def _stand_still(self, worker: Worker) -> None:
        """Keep the lease and show life, but do nothing and hold no connection, until the person has it go on."""
        around = self._around
        pulse = Pulse(worker)
        around.log.info("paused by a person", step=self._task.name)
        while self._goes_on():
            rung = around.bell.count()
            if not self._is_paused(worker):
                around.log.info("resumed by a person", step=self._task.name)
                return
            self._report(worker, worker.clock())
            pulse()
            around.bell.wait(rung, 1.0)

    def _report(self, worker: Worker, began: datetime) -> None:
        """That it went through all there was when it began: at once after a failure or a start, then every few seconds, since each
        write wakes the others."""
        self._pause = 0.5
        if worker.lease is None or (self._reported is not None and abs(began - self._reported) < REPORT_EVERY):
            return
        self._reported = began
        with worker.database.writing() as tx:
            leases.went_through(tx, worker.lease, began=began)

    def _relieve(self, worker: Worker) -> None:
        """Free what others took in hand whose lease has run out."""
        if not self._task.shared or worker.lease is None:
            return
        is_gone = self._around.is_gone
        with worker.database.reading() as tx:
            abandoned = leases.abandoned(tx, self._task.name, now=worker.clock(), is_gone=is_gone)
        names = [name for name in abandoned if name != worker.lease.name]  # the clock may jump past the end of our own
        if names:
            with worker.database.writing() as tx:
                leases.evict(tx, names, now=worker.clock(), is_gone=is_gone)

    def _leave(self, worker: Worker, lease: Lease, trouble: Exception | None) -> None:
        with suppress(DatabaseError), worker.database.writing() as tx:  # if this fails too, the lease runs out by itself
            if trouble is not None:
                leases.met_trouble(tx, lease, now=worker.clock(), trouble=_line(trouble))
            leases.release(tx, lease, now=worker.clock())

    @staticmethod
    def _note_loss(worker: Worker, lease: Lease) -> None:
        """For the alarms: once is a process that was stopped for a while, again and again is a fight."""
        with suppress(DatabaseError), worker.database.writing() as tx:
            leases.lost(tx, lease, now=worker.clock())

    def _goes_on(self) -> bool:
        self._around.heart.beat(self._task.name, self._task.beat_within)
        return not self._around.stop.is_set()

    def _sleep(self, seconds: float) -> None:
        until = monotonic() + seconds
        while self._goes_on() and monotonic() < until:
            self._around.stop.wait(0.2)


def _line(error: Exception) -> str:
    """One line without bind parameters: what strangers wrote is cut out by the engine (`hide_parameters`)."""
    said = str(error) if isinstance(error, MailerError) else f"{type(error).__name__}: {error}"
    return " ".join(said.split())[:500]
