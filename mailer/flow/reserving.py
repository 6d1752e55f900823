"""For which approved requests may a credential be issued, and which one? The intent, committed before anything is made of it.

Only for a request whose *request.approved* record holds and says the same as the request; every other one is held. `issue` carries
out what is reserved here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from mailer.core import evidence, secret, terms
from mailer.core.lifecycle import RequestEvent
from mailer.core.secret import Profile
from mailer.flow.stationery import Stationery
from mailer.model import Term
from mailer.states import RequestState
from mailer.store import audit, credentials, logins, proof, requests
from mailer.store.accounts_pool import Draw, Drawn
from mailer.store.credentials import BREAKER_WINDOW, Credential, Intent
from mailer.store.db import Tx
from mailer.store.logins import Logins
from mailer.store.personal import Personal
from mailer.store.proof import Docket
from mailer.store.requests import Request
from mailer.store.work import Unit, Worker

BATCH: Final = 200


class Stock(Protocol):
    """Where logins come ready made: they are taken when a credential is reserved."""

    def draw(self, tx: Tx, credential_ids: Sequence[str], *, until: datetime, now: datetime, enough: int) -> Draw:
        """A login for each credential, none twice, as many as there are; those that last until then before those that do not.
        Of those that are left not more than `enough` are counted."""

    def give_back(self, tx: Tx, credential_id: str) -> None:
        """The credential was abandoned: what was taken for it never went out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueSettings:
    """`breaker` is how many credentials may be issued in 10 minutes before issuing pauses by itself; with fewer free pairs than
    `low_stock` the pool is low."""

    months: int
    max_days: int | None
    login: str
    login_prefix: str
    profile: Profile
    breaker: int
    low_stock: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserved:
    """What was just reserved, what was proved of it, and the newest record by then."""

    credentials: Sequence[Credential]
    docket: Docket
    seq: int


class Reserving:
    """With a `stock` logins come from there; otherwise `randbelow` is their source."""

    def __init__(
        self,
        worker: Worker,
        stationery: Stationery,
        logins: Logins,
        settings: IssueSettings,
        *,
        stock: Stock | None,
        randbelow: Callable[[int], int],
    ) -> None:
        self._worker = worker
        self._stationery = stationery
        self._logins = logins
        self._settings = settings
        self._stock = stock
        self._randbelow = randbelow

    def left(self, tx: Tx, now: datetime) -> int:
        """How many the breaker still allows; none or fewer when it has tripped."""
        return self._settings.breaker - credentials.issued_since(tx, now - BREAKER_WINDOW)

    def reserve(self) -> Reserved | None:
        """Reserve for what is approved and due, as far as the breaker allows; None when there is nothing, or others have it."""
        with self._worker.writing(alone=True) as unit:
            found = requests.due_for_issue(unit.tx, unit.at, min(max(self.left(unit.tx, unit.at), 0), BATCH))
            docket = proof.docket(unit.tx, found, self._worker.pen.key)
            proven = []
            for request in found:
                bar = proof.bar(docket, request, unit.at)
                if bar is None:
                    proven.append(request)
                else:
                    hold(unit, request, bar.reason, bar.why)
            reserved = self._reserve_all(unit, proven, docket)
        return Reserved(credentials=reserved, docket=docket, seq=unit.seqs[-1]) if found else None

    def _reserve_all(self, unit: Unit, found: Sequence[Request], docket: Docket) -> list[Credential]:
        term = terms.term(unit.at, self._stationery.fund.zone, self._settings.months, self._settings.max_days)
        ids = [self._stationery.randbytes(16).hex() for _ in found]
        if self._stock is None:
            marks = self._new_logins(unit.tx, [docket.people[_required(request.person_id)] for request in found])
            logins.spend(unit.tx, list(marks.values()))
            drawn, ends = list(marks), [term] * len(found)
        else:  # their logins were spent when they were imported
            pairs = self._draw(unit, self._stock, ids, term)
            for request in found[len(pairs) :]:
                hold(unit, request, "no-pair", "no pair left in the pool")
            ids, drawn = [pair.credential_id for pair in pairs], [pair.login for pair in pairs]
            ends = [terms.until_at_most(term, pair.expires_at, self._stationery.fund.zone) for pair in pairs]
        intents = [
            Intent(request=request, credential_id=credential_id, login=login, term=end)
            for request, credential_id, login, end in zip(found, ids, drawn, ends, strict=False)
        ]
        for intent in intents:
            _tell_reserved(unit, intent, docket.people[_required(intent.request.person_id)])
        return credentials.reserve(unit.tx, intents, at=unit.at)

    def _draw(self, unit: Unit, stock: Stock, credential_ids: Sequence[str], term: Term) -> Sequence[Drawn]:
        """Take pairs; what was put aside is told, and once that the pool is low, until pairs are imported again."""
        draw = stock.draw(unit.tx, credential_ids, until=term.until, now=unit.at, enough=self._settings.low_stock)
        if draw.spent_before or draw.damaged:
            unit.tell("pool.skipped", importance="alarm", spent_before=draw.spent_before, damaged=draw.damaged)
        low = credential_ids and draw.left < self._settings.low_stock
        if low and audit.latest(unit.tx, "pool.low", "pool.imported") != "pool.low":
            unit.tell("pool.low", importance="alarm", left=draw.left, low_stock=self._settings.low_stock)
        return draw.drawn

    def _new_logins(self, tx: Tx, people: Sequence[Personal]) -> dict[str, str]:
        """Logins that were never used, one for each, with their marks. Draws that collide are already unlikely; the loop ends all
        the same."""
        while True:
            drawn = [self._draw_login(person) for person in people]
            marks = {login: self._logins.mark(login) for login in drawn}
            if len(marks) == len(drawn) and not self._logins.any_used(tx, marks):
                return marks

    def _draw_login(self, person: Personal) -> str:
        if self._settings.login == "name" and person.name is not None:
            return secret.named_login(person.name.surname, person.name.initials, self._randbelow)
        return secret.opaque_login(self._settings.login_prefix, self._randbelow)


def hold(unit: Unit, request: Request, reason: str, why: str) -> None:
    """Leave an approved request to a person: no credential can be issued for it."""
    if request.state is RequestState.APPROVED:  # in any other somebody meddled, and it stays as it is
        requests.move(unit.tx, request, RequestEvent.HELD, reason=reason)
    unit.tell(
        "request.held",
        sender=request.sender_code,
        request=request.id,
        importance="alarm",
        outcome="failed",
        letter=request.letter_id,
        why=why,
    )


def _tell_reserved(unit: Unit, intent: Intent, person: Personal) -> None:
    unit.tell(
        "credential.reserved",
        sender=intent.request.sender_code,
        request=intent.request.id,
        credential=intent.credential_id,
        login_digest=person.login_digest(intent.login),
        valid_until=evidence.instant(intent.term.until),
        last_day=intent.term.last_day.isoformat(),
        term_rule=intent.term.rule,
    )


def _required(row_id: int | None) -> int:
    if row_id is None:
        raise ValueError("an approved request has a person")
    return row_id
