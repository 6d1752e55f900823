"""Is the one letter that breaks the line found quickly, and does it hold up the others no longer than that?"""

from __future__ import annotations

import pytest

from mailer.core.caution import Caution

BATCH = 100


def rounds(bad: set[int], letters: range) -> tuple[list[int], int]:
    """Take letters as intake does from a server that breaks the line over bad ones: those taken, and how often it broke."""
    caution, taken, broken = Caution(), [], 0
    left = list(letters)
    while left := [item for item in left if not caution.is_given_up(1, item)]:
        batch = left[: caution.size(1, left[0], BATCH)]
        if bad.intersection(batch):
            caution.broke(1, batch)
            broken += 1
        else:
            taken += batch
            left = left[len(batch) :]
    return taken, broken


@pytest.mark.parametrize("bad", [1, 2, 50, 51, 77, 100], ids=str)
def test_one_bad_letter_is_found_by_halves_and_all_others_are_taken(bad: int) -> None:
    taken, broken = rounds({bad}, range(1, 201))

    assert taken == [item for item in range(1, 201) if item != bad]
    assert broken == 6 + 3, "100, 50, 25, 12, 6, 3, then three times alone"


def test_several_bad_letters_hold_up_nobody_for_good() -> None:
    bad = {3, 4, 60, 199, 200}
    taken, broken = rounds(bad, range(1, 201))

    assert taken == [item for item in range(1, 201) if item not in bad]
    assert broken < 5 * 10


def test_without_a_bad_letter_nothing_is_asked_for_in_small_portions() -> None:
    assert Caution().size(1, 1, BATCH) == BATCH


def test_another_epoch_is_under_no_suspicion() -> None:
    caution = Caution()
    caution.broke(1, [1, 2, 3, 4])
    for _ in range(3):
        caution.broke(1, [1])

    assert (caution.size(1, 4, BATCH), caution.size(1, 5, BATCH), caution.size(2, 1, BATCH)) == (2, BATCH, BATCH)
    assert caution.is_given_up(1, 1)
    assert not caution.is_given_up(2, 1)


def test_giving_up_is_said_once_it_happens() -> None:
    caution = Caution()
    assert [caution.broke(1, [7]) for _ in range(3)] == [False, False, True]
