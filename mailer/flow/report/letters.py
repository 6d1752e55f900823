"""What is seen of a kept letter: everything but its bytes, and what reading it gives today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailer.core import kinds, lifecycle, mime
from mailer.model import Form, Letter, Own, Reading
from mailer.store.letters import Kept


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterView:
    """A kept letter without its bytes. `whole`: they are all that came.

    `from_address` and `subject` are as strangers wrote them, None where it is suspect.
    """

    id: int
    mailbox: str
    received_at: datetime
    size_bytes: int
    whole: bool
    from_address: str | None
    subject: str | None
    kind: str
    state: str
    verdict: str | None
    rule_id: str | None
    reason: str | None
    sender_code: str | None
    digest: str


def letter_view(kept: Kept) -> LetterView:
    letter = None if is_suspect(kept) else read_kept(kept)
    return LetterView(
        id=kept.id,
        mailbox=kept.mailbox,
        received_at=kept.received_at,
        size_bytes=kept.size_bytes,
        whole=kept.whole,
        from_address=letter.sender if letter else None,
        subject=letter.subject if letter else None,
        kind=kept.kind.value,
        state=kept.state.value,
        verdict=kept.verdict,
        rule_id=kept.rule_id,
        reason=kept.reason,
        sender_code=kept.sender_code,
        digest=kept.digest,
    )


def is_suspect(kept: Kept) -> bool:
    """Whether reading this letter killed or failed whoever did, or may have: then no command reads it either."""
    return lifecycle.may_harm(kept.state, kept.batches)


def read_kept(kept: Kept) -> Letter | None:
    return mime.read(kept.content, whole=kept.whole, size_bytes=kept.size_bytes)


def reread(kept: Kept, form: Form, own: Own) -> Reading | None:
    """How a kept letter reads today; None for a suspect one."""
    return None if is_suspect(kept) else kinds.judge(read_kept(kept), form, own)
