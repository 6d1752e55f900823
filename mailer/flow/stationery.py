"""How does a reply come to stand in the outbox? Written once, sealed at once, told to the record.

Not a step: answer, issue and alarm write through it, so that there is one way out of the house. What it seals it cannot open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from mailer.core import evidence, reply
from mailer.core.checkpoints import Published
from mailer.core.letterhead import Letterhead, holds_controls
from mailer.core.note import PublicKey
from mailer.core.reply import Templates
from mailer.core.replyvalues import LetterValues
from mailer.edge.keys import Binding
from mailer.errors import RefusedError, SetupError
from mailer.model import Answerable, Envelope, Sender
from mailer.store import checkpoints, outbox
from mailer.store.db import Tx
from mailer.store.outbox import NewReply
from mailer.store.personal import SALT_BYTES, Personal
from mailer.store.work import Unit


class Sealer(Protocol):
    """What can seal to today's key and open nothing."""

    def seal(self, content: bytes, binding: Binding) -> bytes: ...

    def epochs(self) -> list[str]:
        """Days that have a public key, oldest first; never empty after `mailer init`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FundIdentity:
    """What our letters say of us."""

    name: str
    address: str
    id_domain: str
    portal_url: str
    contact: str
    zone: ZoneInfo
    bounce_address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A reply that is written and sealed, and not stored yet."""

    reply: NewReply
    recipient: Personal
    content_digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stationery:
    """`instance` is the database's name; `randbytes` gives each reply its id of 128 bits. `checkpoint_key`: of the checkpoints
    that letters may name, as it lies there now; None where it cannot be read."""

    templates: Templates
    sealer: Sealer
    fund: FundIdentity
    instance: str
    randbytes: Callable[[int], bytes]
    checkpoint_key: Callable[[], PublicKey | None]

    def ready(self) -> None:
        """SetupError when nothing can be sealed now: asked before work is claimed, so that no letter is blamed for it."""
        if not self.sealer.epochs():
            raise SetupError("there is no public key to seal replies with: start the courier once, it makes one")

    def write(
        self,
        unit: Unit,
        *,
        request_id: int | None,
        sender_code: str | None,
        recipient: Personal,
        name: str,
        values: LetterValues,
        answered: Answerable | None,
    ) -> None:
        """Render template `name`, seal it and queue it in this transaction. Without a request it is a notice to the officer."""
        draft = self.draft(
            unit.at,
            request_id=request_id,
            sender_code=sender_code,
            recipient=recipient,
            name=name,
            values=values,
            answered=answered,
            key_epoch=self.newest_key(),
        )
        self.post(unit, [draft])

    def newest_key(self) -> str:
        """The day of the key to which replies are sealed now; asked once for several drafts."""
        return self.sealer.epochs()[-1]

    def newest_checkpoint(self, tx: Tx) -> Published | None:
        """The last one that our key signed."""
        key = self.checkpoint_key()
        return None if key is None else checkpoints.newest_signed_by(tx, key)

    def checkpoint_code(self, tx: Tx) -> str:
        """How a letter names it; "" before the first."""
        found = self.newest_checkpoint(tx)
        return "" if found is None else found.code

    def draft(
        self,
        at: datetime,
        *,
        request_id: int | None,
        sender_code: str | None,
        recipient: Personal,
        name: str,
        values: LetterValues,
        answered: Answerable | None,
        key_epoch: str,
        credential_id: str | None = None,
    ) -> Draft:
        """Render template `name` and seal it; nothing is stored yet."""
        if recipient.value is None:
            raise ValueError("an erased address cannot be written to")
        reply_id = self.randbytes(16).hex()
        envelope = Envelope(sender=self._bounce_address(reply_id), recipient=recipient.value)
        content = reply.compose(
            self.templates,
            name,
            values,
            self._letterhead(at, reply_id, envelope, answered, asked_for=answered is not None),
        )
        binding = Binding(
            instance=self.instance, reply_id=reply_id, credential_id=credential_id, epoch=key_epoch, recipient=recipient.value
        )
        sealed = self.sealer.seal(pack(envelope, content), binding)
        salt = self.randbytes(SALT_BYTES)
        return Draft(
            reply=NewReply(
                id=reply_id,
                request_id=request_id,
                credential_id=credential_id,
                name=name,
                sender_code=sender_code,
                recipient_id=recipient.id,
                message_id=self._message_id(reply_id),
                key_epoch=key_epoch,
                sealed=sealed,
                digest=hashlib.sha256(sealed).hexdigest(),
                content_salt=salt,
            ),
            recipient=recipient,
            content_digest=evidence.content_digest(salt, content),
        )

    @staticmethod
    def post(unit: Unit, drafts: Sequence[Draft]) -> None:
        """Queue what was drafted, and tell it to the record. A reply without a request is a notice to the officer."""
        outbox.put(unit.tx, [draft.reply for draft in drafts], at=unit.at)
        for draft in drafts:
            reply = draft.reply
            unit.tell(
                "notice.queued" if reply.request_id is None else "reply.queued",
                sender=reply.sender_code,
                request=reply.request_id,
                reply=reply.id,
                name=reply.name,
                message_id=reply.message_id,
                key_epoch=reply.key_epoch,
                digest=reply.digest,
                recipient=draft.recipient.told(),
                content_digest=draft.content_digest,
                salt_digest=evidence.salt_digest(reply.content_salt),
                credential=reply.credential_id,
            )

    def _letterhead(
        self, at: datetime, reply_id: str, envelope: Envelope, answered: Answerable | None, *, asked_for: bool
    ) -> Letterhead:
        return Letterhead(
            envelope=envelope,
            from_name=self.fund.name,
            from_address=self.fund.address,
            message_id=self._message_id(reply_id),
            at=at.astimezone(self.fund.zone),
            loop_mark=reply_id,
            in_reply_to=answered.message_id if answered else None,
            references=answered.answers if answered else (),
            asked_for=asked_for,
        )

    def _bounce_address(self, reply_id: str) -> str:
        return (self.fund.bounce_address or self.fund.address).replace("{id}", reply_id)

    def _message_id(self, reply_id: str) -> str:
        return f"<{reply_id}@{self.fund.id_domain}>"


def refuse_unwritable(sender: Sender) -> None:
    """RefusedError when the register has a name for this sender that no letter may bear; no file with one is imported."""
    if holds_controls(sender.organisation):
        raise RefusedError(
            "the register's name for {code} holds a line break or another character that cannot be seen, so no letter can be "
            "written: `mailer senders edit {code} --organisation … --reason …` sets it right; nothing was changed",
            code=sender.code,
        )


def pack(envelope: Envelope, content: bytes) -> bytes:
    """What is sealed: the envelope's two addresses, a line each, then the letter's bytes."""
    return f"{envelope.sender}\n{envelope.recipient}\n".encode("ascii") + content


def unpack(packed: bytes) -> tuple[Envelope, bytes]:
    sender, recipient, content = packed.split(b"\n", 2)
    return Envelope(sender=sender.decode("ascii"), recipient=recipient.decode("ascii")), content
