"""Step 4: approved requests become credentials, and the answers that carry them.

Acts only on a request whose *request.approved* record holds and says the same as the request: whoever can only write the database
approves nothing. First the intent is committed (*credential.reserved*), then the account, the sealed reply and the record come in
one transaction. A crash in between leaves a reserved credential, which the next round carries out. What goes out is noted outside
the database before the commit that lets it out (`store.logins`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from mailer.core import evidence, mime, secret
from mailer.core.accounts import Capabilities, Handout, Managed, Order
from mailer.core.lifecycle import CredentialEvent
from mailer.core.reply import local_moment
from mailer.core.replyvalues import IssuedValues
from mailer.errors import N_, EdgeError, LeaseLostError, MailerError, RecordError, TamperedError
from mailer.flow.reserving import BATCH, IssueSettings, Reserved, Reserving, Stock, hold
from mailer.flow.stationery import Draft, Stationery
from mailer.store import credentials, letters, proof, requests
from mailer.store.credentials import Credential
from mailer.store.db import DatabaseError, Tx
from mailer.store.letters import Answered
from mailer.store.logins import Logins
from mailer.store.personal import Personal
from mailer.store.proof import Docket
from mailer.store.requests import Request
from mailer.store.work import Unit, Worker

GONE: Final = N_("this login went out for another credential, before a backup was restored")
NOT_THE_REQUESTS_FAULT: Final = (LeaseLostError, RecordError, DatabaseError, EdgeError)


class Accounts(Protocol):
    """A place of validity inside our own database: it takes the open transaction.

    Everything is idempotent by credential id. What a place is not capable of is refused by it (RefusedError), except to disable,
    which is noted everywhere; the promises are proved by `tests/accounts`.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def create(self, tx: Tx, orders: Sequence[Order]) -> Mapping[str, Handout | MailerError]:
        """Make the accounts, or set fresh passwords where they exist already.

        By credential id: what goes into the letter, or why this one cannot be had; that keeps back none of the others.
        """

    def forget_secrets(self, tx: Tx, credential_ids: Sequence[str]) -> None:
        """The answers are written: nothing is kept from which the passwords could be had."""

    def read_back(self, tx: Tx, credential_id: str) -> Managed | None:
        """The account as it is there; None when there is none."""

    def set_expiry(self, tx: Tx, credential_id: str, expires_at: datetime) -> None: ...

    def disable(self, tx: Tx, credential_id: str) -> None: ...

    def enable(self, tx: Tx, credential_id: str) -> None: ...

    def remove(self, tx: Tx, credential_id: str) -> None: ...

    def list_managed(self, tx: Tx) -> Iterator[Managed]:
        """Every account of ours, ended ones too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """A credential whose account was made, and its answer."""

    credential: Credential
    request: Request
    person: Personal
    draft: Draft


class Issue:
    """The step. `randbelow` is the source of passwords and logins; with a `stock` logins come from there instead."""

    def __init__(
        self,
        worker: Worker,
        stationery: Stationery,
        accounts: Accounts,
        logins: Logins,
        settings: IssueSettings,
        *,
        stock: Stock | None = None,
        randbelow: Callable[[int], int],
        on_trouble: Callable[[str, Exception], None],
    ) -> None:
        self._worker = worker
        self._stationery = stationery
        self._accounts = accounts
        self._stock = stock
        self._logins = logins
        self._settings = settings
        self.reserving = Reserving(worker, stationery, logins, settings, stock=stock, randbelow=randbelow)
        self._randbelow = randbelow
        self._on_trouble = on_trouble
        self._paused = False

    def step(self) -> bool:
        """Issue a batch; whether there was anything to do."""
        now = self._worker.clock()
        with self._worker.reading() as tx:
            begun = credentials.any_reserved(tx)
            waiting = requests.any_due_for_issue(tx, now)
            left = self.reserving.left(tx, now)
        if begun:
            self._stationery.ready()
            if self.carry_out():
                return True
        if not waiting:
            return False
        self._tell_pause(paused=left <= 0)
        if left <= 0:
            return False
        self._stationery.ready()
        reserved = self.reserving.reserve()
        return self.carry_out(reserved) or reserved is not None

    def _tell_pause(self, *, paused: bool) -> None:
        """The breaker is told to the record when it trips and when it lets go, not at every look."""
        if paused == self._paused:
            return
        self._paused = paused
        with self._worker.writing() as unit:
            event = "issuing.paused" if paused else "issuing.resumed"
            unit.tell(event, importance="alarm" if paused else "notice", limit=self._settings.breaker, minutes=10)

    def carry_out(self, reserved: Reserved | None = None) -> bool:
        """Carry out what is reserved and in nobody else's hand, `reserved` by us a moment ago; whether there was anything."""
        failed: dict[str, Exception] = {}
        with self._worker.writing() as unit:
            intended, docket, faults = self._prove(unit, reserved)
            found = [credential for credential in intended if not self._is_taken_back(unit, credential, docket)]
            marks = {credential.id: self._logins.mark(credential.login) for credential in found}
            for credential_id in self._logins.gone_to_others({mark: credential_id for credential_id, mark in marks.items()}):
                faults[credential_id] = TamperedError(GONE)
            orders = [self._order(credential) for credential in found if credential.id not in faults]
            handouts = self._accounts.create(unit.tx, orders)
            letters_of = self._letters(unit.tx, docket)
            key_epoch, code = self._stationery.newest_key(), self._stationery.checkpoint_code(unit.tx)
            made = []
            for credential in found:
                try:
                    handout = faults.get(credential.id) or handouts[credential.id]
                    answered = letters_of.get(credential.request_id)
                    values = self._values(credential, docket, handout, answered=answered, code=code)
                    made.append(self._write(unit, credential, docket, values, answered=answered, key_epoch=key_epoch))
                except NOT_THE_REQUESTS_FAULT:
                    raise
                except Exception as error:  # one answer that cannot be written must not stop the others
                    self._abandon(unit, credential, error)
                    failed[credential.id] = error
            self._store(unit, made)
            self._logins.hand_out({marks[one.credential.id]: one.credential.id for one in made})
        for credential_id, why in failed.items():
            self._on_trouble(f"credential {credential_id}", why)
        return bool(intended)

    def _is_taken_back(self, unit: Unit, credential: Credential, docket: Docket) -> bool:
        """Whether a person took the approval back after the login was reserved, as by blocking its sender; then it is abandoned."""
        request = docket.requests[credential.request_id]
        if not proof.is_taken_back(docket, request):
            return False
        self._give_up(unit, credential)
        unit.tell(
            "credential.abandoned", sender=request.sender_code, request=request.id, importance="notice", credential=credential.id
        )
        return True

    def _prove(self, unit: Unit, reserved: Reserved | None) -> tuple[Sequence[Credential], Docket, dict[str, TamperedError]]:
        """The reserved credentials, what tables and record say of them, and by the ids of some why nothing may be issued on them.

        What was just reserved is taken as it was then, whatever its rows say by now, if nothing was told since.
        """
        if (
            reserved is not None
            and credentials.are_reserved(unit.tx, reserved.credentials)
            and proof.still_holds(unit.tx, reserved.docket, reserved.seq)
        ):
            return reserved.credentials, reserved.docket, {}
        found = credentials.reserved(unit.tx, BATCH)
        asked = requests.several(unit.tx, [credential.request_id for credential in found])
        docket = proof.docket(unit.tx, list(asked.values()), self._worker.pen.key)
        faults = {}
        for credential in found:
            request = docket.requests[credential.request_id]
            bar = proof.bar(docket, request, unit.at)
            why = proof.reservation_fault(docket, credential, request) if bar is None else bar.why
            if why is not None:
                faults[credential.id] = TamperedError("{why}", why=why)
        return found, docket, faults

    @staticmethod
    def _letters(tx: Tx, docket: Docket) -> dict[int, Answered]:
        """The letter that each request answers in the end; a request of a person's own has none."""
        origins = {number: requests.origin(tx, request) for number, request in docket.requests.items()}
        answered = letters.answered(tx, [letter_id for letter_id in origins.values() if letter_id is not None])
        return {number: answered[letter_id] for number, letter_id in origins.items() if letter_id is not None}

    def _write(
        self,
        unit: Unit,
        credential: Credential,
        docket: Docket,
        values: IssuedValues,
        *,
        answered: Answered | None,
        key_epoch: str,
    ) -> _Made:
        """Write and seal the answer."""
        request = docket.requests[credential.request_id]
        draft = self._stationery.draft(
            unit.at,
            request_id=request.id,
            sender_code=credential.sender_code,
            recipient=docket.people[credential.answer_to_id],
            name="issued",
            values=values,
            answered=mime.answerable(answered.content) if answered else None,
            key_epoch=key_epoch,
            credential_id=credential.id,
        )
        return _Made(credential=credential, request=request, person=docket.people[credential.person_id], draft=draft)

    def _order(self, credential: Credential) -> Order:
        ours = not self._accounts.capabilities.makes_secret
        return Order(
            credential_id=credential.id,
            login=credential.login,
            password=secret.password(self._settings.profile, self._randbelow) if ours else None,
            expires_at=credential.valid_until,
        )

    def _values(
        self, credential: Credential, docket: Docket, handout: Handout | MailerError, *, answered: Answered | None, code: str
    ) -> IssuedValues:
        """What the answer says; MailerError when this one cannot be had. `code`: of the last checkpoint."""
        if isinstance(handout, MailerError):
            raise handout
        request = docket.requests[credential.request_id]
        name = docket.people[credential.person_id].name
        if name is None:
            raise ValueError("an erased person cannot be issued a credential")
        fund = self._stationery.fund
        return IssuedValues(
            fund_name=fund.name,
            contact=fund.contact,
            portal_url=fund.portal_url,
            organisation=docket.senders[credential.sender_code].sender.organisation,
            request_number=request.id,
            received_at=local_moment(answered.received_at if answered else request.created_at, fund.zone),
            person=name,
            login=handout.login,
            password=handout.password,
            valid_until=local_moment(credential.valid_until, fund.zone),
            by_authority=self._accounts.capabilities.makes_secret,
            checkpoint_code=code,
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
        self._accounts.forget_secrets(unit.tx, [one.credential.id for one in made])
        self._stationery.post(unit, [one.draft for one in made])

    def _abandon(self, unit: Unit, credential: Credential, error: Exception) -> None:
        request = requests.get(unit.tx, credential.request_id)
        self._give_up(unit, credential)
        hold(unit, request, "issuing-failed", str(error) if isinstance(error, TamperedError) else type(error).__name__)

    def _give_up(self, unit: Unit, credential: Credential) -> None:
        credentials.move(unit.tx, credential, CredentialEvent.ABANDONED, at=unit.at)
        if self._stock is None:
            self._accounts.remove(unit.tx, credential.id)
        else:
            self._stock.give_back(unit.tx, credential.id)
