"""Did an old letter come from here, as it is, and was its record there when the checkpoint after it was signed?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mailer.core import evidence, oldletter
from mailer.core.checkpointhistory import History
from mailer.core.checkpoints import Checkpoint
from mailer.core.evidence import Sealed
from mailer.errors import N_, MailerError, TamperedError
from mailer.store import audit, lostkeys, outbox, pruning, requests
from mailer.store import checkpoints as kept
from mailer.store.db import Database, Tx
from mailer.store.outbox import Reply
from mailer.store.verification import Fault, Walk

ANOTHER_SALT: Final = N_("the salt of its digest was exchanged in the database")
NO_SALT: Final = N_("the salt of its digest is gone from the database, and no record tells of an erasure")


class Found(StrEnum):
    """GENUINE: sent by us as it is, and under a checkpoint. UNSIGNED: no checkpoint since. CHANGED: ours, but not as it is here.
    ERASED: ours by its Message-ID; what it was compared by went with its person's data."""

    GENUINE = "GENUINE"
    UNSIGNED = "NOT YET SIGNED"
    CHANGED = "CHANGED"
    ERASED = "ERASED"
    UNKNOWN = "UNKNOWN"
    TAMPERED = "TAMPERED"


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterProof:
    """`record_seq`: of the record that tells of it; `size`: of the checkpoint that proves it; `named`: of the one whose code it
    holds. `pruned`: up to which record none is left, where no record tells of it. `erasure`: the record of the erasure. `lost_key`:
    what proves it was signed by a key that came after a lost one.
    """

    found: Found
    request_id: int | None = None
    record_seq: int | None = None
    size: int | None = None
    named: int | None = None
    pruned: int | None = None
    erasure: int | None = None
    lost_key: bool = False
    why: MailerError | None = None


def prove(database: Database, key: bytes, history: History | None, content: bytes) -> LetterProof:
    """`history`: what was published outside the database; None when nothing was."""
    with database.reading() as tx:
        reply, told = _told(tx, content)
        begin = pruning.anchor(tx, key) if told is None else None
    if reply is None or told is None:
        return LetterProof(found=Found.UNKNOWN, pruned=begin.edge.size if begin else None)
    request_id = evidence.read_header(told)["request"]
    if (why := evidence.fault(told, key)) is not None:
        return LetterProof(found=Found.TAMPERED, request_id=request_id, record_seq=told.seq, why=why)
    if (otherwise := _compared(database, key, told, reply, content)) is not None:
        return otherwise
    said = _believed(database, key, history or History())
    published = said.valid
    code = oldletter.code(content)
    named = next((one.checkpoint.size for one in published if one.code == code and one.checkpoint.size < told.seq), None)
    signed = [one.checkpoint for one in published]
    proving = min((one for one in signed if one.size >= told.seq), key=lambda one: one.size, default=None)
    if proving is None:
        return LetterProof(found=Found.UNSIGNED, request_id=request_id, record_seq=told.seq, named=named)
    if (fault := _fault(database, key, signed, proving)) is not None:
        return LetterProof(found=Found.TAMPERED, request_id=request_id, record_seq=fault.seq, why=fault.why)
    lost = any(one.carried_out and proving.size > one.proven for one in said.lost)
    return LetterProof(
        found=Found.GENUINE, request_id=request_id, record_seq=told.seq, size=proving.size, named=named, lost_key=lost
    )


def _believed(database: Database, key: bytes, said: History) -> History:
    """What was published, up to a loss of the key that no record tells."""
    with database.reading() as tx:
        unsaid = lostkeys.undeclared(tx, key, said)
    return said if unsaid is None else said.back_to(unsaid.proven)


def _told(tx: Tx, content: bytes) -> tuple[Reply | None, Sealed | None]:
    """The reply and the record of its writing. The outbox only leads to it; nothing of the outbox is believed."""
    named = oldletter.message_id(content)
    reply = outbox.named(tx, [], [named]) if named else None
    if reply is None or reply.request_id is None:
        return None, None
    told = audit.of_request(tx, reply.request_id, "reply.queued")
    return reply, next((one for one in told if evidence.read_details(one)["message_id"] == named), None)


def _compared(database: Database, key: bytes, told: Sealed, reply: Reply, content: bytes) -> LetterProof | None:
    """Why this is not the letter that was written, or why nobody can tell; None when it is that letter."""
    details = evidence.read_details(told)
    salt = reply.content_salt if (known := details.get("salt_digest")) is not None else None
    if known is not None and salt is None:
        return _without_salt(database, key, told, reply)
    if salt is not None and evidence.salt_digest(salt) != known:
        return LetterProof(found=Found.TAMPERED, request_id=reply.request_id, record_seq=told.seq, why=TamperedError(ANOTHER_SALT))
    if not oldletter.is_as_written(content, details["content_digest"], salt):
        return LetterProof(found=Found.CHANGED, request_id=reply.request_id, record_seq=told.seq)
    return None


def _without_salt(database: Database, key: bytes, told: Sealed, reply: Reply) -> LetterProof:
    """Nothing can be compared any more: right after an erasure of its person or of the letter that it answers, and only then."""
    with database.reading() as tx:
        request = requests.get(tx, reply.request_id or 0)
        erasures = audit.of_events(tx, "personal.erased", after=told.seq)
    for one in erasures:
        if evidence.fault(one, key) is None:
            erased = evidence.read_details(one)
            if request.person_id in erased["refs"] or request.letter_id in erased["letters"]:
                return LetterProof(found=Found.ERASED, request_id=reply.request_id, record_seq=told.seq, erasure=one.seq)
    return LetterProof(found=Found.TAMPERED, request_id=reply.request_id, record_seq=told.seq, why=TamperedError(NO_SALT))


def _fault(database: Database, key: bytes, signed: Sequence[Checkpoint], proving: Checkpoint) -> Fault | None:
    """Read from the last checkpoint before it, whose tree is known, to the one that proves it."""
    with database.reading() as tx:
        before = sorted((one for one in signed if one.size < proving.size), key=lambda one: one.size, reverse=True)
        start = next((edge for one in before if (edge := kept.edge_of(tx, one)) is not None), None)
    walk = Walk(key, [proving], start=start)
    while walk.edge.size < proving.size:
        with database.reading() as tx:
            if (fault := walk.page(tx, proving.size)) is not None:
                return fault
    return None
