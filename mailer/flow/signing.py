"""How does a checkpoint come to be? The record is read since the last one, signed as it stands, and published outside the database.

Not a step: the step signs through it, and so do commands, and whatever makes a backup or an export (`Signer.publish`). Before it
signs it reads every record since the last checkpoint (bytes, MAC, columns), grows the tree that was signed last by them, and
compares with the head. The last *published* checkpoint is what counts, not the database's own list. It signs nothing that is not
the continuation of that, unless a restore was declared on the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Protocol

from mailer.core import checkpointhistory, checkpoints, note
from mailer.core.checkpointhistory import History
from mailer.core.checkpoints import Checkpoint, KeyChange, Published
from mailer.core.merkle import Range
from mailer.core.note import PublicKey
from mailer.core.note import Signer as KeyPair
from mailer.edge.checkpoints import CheckpointFile
from mailer.errors import RefusedError, TamperedError
from mailer.store import audit, verification
from mailer.store import checkpoints as kept
from mailer.store.db import Tx
from mailer.store.verification import Fault, Walk
from mailer.store.work import Worker


class Keys(Protocol):
    """The office's signing key, as it lies there now."""

    def public(self) -> PublicKey: ...

    def signer(self) -> KeyPair: ...

    def is_lost(self) -> bool:
        """Whether the private half is not there."""

    def successor(self, randbytes: Callable[[int], bytes], *, like: Path) -> KeyPair:
        """The pair that follows: the same one again, until it is in place. If the private half is lost, it belongs to whom the
        file `like` does."""

    def succeed(self) -> None:
        """Put the successor in the old one's place."""

    def is_half_succeeded(self) -> bool:
        """Whether that was cut off: its public half is in place, its private one is not."""


# The change, the edge of the tree as it was before, and how many records were signed last.
Tell = Callable[[KeyChange, Range, int], object]


class Signer:
    """Signs for one office; what was published is read once and then followed."""

    def __init__(self, worker: Worker, file: CheckpointFile, keys: Keys, instance: str) -> None:
        self._worker = worker
        self._file = file
        self._keys = keys
        self._origin = checkpoints.origin(instance)
        self._known: tuple[PublicKey, str, History] | None = None  # by whose key, from what text
        self._edge: Range | None = None  # of the last published checkpoint

    def publish(self) -> Published | Fault:
        """Sign what is there and publish it, or say why not. EdgeError, SetupError: file or key cannot be used."""
        with self._file.turn():
            pair = self._keys.signer()
            return self._publish(pair[0], [pair])

    def change_key(self, randbytes: Callable[[int], bytes], tell: Tell) -> Published | Fault:
        """The last checkpoint of the old key names the new one, which signs it too and then lies in the old one's place. Before,
        `tell` tells the record. Whatever is cut off, the next call finishes."""
        with self._file.turn():
            if self._keys.is_half_succeeded():
                return self._finished()
            old = self._keys.signer()
            return self._hand_over(old[0], [old], randbytes, tell)

    def declare_loss(self, randbytes: Callable[[int], bytes], tell: Tell) -> Published | Fault:
        """The first checkpoint of a new key says that the old one is lost; else as `change_key`. RefusedError while nothing is
        lost."""
        with self._file.turn():
            old = self._lost_key()
            if self._keys.is_half_succeeded():
                return self._finished()
            return self._hand_over(old, [], randbytes, tell)

    def looked_lost(self) -> tuple[PublicKey, Range] | Fault:
        """What `declare_loss` would declare: the key, and the edge of the record. RefusedError while nothing is lost."""
        with self._look():
            old = self._lost_key()
            edge = self._edge_to_sign(old)
            return edge if isinstance(edge, Fault) else (old, edge)

    @contextmanager
    def standing(self) -> Iterator[History]:
        """What the record must agree with now; nothing is published meanwhile."""
        with self._look():
            yield self._standing(self._keys.public())[0]

    def fault_after_restore(self, said: History, kept: int) -> Fault | None:
        """Why nothing could be signed once a restore was declared that goes on from record `kept`. `said`: what stands now; asked
        inside of `standing`.
        """
        edge = self._checked(said.back_to(kept), self._keys.public(), whole=True)
        return edge if isinstance(edge, Fault) else None

    def due(self) -> int | Fault:
        """How many records `publish` would sign now, or why it would not; nothing is signed."""
        with self._look():
            edge = self._edge_to_sign(self._keys.signer()[0])
        return edge if isinstance(edge, Fault) else edge.size

    def _look(self) -> AbstractContextManager[None]:
        """Nobody signs meanwhile; a file that is not there is not made."""
        return self._file.turn() if self._file.exists() else nullcontext()

    def _lost_key(self) -> PublicKey:
        old = self._keys.public()
        if not self._keys.is_lost():
            raise RefusedError("the private half of the key is there: `mailer audit change-key` gives the checkpoints a new one")
        return old

    def _hand_over(self, old: PublicKey, pairs: list[KeyPair], randbytes: Callable[[int], bytes], tell: Tell) -> Published | Fault:
        """From the old key, whose `pairs` are none when it is lost, to its successor."""
        said, declared = self._standing(old)
        edge = self._checked(said, old, whole=declared is not None)
        if isinstance(edge, Fault):
            return edge
        new = self._keys.successor(randbytes, like=self._file.path)
        change = KeyChange(old=old, new=new[0], lost=not pairs)
        tell(change, edge, said.last.checkpoint.size if said.last else 0)
        found = self._publish(old, [*pairs, new], change)
        if isinstance(found, Published):
            self._keys.succeed()
        return found

    def _finished(self) -> Published | Fault:
        """A change whose last file was still to be put in place; the new key signs."""
        self._keys.succeed()
        pair = self._keys.signer()
        return self._publish(pair[0], [pair])

    def _edge_to_sign(self, key: PublicKey) -> Range | Fault:
        said, declared = self._standing(key)
        return self._checked(said, key, whole=declared is not None)

    def _publish(self, key: PublicKey, pairs: list[KeyPair], change: KeyChange | None = None) -> Published | Fault:
        said, declared = self._standing(key)
        edge = self._checked(said, key, whole=declared is not None)
        if isinstance(edge, Fault):
            return edge
        checkpoint = Checkpoint(
            origin=self._origin,
            size=edge.size,
            root=edge.root(),
            at=self._worker.clock(),
            restored=declared,
            change=change,
        )
        signed = note.sign(checkpoints.text(checkpoint), pairs)
        (published,) = checkpoints.published_in(signed, self._origin)
        self._put(published, edge)
        return published

    def _put(self, published: Published, edge: Range) -> None:
        """The file first: what a crash leaves in it alone is taken up again, what stood in the database alone would be missed."""
        self._file.append(published.signed)
        with self._worker.writing() as unit:
            kept.put(unit.tx, published.signed, code=published.code, edge=edge)
        self._edge = edge

    def _standing(self, key: PublicKey) -> tuple[History, int | None]:
        """What was published, without what a declared restore gives up; and where that one goes on, until a checkpoint says so."""
        said = self._history(key)
        declared = self._declared(said)
        if declared is None:
            return said, None
        return said.back_to(declared), declared

    def _history(self, key: PublicKey) -> History:
        """Read anew as far as somebody else wrote; whole, when the file or the key is another."""
        written = self._file.text()
        if self._known is None or self._known[0] != key or not written.startswith(self._known[1]):
            self._known = (key, "", History())
        _, known, said = self._known
        if written != known:
            said = checkpointhistory.history(checkpoints.published_in(written[len(known) :], self._origin), key, before=said)
            self._known = (key, written, said)
        return said

    def _checked(self, said: History, key: PublicKey, *, whole: bool) -> Range | Fault:
        """The edge of the record as it may be signed, read since the last checkpoint; or what is wrong with it."""
        with self._worker.reading() as tx:
            wrong = verification.signing_fault(tx, self._worker.pen.key, said) or (None if whole else self._missing(tx, said, key))
            if wrong is not None:
                return wrong
            walk = self._walk(tx, said)
            head = verification.edge_of_head(tx)
            size = max(audit.head(tx), audit.newest_seq(tx))
        fault: Fault | None = None
        while fault is None and walk.edge.size < size:
            with self._worker.reading() as tx:
                fault = walk.page(tx, size)
        fault = fault or verification.head_fault(walk, head) or walk.beyond()
        return fault or walk.edge

    def _walk(self, tx: Tx, said: History) -> Walk:
        """From the last checkpoint on, if its edge is known and is what was signed; else from the first record."""
        last = said.last
        if last is None:
            return Walk(self._worker.pen.key)
        edge = self._edge
        if edge is None or (edge.size, edge.root()) != (last.checkpoint.size, last.checkpoint.root):
            edge = kept.edge_of(tx, last.checkpoint)
        return Walk(self._worker.pen.key, [one.checkpoint for one in said.valid], start=edge)

    def _missing(self, tx: Tx, said: History, key: PublicKey) -> Fault | None:
        """What was signed last, by our key or one that leads to it, as the database has it, must stand in the file."""
        known = checkpoints.published_in(kept.newest(tx) or "", self._origin)
        ours = {key, *said.keys}
        if (
            not known
            or not any(known[-1].note.is_signed(one) for one in ours)
            or known[-1].note in [one.note for one in said.valid]
        ):
            return None
        why = TamperedError("the file of checkpoints lacks the one of {size} records", size=known[-1].checkpoint.size)
        return Fault(seq=(said.last.checkpoint.size if said.last else 0) + 1, why=why)

    def _declared(self, said: History) -> int | None:
        """The size of the checkpoint from which a declared restore of this very history goes on."""
        if said.last is None:
            return None
        with self._worker.reading() as tx:
            told = verification.restores(tx, self._worker.pen.key)
        last = said.last.checkpoint
        if not told or (told[-1]["lost"], told[-1]["root"]) != (last.size, last.root.hex()):
            return None
        size: int = told[-1]["kept"]
        return size
