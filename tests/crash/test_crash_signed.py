"""Does the judge of a campaign's checkpoints find what must not be? Those of the program pass; each thing broken is named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mailer.core import checkpoints, note
from mailer.core.checkpoints import Checkpoint
from mailer.core.merkle import Range
from tests.crash.signed import Signed, faults

ORIGIN = checkpoints.origin("0" * 32)
LEAVES = [hashlib.sha256(bytes([number])).digest() for number in range(7)]


def signed(size: int, *, leaves: list[bytes] = LEAVES, seed: int = 1, minute: int = 0) -> str:
    """A checkpoint with its empty line, as it stands in the file."""
    root, at = Range().grown(leaves[:size]).root(), datetime(2026, 11, 23, 9, minute, tzinfo=UTC)
    checkpoint = Checkpoint(origin=ORIGIN, size=size, root=root, at=at)
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return note.sign(checkpoints.text(checkpoint), [(key(seed), private.sign)]) + "\n"


def key(seed: int) -> note.PublicKey:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return note.PublicKey(name=ORIGIN, key=private.public_key().public_bytes_raw())


FILE = [signed(size, minute=minute) for minute, size in enumerate((0, 3, 3, 5, 7))]


def sound() -> Signed:
    """Somebody died once before noting what he had published."""
    return Signed(
        published="".join(FILE),
        noted=[one.removesuffix("\n") for one in (*FILE[:1], *FILE[2:])],
        leaves=LEAVES,
        public_key=str(key(1)),
        deaths=1,
    )


def test_what_the_program_signed_has_no_fault() -> None:
    assert list(faults(sound())) == []


Change = Callable[[Signed], Signed]


def published(*notes: str) -> Change:
    """Another file, and a table that has all of it."""
    return lambda one: replace(one, published="".join(notes), noted=[note.removesuffix("\n") for note in notes])


BROKEN: dict[str, tuple[Change, str]] = {
    "torn": (lambda one: replace(one, published=one.published[:40] + "\n\n" + one.published), "something that is none"),
    "empty": (published(), "something that is none"),
    "another key": (published(*FILE, signed(7, seed=2)), "of 7 records is not signed"),
    "changed": (published(*FILE[:3], FILE[3].replace("\nat 2026", "\nat 2025"), FILE[4]), "of 5 records is not signed"),
    "forked": (published(*FILE[:3], signed(5, leaves=LEAVES[::-1]), FILE[4]), "of 5 records is none of this record"),
    "too long": (lambda one: replace(one, leaves=LEAVES[:6]), "of 7 records is none of this record"),
    "backwards": (published(*FILE, FILE[3]), "a later checkpoint signed fewer records"),
    "not published": (lambda one: replace(one, published="".join(FILE[:3])), "a checkpoint that was not published"),
    "other order": (lambda one: replace(one, noted=one.noted[::-1]), "or in another order"),
    "nobody died": (lambda one: replace(one, deaths=0), "1 checkpoints were published and not noted"),
    "last not noted": (lambda one: replace(one, noted=one.noted[:-1], deaths=2), "the last checkpoint of the file"),
}


@pytest.mark.parametrize(("change", "said"), BROKEN.values(), ids=BROKEN)
def test_what_must_not_be_is_named(change: Change, said: str) -> None:
    found = list(faults(change(sound())))
    assert [one for one in found if said in one], found
