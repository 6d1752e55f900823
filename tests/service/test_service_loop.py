"""The thread of a step: what it notes when another process takes its lease."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from mailer.core.alarms import AlarmKind, Limits, StepSigns, watch
from mailer.errors import LeaseLostError
from mailer.service.loop import Bell, Heart, Loop, Running, Surroundings, Task
from mailer.store import leases, signs
from mailer.store.leases import Lease
from mailer.store.work import Worker
from tests.store.offices import Trial


@dataclass
class SilentLog:
    """Remembers the events."""

    events: list[str] = field(default_factory=list)

    def info(self, event: str, **_values: object) -> None:
        self.events.append(event)

    warning = info


def loop(trial: Trial, *, shared: bool = False) -> Loop:
    def build(worker: Worker) -> Running:
        def step() -> bool:
            with worker.writing() as unit:
                unit.tell("letter.kept")
            return True

        return Running(step=step, rest=None, close=lambda: None)

    around = Surroundings(
        worker=trial.worker(),
        owner="first",
        is_gone=lambda _owner: False,
        bell=Bell(),
        heart=Heart(),
        stop=threading.Event(),
        log=SilentLog(),
    )
    return Loop(Task(name="answer", build=build, beat_within=20.0, shared=shared), around)


def through_as_of(trial: Trial, step: Callable[[], bool]) -> datetime | None:
    """When the step, which then ends, began to go through, as the lease's row tells."""
    running = loop(trial)
    worker = replace(trial.worker(), lease=acquire(trial, "first"))
    running._step_and_rest(Running(step=step, rest=lambda _go_on: running._around.stop.set(), close=lambda: None), worker)
    return row(trial).worked_at


def acquire(trial: Trial, owner: str) -> Lease:
    with trial.database.writing() as tx:
        lease = leases.acquire(tx, "answer", owner, now=trial.clock(), is_gone=lambda _owner: True)
    assert isinstance(lease, Lease)
    return lease


def row(trial: Trial) -> StepSigns:
    with trial.database.reading() as tx:
        (found,) = leases.signs(tx)
    return found


def test_a_lease_that_is_taken_again_and_again_is_a_fight(trial: Trial) -> None:
    limits = Limits(silence={}, stopped=leases.TERM, parts=(), breaker=1, disk_free_bytes=0, low_stock=0)
    step = loop(trial)
    for losses in (1, 2, 3):
        lease = acquire(trial, "first")
        acquire(trial, "second")
        with pytest.raises(LeaseLostError):
            step._work_under(lease)
        assert row(trial).losses == losses
    with trial.database.reading() as tx:
        (alarm,) = watch(signs.gather(tx, trial.clock(), breaker=1), limits, trial.clock())
    assert (alarm.kind, alarm.place, alarm.numbers) == (AlarmKind.LEASE_FIGHT, "answer", {"losses": 3})


def test_an_orderly_change_of_owners_is_none(trial: Trial) -> None:
    for owner in ("first", "second", "third", "fourth"):
        lease = acquire(trial, owner)
        with trial.database.writing() as tx:
            leases.release(tx, lease, now=trial.clock())
    assert row(trial).losses == 0


def test_a_clock_that_jumps_makes_nobody_evict_himself(trial: Trial) -> None:
    step, lease = loop(trial, shared=True), acquire(trial, "first")
    worker = replace(trial.worker(), lease=lease)
    trial.clock.move(hours=1)
    step._relieve(worker)
    with worker.writing() as unit:
        unit.tell("letter.kept")
    assert row(trial).losses == 0


def test_what_came_while_a_step_was_looking_is_not_said_to_be_done(trial: Trial) -> None:
    """Something falls due just after the step has looked for it: whoever waits for the step must wait for another look."""
    looked: list[datetime] = []

    def step() -> bool:
        looked.append(trial.clock())
        trial.clock.move(minutes=6)
        return False

    assert through_as_of(trial, step) == looked[-1]
    assert trial.clock() - looked[-1] == timedelta(minutes=6)


def test_a_step_that_had_work_is_through_when_it_has_looked_again(trial: Trial) -> None:
    left = [True, True, False]

    def step() -> bool:
        trial.clock.move(seconds=1)
        return left.pop(0)

    began = trial.clock()
    assert through_as_of(trial, step) == began + timedelta(seconds=2)
