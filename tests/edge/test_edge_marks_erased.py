"""What was destroyed stays known, and its papers never take another's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.edge.marks_erased import NAME, ErasedFile
from mailer.edge.papers import Papers
from mailer.errors import RefusedError, SetupError

MARKS = [f"{number:064x}" for number in range(5)]


@pytest.fixture
def erased(tmp_path: Path) -> ErasedFile:
    file = ErasedFile(tmp_path)
    file.make()
    return file


def test_marks_stay_and_are_noted_once(erased: ErasedFile, tmp_path: Path) -> None:
    erased.note(MARKS[:2])
    erased.note(MARKS[:3])
    erased.make()
    assert ErasedFile(tmp_path).marks() == set(MARKS[:3])
    assert (tmp_path / NAME).read_text().count("\n") == 3
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [1, 63, 64])
def test_a_line_cut_off_by_a_crash_spoils_no_other(erased: ErasedFile, tmp_path: Path, left: int) -> None:
    erased.note(MARKS[:1])
    with (tmp_path / NAME).open("a") as file:
        file.write(MARKS[1][:left])
    erased.note(MARKS[2:3])
    assert erased.marks() >= {MARKS[0], MARKS[2]}
    assert len(erased.marks()) == (3 if left == 64 else 2), "a whole mark that only lacks its line end is one"


def test_a_missing_file_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="is missing"):
        ErasedFile(tmp_path).marks()


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(SetupError, match="cannot be read"):
        ErasedFile(tmp_path).marks()


def test_papers_have_their_names_once_it_is_done(tmp_path: Path) -> None:
    with Papers(tmp_path / "acts", "1") as papers:
        assert papers.write("act", "txt", b"done") == "act-1.txt"
        assert [path.name for path in (tmp_path / "acts").iterdir()] == ["act-1.txt.part"]
        papers.finish()
    assert [(path.name, path.read_bytes(), path.stat().st_mode & 0o777) for path in (tmp_path / "acts").iterdir()] == [
        ("act-1.txt", b"done", 0o600)
    ]
    with pytest.raises(RefusedError, match="not overwritten"), Papers(tmp_path / "acts", "1") as papers:
        papers.write("act", "txt", b"another")


def test_what_was_not_done_leaves_no_paper(tmp_path: Path) -> None:
    with Papers(tmp_path / "acts", "1") as papers:
        papers.write("act", "txt", b"done")
    assert list((tmp_path / "acts").iterdir()) == []
