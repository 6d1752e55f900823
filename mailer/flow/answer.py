"""Step 2: kept letters are read and decided; verdict, request and refusal are stored in one transaction a batch.

A try is counted before the work, in a commit of its own. A batch that fails is tried letter by letter; a letter that fails alone
three times, or takes the process with it, is quarantined, and the others have long gone on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from mailer.core import evidence, kinds, mime
from mailer.core.decide import decide
from mailer.core.reply import TEMPLATES, RefusedValues, ReplyValues, local_moment
from mailer.core.rules import Ruleset
from mailer.errors import LeaseLostError, RecordError, TamperedError
from mailer.flow.stationery import Stationery
from mailer.model import (
    Decision,
    Facts,
    Letter,
    Own,
    Reading,
    Sender,
    Verdict,
)
from mailer.states import RequestState
from mailer.store import audit, facts, letters, personal, requests, senders
from mailer.store.db import DATABASE_OUTAGE, Tx
from mailer.store.facts import Arrival, Limits
from mailer.store.leases import Lease
from mailer.store.letters import Kept
from mailer.store.personal import Personal
from mailer.store.work import Unit, Worker

BATCH: Final = 100
STATES: Final = {Verdict.ISSUE: RequestState.APPROVED, Verdict.HOLD: RequestState.HELD, Verdict.REFUSE: RequestState.REFUSED}


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerSettings:
    """`observe`: decide, record and show, but open no request and answer nothing."""

    ruleset: Ruleset
    own: Own
    limits: Limits
    observe: bool


class Answer:
    """The step. `on_trouble` hears of a letter that could not be read, for the log."""

    def __init__(
        self, worker: Worker, stationery: Stationery, settings: AnswerSettings, on_trouble: Callable[[str, Exception], None]
    ) -> None:
        self._worker = worker
        self._stationery = stationery
        self._settings = settings
        self._on_trouble = on_trouble

    def step(self) -> bool:
        """Decide a batch of letters; whether there were any."""
        with self._worker.reading() as tx:
            if not letters.waiting(tx, self._lease):
                return False
        self._stationery.ready()
        self._quarantine_spent()
        with self._worker.writing() as unit:
            claimed = letters.claim(unit.tx, BATCH, self._lease)
        try:
            self._decide_all(claimed)
        except LeaseLostError:
            raise
        except (RecordError, *DATABASE_OUTAGE):
            with self._worker.writing() as unit:
                letters.give_back(unit.tx, claimed)
            raise
        except Exception as error:  # whatever a letter of a stranger's can provoke: it must not stop the others
            self._on_trouble(f"letters {claimed[0].id}-{claimed[-1].id}", error)
        return bool(claimed)

    @property
    def _lease(self) -> Lease:
        if self._worker.lease is None:
            raise ValueError("letters are read under a lease only")
        return self._worker.lease

    def _decide_all(self, claimed: Sequence[Kept]) -> None:
        with self._worker.writing(alone=True) as unit:
            for kept in claimed:
                with unit.savepoint():
                    self._decide(unit, kept)

    def _quarantine_spent(self) -> None:
        with self._worker.reading() as tx:
            spent = letters.spent(tx, self._lease)
        if spent:
            with self._worker.writing(alone=True) as unit:
                for kept in letters.spent(unit.tx, self._lease):
                    letters.quarantine(unit.tx, kept)
                    unit.tell("letter.quarantined", importance="alarm", outcome="failed", letter=kept.id, attempts=kept.attempts)

    def _decide(self, unit: Unit, kept: Kept) -> None:
        settings = self._settings
        if not _is_as_kept(unit.tx, kept, self._worker.pen.key):
            raise TamperedError("letter {id} is not the one that was kept", id=kept.id)
        letter = mime.read(kept.content, whole=kept.whole, size_bytes=kept.size_bytes, phrase=settings.ruleset.form.phrase)
        reading = kinds.judge(letter, settings.ruleset.form, settings.own)
        arrival = Arrival(id=kept.id, received_at=kept.received_at, proven=kept.proven, letter=letter, reading=reading)
        known, sender = facts.gather(unit.tx, arrival, settings.limits, unit.at, key=self._worker.pen.key)
        if sender is None and letter is not None and letter.sender is not None:
            self._tell_distrust(unit, kept.id, letter.sender)
        decision = decide(known, settings.ruleset)
        letters.decided(unit.tx, kept, decision, sender.code if sender else None)
        if settings.observe or decision.verdict is Verdict.IGNORE:
            event = "letter.observed" if settings.observe else "letter.ignored"
            unit.tell(event, sender=sender.code if sender else None, letter=kept.id, decided=self._told(decision, known))
            return
        self._open_request(unit, kept, letter, reading=reading, sender=sender, facts_known=known, decision=decision)

    def _tell_distrust(self, unit: Unit, letter_id: int, address: str) -> None:
        """An address of which the register says what nobody wrote into it is not only unknown: somebody meddled."""
        row = senders.by_address(unit.tx, address)
        why = senders.fault(unit.tx, row, self._worker.pen.key) if row is not None else None
        if row is not None and why is not None:
            unit.tell("sender.distrusted", sender=row.code, importance="alarm", outcome="failed", letter=letter_id, why=why)

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
        person = personal.person(unit.tx, code or "", reading.person, randbytes) if reading.person else None
        answer_to = personal.address(unit.tx, sender.code, sender.answer_to, randbytes) if sender else None
        state = STATES[decision.verdict]
        request_id = requests.open_request(
            unit.tx,
            letter_id=kept.id,
            state=state,
            sender_code=code,
            person_id=person.id if person else None,
            answer_to_id=answer_to.id if answer_to else None,
            decision=decision,
            facts=facts_known,
            ruleset_hash=self._settings.ruleset.hash,
            at=unit.at,
        )
        unit.tell(
            f"request.{state.value}",
            sender=code,
            request=request_id,
            importance="notice" if state is RequestState.HELD else "info",
            outcome="refused" if state is RequestState.REFUSED else "done",
            letter=kept.id,
            person=person.told() if person else None,
            answer_to=answer_to.told() if answer_to else None,
            decided=self._told(decision, facts_known),
        )
        if decision.verdict is Verdict.REFUSE and decision.reply and sender and answer_to:
            self._refuse(
                unit, kept, letter, reading=reading, sender=sender, answer_to=answer_to, request_id=request_id, name=decision.reply
            )

    def _refuse(
        self,
        unit: Unit,
        kept: Kept,
        letter: Letter | None,
        *,
        reading: Reading,
        sender: Sender,
        answer_to: Personal,
        request_id: int,
        name: str,
    ) -> None:
        fund = self._stationery.fund
        values: ReplyValues = ReplyValues(
            fund_name=fund.name,
            contact=fund.contact,
            portal_url=fund.portal_url,
            organisation=sender.organisation,
            request_number=request_id,
            received_at=local_moment(kept.received_at, fund.zone),
        )
        if TEMPLATES[name] is RefusedValues:
            values = RefusedValues(
                **asdict(values),
                reason=reading.reason,
                written=reading.written,
                surname_hint=reading.surname_hint,
                mistake=reading.mistake,
            )
        self._stationery.write(
            unit, request_id=request_id, sender_code=sender.code, recipient=answer_to, name=name, values=values, answered=letter
        )

    def _told(self, decision: Decision, known: Facts) -> dict[str, object]:
        """What the record says of a decision: no personal data, and only the facts that say something."""
        said = {name: value for name, value in asdict(known).items() if value not in (None, False, (), 0)}
        return {
            "verdict": decision.verdict.value,
            "rule": decision.rule_id,
            "reason": decision.reason,
            "ruleset": self._settings.ruleset.hash,
            "facts": said,
        }


def _is_as_kept(tx: Tx, kept: Kept, key: bytes) -> bool:
    """Whether the record tells of this very letter: who can only write the database brings no letter in."""
    if hashlib.sha256(kept.content).hexdigest() != kept.digest:
        return False
    for sealed in audit.of_letter(tx, kept.id):
        if evidence.fault(sealed, key) is None and evidence.read_header(sealed)["event"] == "letter.kept":
            details = evidence.read_details(sealed)
            return (details["letter"], details["digest"], details["proven"]) == (kept.id, kept.digest, kept.proven)
    return False
