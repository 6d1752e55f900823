"""Step 4: approved requests become credentials, and the answers that carry them.

Acts only on a request whose *request.approved* record holds and says the same as the request: whoever can only write the database
approves nothing. First the intent is committed (*credential.reserved*), then the account, the sealed reply and the record come in
one transaction. A crash in between leaves a reserved credential, which the next round carries out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from mailer.core import evidence, mime, secret, terms
from mailer.core.lifecycle import CredentialEvent, RequestEvent
from mailer.core.reply import local_moment
from mailer.core.replyvalues import IssuedValues
from mailer.core.secret import Profile, Secret
from mailer.errors import LeaseLostError, RecordError, TamperedError
from mailer.flow.stationery import Draft, Stationery
from mailer.model import Sender
from mailer.states import RequestState
from mailer.store import credentials, letters, proof, requests
from mailer.store.credentials import BREAKER_WINDOW, Credential, Intent
from mailer.store.db import DatabaseError, Tx
from mailer.store.letters import Kept
from mailer.store.personal import Personal
from mailer.store.proof import Docket
from mailer.store.requests import Request
from mailer.store.work import Unit, Worker

BATCH: Final = 50
NOT_THE_REQUESTS_FAULT: Final = (LeaseLostError, RecordError, DatabaseError)


class Accounts(Protocol):
    """A place of validity inside our own database: it takes the open transaction."""

    def create(self, tx: Tx, credential_id: str, login: str, password: Secret, expires_at: datetime) -> None:
        """Make the account, or set a fresh password where it exists already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueSettings:
    """`breaker` is how many credentials may be issued in 10 minutes before issuing pauses by itself."""

    months: int
    max_days: int | None
    login: str
    login_prefix: str
    profile: Profile
    breaker: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """A credential whose account was made, and its answer."""

    credential: Credential
    request: Request
    person: Personal
    draft: Draft


class Issue:
    """The step. `randbelow` is the source of passwords and logins."""

    def __init__(
        self,
        worker: Worker,
        stationery: Stationery,
        accounts: Accounts,
        settings: IssueSettings,
        *,
        randbelow: Callable[[int], int],
        on_trouble: Callable[[str, Exception], None],
    ) -> None:
        self._worker = worker
        self._stationery = stationery
        self._accounts = accounts
        self._settings = settings
        self._randbelow = randbelow
        self._on_trouble = on_trouble
        self._paused = False

    def step(self) -> bool:
        """Issue a batch; whether there was anything to do."""
        now = self._worker.clock()
        with self._worker.reading() as tx:
            begun = credentials.any_reserved(tx)
            waiting = requests.count_due_for_issue(tx, now) > 0
            left = self._settings.breaker - credentials.issued_since(tx, now - BREAKER_WINDOW)
        if begun:
            self._stationery.ready()
            if self._carry_out_all():
                return True
        if not waiting:
            return False
        self._tell_pause(paused=left <= 0)
        if left <= 0:
            return False
        self._stationery.ready()
        reserved = self._reserve()
        return self._carry_out_all() or reserved

    def _tell_pause(self, *, paused: bool) -> None:
        """The breaker is told to the record when it trips and when it lets go, not at every look."""
        if paused == self._paused:
            return
        self._paused = paused
        with self._worker.writing() as unit:
            event = "issuing.paused" if paused else "issuing.resumed"
            unit.tell(event, importance="alarm" if paused else "notice", limit=self._settings.breaker, minutes=10)

    def _reserve(self) -> bool:
        """Reserve for what is approved and due, as far as the breaker allows; whether there was anything."""
        with self._worker.writing(alone=True) as unit:
            left = self._settings.breaker - credentials.issued_since(unit.tx, unit.at - BREAKER_WINDOW)
            found = requests.due_for_issue(unit.tx, unit.at, min(max(left, 0), BATCH))
            docket = proof.docket(unit.tx, [request.id for request in found], self._worker.pen.key)
            proven = []
            for request in found:
                why = proof.approval_fault(docket, request)
                if why is None:
                    proven.append(request)
                else:
                    requests.move(unit.tx, request, RequestEvent.HELD, reason="approval-unproven")
                    self._tell_held(unit, request, why)
            self._reserve_all(unit, proven, docket)
        return bool(found)

    def _reserve_all(self, unit: Unit, proven: Sequence[Request], docket: Docket) -> None:
        settings = self._settings
        term = terms.term(unit.at, self._stationery.fund.zone, settings.months, settings.max_days)
        logins = self._new_logins(unit.tx, [docket.people[_required(request.person_id)] for request in proven])
        intents = [
            Intent(request=request, credential_id=self._stationery.randbytes(16).hex(), login=login, term=term)
            for request, login in zip(proven, logins, strict=True)
        ]
        credentials.reserve(unit.tx, intents, at=unit.at)
        for intent in intents:
            unit.tell(
                "credential.reserved",
                sender=intent.request.sender_code,
                request=intent.request.id,
                credential=intent.credential_id,
                login_digest=proof.login_digest(intent.login),
                valid_until=evidence.instant(term.until),
                last_day=term.last_day.isoformat(),
                term_rule=term.rule,
            )

    def _new_logins(self, tx: Tx, people: Sequence[Personal]) -> list[str]:
        """Logins that were never used, one for each. Draws that collide are already unlikely; the loop ends all the same."""
        while True:
            drawn = [self._draw_login(person) for person in people]
            if len(set(drawn)) == len(drawn) and not credentials.logins_used(tx, drawn):
                return drawn

    def _draw_login(self, person: Personal) -> str:
        if self._settings.login == "name" and person.name is not None:
            return secret.named_login(person.name.surname, person.name.initials, self._randbelow)
        return secret.opaque_login(self._settings.login_prefix, self._randbelow)

    def _carry_out_all(self) -> bool:
        """Carry out what is reserved and in no other worker's hand; whether there was anything."""
        failed: dict[str, Exception] = {}
        with self._worker.writing() as unit:
            found = credentials.reserved(unit.tx, BATCH)
            docket = proof.docket(unit.tx, [credential.request_id for credential in found], self._worker.pen.key)
            origins = {number: requests.origin(unit.tx, request) for number, request in docket.requests.items()}
            kept = letters.several(unit.tx, [letter_id for letter_id in origins.values() if letter_id is not None])
            key_epoch = self._stationery.newest_key()
            made = []
            for credential in found:
                try:
                    answered = kept.get(origins[credential.request_id] or 0)
                    made.append(self._make(unit, credential, docket, answered=answered, key_epoch=key_epoch))
                except NOT_THE_REQUESTS_FAULT:
                    raise
                except Exception as error:  # one answer that cannot be written must not stop the others
                    self._abandon(unit, credential, error)
                    failed[credential.id] = error
            self._store(unit, made)
        for credential_id, why in failed.items():
            self._on_trouble(f"credential {credential_id}", why)
        return bool(found)

    def _make(self, unit: Unit, credential: Credential, docket: Docket, *, answered: Kept | None, key_epoch: str) -> _Made:
        """Prove it, write and seal the answer, and make the account: last, so that whatever fails here leaves nothing behind."""
        request = docket.requests[credential.request_id]
        fault = proof.approval_fault(docket, request) or proof.reservation_fault(docket, credential, request)
        if fault is not None:
            raise TamperedError("{why}", why=fault)
        person, sender = docket.people[credential.person_id], docket.senders[credential.sender_code]
        password = secret.password(self._settings.profile, self._randbelow)
        draft = self._stationery.draft(
            unit.at,
            request_id=request.id,
            sender_code=credential.sender_code,
            recipient=docket.people[credential.answer_to_id],
            name="issued",
            values=self._values(request, credential, person=person, sender=sender, answered=answered, password=password),
            answered=mime.read(answered.content, whole=answered.whole, size_bytes=answered.size_bytes) if answered else None,
            key_epoch=key_epoch,
            credential_id=credential.id,
        )
        self._accounts.create(unit.tx, credential.id, credential.login, password, credential.valid_until)
        return _Made(credential=credential, request=request, person=person, draft=draft)

    def _values(
        self,
        request: Request,
        credential: Credential,
        *,
        person: Personal,
        sender: Sender,
        answered: Kept | None,
        password: Secret,
    ) -> IssuedValues:
        if person.name is None:
            raise ValueError("an erased person cannot be issued a credential")
        fund = self._stationery.fund
        return IssuedValues(
            fund_name=fund.name,
            contact=fund.contact,
            portal_url=fund.portal_url,
            organisation=sender.organisation,
            request_number=request.id,
            received_at=local_moment(answered.received_at if answered else request.created_at, fund.zone),
            person=person.name,
            login=credential.login,
            password=password,
            valid_until=local_moment(credential.valid_until, fund.zone),
        )

    def _store(self, unit: Unit, made: Sequence[_Made]) -> None:
        """Everything of a batch in a few statements: credentials, requests, sealed answers, records."""
        credentials.created(unit.tx, [one.credential for one in made], at=unit.at)
        requests.issued(unit.tx, [one.request for one in made])
        for one in made:
            unit.tell(
                "credential.issued",
                sender=one.credential.sender_code,
                request=one.request.id,
                credential=one.credential.id,
                person=one.person.told(),
                valid_until=evidence.instant(one.credential.valid_until),
            )
        self._stationery.post(unit, [one.draft for one in made])

    def _abandon(self, unit: Unit, credential: Credential, error: Exception) -> None:
        request = requests.get(unit.tx, credential.request_id)
        credentials.move(unit.tx, credential, CredentialEvent.ABANDONED, at=unit.at)
        if request.state is RequestState.APPROVED:  # in any other somebody meddled, and it stays as it is
            requests.move(unit.tx, request, RequestEvent.HELD, reason="issuing-failed")
        self._tell_held(unit, request, str(error) if isinstance(error, TamperedError) else type(error).__name__)

    def _tell_held(self, unit: Unit, request: Request, why: str) -> None:
        unit.tell(
            "request.held",
            sender=request.sender_code,
            request=request.id,
            importance="alarm",
            outcome="failed",
            letter=request.letter_id,
            why=why,
        )


def _required(row_id: int | None) -> int:
    if row_id is None:
        raise ValueError("an approved request has a person")
    return row_id
