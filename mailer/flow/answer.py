"""Step 2: kept letters are read and decided; verdict, request and refusal are stored in one transaction a batch.

How they are taken in hand, and what becomes of one that cannot be read, stands in `flow.tray`. Bounces have a step of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from mailer.core import kinds, mime
from mailer.core.decide import decide, gate
from mailer.core.rules import Ruleset
from mailer.flow import approving, refusing
from mailer.flow.stationery import Stationery
from mailer.flow.tray import Tray
from mailer.model import (
    Decision,
    Facts,
    Letter,
    Own,
    Reading,
    Sender,
    SenderStanding,
    Verdict,
)
from mailer.states import RequestState
from mailer.store import facts, letters, personal, persons, requests, senders
from mailer.store.facts import Arrival, Limits
from mailer.store.letters import Kept
from mailer.store.work import Unit, Worker

BATCH: Final = 100
STATES: Final = {Verdict.ISSUE: RequestState.APPROVED, Verdict.HOLD: RequestState.HELD, Verdict.REFUSE: RequestState.REFUSED}


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerSettings:
    """`observe`: decide, record and show, but open no request and answer nothing. `receipts`: a known sender whose request is held
    is told that his letter came."""

    ruleset: Ruleset
    own: Own
    limits: Limits
    observe: bool
    receipts: bool = False


class Answer:
    """The step. `on_trouble` hears of a letter that could not be read, for the log; what hangs while `watched` ends the process."""

    def __init__(
        self,
        worker: Worker,
        stationery: Stationery,
        settings: AnswerSettings,
        *,
        on_trouble: Callable[[str, Exception], None],
        watched: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._key = worker.pen.key
        self._stationery = stationery
        self._settings = settings
        self._tray = Tray(worker, bounces=False, batch=BATCH, on_trouble=on_trouble, watched=watched)

    def step(self) -> bool:
        """Decide a batch of letters; whether there were any."""
        if not self._tray.any_waiting():
            return False
        self._stationery.ready()
        return self._tray.work(self._decide)

    def _decide(self, unit: Unit, kept: Kept) -> None:
        settings = self._settings
        letter = mime.read(kept.content, whole=kept.whole, size_bytes=kept.size_bytes, phrase=settings.ruleset.form.phrase)
        reading = kinds.judge(letter, settings.ruleset.form, settings.own)
        arrival = Arrival(id=kept.id, received_at=kept.received_at, proven=kept.proven, letter=letter, reading=reading)
        known, sender = facts.gather(unit.tx, arrival, settings.limits, unit.at, key=self._key)
        if sender is None and letter is not None and letter.sender is not None:
            self._tell_distrust(unit, kept.id, letter.sender)
        if sender is not None and known.person_unlisted:
            self._tell_distrusted_list(unit, kept.id, sender.code)
        decision = decide(known, settings.ruleset)
        letters.decided(unit.tx, kept, decision, sender.code if sender else None)
        if settings.observe or decision.verdict is Verdict.IGNORE:
            event = "letter.observed" if settings.observe else "letter.ignored"
            told = approving.told_of(decision, known, settings.ruleset.hash)
            told |= {"template": decision.reply} if settings.observe else {}
            unit.tell(event, sender=sender.code if sender else None, letter=kept.id, decided=told)
            return
        self._open_request(unit, kept, letter, reading=reading, sender=sender, facts_known=known, decision=decision)

    def _tell_distrust(self, unit: Unit, letter_id: int, address: str) -> None:
        """An address of which the register says what nobody wrote into it is not only unknown: somebody meddled."""
        row = senders.by_address(unit.tx, address, self._key)
        if row is not None and row.fault is not None:
            code, why = row.sender.code, row.fault
            unit.tell("sender.distrusted", sender=code, importance="alarm", outcome="failed", letter=letter_id, why=why)

    def _tell_distrusted_list(self, unit: Unit, letter_id: int, code: str) -> None:
        """A list that is not as it was written holds every request of its sender: not for the name in it, somebody meddled."""
        why = persons.fault(unit.tx, code, self._key)
        if why is not None:
            unit.tell("persons.distrusted", sender=code, importance="alarm", outcome="failed", letter=letter_id, why=why)

    def _open_request(
        self,
        unit: Unit,
        kept: Kept,
        letter: Letter | None,
        *,
        reading: Reading,
        sender: Sender | None,
        facts_known: Facts,
        decision: Decision,
    ) -> None:
        code = sender.code if sender else None
        randbytes = self._stationery.randbytes
        person = personal.person(unit, code or "", reading.person, randbytes) if reading.person else None
        answer_to = personal.address(unit, sender.code, sender.answer_to, randbytes) if sender else None
        written_by = letter.sender if letter and sender is None else None
        stranger = personal.address(unit, "", written_by, randbytes) if written_by else None
        state = STATES[decision.verdict]
        request_id = requests.open_request(
            unit.tx,
            letter_id=kept.id,
            state=state,
            sender_code=code,
            person_id=person.id if person else None,
            answer_to_id=answer_to.id if answer_to else None,
            stranger_id=stranger.id if stranger else None,
            decision=decision,
            facts=facts_known,
            ruleset_hash=self._settings.ruleset.hash,
            at=unit.at,
        )
        approving.tell(
            unit,
            state,
            request=request_id,
            sender=code,
            letter=kept.id,
            reissue_of=None,
            person=person,
            answer_to=answer_to,
            decided=approving.told_of(decision, facts_known, self._settings.ruleset.hash),
        )
        name = decision.reply if decision.verdict is Verdict.REFUSE else self._receipt(decision, facts_known)
        if name is not None and sender and answer_to:
            refusing.write(
                unit,
                self._stationery,
                request_id=request_id,
                sender=sender,
                answer_to=answer_to,
                received_at=kept.received_at,
                name=name,
                reading=reading,
                answered=letter,
            )

    def _receipt(self, decision: Decision, known: Facts) -> str | None:
        """The letter that says no more than that a held request came; it passes the gate as every answer does."""
        told = self._settings.receipts and decision.verdict is Verdict.HOLD and known.sender is SenderStanding.KNOWN
        return "received" if told and gate(Verdict.REFUSE, known) is None else None
