"""What does a checkpoint say, and what do all that were published say together? (audit.md, Proof)

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
over; a whole one that is not signed by the key whose turn it is has been forged. That a key was lost, its successor alone says: it
is believed only as far as the record says so too, and a person who knows the new key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Forged:
    """A checkpoint that the key did not sign: `after` is the size of the last good one before it."""

    checkpoint: Checkpoint
    after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """A declared restore: what was published from `kept` records up to `lost` is given up; so says the checkpoint of `size`.

    `given_up`: by a later restore, the record that told of it too.
    """

    kept: int
    lost: int
    size: int
    given_up: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """A key declared lost; so says the checkpoint of `size`. `proven`: the size of the last good one of the old key.

    `carried_out`: the new key is ours, or leads to it; until then the old one is. `given_up`: by a later restore, the record that
    told of it too.
    """

    change: KeyChange
    proven: int
    size: int
    carried_out: bool
    given_up: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What the published checkpoints say. `valid`: those that the record must agree with, in the order of the file.
    `keys`: who signed them, one after the other; the last is the office's own. `seen`: the code of each that was
    signed, and by whom.
    """

    valid: tuple[Published, ...] = ()
    restored: tuple[Restored, ...] = ()
    lost: tuple[Lost, ...] = ()
    keys: tuple[PublicKey, ...] = ()
    forged: Forged | None = None
    seen: Mapping[str, tuple[PublicKey, ...]] = field(default_factory=dict)

    @property
    def last(self) -> Published | None:
        return self.valid[-1] if self.valid else None

    def back_to(self, size: int) -> History:
        """What is left of it when everything beyond `size` is given up."""
        return replace(
            self, valid=_up_to(self.valid, size), restored=_given_up(self.restored, size), lost=_given_up(self.lost, size)
        )


NOTHING: Final = History()
Turn = TypeVar("Turn", Restored, Lost)


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


def history(published: Sequence[Published], key: PublicKey, *, before: History = NOTHING) -> History:
    """What they say together, believed only as far as `key`, the office's own, signed it or the change of a key leads to it.

    `before`: what was published before these, when that is known already and ends with the same key. A checkpoint that comes
    again says nothing new: whoever can write the file could bring an old one back.
    """
    turns, handovers = _turns(published, key)
    keys = before.keys or tuple(turns)
    valid, restored, lost, forged = list(before.valid), list(before.restored), list(before.lost), before.forged
    seen = dict(before.seen)
    for one in published:
        checkpoint, change = one.checkpoint, one.checkpoint.change
        if one.note.is_signed(*seen.get(one.code, ())):
            continue
        signers = _signers(change, turns[0])
        if not one.note.is_signed(*signers):
            forged = forged or Forged(checkpoint=checkpoint, after=_size(valid))
            continue
        seen[one.code] = signers
        is_loss, carried_out = change is not None and change.lost, one.code in handovers
        if not is_loss:  # who was declared lost signs: it was found again
            lost = [other for other in lost if other.carried_out or other.change.old != turns[0]]
        if carried_out:  # else the old key goes on
            turns = turns[1:]
        if checkpoint.restored is not None and (carried_out or not is_loss):
            restored = list(_given_up(restored, checkpoint.restored))
            restored.append(Restored(kept=checkpoint.restored, lost=_size(valid), size=checkpoint.size))
            valid = list(_up_to(valid, checkpoint.restored))
            lost = list(_given_up(lost, checkpoint.restored))
        if change is not None and is_loss:
            lost = [other for other in lost if other.change != change]  # cut off by a crash, and declared again
            lost.append(Lost(change=change, proven=_size(valid), size=checkpoint.size, carried_out=carried_out))
        if carried_out or not is_loss:
            valid.append(one)
    return History(valid=tuple(valid), restored=tuple(restored), lost=tuple(lost), keys=keys, forged=forged, seen=seen)


def _signers(change: KeyChange | None, turn: PublicKey) -> tuple[PublicKey, ...]:
    """Whose signatures a checkpoint must have when it is this key's turn; none: nobody's would do."""
    if change is None:
        return (turn,)
    return change.signers if turn == change.old else ()


def _up_to(valid: Iterable[Published], size: int) -> tuple[Published, ...]:
    return tuple(one for one in valid if one.checkpoint.size <= size)


def _given_up(turns: Iterable[Turn], size: int) -> tuple[Turn, ...]:
    return tuple(replace(one, given_up=one.given_up or one.size > size) for one in turns)


def _size(valid: Sequence[Published]) -> int:
    return valid[-1].checkpoint.size if valid else 0


def _turns(published: Sequence[Published], key: PublicKey) -> tuple[list[PublicKey], set[str]]:
    """The keys in their turns, `key` last, and the codes of the checkpoints in which one hands over to the next: a change counts
    only when those signed it who must, and the new key leads to `key`; of several that say the same, the last. No key comes back
    once another has followed it.
    """
    turns, codes = [key], set()
    for one in reversed(published):
        change = one.checkpoint.change
        if change is None or change.new != turns[0] or change.old in turns:
            continue
        if one.note.is_signed(*change.signers):
            turns.insert(0, change.old)
            codes.add(one.code)
    return turns, codes


def _is_torn(parsed: Note, checkpoint: Checkpoint) -> bool:
    """A crash may have cut off a signature, or the second of two."""
    whole = all(len(one.signature) == note.SIGNATURE_BYTES for one in parsed.signatures)
    return not whole or len(parsed.signatures) < (1 if checkpoint.change is None else len(checkpoint.change.signers))


def _from_the_last_origin(written: str, own_origin: str) -> str:
    """Without the beginning of a checkpoint that a crash cut off before this one."""
    at = written.rfind(f"\n{own_origin}\n")
    return written[at + 1 :] if at >= 0 else written
