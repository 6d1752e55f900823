"""When is a pair destroyed, and what belongs into a backup?"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from mailer.core.custody import Copy, Fate, KeyKind, Use, backup_faults, fate, loss, next_day

TODAY = date(2026, 11, 23)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


@pytest.mark.parametrize(
    ("age", "use", "newer", "expected"),
    [
        pytest.param(0, Use(), [], Fate.KEPT, id="the newest"),
        pytest.param(30, Use(), [], Fate.KEPT, id="the newest, however old"),
        pytest.param(3, Use(), [0, 1], Fate.KEPT, id="a newer one, too young"),
        pytest.param(3, Use(), [2], Fate.DESTROYED, id="a newer one of two days"),
        pytest.param(3, Use(sealed=1), [2], Fate.KEPT, id="a reply not erased"),
        pytest.param(14, Use(sealed=1), [2], Fate.KEPT, id="a reply not erased, the last day"),
        pytest.param(15, Use(sealed=1), [2], Fate.DESTROYED, id="a reply not erased, too old"),
        pytest.param(9, Use(waiting=1, sealed=1), [2], Fate.KEPT, id="needed"),
        pytest.param(10, Use(waiting=1, sealed=1), [2], Fate.NEEDED, id="needed for ten days"),
        pytest.param(400, Use(waiting=1, sealed=1), [2], Fate.NEEDED, id="needed, never destroyed"),
        pytest.param(-1, Use(), [2], Fate.KEPT, id="made ahead of its day"),
    ],
)
def test_what_becomes_of_a_pair(age: int, use: Use, newer: list[int], expected: Fate) -> None:
    days = [ago(age), *(ago(one) for one in newer)]
    assert fate(ago(age), use, days=days, today=TODAY) is expected


def test_a_pair_made_at_once_is_newer_than_all() -> None:
    assert next_day([], TODAY) == TODAY
    assert next_day([ago(3)], TODAY) == TODAY
    assert next_day([ago(0)], TODAY) == ago(-1)
    assert next_day([ago(-1), ago(0)], TODAY) == ago(-2)


RECORD, PEPPER, POOL, EPOCH, SIGNING = (bytes([number]) * 32 for number in range(5))
KEYS = [
    (KeyKind.RECORD, "record.key", RECORD),
    (KeyKind.PEPPER, "pepper.key", PEPPER),
    (KeyKind.POOL, "1.key", POOL),
    (KeyKind.EPOCH, "2026-11-23.key", EPOCH),
    (KeyKind.CHECKPOINT, "checkpoint.key", SIGNING),
]
WHOLE = [
    *(Copy(path="a", key=RECORD), Copy(path="b", key=PEPPER), Copy(path="c", key=POOL)),
    *(Copy(path="d", key=SIGNING), Copy(path="notes", key=None)),
]
DATABASE = Copy(path="mailer.db", key=None, is_database=True)


@pytest.mark.parametrize(
    ("copies", "faults"),
    [
        pytest.param(WHOLE, [], id="all that must be there"),
        pytest.param([DATABASE], [], id="a database alone"),
        pytest.param(WHOLE[1:], ["record.key is not in it"], id="one is missing"),
        pytest.param([*WHOLE[:3], WHOLE[4]], ["checkpoint.key is not in it"], id="the key that signs is missing"),
        pytest.param([*WHOLE, Copy(path="x/y", key=EPOCH)], ["x/y: a key of the courier"], id="a courier's key, renamed"),
        pytest.param([*WHOLE, Copy(path="k/courier/2020-01-01.key", key=b"?" * 32)], ["k/courier/"], id="an old courier's key"),
        pytest.param([DATABASE, Copy(path="a", key=RECORD)], ["a: a key beside a copy of the database"], id="beside a database"),
        pytest.param([DATABASE, Copy(path="e", key=EPOCH)], ["e: a key of the courier"], id="a courier's key beside a database"),
    ],
)
def test_what_is_wrong_with_a_backup(copies: list[Copy], faults: list[str]) -> None:
    said = [str(one) for one in backup_faults(copies, KEYS)]
    assert len(said) == len(faults)
    assert all(part in one for part, one in zip(faults, said, strict=True))


def test_a_key_that_cannot_be_read_is_not_called_kept() -> None:
    (said,) = backup_faults(WHOLE, [*KEYS, (KeyKind.PEPPER, "pepper-2.key", None)])
    assert "pepper-2.key cannot be read" in str(said)


@pytest.mark.parametrize("kind", KeyKind)
def test_every_loss_says_what_is_not_lost(kind: KeyKind) -> None:
    assert "; " in str(loss(kind))
