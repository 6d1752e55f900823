"""How letters are claimed: senders take turns, bounces and other letters apart, what is put off comes later."""

from __future__ import annotations

from datetime import timedelta

from mailer.model import Kind, Letter, RawLetter
from mailer.store import letters
from mailer.store.leases import Lease
from tests.store.offices import START, Trial


def keep(trial: Trial, item: int, sender_code: str | None, kind: Kind = Kind.REQUEST) -> int:
    raw = RawLetter(mailbox="uc", epoch=1, item=item, received_at=START, size_bytes=1, content=b"x", whole=True)
    letter = Letter(subject="", fingerprint=str(item))
    with trial.database.writing() as tx:
        return letters.keep(tx, raw, letter, kind=kind, proven=True, sender_code=sender_code, digest=str(item), at=trial.clock())


def lease_of(trial: Trial) -> Lease:
    lease = trial.worker("answer").lease
    assert lease is not None
    return lease


def claim(trial: Trial, lease: Lease, limit: int, *, bounces: bool = False) -> list[int]:
    with trial.database.writing() as tx:
        return [kept.id for kept in letters.claim(tx, limit, lease, trial.clock(), bounces=bounces)]


def test_many_letters_of_one_sender_hold_up_nobody(trial: Trial) -> None:
    flood = [keep(trial, item, "290001") for item in range(1000)]
    lone = [keep(trial, 2000, "290002"), keep(trial, 2001, None)]
    lease = lease_of(trial)
    assert claim(trial, lease, 100) == [*flood[:98], *lone]
    assert claim(trial, lease, 100) == flood[98:198]


def test_senders_take_turns_and_each_keeps_its_order(trial: Trial) -> None:
    first = [keep(trial, item, "290001") for item in range(4)]
    second = [keep(trial, 10 + item, "290002") for item in range(2)]
    strangers = [keep(trial, 20 + item, None) for item in range(3)]
    lease = lease_of(trial)
    assert claim(trial, lease, 3) == [first[0], second[0], strangers[0]]
    assert claim(trial, lease, 3) == [first[1], second[1], strangers[1]]
    assert claim(trial, lease, 3) == [first[2], first[3], strangers[2]]


def test_bounces_and_other_letters_are_claimed_apart(trial: Trial) -> None:
    bounce, other = keep(trial, 1, None, Kind.BOUNCE), keep(trial, 2, "290001")
    lease = lease_of(trial)
    with trial.database.reading() as tx:
        assert (letters.count_due(tx, trial.clock(), bounces=True), letters.count_due(tx, trial.clock(), bounces=False)) == (1, 1)
    assert claim(trial, lease, 10) == [other]
    assert claim(trial, lease, 10, bounces=True) == [bounce]


def test_a_letter_that_is_put_off_comes_again_and_its_try_did_not_count(trial: Trial) -> None:
    bounce = keep(trial, 1, None, Kind.BOUNCE)
    lease = lease_of(trial)
    with trial.database.writing() as tx:
        (kept,) = letters.claim(tx, 1, lease, trial.clock(), bounces=True)
        letters.put_off(tx, kept, trial.clock() + timedelta(seconds=5))
        assert not letters.waiting(tx, lease, trial.clock(), bounces=True)
        assert letters.count_due(tx, trial.clock(), bounces=True) == 0
    assert claim(trial, lease, 1, bounces=True) == []
    trial.clock.move(seconds=5)
    assert claim(trial, lease, 1, bounces=True) == [bounce]
