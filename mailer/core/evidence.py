"""What are the bytes of a record, and do stored bytes still say what was written? (audit.md)

A record has two parts. The *header* is always disclosed; the *details* are everything else. Both are JSON with a fixed key order,
UTF-8, NFC. Only the stored bytes are ever hashed, never a re-serialisation. These bytes are final: a later version adds a new
`version`, it never changes how an old one is read.

    leaf = SHA-256(0x00 || header || SHA-256(nonce || details))        nonce: 128 random bits, so that details cannot be guessed
    mac  = HMAC-SHA-256(record key, seq as 8 bytes big-endian || leaf)

SHA-256(nonce || details) is the last 32 bytes under the leaf's hash, so header and details cannot be shifted into each other; the
leading 0x00 is RFC 6962's leaf prefix. Personal data stands in details only as HMAC-SHA-256(salt of 128 bits, value), and so
do our letters, which may hold some.
These are integrity measures of the program, not a certified means of cryptographic protection (СКЗИ).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from mailer.errors import N_, TamperedError

VERSION: Final = 1
OPERATOR: Final = "operator:"  # how an actor begins that is a person
NONCE_BYTES: Final = 16
_DECODE: Final = json.JSONDecoder().raw_decode
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
NO_BYTES: Final = N_("what is stored is no longer bytes")  # SQLite keeps whatever type was written
UNREADABLE: Final = N_("record {seq} cannot be read: `mailer audit verify` says more")
_BYTES: Final = {bytes}
HEADER_KEYS: Final = ("version", "seq", "at", "event", "importance", "actor", "sender", "request", "outcome")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """What a step tells the record: one event, past participle, of one thing.

    `details` holds everything but personal data; people and addresses stand in it as salted digests (`store.personal`).
    """

    event: str
    actor: str
    importance: str = "info"  # info | notice | warning | alarm
    sender: str | None = None
    request: int | None = None
    outcome: str = "done"  # done | refused | failed
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """A record as it is stored: its bytes, their leaf and the MAC over it."""

    seq: int
    header: bytes
    nonce: bytes
    details: bytes
    leaf: bytes
    mac: bytes


def seal(record: Record, *, seq: int, at: datetime, nonce: bytes, key: bytes) -> Sealed:
    """Write a record's bytes. `at` is an aware datetime; it is written in UTC with microseconds and `+00:00`."""
    header = _json(
        {
            "version": VERSION,
            "seq": seq,
            "at": instant(at),
            "event": record.event,
            "importance": record.importance,
            "actor": record.actor,
            "sender": record.sender,
            "request": record.request,
            "outcome": record.outcome,
        }
    )
    details = _json(dict(sorted(record.details.items())))
    sealed_leaf = leaf(header, nonce, details)
    return Sealed(seq=seq, header=header, nonce=nonce, details=details, leaf=sealed_leaf, mac=mac(key, seq, sealed_leaf))


def leaf(header: bytes, nonce: bytes, details: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + header + hashlib.sha256(nonce + details).digest()).digest()


def mac(key: bytes, seq: int, sealed_leaf: bytes) -> bytes:
    return hmac.digest(key, seq.to_bytes(8, "big") + sealed_leaf, "sha256")


def personal_digest(salt: bytes, value: str) -> str:
    """How a name or an address stands in a record: lower-case hexadecimal. Without the salt it tells nothing."""
    return hmac.digest(salt, _nfc(value).encode(), "sha256").hex()


def content_digest(salt: bytes, content: bytes) -> str:
    """How the bytes of a letter of ours stand in a record, which may name a person: lower-case hexadecimal."""
    return hmac.digest(salt, content, "sha256").hex()


def salt_digest(salt: bytes) -> str:
    """By what a record knows the salt of a digest in it: nobody can exchange it, nor guess it. Lower-case hexadecimal."""
    return hashlib.sha256(salt).hexdigest()


def fault(sealed: Sealed, key: bytes) -> TamperedError | None:
    """Why these bytes are not what was once written, or None when they are."""
    return bytes_fault(sealed, key) or seq_fault(sealed, read_header(sealed))


def bytes_fault(sealed: Sealed, key: bytes) -> TamperedError | None:
    """As `fault`, without reading the header: what follows may believe it."""
    if {type(sealed.header), type(sealed.nonce), type(sealed.details), type(sealed.leaf), type(sealed.mac)} != _BYTES:
        return TamperedError(NO_BYTES)
    if leaf(sealed.header, sealed.nonce, sealed.details) != sealed.leaf:
        return TamperedError("the leaf is not the hash of header and details")
    if not hmac.compare_digest(mac(key, sealed.seq, sealed.leaf), sealed.mac):
        return TamperedError("the MAC does not hold")
    return None


def parts(sealed: Sealed, key: bytes) -> tuple[dict[str, Any], dict[str, Any]] | TamperedError:
    """Header and details of a record that holds, else why it does not."""
    why = bytes_fault(sealed, key)
    if why is not None:
        return why
    header, details = read_both(sealed)
    return seq_fault(sealed, header) or (header, details)


def seq_fault(sealed: Sealed, header: Mapping[str, object]) -> TamperedError | None:
    return None if header["seq"] == sealed.seq else TamperedError("the header tells another seq")


def read_both(sealed: Sealed) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and details in one reading, for whoever reads them all."""
    try:
        header, details = _DECODE(f"[{sealed.header.decode()},{sealed.details.decode()}]")[0]
    except (AttributeError, ValueError) as error:
        raise TamperedError(UNREADABLE, seq=sealed.seq) from error
    return header, details


def read_header(sealed: Sealed) -> dict[str, Any]:
    """TamperedError when these bytes are none that were ever written, as also from the readings beside it."""
    return _read(sealed, sealed.header)


def read_details(sealed: Sealed) -> dict[str, Any]:
    return _read(sealed, sealed.details)


def texts(sealed: Sealed) -> tuple[str, str]:
    """Header and details as they were written."""
    try:
        if isinstance(sealed.nonce, bytes):
            return sealed.header.decode(), sealed.details.decode()
    except (AttributeError, ValueError) as error:
        raise TamperedError(UNREADABLE, seq=sealed.seq) from error
    raise TamperedError(UNREADABLE, seq=sealed.seq)


def _read(sealed: Sealed, written: bytes) -> dict[str, Any]:
    try:
        told = json.loads(written.decode())
    except (AttributeError, ValueError) as error:
        raise TamperedError(UNREADABLE, seq=sealed.seq) from error
    if not isinstance(told, dict):
        raise TamperedError(UNREADABLE, seq=sealed.seq)
    return told


def instant(at: datetime) -> str:
    """UTC, microseconds always, `+00:00` (ГОСТ Р 59548-2022 asks for time with its offset)."""
    return _instant(at.astimezone(UTC))


@lru_cache(maxsize=256)  # all that one transaction writes is of the same moment
def _instant(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _json(content: Mapping[str, object]) -> bytes:
    return _nfc(_ENCODER.encode(content)).encode()


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
