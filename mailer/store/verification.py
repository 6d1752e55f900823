"""Is the record what was once written? Its rows, their tree, the head, and what checkpoints say that were published outside.

Read by pages of seq, each in a transaction of its own, so that a long reading holds nothing up. Order is seq, never the clock. What
was published is read before the record is: then a record that grows meanwhile is never too short for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, String, select, type_coerce

from mailer.core import evidence
from mailer.core.checkpointhistory import Forged, History, Lost, Restored
from mailer.core.checkpoints import Checkpoint
from mailer.core.evidence import Sealed
from mailer.core.merkle import Range
from mailer.core.note import PublicKey
from mailer.errors import N_, MailerError, TamperedError
from mailer.store import audit, lostkeys, pruning
from mailer.store.db import Database, Tx
from mailer.store.lostkeys import Loss
from mailer.store.pruning import Anchor
from mailer.store.schema import records

PAGE: Final = 1000
RESTORED: Final = "audit.restored"
ANOTHER_KEY: Final = N_("the key that was given did not sign what was published, and none that did leads to it")
_SHOWN: Final = ("event", "importance", "actor", "sender", "request", "outcome")
_COLUMNS: Final = tuple(
    type_coerce(records.c.at, String) if name == "at" else records.c[name]  # as it is stored: it may be no time at all
    for name in (
        *("seq", "header", "nonce", "details", "leaf", "mac"),
        *("at", "event", "importance", "actor", "sender_code", "request_id", "outcome", "letter_id"),
    )
)
_LEAVES: Final = 10_000  # of records that are not judged themselves


class Outcome(StrEnum):
    """The verdicts, as they are shown (audit.md, Verify)."""

    OK = "OK"
    TAIL_NOT_YET_SIGNED = "TAIL NOT YET SIGNED"
    PRUNED_ON_RECORD = "PRUNED ON RECORD"
    RESTORED_ON_RECORD = "RESTORED ON RECORD"
    KEY_LOST_ON_RECORD = "KEY LOST ON RECORD"
    TAMPERED = "TAMPERED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The first record that is not proven to be what was written, and why."""

    seq: int
    why: MailerError


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """`checked`: records judged; `size`: those there are or were; `signed`: those under a checkpoint, None when none was compared;
    `pruned`: where the record begins, when not with the first; `lost`: keys that were declared lost.
    """

    outcome: Outcome
    checked: int
    size: int
    signed: int | None = None
    restored: tuple[Restored, ...] = ()
    lost: tuple[Loss, ...] = ()
    pruned: Anchor | None = None
    fault: Fault | None = None


class Walk:
    """A reading of the record, from a known edge of its tree on. It stops for good at the first fault.

    What was pruned, before or meanwhile, is passed over: it goes on from the anchor that the record tells, which the checkpoints
    after it prove.
    """

    def __init__(self, key: bytes, said: Sequence[Checkpoint] = (), *, start: Range | None = None, since: int = 1) -> None:
        """`said`: what was published, to be agreed with; `since`: of records before it only the leaves are read."""
        self.edge = start or Range()
        self.proven = self.edge.size
        self._proven_before = 0
        self.pruned: Anchor | None = None
        self._key = key
        self._since = since
        self._due = sorted((one for one in said if one.size > self.edge.size), key=lambda one: one.size, reverse=True)

    def page(self, tx: Tx, upto: int) -> Fault | None:
        """Read on for one page, not beyond record `upto`; nothing is found where nothing is left to read."""
        if (wrong := self._pass_over(tx)) is not None:
            return wrong
        after = self.edge.size
        if after + 1 < self._since:
            upto = min(upto, self._since - 1, after + _LEAVES)
            found = [(row.seq, row.leaf) for row in tx.execute(_between(after, upto, records.c.seq, records.c.leaf))]
            if spoilt := next((seq for seq, leaf in found if not isinstance(leaf, bytes)), None):
                return Fault(seq=spoilt, why=TamperedError(evidence.NO_BYTES))
        else:
            upto = min(upto, after + PAGE)
            found = []
            for row in tx.execute(_between(after, upto, *_COLUMNS)):
                if row.seq == after + len(found) + 1 and (why := self._fault(row)) is not None:
                    return self._grow(found, after) or Fault(seq=row.seq, why=why)
                found.append((row.seq, row.leaf))
        return self._grow(found, upto)

    def _pass_over(self, tx: Tx) -> Fault | None:
        """Go on from the anchor when that lies ahead. Nothing may stand before it."""
        anchor = pruning.anchor(tx, self._key)
        if anchor is None or anchor.edge.size <= self.edge.size:
            return None
        size = anchor.edge.size
        if (seq := pruning.first(tx, upto=size)) is not None:
            return Fault(seq=seq, why=TamperedError("record {pruned} tells that it was pruned, and it is there", pruned=anchor.seq))
        while self._due and self._due[-1].size <= size:
            checkpoint = self._due.pop()
            if checkpoint.size == size and checkpoint.root != anchor.edge.root():
                why = TamperedError("the records up to {size} are not those that a checkpoint signed", size=size)
                return Fault(seq=size + 1, why=why)
        self.edge, self.pruned, self.proven = anchor.edge, anchor, size
        return None

    def _grow(self, found: Sequence[tuple[int, bytes]], upto: int) -> Fault | None:
        """Carry leaves into the tree, stopping at each checkpoint to compare; then nothing up to `upto` may be missing."""
        start = self.edge.size
        whole = next((at for at, (seq, _) in enumerate(found) if seq != start + at + 1), len(found))
        leaves = [leaf for _, leaf in found[:whole]]
        while self._due and self._due[-1].size <= start + whole:
            checkpoint = self._due.pop()
            self.edge = self.edge.grown(leaves[self.edge.size - start : checkpoint.size - start])
            if self.edge.root() != checkpoint.root:
                why = TamperedError("the records up to {size} are not those that a checkpoint signed", size=checkpoint.size)
                if checkpoint.size == self.proven:  # another one of this very size agreed
                    self.proven = self._proven_before
                return Fault(seq=self.proven + 1, why=why)
            if checkpoint.size > self.proven:
                self._proven_before, self.proven = self.proven, checkpoint.size
        self.edge = self.edge.grown(leaves[self.edge.size - start :])
        if self.edge.size < upto:
            return Fault(seq=self.edge.size + 1, why=TamperedError("a record is missing"))
        return None

    def beyond(self) -> Fault | None:
        """Whether more was signed than has been read, when all has."""
        if not self._due:
            return None
        size = self._due[0].size
        why = TamperedError("the record ends here, and a checkpoint signed {size} records", size=size)
        return Fault(seq=self.edge.size + 1, why=why)

    def _fault(self, row: Row[Any]) -> TamperedError | None:
        seq, header, nonce, details, leaf, mac, *shown = tuple(row)
        sealed = Sealed(seq=seq, header=header, nonce=nonce, details=details, leaf=leaf, mac=mac)
        if (why := evidence.bytes_fault(sealed, self._key)) is not None:
            return why
        told, more = evidence.read_both(sealed)
        return evidence.seq_fault(sealed, told) or _projection_fault(shown, told, more)


def verify(
    database: Database, key: bytes, history: History | None = None, *, since: int = 1, trusted: PublicKey | None = None
) -> Verdict:
    """Judge all records from `since` on. `history`: what was published outside, None when nothing was compared; `trusted`: the
    office's public key, as a person has it from elsewhere.
    """
    said = history or History()
    walk = Walk(key, [one.checkpoint for one in said.valid], since=since)
    with database.reading() as tx:
        head = edge_of_head(tx)
        size = max(audit.head(tx), audit.newest_seq(tx))
    fault: Fault | None = None
    while fault is None and walk.edge.size < size:
        with database.reading() as tx:
            fault = walk.page(tx, size)
    fault = fault or head_fault(walk, head) or walk.beyond()
    with database.reading() as tx:
        lost = lostkeys.losses(tx, key, said, trusted)
        signing = signing_fault(tx, key, said)
    if signing is not None and (fault is None or signing.seq < fault.seq):
        fault = signing
    if trusted is not None and trusted not in said.keys:
        fault = Fault(seq=1, why=TamperedError(ANOTHER_KEY))
    begin = walk.pruned.edge.size if walk.pruned else 0
    checked = max(0, walk.edge.size - max(since - 1, begin))
    if fault is not None:
        return Verdict(outcome=Outcome.TAMPERED, checked=checked, size=size, fault=fault)
    restored = tuple(one for one in said.restored if one.kept >= since - 1)
    signed = None if history is None else min(walk.proven, max((one.checkpoint.size for one in said.valid), default=0))
    if not all(one.confirmed for one in lost):
        outcome = Outcome.KEY_LOST_ON_RECORD
    elif signed is not None and signed < size:
        outcome = Outcome.TAIL_NOT_YET_SIGNED
    elif restored:
        outcome = Outcome.RESTORED_ON_RECORD
    else:
        outcome = Outcome.PRUNED_ON_RECORD if walk.pruned else Outcome.OK
    return Verdict(outcome=outcome, checked=checked, size=size, signed=signed, restored=restored, lost=lost, pruned=walk.pruned)


def _between(after: int, upto: int, *columns: Any) -> Any:
    return select(*columns).where(records.c.seq > after, records.c.seq <= upto).order_by(records.c.seq)


def edge_of_head(tx: Tx) -> Range | TamperedError:
    try:
        return audit.edge(tx)
    except TamperedError as error:
        return error


def head_fault(walk: Walk, head: Range | TamperedError) -> Fault | None:
    """Whether the head is that of the records that were read, when all were."""
    if isinstance(head, TamperedError):
        return Fault(seq=walk.edge.size + 1, why=head)
    if head.size != walk.edge.size:
        seq = min(head.size, walk.edge.size) + 1
        return Fault(seq=seq, why=TamperedError("the head counts other records than there are"))
    if head != walk.edge:
        return Fault(seq=walk.proven + 1, why=TamperedError("the tree of the head is not that of the records"))
    return None


def restores(tx: Tx, key: bytes) -> list[dict[str, Any]]:
    """The details of every restore that the record declares, oldest first; `key`: the record key."""
    found = [evidence.read_both(one) for one in audit.of_events(tx, RESTORED) if evidence.fault(one, key) is None]
    return [details for header, details in found if header["event"] == RESTORED]


def signing_fault(tx: Tx, key: bytes, said: History) -> Fault | None:
    """Whether somebody else than the office signed what was published, its key came after another in a way no record tells, or
    something is given up for a restore that no record declares.
    """
    faults = [] if said.forged is None else [_forged_fault(said.forged)]
    if (lost := lostkeys.undeclared(tx, key, said)) is not None:
        faults.append(_loss_fault(lost))
    if (restored := _undeclared(tx, key, said)) is not None:
        faults.append(_restore_fault(restored))
    return min(faults, key=lambda one: one.seq, default=None)


def _undeclared(tx: Tx, key: bytes, said: History) -> Restored | None:
    """The first restore that a checkpoint tells of and the record does not, unless what told of it may be gone."""
    if not said.restored:
        return None
    anchor = pruning.anchor(tx, key)
    begin = anchor.edge.size if anchor else 0
    told = {(one["kept"], one["lost"]) for one in restores(tx, key)}
    return next((one for one in said.restored if not one.given_up and one.kept >= begin and (one.kept, one.lost) not in told), None)


def _restore_fault(restored: Restored) -> Fault:
    why = TamperedError("a checkpoint gives up what was signed beyond {kept}, and no record says so", kept=restored.kept)
    return Fault(seq=restored.kept + 1, why=why)


def _loss_fault(lost: Lost) -> Fault:
    why = TamperedError(
        "the checkpoint of {size} records says that the key before it was lost, and no record says so", size=lost.size
    )
    return Fault(seq=max(1, min(lost.proven + 1, lost.size)), why=why)


def _forged_fault(forged: Forged) -> Fault:
    why = TamperedError("the checkpoint of {size} records is not signed by our key", size=forged.checkpoint.size)
    return Fault(seq=max(1, min(forged.after + 1, forged.checkpoint.size)), why=why)


def _projection_fault(shown: Sequence[object], header: dict[str, Any], details: dict[str, Any]) -> TamperedError | None:
    """Whether a column beside the record, in the order of `_SHOWN`, tells something else than its bytes."""
    at, *others, letter = shown
    told = [header[key] for key in _SHOWN]
    moment = evidence.instant(at) if isinstance(at, datetime) else at
    if others == told and letter == details.get("letter") and moment == header["at"]:
        return None
    wrong = next((key for key, one, other in zip(_SHOWN, others, told, strict=True) if one != other), None)
    if wrong is None:
        wrong = "letter" if letter != details.get("letter") else "at"
    return TamperedError("the column beside the record tells another {key}", key=wrong)
