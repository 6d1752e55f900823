"""What went out is known again, whatever died while it was written."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

import pytest

from mailer.edge.marks_handed import NAME, HandedOutFile
from mailer.errors import EdgeError, EdgeSetupError, SetupError

MARKS = [f"{number:064x}" for number in range(100)]
FIRST, SECOND = "1" * 32, "2" * 32


@pytest.fixture
def handed(tmp_path: Path) -> HandedOutFile:
    file = HandedOutFile(tmp_path)
    file.make()
    return file


def holder(handed: HandedOutFile, mark: str) -> str | None:
    return handed.holders([mark]).get(mark)


def test_what_was_noted_is_known_to_every_process(handed: HandedOutFile, tmp_path: Path) -> None:
    other = HandedOutFile(tmp_path)
    assert holder(other, MARKS[0]) is None
    handed.note({MARKS[0]: FIRST, MARKS[1]: SECOND})
    assert [holder(one, MARKS[0]) for one in (handed, other, HandedOutFile(tmp_path))] == [FIRST] * 3
    assert holder(other, MARKS[1]) == SECOND
    assert holder(other, MARKS[2]) is None


def test_nobody_else_may_read_it(handed: HandedOutFile, tmp_path: Path) -> None:
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_noting_again_adds_no_line(handed: HandedOutFile, tmp_path: Path) -> None:
    for _ in range(3):
        handed.note({MARKS[0]: FIRST})
    assert (tmp_path / NAME).read_text().count("\n") == 1


@pytest.mark.parametrize("left", [0, 1, 63, 64, 65, 80, 96], ids=lambda left: f"{left} bytes of the line are there")
def test_a_line_cut_off_by_a_crash_is_no_line_and_spoils_no_other(handed: HandedOutFile, tmp_path: Path, left: int) -> None:
    handed.note({MARKS[0]: FIRST})
    with (tmp_path / NAME).open("a") as file:
        file.write(f"{MARKS[1]} {SECOND}"[:left])
    again = HandedOutFile(tmp_path)
    assert holder(again, MARKS[1]) is None
    again.note({MARKS[2]: SECOND})
    for reader in (again, handed, HandedOutFile(tmp_path)):
        assert (holder(reader, MARKS[0]), holder(reader, MARKS[2])) == (FIRST, SECOND)


def test_making_it_again_keeps_what_is_there(handed: HandedOutFile, tmp_path: Path) -> None:
    handed.note({MARKS[0]: FIRST})
    HandedOutFile(tmp_path).make()
    assert holder(HandedOutFile(tmp_path), MARKS[0]) == FIRST


def test_a_missing_file_is_never_taken_for_an_empty_one(tmp_path: Path) -> None:
    missing = HandedOutFile(tmp_path)
    with pytest.raises(SetupError, match="missing"):
        missing.ready()
    with pytest.raises(EdgeSetupError, match="missing"):
        holder(missing, MARKS[0])
    with pytest.raises(EdgeSetupError, match="missing"):
        missing.note({MARKS[0]: FIRST})
    assert not (tmp_path / NAME).exists()


def test_a_file_that_cannot_be_written_stops_the_commit(tmp_path: Path) -> None:
    """/dev/full refuses every write as a full disk does."""
    (tmp_path / NAME).symlink_to("/dev/full")
    with pytest.raises(EdgeError, match="cannot be written"):
        HandedOutFile(tmp_path).note({MARKS[0]: FIRST})


def _note(directory: str, numbers: list[int]) -> None:
    file = HandedOutFile(Path(directory))
    for number in numbers:
        file.note({MARKS[number]: FIRST})


def test_processes_that_note_at_once_lose_nothing(handed: HandedOutFile, tmp_path: Path) -> None:
    context = get_context("spawn")
    processes = [context.Process(target=_note, args=(str(tmp_path), list(range(start, 100, 2)))) for start in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert [mark for mark in MARKS if holder(handed, mark) != FIRST] == []
