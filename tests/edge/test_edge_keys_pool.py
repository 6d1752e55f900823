"""The pool's key: a pair opens with it, in its own place, and nowhere else."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from mailer.edge.keys import Keyring
from mailer.errors import SetupError

PAIR = "1" * 32
CHANCE = random.Random(20261123)


def keyring(home: Path, *, instance: str = "i" * 32) -> Keyring:
    made = Keyring(home, instance=instance)
    if not (home / "issuing/1.key").exists():
        made.found(date(2026, 11, 23), CHANCE.randbytes)
    return made


def test_a_pair_opens_in_its_own_place_only(tmp_path: Path) -> None:
    ours = keyring(tmp_path / "a")
    sealed = ours.seal_to_pool(b"pair", PAIR)
    assert b"pair" not in sealed
    assert ours.open_from_pool(sealed, PAIR) == b"pair"
    assert ours.open_from_pool(sealed, "2" * 32) is None, "another row"
    assert keyring(tmp_path / "a", instance="j" * 32).open_from_pool(sealed, PAIR) is None, "another database"
    assert keyring(tmp_path / "b").open_from_pool(sealed, PAIR) is None, "another key"
    assert ours.open_from_pool(b"other-suite\0" + sealed, PAIR) is None
    assert ours.open_from_pool(sealed[:-1] + bytes([sealed[-1] ^ 1]), PAIR) is None


def test_who_imports_needs_only_the_public_half(tmp_path: Path) -> None:
    ours = keyring(tmp_path)
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
        keyring(tmp_path, instance="").seal_to_pool(b"pair", PAIR)
