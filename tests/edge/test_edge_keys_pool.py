"""The pool's key: a pair opens with it, in its own place, and nowhere else."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from mailer.edge.keys import Keyring
from mailer.edge.keys_pool import DATA_KEY_SUITE, DataKeyBinding, PoolKeys
from mailer.errors import SetupError

PAIR = "1" * 32
INSTANCE = "i" * 32
CHANCE = random.Random(20261123)


def keyring(home: Path) -> Keyring:
    made = Keyring(home)
    if not (home / "record.key").exists():
        made.found(date(2026, 11, 23), CHANCE.randbytes)
    return made


def keys(home: Path, *, instance: str = INSTANCE) -> PoolKeys:
    """Of a process that has just begun: nothing is remembered."""
    return PoolKeys(keyring(home), instance=instance)


def test_a_pair_opens_in_its_own_place_only(tmp_path: Path) -> None:
    sealed = keys(tmp_path / "a").seal_to_pool(b"pair", PAIR)
    assert b"pair" not in sealed
    ours = keys(tmp_path / "a")
    assert ours.open_from_pool(sealed, PAIR) == b"pair"
    assert ours.open_from_pool(sealed, "2" * 32) is None, "another row"
    assert keys(tmp_path / "a", instance="j" * 32).open_from_pool(sealed, PAIR) is None, "another database"
    assert keys(tmp_path / "b").open_from_pool(sealed, PAIR) is None, "another key"
    assert ours.open_from_pool(b"1\0other-suite\0" + sealed, PAIR) is None


def test_whatever_byte_is_changed_it_does_not_open(tmp_path: Path) -> None:
    sealed = keys(tmp_path).seal_to_pool(b"pair", PAIR)
    ours = keys(tmp_path)
    for place, byte in enumerate(sealed):
        changed = sealed[:place] + bytes([byte ^ 1]) + sealed[place + 1 :]
        try:
            assert ours.open_from_pool(changed, PAIR) is None, place
        except SetupError:
            assert place == 0, "the number of another pool, whose key is missing"


def test_no_piece_of_it_opens(tmp_path: Path) -> None:
    sealed = keys(tmp_path).seal_to_pool(b"pair", PAIR)
    ours = keys(tmp_path)
    assert [length for length in range(len(sealed)) if ours.open_from_pool(sealed[:length], PAIR) is not None] == []


def test_pairs_of_an_import_share_a_key_and_no_nonce(tmp_path: Path) -> None:
    ours = keys(tmp_path)
    sealed = [ours.seal_to_pool(b"pair", f"{number:032}") for number in range(3)]
    shared = sealed[0].partition(DATA_KEY_SUITE)[2][: 2 + len(keyring(tmp_path).seal(b"k" * 32, binding()))]
    assert [one.partition(DATA_KEY_SUITE)[2].startswith(shared) for one in sealed] == [True] * 3
    after = [one.partition(shared)[2] for one in sealed]
    assert len({one[:13] for one in after}) == 3
    fresh = keys(tmp_path)
    assert [fresh.open_from_pool(one, f"{number:032}") for number, one in enumerate(sealed)] == [b"pair"] * 3
    assert shared not in keys(tmp_path).seal_to_pool(b"pair", PAIR), "the next import has its own"


def test_what_is_sealed_after_a_rotation_is_sealed_to_the_next_key(tmp_path: Path) -> None:
    ours = keys(tmp_path)
    old = ours.seal_to_pool(b"old", PAIR)
    assert keyring(tmp_path).open_pool(CHANCE.randbytes) == 2
    new = ours.seal_to_pool(b"new", PAIR)
    assert (old[:2], new[:2]) == (b"1\0", b"2\0")
    assert [keys(tmp_path).open_from_pool(one, PAIR) for one in (old, new)] == [b"old", b"new"]
    (tmp_path / "issuing/1.key").unlink()
    assert keys(tmp_path).open_from_pool(new, PAIR) == b"new"


def test_a_data_key_of_another_length_is_none(tmp_path: Path) -> None:
    """Anybody who writes the database can seal to the public half."""
    short = keyring(tmp_path).seal(b"k" * 5, binding())
    sealed = b"1\0" + DATA_KEY_SUITE + b"\0" + len(short).to_bytes(2, "big") + short + b"n" * 12 + b"c" * 30
    assert keys(tmp_path).open_from_pool(sealed, PAIR) is None


def test_more_imports_than_are_remembered_open(tmp_path: Path) -> None:
    sealed = [keys(tmp_path).seal_to_pool(b"pair", PAIR) for _ in range(40)]
    ours = keys(tmp_path)
    assert [ours.open_from_pool(one, PAIR) for one in [*sealed, *sealed]] == [b"pair"] * 80


def test_who_imports_needs_only_the_public_half(tmp_path: Path) -> None:
    ours = keys(tmp_path)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("pools/1.pub", "issuing/1.key")] == [0o644, 0o600]
    private = (tmp_path / "issuing/1.key").read_text()
    (tmp_path / "issuing/1.key").unlink()
    sealed = ours.seal_to_pool(b"pair", PAIR)
    with pytest.raises(SetupError, match=r"issuing/1\.key is missing"):
        ours.open_from_pool(sealed, PAIR)
    (tmp_path / "issuing/1.key").write_text(private)
    assert ours.open_from_pool(sealed, PAIR) == b"pair"


def test_a_broken_off_making_is_finished_and_nothing_overwritten(tmp_path: Path) -> None:
    ours = keyring(tmp_path)
    before = (tmp_path / "issuing/1.key").read_text(), (tmp_path / "pools/1.pub").read_text()
    (tmp_path / "pools/1.pub").unlink()
    assert [ours.open_pool(CHANCE.randbytes) for _ in range(2)] == [1, 2]
    assert ((tmp_path / "issuing/1.key").read_text(), (tmp_path / "pools/1.pub").read_text()) == before


def test_halves_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    ours = keyring(tmp_path)
    ours.check_pool()
    (tmp_path / "issuing/1.key").write_text("11" * 32)
    with pytest.raises(SetupError, match=r"issuing/1\.key is not the other half"):
        ours.check_pool()


def test_without_the_databases_name_nothing_is_sealed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name"):
        keys(tmp_path, instance="")


def binding() -> DataKeyBinding:
    return DataKeyBinding(instance=INSTANCE, pool=1)
