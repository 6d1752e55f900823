"""Step 3: bounces are matched with the replies they are about; a reply that will never arrive is noted, and its login is blocked.

Forged, doubtful and merely informative ones change nothing but their own letter. A bounce may come before we have noted that the
mail server took the reply: then it is put off until we have.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mailer.core import bounce, returned
from mailer.core.bounce import Bounce, NoReport
from mailer.core.lifecycle import ReplyEvent
from mailer.core.returned import Finding, Known
from mailer.flow import undelivered
from mailer.flow.ending import Disabler
from mailer.flow.tray import Tray
from mailer.model import Decision, Verdict
from mailer.store import letters, outbox, personal, proof
from mailer.store.db import Tx
from mailer.store.letters import Kept
from mailer.store.outbox import Reply
from mailer.store.work import Unit, Worker

RULE: Final = "bounce"
SAID_MAX: Final = 10  # recipients of whom the record tells the outcome
SOONEST: Final = timedelta(seconds=1)
LATEST: Final = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class BouncedSettings:
    """`bounce_address` is the envelope sender of replies, with `{id}` in it; `observe`: record and show, but change nothing."""

    bounce_address: str | None
    observe: bool


class Bounced:
    """The step. One bounce a transaction, so that it never holds one login while it waits for another."""

    def __init__(
        self,
        worker: Worker,
        accounts: Disabler,
        settings: BouncedSettings,
        *,
        on_trouble: Callable[[str, Exception], None],
        watched: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._key = worker.pen.key
        self._accounts = accounts
        self._settings = settings
        self._tray = Tray(worker, bounces=True, batch=1, on_trouble=on_trouble, watched=watched)

    def step(self) -> bool:
        """Read a bounce; whether there was one."""
        return self._tray.any_waiting() and self._tray.work(self._read)

    def _read(self, unit: Unit, kept: Kept) -> None:
        said = bounce.read(kept.content, bounce_address=self._settings.bounce_address)
        reply = None if isinstance(said, NoReport) else outbox.named(unit.tx, said.reply_ids, said.message_ids)
        known = None if reply is None else self._known(unit.tx, reply)
        finding = returned.judge(said, known)
        if finding is Finding.NOT_YET and not self._settings.observe:
            letters.put_off(unit.tx, kept, unit.at + min(max(unit.at - kept.kept_at, SOONEST), LATEST))
            return
        why = f"bounce: {finding.value}"
        ignored = Decision(verdict=Verdict.IGNORE, rule_id=RULE, reason=finding.value, reply=None, why=why, trace=(why,))
        letters.decided(unit.tx, kept, ignored, None)
        if finding is Finding.BOUNCED and reply is not None and not self._settings.observe:
            self._bounce(unit, kept, reply, said)
        else:
            self._tell_ignored(unit, kept, finding, said, reply if known is not None else None)

    def _known(self, tx: Tx, reply: Reply) -> Known | None:
        """The reply, if the record tells of its writing, with the recipient that it tells of."""
        queued = proof.queued(tx, reply, self._key)
        if queued is None or (queued["message_id"], queued["credential"]) != (reply.message_id, reply.credential_id):
            return None
        recipient = personal.get(tx, reply.recipient_id)
        return Known(
            recipient=recipient.value if queued["recipient"] == recipient.told() else None,
            state=reply.state,
            sends=reply.sends,
            told_sent=proof.told(tx, reply, "reply.sent", self._key) is not None,
        )

    def _bounce(self, unit: Unit, kept: Kept, reply: Reply, said: Bounce | NoReport) -> None:
        outbox.finish(unit.tx, reply, ReplyEvent.BOUNCED, outcome=_said(said), at=unit.at)
        unit.tell(
            "reply.bounced",
            sender=reply.sender_code,
            request=reply.request_id,
            importance="notice" if reply.credential_id is None else "warning",
            outcome="failed",
            letter=kept.id,
            reply=reply.id,
            said=_said(said),
        )
        undelivered.suspend(unit, self._accounts, reply, key=self._key, reason="answer-bounced")

    def _tell_ignored(self, unit: Unit, kept: Kept, finding: Finding, said: Bounce | NoReport, reply: Reply | None) -> None:
        """A reply that is known has the bounce in its request's timeline: that it is late, or that somebody forges."""
        unit.tell(
            "letter.observed" if self._settings.observe else "letter.ignored",
            request=None if reply is None else reply.request_id,
            letter=kept.id,
            verdict=Verdict.IGNORE.value,
            rule=RULE,
            reason=finding.value,
            reply=None if reply is None else reply.id,
            said=_said(said),
        )


def _said(said: Bounce | NoReport) -> str:
    """Outcomes and status codes, without addresses and without the words of strangers."""
    if isinstance(said, NoReport):
        return said.value
    return ", ".join(f"{one.outcome.value} {one.status or ''}".rstrip() for one in said.recipients[:SAID_MAX])
