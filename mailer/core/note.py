"""What is a signed note, and who signed it? C2SP signed-note 1.0: text, an empty line, signature lines.

    — <key name> base64(key id of 4 bytes || signature)             key id: SHA-256(name || 0x0A || 0x01 || public key), 4 bytes

Only type 0x01, Ed25519 (RFC 8032) over the text with its last newline. A public key is written as others write it, `name+id+base64`
(with 0x01 before the key). Signatures of unknown keys are passed over; a wrong one of a known key spoils the whole note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DASH: Final = "\N{EM DASH} "
ED25519: Final = b"\x01"
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
ID_BYTES: Final = 4
_NAME: Final = re.compile(r"[^\s+]+")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteError(ValueError):
    """These bytes are no signed note, or this text is no public key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicKey:
    """Who signs: a name without spaces and plus signs, and an Ed25519 public key."""

    name: str
    key: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.key) != KEY_BYTES:
            raise NoteError("this is no name of a key, or no key")

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.key).decode('ascii')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """`text` ends in a newline. Nothing in it may be believed before `is_signed`."""

    text: str
    signatures: tuple[Signature, ...]

    def is_signed(self, *keys: PublicKey) -> bool:
        """Whether each of these keys signed it, and none of them wrongly."""
        return bool(keys) and all(self._is_signed_by(key) for key in keys)

    def _is_signed_by(self, key: PublicKey) -> bool:
        own = [one.signature for one in self.signatures if one.name == key.name and one.key_id == key.id]
        return bool(own) and all(_holds(key, self.text, signature) for signature in own)


Signer = tuple[PublicKey, Callable[[bytes], bytes]]
"""A public key, and what signs bytes with the private half."""


def read_key(written: str) -> PublicKey:
    """What `str(PublicKey)` writes; NoteError for anything else, other kinds of keys included."""
    name, _, rest = written.partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = _decoded(encoded)
    if raw[:1] != ED25519:
        raise NoteError("this is no Ed25519 key")
    key = PublicKey(name=name, key=raw[1:])
    if key.id.hex() != key_id:
        raise NoteError("the key's id is not that of the key")
    return key


def sign(text: str, signers: Sequence[Signer]) -> str:
    """The signed note, its signature lines in the order of the signers."""
    _check(text)
    lines = (f"{DASH}{key.name} {base64.b64encode(key.id + deed(text.encode())).decode('ascii')}\n" for key, deed in signers)
    return text + "\n" + "".join(lines)


def read(written: bytes) -> Note:
    """The parts of a signed note; NoteError when these bytes are none."""
    try:
        whole = written.decode()
    except UnicodeDecodeError as error:
        raise NoteError("a note is UTF-8") from error
    text, gap, below = whole.rpartition("\n\n")
    if not gap or not below.endswith("\n"):
        raise NoteError("a note ends with an empty line and signature lines")
    text += "\n"
    _check(text)
    return Note(text=text, signatures=tuple(_signatures(below[:-1].split("\n"))))


def _signatures(lines: Iterable[str]) -> Iterable[Signature]:
    for line in lines:
        if _CONTROL.search(line) or not line.startswith(DASH):
            raise NoteError("this is no signature line")
        name, _, encoded = line.removeprefix(DASH).partition(" ")
        raw = _decoded(encoded)
        if not _NAME.fullmatch(name) or len(raw) <= ID_BYTES:
            raise NoteError("this is no signature line")
        yield Signature(name=name, key_id=raw[:ID_BYTES], signature=raw[ID_BYTES:])


def _check(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise NoteError("a note's text ends in a newline and has no other control characters")


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise NoteError("this is not base64") from error


def _holds(key: PublicKey, text: str, signature: bytes) -> bool:
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature, text.encode())
    except InvalidSignature:
        return False
    return True
