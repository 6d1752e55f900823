"""Step 3: approved requests become credentials, and the answers that carry them.

Acts only on a request whose *request.approved* record holds and says the same as the request: whoever can only write the database
approves nothing. First the intent is committed (*credential.reserved*), then the account, the sealed reply and the record come in
one transaction. A crash in between leaves a reserved credential, which the next round carries out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from mailer.core import evidence, mime, secret, terms
from mailer.core.lifecycle import CredentialEvent, RequestEvent
from mailer.core.reply import IssuedValues, local_moment
from mailer.core.secret import Profile, Secret
from mailer.errors import LeaseLostError, RecordError, TamperedError
from mailer.flow.stationery import Stationery
from mailer.model import Sender
from mailer.states import RequestState
from mailer.store import credentials, letters, proof, requests, senders
from mailer.store.credentials import Credential
from mailer.store.db import DatabaseError, Tx
from mailer.store.personal import Personal
from mailer.store.proof import Docket
from mailer.store.requests import Request
from mailer.store.work import Unit, Worker

BATCH: Final = 50
BREAKER_WINDOW: Final = timedelta(minutes=10)
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
            docket = proof.docket(unit.tx, [request.id for request in found])
            for request in found:
                why = proof.approval_fault(docket, request, self._worker.pen.key)
                if why is None:
                    self._reserve_one(unit, request, docket.people[_required(request.person_id)])
                else:
                    requests.move(unit.tx, request, RequestEvent.HELD, reason="approval-unproven")
                    self._tell_held(unit, request, why)
        return bool(found)

    def _reserve_one(self, unit: Unit, request: Request, person: Personal) -> None:
        settings = self._settings
        credential_id = self._stationery.randbytes(16).hex()
        term = terms.term(unit.at, self._stationery.fund.zone, settings.months, settings.max_days)
        login = self._new_login(unit.tx, person)
        credentials.reserve(unit.tx, request, credential_id=credential_id, login=login, term=term, at=unit.at)
        unit.tell(
            "credential.reserved",
            sender=request.sender_code,
            request=request.id,
            credential=credential_id,
            login_digest=proof.login_digest(login),
            valid_until=evidence.instant(term.until),
            last_day=term.last_day.isoformat(),
            term_rule=term.rule,
        )

    def _new_login(self, tx: Tx, person: Personal) -> str:
        """A login that was never used. Two draws that collide are already unlikely; the loop ends all the same."""
        while True:
            login = secret.opaque_login(self._settings.login_prefix, self._randbelow)
            if self._settings.login == "name" and person.name is not None:
                login = secret.named_login(person.name.surname, person.name.initials, self._randbelow)
            if not credentials.login_used(tx, login):
                return login

    def _carry_out_all(self) -> bool:
        """Carry out what is reserved and in no other worker's hand; whether there was anything."""
        failed: dict[str, Exception] = {}
        with self._worker.writing() as unit:
            found = credentials.reserved(unit.tx, BATCH)
            docket = proof.docket(unit.tx, [credential.request_id for credential in found])
            for credential in found:
                try:
                    with unit.savepoint():
                        self._carry_out(unit, credential, docket)
                except NOT_THE_REQUESTS_FAULT:
                    raise
                except Exception as error:  # one answer that cannot be written must not stop the others
                    self._abandon(unit, credential, error)
                    failed[credential.id] = error
        for credential_id, why in failed.items():
            self._on_trouble(f"credential {credential_id}", why)
        return bool(found)

    def _carry_out(self, unit: Unit, credential: Credential, docket: Docket) -> None:
        key = self._worker.pen.key
        request = docket.requests[credential.request_id]
        sender = senders.get(unit.tx, credential.sender_code)
        fault = (
            proof.approval_fault(docket, request, key)
            or proof.reservation_fault(docket, credential, request, key)
            or senders.fault(unit.tx, sender, key)
        )
        if fault is not None:
            raise TamperedError("{why}", why=fault)
        person, recipient = docket.people[credential.person_id], docket.people[credential.answer_to_id]
        password = secret.password(self._settings.profile, self._randbelow)
        self._accounts.create(unit.tx, credential.id, credential.login, password, credential.valid_until)
        credentials.move(unit.tx, credential, CredentialEvent.CREATED, at=unit.at)
        requests.move(unit.tx, request, RequestEvent.ISSUED)
        unit.tell(
            "credential.issued",
            sender=credential.sender_code,
            request=request.id,
            credential=credential.id,
            person=person.told(),
            valid_until=evidence.instant(credential.valid_until),
        )
        self._write(unit, request, credential, person=person, recipient=recipient, sender=sender, password=password)

    def _write(
        self,
        unit: Unit,
        request: Request,
        credential: Credential,
        *,
        person: Personal,
        recipient: Personal,
        sender: Sender,
        password: Secret,
    ) -> None:
        if person.name is None:
            raise ValueError("an erased person cannot be issued a credential")
        fund = self._stationery.fund
        letter_id = requests.origin(unit.tx, request)
        kept = None if letter_id is None else letters.get(unit.tx, letter_id)
        self._stationery.write(
            unit,
            request_id=request.id,
            sender_code=credential.sender_code,
            recipient=recipient,
            name="issued",
            values=IssuedValues(
                fund_name=fund.name,
                contact=fund.contact,
                portal_url=fund.portal_url,
                organisation=sender.organisation,
                request_number=request.id,
                received_at=local_moment(kept.received_at if kept else request.created_at, fund.zone),
                person=person.name,
                login=credential.login,
                password=password,
                valid_until=local_moment(credential.valid_until, fund.zone),
            ),
            answered=mime.read(kept.content, whole=kept.whole, size_bytes=kept.size_bytes) if kept else None,
            credential_id=credential.id,
        )

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
