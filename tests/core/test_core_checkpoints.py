"""Checkpoints: their text, their code, and what a file of them says when keys change, restores are declared and lines are torn."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mailer.core import checkpointhistory, checkpoints, note
from mailer.core.checkpointhistory import Forged, History, Restored
from mailer.core.checkpoints import Checkpoint, KeyChange
from mailer.core.note import NoteError, PublicKey, Signer

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ORIGIN = checkpoints.origin("0" * 32)


def signer(seed: int) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return PublicKey(name=ORIGIN, key=private.public_key().public_bytes_raw()), private.sign


FIRST, SECOND, THIRD, FOURTH, STRANGER = (signer(seed) for seed in (1, 2, 3, 4, 9))
Handover = tuple[Signer, Signer]


def at_size(size: int, *, restored: int | None = None, change: Handover | None = None, lost: bool = False) -> Checkpoint:
    change_of_key = KeyChange(old=change[0][0], new=change[1][0], lost=lost) if change else None
    root = hashlib.sha256(b"" if size == 0 else str(size).encode()).digest()
    return Checkpoint(origin=ORIGIN, size=size, root=root, at=AT, restored=restored, change=change_of_key)


def signed(size: int, *signers: Signer, restored: int | None = None, change: Handover | None = None, lost: bool = False) -> str:
    return note.sign(checkpoints.text(at_size(size, restored=restored, change=change, lost=lost)), signers) + "\n"


def history(written: str, key: Signer = FIRST) -> History:
    return checkpointhistory.history(checkpoints.published_in(written, ORIGIN), key[0])


def sizes(said: History) -> list[int]:
    return [one.checkpoint.size for one in said.valid]


BEFORE = signed(1, FIRST) + signed(5, FIRST)


@pytest.mark.parametrize(
    "checkpoint",
    [
        pytest.param(at_size(0), id="nothing"),
        pytest.param(at_size(1200), id="plain"),
        pytest.param(at_size(1200, restored=1100), id="restored"),
        pytest.param(at_size(7, change=(FIRST, SECOND)), id="key changed"),
        pytest.param(at_size(7, change=(FIRST, SECOND), lost=True), id="key lost"),
    ],
)
def test_what_is_written_is_read_back(checkpoint: Checkpoint) -> None:
    written = checkpoints.text(checkpoint)
    assert checkpoints.read(written) == checkpoint
    assert "suite ed25519-rfc6962-sha256\n" in written


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1200\n", "01200\n"),
        ("1200\n", "-1\n"),
        ("1200\n", "a\n"),
        ("suite ed25519", "suite gost"),
        ("suite ed25519-rfc6962-sha256\n", ""),
        ("at 2026", "at yesterday"),
        ("+00:00", ""),
        ("\n1200\n", "\n0\n"),
        ("=\n", "\n"),
    ],
)
def test_what_is_no_checkpoint_of_ours(old: str, new: str) -> None:
    written = checkpoints.text(at_size(1200))
    assert old in written
    with pytest.raises(NoteError):
        checkpoints.read(written.replace(old, new))


@pytest.mark.parametrize("written", ["", "\n", ORIGIN, f"{ORIGIN}\n1\n"])
def test_too_little_is_no_checkpoint(written: str) -> None:
    with pytest.raises(NoteError):
        checkpoints.read(written)


def test_a_code_has_80_bits_that_can_be_read_out_and_typed() -> None:
    code = checkpoints.code(checkpoints.text(at_size(1200)))
    assert len(code.replace("-", "")) == 16
    assert not set(code) & set("ILOU")
    value = int.from_bytes(hashlib.sha256(checkpoints.text(at_size(1200)).encode()).digest()[:10], "big")
    assert (
        sum("0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(symbol) << 5 * at for at, symbol in enumerate(code.replace("-", "")[::-1]))
        == value
    )
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert checkpoints.same_code(typed) == code


def test_a_file_of_checkpoints_is_read_in_its_order() -> None:
    said = history(signed(1, FIRST) + signed(5, FIRST) + signed(5, FIRST) + signed(9, FIRST))
    assert sizes(said) == [1, 5, 9], "what comes again says nothing new"
    assert said.forged is None
    assert said.last is not None
    assert said.last.code == checkpoints.code(checkpoints.text(at_size(9)))


def test_of_another_office_nothing_is_read() -> None:
    assert history((signed(1, FIRST)).replace(ORIGIN, checkpoints.origin("1" * 32))) == History(keys=(FIRST[0],))


@pytest.mark.parametrize("cut", range(1, len(signed(5, FIRST)) - 1))
def test_a_checkpoint_that_a_crash_cut_off_is_passed_over(cut: int) -> None:
    torn = signed(5, FIRST).encode()[:cut].decode(errors="replace")
    said = history(signed(1, FIRST) + torn + "\n\n" + signed(9, FIRST))
    assert said.forged is None
    assert sizes(said) in ([1, 9], [1, 5, 9])
    assert history(signed(1, FIRST) + torn).forged is None


@pytest.mark.parametrize("cut", range(1, len(signed(5, FIRST, SECOND, change=(FIRST, SECOND))) - 1, 3))
def test_a_change_of_key_that_a_crash_cut_off_is_passed_over(cut: int) -> None:
    torn = signed(5, FIRST, SECOND, change=(FIRST, SECOND)).encode()[:cut].decode(errors="replace")
    said = history(signed(1, FIRST) + torn + "\n\n" + signed(9, FIRST), FIRST)
    assert (sizes(said), said.forged) == ([1, 9], None)


@pytest.mark.parametrize(
    ("forged", "found"),
    [
        pytest.param(signed(9, STRANGER), Forged(checkpoint=at_size(9), after=5), id="signed by another key"),
        pytest.param(signed(9, FIRST).replace("\n9\n", "\n8\n"), Forged(checkpoint=at_size(9), after=5), id="changed"),
        pytest.param(
            signed(9, STRANGER, STRANGER, change=(STRANGER, FIRST)),
            Forged(checkpoint=at_size(9, change=(STRANGER, FIRST)), after=5),
            id="a change from a key that never was ours",
        ),
        pytest.param(
            signed(9, FIRST, FIRST, change=(FIRST, STRANGER)),
            Forged(checkpoint=at_size(9, change=(FIRST, STRANGER)), after=5),
            id="a change that the new key did not sign",
        ),
    ],
)
def test_a_forged_checkpoint_is_found(forged: str, found: Forged) -> None:
    said = history(signed(1, FIRST) + signed(5, FIRST) + forged)
    assert sizes(said) == [1, 5]
    assert said.forged is not None
    assert said.forged.after == found.after
    assert said.forged.checkpoint.change == found.checkpoint.change


def test_another_key_than_the_one_that_signed() -> None:
    said = history(signed(1, FIRST) + signed(5, FIRST), STRANGER)
    assert said.valid == ()
    assert said.forged == Forged(checkpoint=at_size(1), after=0)


ROTATED = (
    signed(1, FIRST)
    + signed(5, FIRST, SECOND, change=(FIRST, SECOND))
    + signed(6, SECOND)
    + signed(8, SECOND, THIRD, change=(SECOND, THIRD))
    + signed(9, THIRD)
)


def test_the_old_key_hands_over_to_the_new_one() -> None:
    said = history(ROTATED, THIRD)
    assert sizes(said) == [1, 5, 6, 8, 9]
    assert said.forged is None


def test_an_old_key_signs_nothing_any_more() -> None:
    said = history(ROTATED + signed(10, FIRST), THIRD)
    assert said.forged == Forged(checkpoint=at_size(10), after=9)


def test_a_change_of_key_that_a_crash_broke_off_leaves_the_old_key_at_work() -> None:
    written = signed(1, FIRST) + signed(5, FIRST, SECOND, change=(FIRST, SECOND))
    assert sizes(history(written, SECOND)) == sizes(history(written, FIRST)) == [1, 5]
    again = written + signed(6, FIRST) + signed(7, FIRST, THIRD, change=(FIRST, THIRD)) + signed(8, THIRD)
    said = history(again, THIRD)
    assert (sizes(said), said.forged) == ([1, 5, 6, 7, 8], None)


def test_a_declared_restore_gives_up_what_came_after() -> None:
    written = signed(1, FIRST) + signed(5, FIRST) + signed(9, FIRST) + signed(7, FIRST, restored=5) + signed(8, FIRST)
    said = history(written)
    assert sizes(said) == [1, 5, 7, 8]
    assert said.restored == (Restored(kept=5, lost=9, size=7),)


def test_a_restore_gives_up_an_earlier_one_that_its_backup_did_not_know() -> None:
    said = history(BEFORE + signed(3, FIRST, restored=1) + signed(7, FIRST) + signed(2, FIRST, restored=1))
    assert sizes(said) == [1, 2]
    assert said.restored == (Restored(kept=1, lost=5, size=3, given_up=True), Restored(kept=1, lost=7, size=2))
    later = history(BEFORE + signed(3, FIRST, restored=1) + signed(7, FIRST) + signed(6, FIRST, restored=3))
    assert [one.given_up for one in later.restored] == [False, False]


def test_a_checkpoint_that_comes_again_says_nothing_new() -> None:
    restored = signed(3, FIRST, restored=1)
    told = history(BEFORE + restored + signed(7, FIRST))
    assert sizes(told) == [1, 3, 7]
    again = checkpoints.published_in(signed(5, FIRST) + restored, ORIGIN)
    assert checkpointhistory.history(again, FIRST[0], before=told) == told
    assert history(BEFORE + restored + signed(7, FIRST) + signed(5, FIRST) + restored) == told


def test_what_is_known_is_carried_on() -> None:
    before = history(signed(1, FIRST) + signed(5, FIRST))
    new = checkpoints.published_in(signed(7, FIRST, restored=1), ORIGIN)
    whole = history(signed(1, FIRST) + signed(5, FIRST) + signed(7, FIRST, restored=1))
    assert checkpointhistory.history(new, FIRST[0], before=before) == whole


# ---- a key that nobody has any more

LOSS = signed(6, SECOND, change=(FIRST, SECOND), lost=True)


def losses(said: History) -> list[tuple[int, int, bool]]:
    return [(one.proven, one.size, one.carried_out) for one in said.lost]


def test_a_lost_key_is_followed_by_the_one_that_says_so() -> None:
    said = history(BEFORE + LOSS + signed(8, SECOND), SECOND)
    assert (sizes(said), said.forged) == ([1, 5, 6, 8], None)
    assert losses(said) == [(5, 6, True)]
    assert said.keys == (FIRST[0], SECOND[0])


def test_a_loss_that_a_crash_broke_off_leaves_the_old_key_at_work_until_it_is_declared_again() -> None:
    said = history(BEFORE + LOSS, FIRST)
    assert (sizes(said), said.forged, losses(said)) == ([1, 5], None, [(5, 6, False)])
    found = history(BEFORE + LOSS + signed(7, FIRST), FIRST)
    assert (sizes(found), found.forged) == ([1, 5, 7], None), "its copy was found after all"
    again = history(BEFORE + LOSS + LOSS + signed(8, SECOND), SECOND)
    assert (sizes(again), again.forged, losses(again)) == ([1, 5, 6, 8], None, [(5, 6, True)])
    later = history(
        BEFORE + LOSS + signed(7, FIRST) + signed(8, SECOND, change=(FIRST, SECOND), lost=True) + signed(9, SECOND), SECOND
    )
    assert (sizes(later), later.forged, losses(later)) == ([1, 5, 7, 8, 9], None, [(7, 8, True)])


def test_keys_are_lost_and_changed_in_turns() -> None:
    written = (
        BEFORE
        + LOSS
        + signed(7, SECOND, THIRD, change=(SECOND, THIRD))
        + signed(8, THIRD)
        + signed(9, FOURTH, change=(THIRD, FOURTH), lost=True)
    )
    said = history(written, FOURTH)
    assert (sizes(said), said.forged) == ([1, 5, 6, 7, 8, 9], None)
    assert losses(said) == [(5, 6, True), (8, 9, True)]
    assert said.keys == (FIRST[0], SECOND[0], THIRD[0], FOURTH[0])


def test_a_lost_key_and_a_declared_restore_in_one() -> None:
    said = history(BEFORE + signed(4, SECOND, restored=1, change=(FIRST, SECOND), lost=True), SECOND)
    assert sizes(said) == [1, 4]
    assert losses(said) == [(1, 4, True)]
    assert said.restored == (Restored(kept=1, lost=5, size=4),)


@pytest.mark.parametrize("cut", range(1, len(LOSS) - 1, 3))
def test_a_loss_that_a_crash_cut_off_is_passed_over(cut: int) -> None:
    torn = LOSS.encode()[:cut].decode(errors="replace")
    said = history(BEFORE + torn + "\n\n" + signed(9, FIRST), FIRST)
    assert (sizes(said), said.forged, said.lost) == ([1, 5, 9], None, ())


@pytest.mark.parametrize(
    ("written", "key", "after"),
    [
        pytest.param(BEFORE + LOSS + signed(8, FIRST), SECOND, 6, id="the lost key signs on"),
        pytest.param(BEFORE + signed(6, SECOND, change=(STRANGER, SECOND), lost=True), SECOND, 0, id="another key was lost"),
        pytest.param(BEFORE + signed(6, STRANGER, change=(FIRST, SECOND), lost=True), FIRST, 5, id="another signs than is named"),
        pytest.param(BEFORE + signed(6, SECOND, change=(THIRD, SECOND), lost=True), FIRST, 5, id="a key that is not ours"),
        pytest.param(BEFORE + LOSS.replace("lost-key", "key"), SECOND, 0, id="a change that the old key did not sign"),
        pytest.param(BEFORE + LOSS + signed(9, STRANGER, change=(FIRST, STRANGER), lost=True), SECOND, 6, id="lost twice"),
        pytest.param(BEFORE + LOSS + signed(9, FIRST, change=(SECOND, FIRST), lost=True), FIRST, 0, id="the lost key comes back"),
        pytest.param(signed(9, FIRST, change=(FIRST, FIRST), lost=True) + signed(9, SECOND), FIRST, 0, id="it follows itself"),
    ],
)
def test_a_forged_loss_is_found(written: str, key: Signer, after: int) -> None:
    said = history(written, key)
    assert said.forged is not None
    assert said.forged.after == after
