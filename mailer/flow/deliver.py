"""Step 5: queued replies leave, each at least once, byte for byte the same if twice.

The attempt is recorded before anything is connected. What is opened must be what the record says: recipient, digest and binding;
otherwise nothing leaves. Only here are replies opened; the desk cannot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from mailer.core import evidence
from mailer.core.lifecycle import CredentialEvent, ReplyEvent, RequestEvent
from mailer.core.retry import FIRST_WAIT, Pause, after_round, next_attempt
from mailer.edge.keys import Binding
from mailer.errors import SetupError
from mailer.flow import ending, undelivered
from mailer.flow.ending import Disabler
from mailer.flow.stationery import unpack
from mailer.model import Delivery, DeliveryOutcome, Envelope
from mailer.states import RequestState
from mailer.store import credentials, outbox, personal, proof, requests
from mailer.store.leases import Lease
from mailer.store.outbox import MAX_SENDS, Reply
from mailer.store.work import Pulse, Unit, Worker

GIVE_UP_AFTER: Final = timedelta(days=14)  # the longest that the key of a sealed reply is kept
PULSE_SECONDS: Final = 5.0
GIVEN_UP_AT_ONCE: Final = 100  # replies in one transaction


class Postman(Protocol):
    """Hands letters to the mail server over kept connections."""

    async def send(self, envelope: Envelope, content: bytes) -> DeliveryOutcome: ...

    async def close(self) -> None: ...


class Opener(Protocol):
    """Holds the private keys of the epochs."""

    def open(self, sealed: bytes, binding: Binding) -> bytes | None:
        """None when these bytes were not sealed for this binding; SetupError when the key is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverSettings:
    instance: str
    connections: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Opened:
    """A leased reply and what was found in it: a letter to send, or why it may not or cannot be sent."""

    reply: Reply
    envelope: Envelope | None = None
    content: bytes = b""
    forged: str | None = None
    locked: str | None = None


class Deliver:
    """The step; it owns an event loop of its own. `jitter` gives numbers in [0, 1)."""

    def __init__(
        self,
        worker: Worker,
        postman: Postman,
        opener: Opener,
        accounts: Disabler,
        settings: DeliverSettings,
        *,
        jitter: Callable[[], float],
    ) -> None:
        self._worker = worker
        self._postman = postman
        self._opener = opener
        self._accounts = accounts
        self._settings = settings
        self._jitter = jitter
        self._pulse = Pulse(worker)
        self._runner = asyncio.Runner()
        self._pause: Pause | None = None

    def step(self) -> bool:
        """Send as many replies as there are connections; whether any was due."""
        with self._worker.reading() as tx:
            orphaned = bool(outbox.orphaned(tx))
            due = outbox.count_due(tx, self._worker.clock()) > 0
        if orphaned:
            self._take_back()
        if not due:
            return orphaned
        if self._pause is not None and self._pause.holds(self._worker.clock()):
            return self._sit_out(self._pause) or orphaned
        opened = [self._open(reply) for reply in self._lease()]
        sendable = [one for one in opened if one.envelope is not None]
        outcomes = self._runner.run(self._send_all(sendable))
        with self._worker.writing() as unit:
            self._weigh(unit, outcomes.values())
            for one in opened:
                self._conclude(unit, one, outcomes.get(one.reply.id))
        return True

    def close(self) -> None:
        self._runner.run(self._postman.close())
        self._runner.close()

    @property
    def _own_lease(self) -> Lease:
        if self._worker.lease is None:
            raise ValueError("replies are sent under a lease only")
        return self._worker.lease

    def _take_back(self) -> None:
        """Replies whose sender died: the bytes may have gone out, so they go out again, or stand before a person."""
        with self._worker.writing(alone=True) as unit:
            for reply in outbox.orphaned(unit.tx):
                self._again_or_doubt(unit, reply, "the sender stopped while sending")

    def _lease(self) -> list[Reply]:
        with self._worker.writing() as unit:
            leased = []
            for reply in outbox.due(unit.tx, unit.at, self._settings.connections if self._pause is None else 1):
                next_at = self._next_at(unit, reply, attempts=reply.attempts + 1) or unit.at
                outbox.lease(unit.tx, reply, self._own_lease, at=unit.at, next_at=next_at)
                taken = outbox.get(unit.tx, reply.id)
                self._tell(unit, "reply.leased", taken, next_at=evidence.instant(next_at))
                leased.append(taken)
        return leased

    def _next_at(self, unit: Unit, reply: Reply, *, attempts: int) -> datetime | None:
        return next_attempt(attempts, now=unit.at, started_at=reply.created_at, jitter=self._jitter(), give_up_after=GIVE_UP_AFTER)

    def _open(self, reply: Reply) -> _Opened:
        with self._worker.reading() as tx:
            recipient = personal.get(tx, reply.recipient_id)
            told = proof.records_of(tx, reply)
        forged = proof.reply_fault(reply, recipient, told, self._worker.pen.key)
        if forged is not None or reply.sealed is None or recipient.value is None:
            return _Opened(reply=reply, forged=forged or "its bytes or its recipient are gone")
        binding = Binding(
            instance=self._settings.instance,
            reply_id=reply.id,
            credential_id=reply.credential_id,
            epoch=reply.key_epoch,
            recipient=recipient.value,
        )
        try:
            packed = self._opener.open(reply.sealed, binding)
        except SetupError as error:
            return _Opened(reply=reply, locked=str(error))
        if packed is None:
            return _Opened(reply=reply, forged="it was not sealed for this reply and recipient")
        envelope, content = unpack(packed)
        if envelope.recipient != recipient.value:
            return _Opened(reply=reply, forged="the recipient inside is another")
        return _Opened(reply=reply, envelope=envelope, content=content)

    async def _send_all(self, opened: Sequence[_Opened]) -> dict[str, DeliveryOutcome]:
        """Send together; the lease is kept while the slowest is still under way."""
        sending = {one.reply.id: asyncio.ensure_future(self._send(one)) for one in opened}
        pending = set(sending.values())
        while pending:
            _, pending = await asyncio.wait(pending, timeout=PULSE_SECONDS)
            self._pulse()
        return {reply_id: task.result() for reply_id, task in sending.items()}

    async def _send(self, opened: _Opened) -> DeliveryOutcome:
        if opened.envelope is None:
            raise ValueError("only what was opened is sent")
        return await self._postman.send(opened.envelope, opened.content)

    def _weigh(self, unit: Unit, outcomes: Collection[DeliveryOutcome]) -> None:
        """When the server takes nothing at all, one reply at a time asks again for all of them. Told when it begins and ends."""
        before, jitter = self._pause, self._jitter()
        self._pause = after_round(before, outcomes, now=unit.at, jitter=jitter)
        if before is None and self._pause is not None:
            unit.tell("delivery.paused", importance="warning", outcome="failed", until=evidence.instant(self._pause.until))
        elif before is not None and self._pause is None:
            unit.tell("delivery.resumed", importance="notice", failures=before.failures)

    def _sit_out(self, pause: Pause) -> bool:
        """What is due waits with the rest, untried, or is given up when its time is over; whether anything changed."""
        with self._worker.reading() as tx:
            if outbox.any_sent_since(tx, self._worker.clock() - FIRST_WAIT):
                return False  # another worker gets through: what is due is left to it
        with self._worker.writing() as unit:
            oldest = unit.at - GIVE_UP_AFTER
            for reply in outbox.stale(unit.tx, oldest, GIVEN_UP_AT_ONCE):
                self._fail(unit, reply, pause.why, importance="alarm")
            outbox.hold_back(unit.tx, pause.until, written_after=oldest)
        return True

    def _conclude(self, unit: Unit, opened: _Opened, outcome: DeliveryOutcome | None) -> None:
        reply = opened.reply
        if opened.forged is not None:
            self._fail(unit, reply, opened.forged, importance="alarm")
        elif opened.locked is not None:
            self._postpone(unit, reply, opened.locked)
        elif outcome is not None:
            match outcome.delivery:
                case Delivery.SENT:
                    self._sent(unit, reply, outcome.detail)
                case Delivery.LATER:
                    self._postpone(unit, reply, outcome.detail)
                case Delivery.NEVER:
                    self._fail(unit, reply, outcome.detail, importance="warning")
                case Delivery.UNKNOWN:
                    self._again_or_doubt(unit, reply, outcome.detail)

    def _sent(self, unit: Unit, reply: Reply, detail: str) -> None:
        outbox.finish(unit.tx, reply, ReplyEvent.SENT, outcome=detail, at=unit.at)
        self._tell(unit, "reply.sent", reply, message_id=reply.message_id)
        if reply.request_id is None:
            return
        request = requests.get(unit.tx, reply.request_id)
        if request.state is RequestState.ISSUED and reply.credential_id is not None:  # a receipt that left late answers nothing
            requests.move(unit.tx, request, RequestEvent.ANSWERED)
            unit.tell("request.answered", sender=request.sender_code, request=request.id, letter=request.letter_id)
        if reply.credential_id is not None:
            self._supersede(unit, reply.credential_id)

    def _supersede(self, unit: Unit, credential_id: str) -> None:
        """Only now that the new answer has left does the person's older login end, a blocked one too."""
        newer = credentials.get(unit.tx, credential_id)
        for older in credentials.older_living(unit.tx, newer):
            ending.end(unit, self._accounts, older, CredentialEvent.SUPERSEDED)
            unit.tell(
                "credential.superseded",
                sender=older.sender_code,
                request=older.request_id,
                credential=older.id,
                by=credential_id,
                valid_until=evidence.instant(older.valid_until),
            )

    def _postpone(self, unit: Unit, reply: Reply, detail: str) -> None:
        next_at = self._next_at(unit, reply, attempts=reply.attempts)
        if next_at is None:
            self._fail(unit, reply, detail, importance="alarm")
            return
        if self._pause is not None:
            next_at = min(next_at, self._pause.until)
        outbox.again(unit.tx, reply, ReplyEvent.POSTPONED, sends=reply.sends - 1, outcome=detail, next_at=next_at)
        self._tell(unit, "reply.postponed", reply, outcome="failed", next_at=evidence.instant(next_at))

    def _again_or_doubt(self, unit: Unit, reply: Reply, detail: str) -> None:
        if reply.sends >= MAX_SENDS:
            outbox.finish(unit.tx, reply, ReplyEvent.DOUBTED, outcome=detail, at=unit.at)
            self._tell(unit, "reply.doubted", reply, outcome="failed", importance="alarm")
            return
        outbox.again(unit.tx, reply, ReplyEvent.RETURNED, sends=reply.sends, outcome=detail, next_at=unit.at)
        self._tell(unit, "reply.returned", reply, outcome="failed", importance="notice")

    def _fail(self, unit: Unit, reply: Reply, detail: str, *, importance: str) -> None:
        outbox.finish(unit.tx, reply, ReplyEvent.FAILED, outcome=detail, at=unit.at)
        self._tell(unit, "reply.failed", reply, outcome="failed", importance=importance)
        undelivered.suspend(unit, self._accounts, reply, key=self._worker.pen.key, reason="answer-failed")

    def _tell(
        self, unit: Unit, event: str, reply: Reply, *, outcome: str = "done", importance: str = "info", **told: object
    ) -> None:
        unit.tell(
            event,
            sender=reply.sender_code,
            request=reply.request_id,
            importance=importance,
            outcome=outcome,
            decided=told,
            reply=reply.id,
            attempt=reply.attempts,
        )
