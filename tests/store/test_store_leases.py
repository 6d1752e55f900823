"""Leases: one owner at a time, and no write of a process that lost its lease counts."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import literal, select, update

from mailer.errors import LeaseLostError
from mailer.store import audit, leases, schema
from mailer.store.leases import Lease
from mailer.store.work import Worker
from tests.store.offices import Trial, set_up


def alive(_owner: str) -> bool:
    return False


def gone(_owner: str) -> bool:
    return True


def take(trial: Trial, owner: str, is_gone=alive) -> Lease | str:
    with trial.database.writing() as tx:
        return leases.acquire(tx, "answer", owner, now=trial.clock(), is_gone=is_gone)


def worker(trial: Trial, lease: Lease | str) -> Worker:
    assert isinstance(lease, Lease)
    return Worker(database=trial.database, pen=trial.pen, clock=trial.clock, actor="test", lease=lease)


def test_the_second_stands_by_and_learns_who_has_it(trial: Trial) -> None:
    assert isinstance(take(trial, "first"), Lease)
    assert take(trial, "second") == "first"


def test_a_lease_that_ran_out_goes_to_the_next_with_a_higher_fence(trial: Trial) -> None:
    first = take(trial, "first")
    trial.clock.move(seconds=31)
    second = take(trial, "second")
    assert isinstance(first, Lease)
    assert isinstance(second, Lease)
    assert second.fence > first.fence


def test_the_lease_of_a_process_that_is_gone_is_taken_at_once(trial: Trial) -> None:
    take(trial, "first")
    assert isinstance(take(trial, "second", gone), Lease)


def test_a_write_prolongs_the_lease(trial: Trial) -> None:
    first = worker(trial, take(trial, "first"))
    for _ in range(4):
        trial.clock.move(seconds=20)
        with first.writing() as unit:
            unit.tell("letter.kept")
    assert take(trial, "second") == "first"


def test_nothing_is_written_by_a_process_that_slept_longer_than_its_lease(trial: Trial) -> None:
    sleeper = worker(trial, take(trial, "sleeper"))
    trial.clock.move(seconds=31)
    take(trial, "next")
    with pytest.raises(LeaseLostError), sleeper.writing() as unit:
        unit.tell("letter.kept")
    with trial.database.reading() as tx:
        assert audit.head(tx) == 0


def test_a_lease_that_ran_out_still_counts_while_nobody_took_it(trial: Trial) -> None:
    slow = worker(trial, take(trial, "slow"))
    trial.clock.move(seconds=300)
    with slow.writing() as unit:
        unit.tell("letter.kept")
    assert take(trial, "next") == "slow"


def test_a_clock_that_was_set_back_does_not_keep_the_lease_for_ever(trial: Trial) -> None:
    take(trial, "first")
    trial.clock.move(hours=-3)
    assert isinstance(take(trial, "second"), Lease)


def test_the_old_fence_does_not_count_even_for_the_same_owner(trial: Trial) -> None:
    old = worker(trial, take(trial, "same"))
    new = worker(trial, take(trial, "same"))
    with pytest.raises(LeaseLostError), old.writing() as unit:
        unit.tell("letter.kept")
    with new.writing() as unit:
        unit.tell("letter.kept")
    with trial.database.reading() as tx:
        assert audit.head(tx) == 1


def test_a_released_lease_is_free(trial: Trial) -> None:
    first = take(trial, "first")
    assert isinstance(first, Lease)
    with trial.database.writing() as tx:
        leases.release(tx, first, now=trial.clock())
    assert isinstance(take(trial, "second"), Lease)


def share(trial: Trial, owner: str, is_gone=alive) -> Lease:
    with trial.database.writing() as tx:
        found = leases.acquire(tx, "answer", owner, now=trial.clock(), is_gone=is_gone, shared=True)
    assert isinstance(found, Lease)
    return found


def evict(trial: Trial, is_gone=alive) -> list[str]:
    with trial.database.writing() as tx:
        names = leases.abandoned(tx, "answer", now=trial.clock(), is_gone=is_gone)
        leases.evict(tx, names, now=trial.clock(), is_gone=is_gone)
    return names


def test_each_worker_of_a_shared_step_has_a_lease_of_its_own(trial: Trial) -> None:
    assert [share(trial, owner).name for owner in ("first", "second", "third")] == ["answer", "answer#2", "answer#3"]


def test_the_first_free_place_is_taken(trial: Trial) -> None:
    first, _ = share(trial, "first"), share(trial, "second")
    with trial.database.writing() as tx:
        leases.release(tx, first, now=trial.clock())
    assert share(trial, "third").name == "answer"


def test_an_owner_that_comes_back_has_another_number(trial: Trial) -> None:
    before, after = share(trial, "same"), share(trial, "same")
    assert (before.name, before.fence + 1) == (after.name, after.fence)


def test_who_slept_longer_than_his_lease_is_evicted_and_writes_no_more(trial: Trial) -> None:
    sleeper = worker(trial, share(trial, "sleeper"))
    trial.clock.move(seconds=20)
    share(trial, "awake")
    trial.clock.move(seconds=11)
    assert evict(trial) == ["answer"]
    with pytest.raises(LeaseLostError), sleeper.writing() as unit:
        unit.tell("letter.kept")
    assert evict(trial) == []


def test_who_is_gone_is_evicted_at_once_and_the_living_stay(trial: Trial) -> None:
    share(trial, "dead")
    living = worker(trial, share(trial, "living"))
    assert evict(trial, lambda owner: owner == "dead") == ["answer"]
    with living.writing() as unit:
        unit.tell("letter.kept")


def test_who_is_in_the_midst_of_a_write_is_not_evicted(postgres_url: str) -> None:
    trial = set_up(postgres_url)
    slow = worker(trial, share(trial, "slow"))
    trial.clock.move(seconds=31)
    with slow.writing() as unit:
        evict(trial)
        unit.tell("letter.kept")
    with trial.database.reading() as tx:
        assert audit.head(tx) == 1
    trial.database.close()


def test_taking_turns_one_waits_for_the_other(postgres_url: str) -> None:
    trial = set_up(postgres_url)
    first, second = worker(trial, share(trial, "first")), worker(trial, share(trial, "second"))
    order: list[str] = []

    def follow() -> None:
        with second.writing(alone=True):
            order.append("second")

    with first.writing(alone=True):
        follower = threading.Thread(target=follow)
        follower.start()
        follower.join(0.3)
        order.append("first")
    follower.join(10)
    assert order == ["first", "second"]
    trial.database.close()


def test_losses_are_counted_until_ten_quiet_minutes_have_passed(trial: Trial) -> None:
    lease = take(trial, "first")
    assert isinstance(lease, Lease)
    counted = []
    for minutes in (0, 1, 9, 10):
        trial.clock.move(minutes=minutes)
        with trial.database.writing() as tx:
            leases.lost(tx, lease, now=trial.clock())
            (row,) = leases.signs(tx)
        counted.append((row.losses, row.lost_since))
    began = counted[0][1]
    assert counted == [(1, began), (2, began), (3, began), (1, trial.clock())]


def meddle(trial: Trial, fence: int | str) -> None:
    if isinstance(fence, str) and not trial.database.sqlite:
        fence = 2**63 - 1  # PostgreSQL keeps no text in a column of numbers
    with trial.database.writing() as tx:
        tx.execute(update(schema.leases).values(fence=literal(fence)))


NO_NEXT = [2**63 - 1, -1, pytest.param("x", id="no-number")]


@pytest.mark.parametrize("fence", NO_NEXT)
def test_a_number_without_a_next_is_followed_by_the_first(trial: Trial, fence: int | str) -> None:
    first = worker(trial, take(trial, "first"))
    meddle(trial, fence)
    second = take(trial, "second", gone)
    assert isinstance(second, Lease)
    assert second.fence == 1
    with worker(trial, second).writing() as unit:
        unit.tell("letter.kept")
    with pytest.raises(LeaseLostError), first.writing():
        pass


@pytest.mark.parametrize("fence", NO_NEXT)
def test_a_lease_without_a_next_number_is_given_another_all_the_same(trial: Trial, fence: int | str) -> None:
    take(trial, "first")
    meddle(trial, fence)
    with trial.database.writing() as tx:
        leases.evict(tx, ["answer"], now=trial.clock(), is_gone=gone)
        assert tx.execute(select(schema.leases.c.fence)).scalar_one() == 1
