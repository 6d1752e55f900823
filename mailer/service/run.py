"""How do the steps of one process run, the desk's or the courier's, until they are told to stop?"""

from __future__ import annotations

import faulthandler
import os
import resource
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, time
from importlib.metadata import version
from time import monotonic
from typing import Final

from mailer.config.sections import Mailbox
from mailer.core.caution import Caution
from mailer.core.rules import Ruleset
from mailer.errors import EdgeError, RecordError, SetupError
from mailer.flow import custody, runs
from mailer.flow.alarm import AlarmSettings, AlarmStep
from mailer.flow.answer import Answer, AnswerSettings
from mailer.flow.bounced import Bounced, BouncedSettings
from mailer.flow.checkpoint import CheckpointStep
from mailer.flow.deliver import Deliver, DeliverSettings
from mailer.flow.digest import DigestSettings, DigestStep
from mailer.flow.expire import Expire, ExpireSettings
from mailer.flow.intake import Intake
from mailer.flow.keeping import IntakeSettings
from mailer.flow.needs import needs
from mailer.flow.runs import Run
from mailer.flow.stationery import Stationery
from mailer.model import Trust
from mailer.service.loop import Bell, Heart, Log, Loop, Running, Surroundings, Task
from mailer.service.office import Office, jitter
from mailer.service.process import is_gone, owner
from mailer.service.setup import setup_of
from mailer.service.words import russian
from mailer.store import places
from mailer.store.db import DatabaseError
from mailer.store.work import Worker

STEPS: Final = ("intake", "answer", "bounce", "issue", "deliver", "expire", "alarm", "checkpoint")
DESK: Final = ("intake", "answer", "bounce", "issue", "expire", "alarm", "checkpoint")
READERS: Final = frozenset({"answer", "bounce"})  # of strangers' letters, whole
COURIER: Final = ("deliver",)
DESK_MEMORY_BYTES: Final = 512 * 1024 * 1024
STOP_SECONDS: Final = 8.0  # of the 10 that a stop may take
LETTER_SECONDS: Final = 5.0  # a letter takes milliseconds; longer than this it hangs its reader
GRIP_SECONDS: Final = 20.0  # no thread but one has run for so long: it sits inside a library and lets go of nothing
ANSWER_SECONDS: Final = 20.0  # a batch of letters takes under one
EDGE_SECONDS: Final = 600.0  # laying a line, searching, fetching and moving one batch, each with its own time limit


class House:
    """The steps of one process, built and running. `lifeline`: the supervisor's end of a socket, None without one."""

    def __init__(self, office: Office, steps: Sequence[str], log: Log, lifeline: socket.socket | None = None) -> None:
        self._office = office
        self._log = log
        self._lifeline = lifeline
        self._interrupts: list[Callable[[], None]] = []
        part = "courier" if tuple(steps) == COURIER else "desk"
        self._around = Surroundings(
            worker=office.worker(f"mailer-{part}"),
            owner=owner(part),
            is_gone=is_gone,
            bell=Bell(),
            heart=Heart(),
            stop=threading.Event(),
            log=log,
        )
        self._last = replace(self._around, stop=threading.Event())  # what signs the record ends after everything that is told
        self._run = Run(
            part=part, process=self._around.owner, steps=tuple(steps), version=version("mailer"), mode=office.config.mode
        )
        self._ruleset = office.running_rules()
        self._loops = [Loop(task, self._last if task.name == "checkpoint" else self._around) for task in self._tasks(steps)]
        if not self._loops and office.config.mode == "answer":
            raise SetupError("there is nothing to run: no [[mailbox]] is configured")
        if READERS.intersection(steps):
            resource.setrlimit(resource.RLIMIT_DATA, (DESK_MEMORY_BYTES, DESK_MEMORY_BYTES))

    def stop(self) -> None:
        """Ask every step to stop; returns at once."""
        self._around.stop.set()
        self._around.bell.ring()
        for interrupt in self._interrupts:
            interrupt()

    def run(self) -> bool:
        """Run until `stop`; whether every step ended in time. Transactions make it harmless when one did not."""
        threading.Thread(target=self._listen, name="bell", daemon=True).start()
        threading.Thread(target=self._live, name="heart", daemon=True).start()
        if not self._told("start", self._tell_start, again_seconds=1.0):
            return True
        for loop in self._loops:
            loop.start()
        while not self._around.stop.wait(0.5):
            if not all(loop.is_alive() for loop in self._loops) and not self._around.stop.is_set():
                return False  # a step that is gone would be missed by nobody: the whole process is started anew
        return self._end()

    def _end(self) -> bool:
        """Every step first, then the record of the end, then what signs it. An end that is not told, the next start tells."""
        deadline = monotonic() + STOP_SECONDS
        last = [loop for loop in self._loops if loop.name == "checkpoint"]
        for loop in self._loops:
            if loop not in last:
                loop.join(max(0.0, deadline - monotonic()))
        if not any(loop.is_alive() for loop in self._loops if loop not in last):
            self._told("end", lambda: runs.stop(self._around.worker, self._run))
        self._last.stop.set()
        self._around.bell.ring()
        for loop in last:
            loop.join(max(0.0, deadline - monotonic()))
        return not any(loop.is_alive() for loop in self._loops)

    def _tell_start(self) -> None:
        runs.start(self._around.worker, self._run, setup_of(self._office, self._ruleset), is_gone=is_gone)

    def _told(self, what: str, tell: Callable[[], None], *, again_seconds: float | None = None) -> bool:
        """No record, no action: a start that cannot be told is tried again, and no step runs before. False: it was not told."""
        while True:
            try:
                tell()
            except (DatabaseError, RecordError) as error:
                self._log.warning("cannot be told to the record", what=what, error=" ".join(str(error).split())[:200])
            else:
                return True
            if again_seconds is None or self._around.stop.wait(again_seconds):
                return False

    @property
    def _shared(self) -> bool:
        """SQLite has one writer at a time: a second worker would only wait for the first."""
        return not self._office.database.sqlite

    def _tasks(self, steps: Sequence[str]) -> list[Task]:
        office, observe = self._office, self._office.config.mode == "observe"
        ruleset = self._ruleset
        if "deliver" in steps:
            office.open_epoch(self._around.worker)
        stationery = office.stationery(ruleset)
        tasks = []
        if "intake" in steps:
            tasks += [self._intake(settings, ruleset, observe=observe) for settings in office.config.mailbox]
        if "answer" in steps:
            tasks.append(self._answer(ruleset, stationery, observe=observe))
        if "bounce" in steps:
            tasks.append(self._bounced(observe=observe))
        if "issue" in steps and not observe:
            tasks.append(self._issue(stationery))
        if "deliver" in steps and not observe:
            tasks.append(self._deliver())
        if "expire" in steps:
            tasks.append(self._expire(stationery, observe=observe))
        if "alarm" in steps:
            tasks.append(self._alarm(stationery, observe=observe))
        if "checkpoint" in steps:
            tasks.append(self._checkpoint())
        return tasks

    def _intake(self, settings: Mailbox, ruleset: Ruleset, *, observe: bool) -> Task:
        mailbox = self._office.mailbox(settings)
        self._interrupts.append(mailbox.interrupt)
        intake_settings = IntakeSettings(
            mailbox=settings.name,
            trust=Trust(settings.trust),
            authserv_id=settings.authserv_id,
            shared_domains=frozenset(settings.shared_domains),
            form=ruleset.form,
            own=self._office.own(),
            max_bytes=self._office.config.letters.max_bytes,
            batch=settings.batch,
            wait_seconds=settings.poll_seconds,
            observe=observe,
        )

        caution = Caution()

        def build(worker: Worker) -> Running:
            intake = Intake(worker, mailbox, intake_settings, caution, on_trouble=self._tell_trouble, watched=self._watched)
            return Running(step=self._with_room(intake.step), rest=intake.rest, close=intake.close)

        return Task(name=f"intake:{settings.name}", build=build, beat_within=EDGE_SECONDS)

    def _answer(self, ruleset: Ruleset, stationery: Stationery, *, observe: bool) -> Task:
        settings = AnswerSettings(
            ruleset=ruleset,
            own=self._office.own(),
            limits=self._office.limits(),
            observe=observe,
            receipts=self._office.config.replies.received,
        )

        def build(worker: Worker) -> Running:
            answer = Answer(worker, stationery, settings, on_trouble=self._tell_trouble, watched=self._watched)
            return _plain(self._with_room(answer.step))

        return Task(name="answer", build=build, beat_within=ANSWER_SECONDS, shared=self._shared)

    def _bounced(self, *, observe: bool) -> Task:
        settings = BouncedSettings(bounce_address=self._office.config.fund.bounce_address, observe=observe)

        def build(worker: Worker) -> Running:
            bounced = Bounced(worker, places, settings, on_trouble=self._tell_trouble, watched=self._watched)
            return _plain(self._with_room(bounced.step))

        return Task(name="bounce", build=build, beat_within=ANSWER_SECONDS, shared=self._shared)

    def _issue(self, stationery: Stationery) -> Task:
        self._office.accounts()  # a wrong setup is told at the start, not at the first request
        self._office.logins()

        def build(worker: Worker) -> Running:
            return _plain(self._with_room(self._office.issue(worker, stationery, self._tell_trouble).step))

        return Task(name="issue", build=build, beat_within=ANSWER_SECONDS, shared=self._shared)

    def _deliver(self) -> Task:
        office = self._office
        smtp = office.config.smtp
        settings = DeliverSettings(instance=office.instance, connections=smtp.connections if smtp else 1)
        office.postman()  # a wrong setup is told at the start, not at the first reply
        at_the_keys = threading.Lock()  # several workers deliver; one of them at a time makes or destroys a key
        swept: date | None = None

        def build(worker: Worker) -> Running:
            deliver = Deliver(worker, office.postman(), office.keyring, places, settings, jitter=jitter)

            def step() -> bool:
                nonlocal swept
                with at_the_keys:
                    office.open_epoch(worker)
                if deliver.step():
                    return True
                with at_the_keys:
                    if swept != worker.clock().date():
                        custody.destroy_expired(worker, office.keyring)
                        swept = worker.clock().date()
                return False

            return Running(step=step, rest=None, close=deliver.close)

        return Task(name="deliver", build=build, beat_within=EDGE_SECONDS, shared=self._shared)

    def _expire(self, stationery: Stationery, *, observe: bool) -> Task:
        days = () if observe else self._office.config.credentials.warn_days
        settings = ExpireSettings(warn_days=days, zone=self._office.config.zone)

        def build(worker: Worker) -> Running:
            return _plain(Expire(worker, places, stationery, settings, on_trouble=self._tell_trouble).step)

        return Task(name="expire", build=build, beat_within=ANSWER_SECONDS)

    def _alarm(self, stationery: Stationery, *, observe: bool) -> Task:
        office, hook = self._office, self._office.hook()
        if hook is not None:
            self._interrupts.append(hook.interrupt)
        settings = AlarmSettings(
            limits=office.alarm_limits(),
            officer=None if observe else office.config.fund.officer,
            replies_daily=office.config.limits.replies_daily,
            address_replies_daily=office.config.limits.address_replies_daily,
            zone=office.config.zone,
        )

        def build(worker: Worker) -> Running:
            step = AlarmStep(worker, stationery, office.survey(), hook, settings, say=russian(), on_trouble=self._tell_trouble)
            digest = None if observe else self._digest(worker, stationery)
            return _plain(lambda: step.step() or (digest is not None and digest.step()))

        return Task(name="alarm", build=build, beat_within=EDGE_SECONDS)

    def _checkpoint(self) -> Task:
        office = self._office
        office.signing_key().signer()  # a wrong setup is told at the start

        def build(worker: Worker) -> Running:
            signer = office.record_signer(worker)
            step = CheckpointStep(worker, signer, on_trouble=self._tell_trouble)
            return Running(step=step.step, rest=None, close=step.close)

        return Task(name="checkpoint", build=build, beat_within=EDGE_SECONDS)

    def _digest(self, worker: Worker, stationery: Stationery) -> DigestStep | None:
        """The daily letter to the officer: under the lease of the alarms, so that no two processes write it."""
        fund, limits = self._office.config.fund, self._office.alarm_limits()
        if fund.officer is None or not fund.digest_at:
            return None
        return DigestStep(
            worker,
            stationery,
            DigestSettings(officer=fund.officer, at=time.fromisoformat(fund.digest_at)),
            needs=lambda tx, now: needs(tx, limits, now),
            say=russian(),
            on_trouble=self._tell_trouble,
        )

    def _with_room(self, step: Callable[[], bool]) -> Callable[[], bool]:
        """New work waits while the disk is nearly full. What sends, what ends logins and what people do goes on, on the reserve."""

        def roomy() -> bool:
            if self._office.database.is_short_of_room():
                raise EdgeError("the disk is nearly full: letters wait until there is room")
            return step()

        return roomy

    def _watched(self, what: str) -> AbstractContextManager[None]:
        return self._around.heart.watched(what, LETTER_SECONDS)

    def _tell_trouble(self, what: str, error: Exception) -> None:
        self._log.warning("could not be worked on", what=what, error=f"{type(error).__name__}: {error}"[:500])

    def _listen(self) -> None:
        """Ring the bell when any process has committed; when the database is away, the steps' own waiting is the fall-back."""
        while not self._around.stop.is_set():
            try:
                with self._office.database.watching() as changed:
                    while not self._around.stop.is_set():
                        if changed(0.5):
                            self._around.bell.ring()
            except Exception as error:  # also the driver's own: the line to the database may break at any time
                self._log.warning("the database cannot be watched", error=" ".join(str(error).split())[:200])
                self._around.stop.wait(1.0)

    def _live(self) -> None:
        """Show the supervisor that all steps move; end the process at once when one hangs, so that it is started anew.

        If this thread itself no longer gets its turn, a timer outside the interpreter ends the process.
        """
        while not self._around.stop.is_set():
            faulthandler.dump_traceback_later(GRIP_SECONDS, exit=True)
            overdue = self._around.heart.overdue()
            if overdue:
                self._log.warning("a step hangs: the process ends itself", steps=overdue)
                os._exit(70)
            if self._lifeline is not None and not self._show_life(self._lifeline):
                self.stop()
                self._log.info("the supervisor has gone: stopping")
            self._around.stop.wait(0.5)
        faulthandler.cancel_dump_traceback_later()

    @staticmethod
    def _show_life(lifeline: socket.socket) -> bool:
        try:
            lifeline.send(b".", socket.MSG_DONTWAIT)
            return lifeline.recv(1, socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False


def _plain(step: Callable[[], bool]) -> Running:
    return Running(step=step, rest=None, close=lambda: None)
