"""The signing key and the file of checkpoints as they lie on the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.core import note
from mailer.edge.checkpoints import CheckpointFile
from mailer.edge.signing import SigningKey
from mailer.errors import EdgeError, SetupError

TEXT = "mailer/a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"


def counted(size: int) -> bytes:
    return bytes(range(size))


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    made = SigningKey(directory=tmp_path, origin="mailer/a")
    made.make(counted)
    return made


def test_the_private_half_is_for_its_user_alone_and_what_it_signs_holds(key: SigningKey) -> None:
    assert key.private_path.stat().st_mode & 0o777 == 0o600
    assert key.public_path.read_text(encoding="utf-8").strip() == str(key.public())
    assert note.read(note.sign(TEXT, [key.signer()]).encode()).is_signed(key.public())


def test_a_key_is_never_made_over_another(key: SigningKey) -> None:
    before = key.public()
    key.make(bytes)
    assert key.public() == before
    key.private_path.unlink()
    with pytest.raises(SetupError, match="bring it back"):
        key.make(counted)


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (lambda key: key.private_path.unlink(), "is missing"),
        (lambda key: key.public_path.unlink(), "is missing"),
        (lambda key: key.private_path.write_text("zz"), "is damaged"),
        (lambda key: key.private_path.write_text("00"), "is damaged"),
        (lambda key: key.public_path.write_bytes(b"\xff"), "is damaged"),
        (lambda key: key.private_path.write_text("00" * 32), "not the other half"),
        (lambda key: key.public_path.write_text(str(note.PublicKey(name="mailer/b", key=bytes(32)))), "another office"),
    ],
    ids=["no private", "no public", "no hexadecimal", "too short", "no text", "no pair", "another office"],
)
def test_a_key_that_cannot_sign_says_why(key: SigningKey, harm: Callable[[SigningKey], object], complaint: str) -> None:
    harm(key)
    with pytest.raises(SetupError, match=complaint):
        key.signer()


def test_a_successor_takes_the_place_of_the_old_pair_which_is_kept_beside_it(key: SigningKey) -> None:
    old = key.public()
    new, _ = key.successor(bytes, like=key.public_path)
    assert key.successor(counted, like=key.public_path)[0] == new, "the same one until it is in place"
    assert key.signer()[0] == old, "nothing is changed by making it"
    key.succeed()
    assert key.signer()[0] == key.public() == new
    assert key.private_path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in key.directory.iterdir()) == sorted(
        ["checkpoint.key", "checkpoint.pub", f"checkpoint-{old.id.hex()}.key", f"checkpoint-{old.id.hex()}.pub"]
    )


def test_a_successor_that_is_half_in_its_place_says_how_to_finish(key: SigningKey) -> None:
    new, _ = key.successor(bytes, like=key.public_path)
    key.public_path.write_text(str(new), encoding="utf-8")
    with pytest.raises(SetupError, match="mailer audit change-key"):
        key.signer()
    key.succeed()
    assert key.signer()[0] == new


def test_each_note_stands_in_the_file_with_an_empty_line_behind_it(tmp_path: Path, key: SigningKey) -> None:
    file = CheckpointFile(path=tmp_path / "checkpoints.txt")
    assert (file.exists(), file.text()) == (False, "")
    signed = note.sign(TEXT, [key.signer()])
    with file.turn():
        file.append(signed)
        file.append(signed)
    assert file.text() == (signed + "\n") * 2
    file.path.write_text(signed + "\nmailer/a\n0\n47", encoding="utf-8")
    file.append(signed)
    assert file.text() == signed + "\nmailer/a\n0\n47\n\n" + signed + "\n"


def test_only_one_has_its_turn(tmp_path: Path) -> None:
    file = CheckpointFile(path=tmp_path / "checkpoints.txt")
    order: list[str] = []

    def second() -> None:
        with CheckpointFile(path=file.path).turn():
            order.append("second")

    with file.turn():
        other = threading.Thread(target=second)
        other.start()
        other.join(0.2)
        order.append("first")
    other.join(10)
    assert order == ["first", "second"]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = CheckpointFile(path=tmp_path / "no such folder" / "checkpoints.txt")
    with pytest.raises(EdgeError, match="cannot be written"), file.turn():
        raise AssertionError("nobody gets here")
    with pytest.raises(EdgeError, match="cannot be written"):
        file.append("x")


def test_a_folder_of_this_machine_is_none_of_another(tmp_path: Path) -> None:
    assert not CheckpointFile(path=tmp_path / "checkpoints.txt").is_on_another_machine()
