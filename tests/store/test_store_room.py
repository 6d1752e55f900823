"""The reserve beside the database: taken once, of real blocks, and given up only when the disk is full."""

from __future__ import annotations

from pathlib import Path

from mailer.store.room import RESERVE_BYTES, Room
from tests.store.offices import set_up


def test_the_reserve_is_real_room_and_stays(tmp_path: Path) -> None:
    room, reserve = Room(tmp_path / "mailer.db"), tmp_path / "mailer.db.reserve"
    room.keep()
    taken = reserve.stat()
    assert 0 < taken.st_size <= RESERVE_BYTES
    assert taken.st_blocks * 512 >= taken.st_size, "a hole would keep nothing free"
    assert taken.st_mode & 0o777 == 0o600
    room.keep()
    room.free_if_full()
    assert reserve.stat().st_ino == taken.st_ino


def test_a_database_takes_its_reserve_when_it_is_asked_for_room(tmp_path: Path) -> None:
    trial = set_up(f"sqlite:///{tmp_path / 'mailer.db'}")
    assert not trial.database.is_short_of_room()
    assert (tmp_path / "mailer.db.reserve").exists()
    trial.database.close()
