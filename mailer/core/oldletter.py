"""Is this file a letter that we once sent, byte for byte, and which checkpoint does it name? For `mailer audit verify-letter`.

On its way a letter gets header fields above ours, and whoever saves it may change the ends of lines; what we wrote stands below,
unchanged, or it is not what we wrote.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

from mailer.core import evidence, mime

HEADERS_MAX: Final = 500  # lines that may stand above ours
_ID: Final = re.compile(rb"<[!-;=?-~]+>")
_CODE: Final = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}\b")


def message_id(content: bytes) -> str | None:
    """The Message-ID that it has, None when it has none or more than one."""
    found = mime.headers(content).get("message-id", [])
    named = _ID.search(found[0]) if len(found) == 1 else None
    return named[0].decode("ascii") if named else None


def is_as_written(content: bytes, digest: str, salt: bytes | None) -> bool:
    """Whether the bytes whose digest this is stand in it, from some line of the header on to the end. `salt`: None where it is the
    SHA-256 of the bytes alone, as records of the first versions hold it."""
    lines = _ends_as_ours(content).split(b"\r\n")
    above = lines[: lines.index(b"")] if b"" in lines else lines
    return any(_digest(b"\r\n".join(lines[at:]), salt) == digest for at in range(min(len(above), HEADERS_MAX)))


def code(content: bytes) -> str | None:
    """The code of a checkpoint that our letter names; None where it names none."""
    body = _ends_as_ours(content).partition(b"\r\n\r\n")[2]
    try:
        text = base64.b64decode(body).decode(errors="replace")
    except binascii.Error:
        return None
    found = _CODE.search(text)
    return found[0] if found else None


def _digest(written: bytes, salt: bytes | None) -> str:
    return evidence.content_digest(salt, written) if salt is not None else hashlib.sha256(written).hexdigest()


def _ends_as_ours(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
