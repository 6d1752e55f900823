"""Two workers of one step on PostgreSQL: nothing is done twice, and what a stopped one had in hand is taken over."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mailer.errors import LeaseLostError
from mailer.flow.answer import Answer
from mailer.store import leases, letters, requests
from mailer.store.leases import Lease
from mailer.store.work import Worker
from tests.e2e.bureau import header, request
from tests.flow.desks import Desk, until_done
from tests.store.offices import set_up

ADDRESS = "gb1@clinic.example"
PEOPLE = ["Пришва А.А.", "Ли К.", "Иванов И.И."]


@pytest.fixture
def desk(postgres_url: str, tmp_path: Path) -> Iterator[Desk]:
    trial = set_up(postgres_url)
    yield Desk(trial=trial, home=tmp_path)
    trial.database.close()


def colleague(desk: Desk, owner: str) -> Answer:
    """A worker of the answer step under a lease of its own."""
    with desk.trial.database.writing() as tx:
        lease = leases.acquire(tx, "answer", owner, now=desk.trial.clock(), is_gone=lambda _: False, shared=True)
    assert isinstance(lease, Lease)
    return desk.answer(replace(desk.trial.worker(), lease=lease))


def evict(worker: Worker) -> None:
    with worker.database.writing() as tx:
        names = leases.abandoned(tx, "answer", now=worker.clock(), is_gone=lambda _: False)
        leases.evict(tx, names, now=worker.clock(), is_gone=lambda _: False)


def opened(desk: Desk) -> int:
    with desk.trial.database.reading() as tx:
        return sum(requests.counts(tx).values())


def test_what_one_has_in_hand_the_other_leaves_alone(desk: Desk) -> None:
    first, second = colleague(desk, "first"), colleague(desk, "second")
    desk.take(*(request(person, ADDRESS, n) for n, person in enumerate(PEOPLE)))
    with first._tray._worker.writing() as unit:
        claimed = letters.claim(unit.tx, 2, first._tray._lease, unit.at, bounces=False)
    assert second.step()
    assert not second.step()
    assert opened(desk) == 1
    first._tray.read_all(claimed, first._decide)
    assert opened(desk) == 3


def test_what_a_stopped_worker_had_in_hand_is_taken_over_and_he_decides_nothing(desk: Desk) -> None:
    stopped, awake = colleague(desk, "stopped"), colleague(desk, "awake")
    desk.take(*(request(person, ADDRESS, n) for n, person in enumerate(PEOPLE)))
    claimed = stopped._tray.claim()
    desk.trial.clock.move(seconds=20)
    with awake._tray._worker.writing():
        pass
    desk.trial.clock.move(seconds=11)
    assert not awake.step(), "his lease may still be prolonged by himself"
    evict(awake._tray._worker)
    until_done(awake)
    with pytest.raises(LeaseLostError):
        stopped._tray.read_all(claimed, stopped._decide)
    assert opened(desk) == 3


def test_two_workers_share_the_letters_that_senders_take_turns_with(desk: Desk) -> None:
    """What one has in hand but has not committed is skipped, not waited for."""
    first, second = colleague(desk, "first"), colleague(desk, "second")
    desk.take(*(request(f"Ли {letter}.", ADDRESS, n) for n, letter in enumerate("АБВГДЕ")))
    with first._tray._worker.writing() as one, second._tray._worker.writing() as other:
        mine = letters.claim(one.tx, 4, first._tray._lease, one.at, bounces=False)
        yours = letters.claim(other.tx, 4, second._tray._lease, other.at, bounces=False)
    assert (len(mine), len(yours)) == (4, 2)
    assert not {kept.id for kept in mine} & {kept.id for kept in yours}


def test_nothing_is_taken_in_hand_while_another_is_at_its_turn(desk: Desk) -> None:
    first, second = colleague(desk, "first"), colleague(desk, "second")
    desk.take(*(request(person, ADDRESS, n) for n, person in enumerate(PEOPLE)))
    with first._tray._worker.writing(alone=True):
        assert not second.step()
    assert second.step()


def test_two_workers_read_bounces_and_each_is_matched_once(desk: Desk) -> None:
    desk.take(request("Ли К.", ADDRESS, 1))
    desk.run()
    (_, content), *_ = desk.postman.sent
    report = (Path(__file__).parents[1] / "bounces" / "13-qmail.eml").read_bytes()
    report = report.replace(b"ib@clinic", b"gb1@clinic").replace(
        b"5f1c0de94b7a4e21a0c3d6f8e9b71234", header(content, "X-Mailer-Loop").encode()
    )
    desk.take(report, report, report)
    workers = []
    for owner in ("first", "second"):
        with desk.trial.database.writing() as tx:
            lease = leases.acquire(tx, "bounce", owner, now=desk.trial.clock(), is_gone=lambda _: False, shared=True)
        assert isinstance(lease, Lease)
        workers.append(desk.bounced(replace(desk.trial.worker(), lease=lease)))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(until_done, workers))
    assert [desk.events().count(event) for event in ("reply.bounced", "credential.suspended", "letter.ignored")] == [1, 1, 2]
