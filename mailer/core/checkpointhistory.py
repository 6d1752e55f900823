"""What do all published checkpoints say together, and what of it is believed? (audit.md, Proof)

They stand one after the other. A whole one that is not signed by the key whose turn it is has been forged. That a key was lost, its
successor alone says: it is believed only as far as the record says so too, and a person who knows the new key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from mailer.core.checkpoints import Checkpoint, KeyChange, Published
from mailer.core.note import PublicKey


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
