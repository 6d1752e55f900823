"""The record itself: its database is upgraded, a restore from a backup is declared, the key that signs checkpoints is changed, or
declared lost.
"""

from __future__ import annotations

from typing import TypeVar

from mailer.core.checkpoints import KeyChange, Published
from mailer.core.merkle import Range
from mailer.core.note import PublicKey
from mailer.errors import RefusedError
from mailer.flow.signing import Signer
from mailer.store import audit, lostkeys
from mailer.store.verification import Fault, Walk
from mailer.store.work import Worker

T = TypeVar("T")


def upgraded(worker: Worker, *, before: str | None, after: str) -> None:
    """The tables were carried from one version to another."""
    with worker.writing() as unit:
        unit.tell("database.upgraded", importance="notice", before=before, after=after)


def declare_restore(worker: Worker, signer: Signer, *, reason: str, dry_run: bool = False) -> tuple[int, int]:
    """Say on the record that the database is an older one, brought back from a backup; the next checkpoint goes on from there.

    Returns up to which record the published checkpoints still hold, and how many records the last of them had signed. RefusedError
    when nothing was published, when all of it agrees with the record, or when the record itself is damaged: that is no restore, and
    nothing could be signed.
    """
    with signer.standing() as said:
        if said.last is None or said.forged is not None:
            raise RefusedError("there is no published checkpoint to compare with: `mailer audit verify` says more")
        last = said.last.checkpoint
        whole, compared = Walk(worker.pen.key), Walk(worker.pen.key, [one.checkpoint for one in said.valid])
        if (damage := _read(worker, whole)) is not None:
            raise RefusedError("record {seq}: {why}; no restore does that", seq=damage.seq, why=damage.why)
        if (_read(worker, compared) or compared.beyond()) is None:
            raise RefusedError("the record agrees with all published checkpoints: there is no restore to declare")
        if (fault := signer.fault_after_restore(said, compared.proven)) is not None:
            raise _unsigned(fault)
    with worker.writing(dry_run=dry_run) as unit:
        unit.tell(
            "audit.restored",
            importance="alarm",
            kept=compared.proven,
            lost=last.size,
            root=last.root.hex(),
            reason=reason,
        )
    return compared.proven, last.size


def change_key(worker: Worker, signer: Signer, *, reason: str) -> Published:
    """Have the old key name a new one in its last checkpoint, and say so on the record. The new one is then in its place.

    Done again after a crash, it goes on. RefusedError when the record cannot be signed as it is.
    """

    def tell(change: KeyChange, edge: Range, signed: int) -> None:
        with worker.reading() as tx:
            if lostkeys.told(tx, worker.pen.key, change) is not None:
                return
        with worker.writing() as unit:
            unit.tell(
                "audit.key-changed",
                importance="warning",
                size=edge.size,
                old=str(change.old),
                new=str(change.new),
                reason=reason,
            )

    return _signed(signer.change_key(worker.pen.randbytes, tell))


def signable(signer: Signer) -> int:
    """How many records would be signed now. RefusedError when the record cannot be signed as it is."""
    return _signed(signer.due())


def look_at_lost_key(signer: Signer) -> tuple[PublicKey, int]:
    """Which key `declare_lost_key` would declare lost, and how many records its successor would sign. RefusedError as there."""
    key, edge = _signed(signer.looked_lost())
    return key, edge.size


def declare_lost_key(worker: Worker, signer: Signer, *, reason: str) -> Published:
    """Say on the record that nobody has the private half of the key any more, and sign with a new one, which is then in its place.

    Done again after a crash, it goes on. RefusedError while the private half is there, or if the record cannot be signed as it is.
    """

    def tell(change: KeyChange, edge: Range, signed: int) -> None:
        with worker.reading() as tx:
            if lostkeys.told(tx, worker.pen.key, change, after=signed) is not None:
                return
        with worker.writing() as unit:
            unit.tell(
                "audit.key-lost",
                importance="alarm",
                size=edge.size,
                root=edge.root().hex(),
                old=str(change.old),
                new=str(change.new),
                reason=reason,
            )

    return _signed(signer.declare_loss(worker.pen.randbytes, tell))


def _signed(found: T | Fault) -> T:
    if isinstance(found, Fault):
        raise _unsigned(found)
    return found


def _unsigned(fault: Fault) -> RefusedError:
    return RefusedError("record {seq}: {why}; nothing was signed", seq=fault.seq, why=fault.why)


def _read(worker: Worker, walk: Walk) -> Fault | None:
    with worker.reading() as tx:
        size = audit.newest_seq(tx)
    while walk.edge.size < size:
        with worker.reading() as tx:
            if (fault := walk.page(tx, size)) is not None:
                return fault
    return None
