"""What does a checkpoint say, how is it written and read, and when is the next one due? (audit.md, Proof)

A checkpoint is a signed note (`core.note`) whose text is that of C2SP tlog-checkpoint: origin, size, root; then lines of ours:

    mailer/0123…cdef                                    which office's record: the database's name
    1200                                                so many records
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=        the root of their tree, base64
    suite ed25519-rfc6962-sha256                        how it is hashed and signed, so that another way can replace it
    at 2026-11-23T09:00:00.000000+00:00                 for people: nothing is decided by it, clocks jump
    restored 1100                                       only after a declared restore: what was published beyond 1100 is given up
    key <public key>, next-key <public key>             only when the key changes: signed by both, the last of the old one
    lost-key <public key>, next-key <public key>        only when nobody has the old key any more: the first of the new one

Published checkpoints stand one after the other, each followed by an empty line. What a crash cut off is no checkpoint and is passed
over. What they say together: `core.checkpointhistory`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mailer.core import evidence, note
from mailer.core.merkle import EMPTY_ROOT, HASH_BYTES
from mailer.core.note import Note, NoteError, PublicKey

SUITE: Final = "ed25519-rfc6962-sha256"
CODE_BYTES: Final = 10
NEW_RECORDS: Final = 100
AT_MOST_EACH: Final = timedelta(seconds=10)
IDLE_EACH: Final = timedelta(minutes=15)
_CROCKFORD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD: Final = str.maketrans("ILO", "110")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_LAST_LINE: Final = re.compile(rf"(?m)^{note.DASH}[^\n]*\n(?!{note.DASH})")


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyChange:
    """From the old key to the new one. `lost`: nobody has the old one any more, so it did not sign."""

    old: PublicKey
    new: PublicKey
    lost: bool = False

    @property
    def signers(self) -> tuple[PublicKey, ...]:
        return (self.new,) if self.lost else (self.old, self.new)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What was signed. `restored`: the size of the last checkpoint that counts of those before."""

    origin: str
    size: int
    root: bytes
    at: datetime
    restored: int | None = None
    change: KeyChange | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """A checkpoint with the note that it was read from, and its bytes as text; `code` stands in letters."""

    checkpoint: Checkpoint
    note: Note
    signed: str
    code: str


def is_due(new: int, signed_at: datetime | None, now: datetime) -> bool:
    """Whether to sign now. `new`: records since the last one; `signed_at`: None at the start. A clock set back makes one due."""
    if signed_at is None or now < signed_at:
        return True
    ago = now - signed_at
    return ago >= IDLE_EACH or (new >= NEW_RECORDS and ago >= AT_MOST_EACH)


def origin(instance: str) -> str:
    return f"mailer/{instance}"


def text(checkpoint: Checkpoint) -> str:
    """The note's text, as it is signed."""
    lines = [checkpoint.origin, str(checkpoint.size), base64.b64encode(checkpoint.root).decode("ascii")]
    lines += [f"suite {SUITE}", f"at {evidence.instant(checkpoint.at)}"]
    if checkpoint.restored is not None:
        lines.append(f"restored {checkpoint.restored}")
    if checkpoint.change is not None:
        word = "lost-key" if checkpoint.change.lost else "key"
        lines += [f"{word} {checkpoint.change.old}", f"next-key {checkpoint.change.new}"]
    return "\n".join(lines) + "\n"


def read(written: str) -> Checkpoint:
    """The text of a note of ours; NoteError when it is none, or of a suite that this program does not know."""
    named, size, root, *more = [*written.removesuffix("\n").split("\n"), "", ""]
    extra = dict(line.partition(" ")[::2] for line in more)
    if not named or not _SIZE.fullmatch(size) or extra.get("suite") != SUITE:
        raise NoteError("this is no checkpoint of ours")
    try:
        raw = base64.b64decode(root, validate=True)
        at = datetime.fromisoformat(extra.get("at", ""))
        restored = int(extra["restored"]) if "restored" in extra else None
    except (binascii.Error, ValueError) as error:
        raise NoteError("this is no checkpoint of ours") from error
    if len(raw) != HASH_BYTES or at.tzinfo is None or (size == "0" and raw != EMPTY_ROOT):
        raise NoteError("this is no checkpoint of ours")
    change = None
    if "next-key" in extra:
        lost = "lost-key" in extra
        old = note.read_key(extra.get("lost-key" if lost else "key", ""))
        change = KeyChange(old=old, new=note.read_key(extra["next-key"]), lost=lost)
    return Checkpoint(origin=named, size=int(size), root=raw, at=at, restored=restored, change=change)


def code(note_text: str) -> str:
    """80 bits that name a checkpoint in a letter: SHA-256 of its text, base 32 without I, L, O, U, in groups of four."""
    symbols = base64.b32encode(hashlib.sha256(note_text.encode()).digest()[:CODE_BYTES]).decode("ascii").translate(_CROCKFORD)
    return "-".join(symbols[at : at + 4] for at in range(0, len(symbols), 4))


def same_code(typed: str) -> str:
    """A code in its one form, however it was typed."""
    symbols = re.sub(r"[^0-9A-Z]", "", typed.upper()).translate(_MISREAD)
    return "-".join(symbols[at : at + 4] for at in range(0, len(symbols), 4))


def notes_in(written: str) -> Iterator[str]:
    """The signed notes in the text of a file, each with its signature lines; what a crash cut off is left out, or is no note."""
    start = 0
    for ending in _LAST_LINE.finditer(written):
        yield written[start : ending.end()].lstrip("\n")
        start = ending.end()


def published_in(written: str, own_origin: str) -> list[Published]:
    """The checkpoints of an office in a file's text, signed or not. Anything else (another office's, a torn one) is passed over."""
    found = []
    for one in notes_in(written):
        try:
            signed = _from_the_last_origin(one, own_origin)
            parsed = note.read(signed.encode())
            checkpoint = read(parsed.text)
        except NoteError:
            continue
        if checkpoint.origin == own_origin and not _is_torn(parsed, checkpoint):
            found.append(Published(checkpoint=checkpoint, note=parsed, signed=signed, code=code(parsed.text)))
    return found


def _is_torn(parsed: Note, checkpoint: Checkpoint) -> bool:
    """A crash may have cut off a signature, or the second of two."""
    whole = all(len(one.signature) == note.SIGNATURE_BYTES for one in parsed.signatures)
    return not whole or len(parsed.signatures) < (1 if checkpoint.change is None else len(checkpoint.change.signers))


def _from_the_last_origin(written: str, own_origin: str) -> str:
    """Without the beginning of a checkpoint that a crash cut off before this one."""
    at = written.rfind(f"\n{own_origin}\n")
    return written[at + 1 :] if at >= 0 else written
