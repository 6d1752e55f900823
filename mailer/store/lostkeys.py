"""Which keys of the checkpoints were declared lost, and does the record say so too?

A checkpoint alone is not believed: whoever has the file of checkpoints and the folder of keys could write it. The record tells of a
loss as of everything else, under its own key; whoever has that one too can only be told by a person who knows the office's key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mailer.core import evidence
from mailer.core.checkpointhistory import History, Lost
from mailer.core.checkpoints import KeyChange
from mailer.core.evidence import Sealed
from mailer.core.note import PublicKey
from mailer.store import audit, pruning
from mailer.store.db import Tx

LOST: Final = "audit.key-lost"
CHANGED: Final = "audit.key-changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """A key that was declared lost, by a checkpoint and by the record `seq`; None: that was pruned, or given up by a restore.

    `confirmed`: by a person, who named the key that followed, or one that came after it.
    """

    said: Lost
    seq: int | None
    at: datetime | None
    confirmed: bool


def told(tx: Tx, key: bytes, change: KeyChange, *, after: int = 0) -> Sealed | None:
    """The record that tells of this change or loss after so many records; `key`: the record key."""
    event = LOST if change.lost else CHANGED
    for one in audit.of_events(tx, event, after=after):
        if evidence.fault(one, key) is None:
            header, details = evidence.read_both(one)
            if header["event"] == event and (details["old"], details["new"]) == (str(change.old), str(change.new)):
                return one
    return None


def undeclared(tx: Tx, key: bytes, said: History) -> Lost | None:
    """The first loss that the record should tell of before the checkpoint that does, and does not."""
    anchor = pruning.anchor(tx, key)
    begin = anchor.edge.size if anchor else 0
    for one in said.lost:
        record = told(tx, key, one.change, after=one.proven)
        may_be_gone = one.given_up or one.proven < begin
        if not may_be_gone and (record is None or record.seq > one.size):
            return one
    return None


def losses(tx: Tx, key: bytes, said: History, trusted: PublicKey | None) -> tuple[Loss, ...]:
    """Every loss that the checkpoints speak of. `trusted`: a key that a person named as the office's."""
    return tuple(_loss(one, told(tx, key, one.change, after=one.proven), _is_confirmed(one, said, trusted)) for one in said.lost)


def _loss(said: Lost, record: Sealed | None, confirmed: bool) -> Loss:
    if record is None:
        return Loss(said=said, seq=None, at=None, confirmed=confirmed)
    at = datetime.fromisoformat(evidence.read_header(record)["at"])
    return Loss(said=said, seq=record.seq, at=at, confirmed=confirmed)


def _is_confirmed(lost: Lost, said: History, trusted: PublicKey | None) -> bool:
    if trusted is None or trusted not in said.keys:
        return False
    return not lost.carried_out or said.keys.index(trusted) >= said.keys.index(lost.change.new)
