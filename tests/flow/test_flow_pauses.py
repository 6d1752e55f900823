"""A step that a person paused stands still in every process, before each batch, until it is resumed: on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from mailer.core import evidence
from mailer.core.alarms import AlarmKind
from mailer.errors import RefusedError
from mailer.flow.needs import needs
from mailer.flow.override import pauses as override
from mailer.service.loop import Bell, Heart, Loop, Running, Surroundings, Task
from mailer.states import Pausable
from mailer.store import audit, leases, pauses
from mailer.store.work import Worker
from tests.e2e.bureau import body, request
from tests.flow.desks import CLINIC, OFFICER, Desk
from tests.store.offices import START, Trial

ADDRESS = CLINIC.answer_to


@pytest.fixture
def desk(trial: Trial, tmp_path: Path) -> Desk:
    return Desk(trial=trial, home=tmp_path)


def told(desk: Desk) -> list[tuple[str, str, str | None, str]]:
    with desk.trial.database.reading() as tx:
        found = [(evidence.read_header(one), evidence.read_details(one)) for one in audit.page(tx, after=0, limit=1000)]
    return [
        (header["event"], details["step"], details["mailbox"], details["reason"])
        for header, details in found
        if header["event"].startswith("step.")
    ]


@pytest.mark.parametrize(
    ("paused", "task", "expected"),
    [
        pytest.param((Pausable.INTAKE, ""), "intake:uc", True, id="all-mailboxes"),
        pytest.param((Pausable.INTAKE, "uc"), "intake:uc", True, id="this-mailbox"),
        pytest.param((Pausable.INTAKE, "uc"), "intake:ib", False, id="another-mailbox"),
        pytest.param((Pausable.INTAKE, ""), "issue", False, id="another-step"),
        pytest.param((Pausable.ISSUE, ""), "issue", True, id="issue"),
        pytest.param((Pausable.DELIVER, ""), "deliver", True, id="deliver"),
    ],
)
def test_a_pause_holds_what_it_names(desk: Desk, paused: tuple[Pausable, str], task: str, expected: bool) -> None:
    override.pause(desk.trial.worker(), *paused, reason="проверка")
    with desk.trial.database.reading() as tx:
        assert pauses.holds(tx, task) is expected


def test_a_pause_and_its_end_are_told_with_their_reasons(desk: Desk) -> None:
    worker = replace(desk.trial.worker(), actor="operator:petrov")
    override.pause(worker, Pausable.INTAKE, "uc", reason="сервер чинят")
    override.resume(worker, Pausable.INTAKE, "uc", reason="починили")
    assert told(desk) == [("step.paused", "intake", "uc", "сервер чинят"), ("step.resumed", "intake", "uc", "починили")]
    with desk.trial.database.reading() as tx:
        assert pauses.every(tx) == []


def test_what_cannot_be_changed_is_refused_and_leaves_no_trace(desk: Desk) -> None:
    worker = desk.trial.worker()
    with pytest.raises(RefusedError, match="not paused"):
        override.resume(worker, Pausable.ISSUE, "", reason="да")
    override.pause(worker, Pausable.INTAKE, "", reason="да")
    with pytest.raises(RefusedError, match="paused already"):
        override.pause(worker, Pausable.INTAKE, "", reason="да")
    with pytest.raises(RefusedError, match="is not paused, but this is"):
        override.resume(worker, Pausable.INTAKE, "uc", reason="да")
    assert [event for event, *_ in told(desk)] == ["step.paused"]


def test_two_people_pause_at_once_and_one_of_them_does(trial: Trial) -> None:
    outcomes: list[str] = []

    def pause() -> None:
        try:
            override.pause(trial.worker(), Pausable.ISSUE, "", reason="да")
            outcomes.append("paused")
        except RefusedError:
            outcomes.append("refused")

    people = [threading.Thread(target=pause) for _ in range(4)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert sorted(outcomes) == ["paused", "refused", "refused", "refused"]
    with trial.database.reading() as tx:
        assert len(pauses.every(tx)) == audit.head(tx) == 1


@dataclass
class Bench:
    """Threads of a step, each in a process of its own as far as the database can tell."""

    trial: Trial
    stop: threading.Event = field(default_factory=threading.Event)
    bell: Bell = field(default_factory=Bell)
    seen: list[str] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)

    def start(self, owner: str, task: str = "issue") -> None:
        def build(worker: Worker) -> Running:
            self.seen.append(f"{owner} begins")

            def step() -> bool:
                self.seen.append(f"{owner} steps")
                return False

            return Running(step=step, rest=None, close=lambda: self.seen.append(f"{owner} closes"))

        around = Surroundings(
            worker=self.trial.worker(),
            owner=owner,
            is_gone=lambda _owner: False,
            bell=self.bell,
            heart=Heart(),
            stop=self.stop,
            log=self,
        )
        shared = not self.trial.database.sqlite
        self.loops.append(Loop(Task(name=task, build=build, beat_within=20.0, shared=shared), around))
        self.loops[-1].start()

    def info(self, event: str, **_values: object) -> None:
        self.seen.append(event)

    warning = info

    def wait_for(self, done: Callable[[], bool]) -> None:
        deadline = monotonic() + 20
        while not done():
            assert monotonic() < deadline, self.seen
            self.bell.ring()  # as the service does when anything was written
            self.stop.wait(0.02)

    def end(self) -> None:
        self.stop.set()
        self.bell.ring()
        for loop in self.loops:
            loop.join(10)


@pytest.fixture
def bench(trial: Trial) -> Iterator[Bench]:
    found = Bench(trial=trial)
    yield found
    found.end()


def test_a_paused_thread_closes_its_edge_keeps_its_lease_and_goes_on_when_resumed(bench: Bench) -> None:
    bench.start("desk")
    bench.wait_for(lambda: "desk steps" in bench.seen)
    override.pause(bench.trial.worker(), Pausable.ISSUE, "", reason="да")
    bench.wait_for(lambda: "paused by a person" in bench.seen)
    assert bench.seen[-2:] == ["desk closes", "paused by a person"]
    steps = bench.seen.count("desk steps")
    with bench.trial.database.reading() as tx:
        assert [holding.owner for holding in leases.every(tx)] == ["desk"]
    override.resume(bench.trial.worker(), Pausable.ISSUE, "", reason="да")
    bench.wait_for(lambda: bench.seen.count("desk steps") > steps)
    resumed = bench.seen.index("paused by a person")
    assert bench.seen[resumed + 1 : resumed + 4] == ["resumed by a person", "desk begins", "desk steps"]


def test_a_pause_survives_the_process_and_holds_every_worker(bench: Bench) -> None:
    """It was made before any of them began."""
    override.pause(bench.trial.worker(), Pausable.ISSUE, "", reason="да")
    workers = ("first",) if bench.trial.database.sqlite else ("first", "second")
    for owner in workers:
        bench.start(owner)
    bench.wait_for(lambda: bench.seen.count("paused by a person") == len(workers))
    assert [one for one in bench.seen if one.endswith(("begins", "steps"))] == []
    override.resume(bench.trial.worker(), Pausable.ISSUE, "", reason="да")
    bench.wait_for(lambda: {f"{owner} steps" for owner in workers} <= set(bench.seen))


def test_what_cannot_be_paused_goes_on(bench: Bench) -> None:
    for step in Pausable:
        override.pause(bench.trial.worker(), step, "", reason="да")
    bench.start("desk", task="answer")
    bench.wait_for(lambda: "desk steps" in bench.seen)
    assert "paused by a person" not in bench.seen


def test_what_waits_is_told_at_once_to_who_asks_and_after_a_day_to_the_officer(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1), request("Ли К.", ADDRESS, 2))
    while desk.answer().step():
        pass
    step = desk.alarm()
    override.pause(desk.trial.worker(), Pausable.ISSUE, "", reason="ждём указаний Петрова")
    with desk.trial.database.reading() as tx:
        (alarm,) = needs(tx, step._settings.limits, desk.trial.clock())
    assert (alarm.kind, alarm.place, alarm.since, alarm.numbers) == (AlarmKind.STEP_PAUSED, "issue", START, {"waiting": 2})
    desk.trial.clock.move(hours=23)
    assert not step.step()
    desk.trial.clock.move(hours=1)
    assert step.step()
    desk.send()
    (letter,) = [content for envelope, content in desk.postman.sent if envelope.recipient == OFFICER]
    assert "Шаг issue приостановлен сотрудником; ожидают его: 2" in body(letter)
    assert "Петров" not in body(letter)
    override.resume(desk.trial.worker(), Pausable.ISSUE, "", reason="указание есть")
    desk.trial.clock.move(minutes=1)
    step.step()
    assert [event for event in desk.events() if event.startswith("alarm.")] == ["alarm.raised", "alarm.cleared"]


def test_replies_that_wait_for_a_person_are_no_fault_of_the_mail_server(desk: Desk) -> None:
    desk.take(request("Пришва А.А.", ADDRESS, 1))
    for one in (desk.answer(), desk.issue()):
        while one.step():
            pass
    override.pause(desk.trial.worker(), Pausable.DELIVER, "", reason="да")
    desk.trial.clock.now += timedelta(hours=5)
    with desk.trial.database.reading() as tx:
        found = needs(tx, desk.alarm()._settings.limits, desk.trial.clock())
    assert [(alarm.kind, alarm.numbers) for alarm in found] == [(AlarmKind.STEP_PAUSED, {"waiting": 1})]
