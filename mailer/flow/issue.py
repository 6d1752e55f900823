"""Step 4: approved requests become credentials, and the answers that carry them.

Acts only on a request whose *request.approved* record holds and says the same as the request: whoever can only write the database
approves nothing. First the intent is committed (*credential.reserved*), then the account, the sealed reply and the record come in
one transaction. A crash in between leaves a reserved credential, which the next round carries out. What goes out is noted outside
the database before the commit that lets it out (`store.logins`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from mailer.core import evidence, mime, secret, terms
from mailer.core.accounts import Capabilities, Handout, Managed, Order
from mailer.core.lifecycle import CredentialEvent, RequestEvent
from mailer.core.reply import local_moment
from mailer.core.replyvalues import IssuedValues
from mailer.core.secret import Profile
from mailer.errors import EdgeError, LeaseLostError, RecordError, TamperedError
from mailer.flow.stationery import Stationery
from mailer.model import Sender, Term
from mailer.store import audit, credentials, letters, logins, personal, requests, senders
from mailer.store.accounts_pool import Draw, Drawn
from mailer.store.credentials import BREAKER_WINDOW, Credential
from mailer.store.db import DatabaseError, Tx
from mailer.store.logins import Logins
from mailer.store.personal import Personal
from mailer.store.requests import Request
from mailer.store.work import Unit, Worker

BATCH: Final = 50
NOT_THE_REQUESTS_FAULT: Final = (LeaseLostError, RecordError, DatabaseError, EdgeError)


class Accounts(Protocol):
    """A place of validity inside our own database: it takes the open transaction.

    Everything is idempotent by credential id. What a place is not capable of is refused by it (RefusedError), except to disable,
    which is noted everywhere; the promises are proved by `tests/accounts`.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    def create(self, tx: Tx, order: Order) -> Handout:
        """Make the account, or set a fresh password where it exists already; what goes into the letter."""

    def forget_secret(self, tx: Tx, credential_id: str) -> None:
        """The answer is written: nothing is kept from which the password could be had."""

    def read_back(self, tx: Tx, credential_id: str) -> Managed | None:
        """The account as it is there; None when there is none."""

    def set_expiry(self, tx: Tx, credential_id: str, expires_at: datetime) -> None: ...

    def disable(self, tx: Tx, credential_id: str) -> None: ...

    def enable(self, tx: Tx, credential_id: str) -> None: ...

    def remove(self, tx: Tx, credential_id: str) -> None: ...

    def list_managed(self, tx: Tx) -> Iterator[Managed]:
        """Every account of ours, ended ones too."""


class Stock(Protocol):
    """Where logins come ready made: they are taken when a credential is reserved."""

    def draw(self, tx: Tx, credential_ids: Sequence[str], *, until: datetime, now: datetime) -> Draw:
        """A login for each credential, none twice, as many as there are; those that last until then before those that do not."""

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
            proven = []
            for request in found:
                why = _approval_fault(unit.tx, request, self._worker.pen.key)
                if why is None:
                    proven.append(request)
                else:
                    self._hold(unit, request, "approval-unproven", why)
            self._reserve_all(unit, proven)
        return bool(found)

    def _reserve_all(self, unit: Unit, found: Sequence[Request]) -> None:
        settings = self._settings
        term = terms.term(unit.at, self._stationery.fund.zone, settings.months, settings.max_days)
        ids = [self._stationery.randbytes(16).hex() for _ in found]
        if self._stock is None:
            for request, credential_id in zip(found, ids, strict=True):
                person = personal.get(unit.tx, _required(request.person_id))
                self._reserve_one(unit, request, credential_id, self._new_login(unit.tx, person), term)
            return
        drawn = self._draw(unit, self._stock, ids, term)
        for request, one in zip(found, drawn, strict=False):
            self._reserve_one(
                unit, request, one.credential_id, one.login, terms.until_at_most(term, one.expires_at, self._stationery.fund.zone)
            )
        for request in found[len(drawn) :]:
            self._hold(unit, request, "no-pair", "no pair left in the pool")

    def _draw(self, unit: Unit, stock: Stock, credential_ids: Sequence[str], term: Term) -> Sequence[Drawn]:
        """Take pairs; what was put aside is told, and once that the pool is low, until pairs are imported again."""
        draw = stock.draw(unit.tx, credential_ids, until=term.until, now=unit.at)
        if draw.spent_before or draw.damaged:
            unit.tell("pool.skipped", importance="alarm", spent_before=draw.spent_before, damaged=draw.damaged)
        low = credential_ids and draw.left < self._settings.low_stock
        if low and audit.latest(unit.tx, "pool.low", "pool.imported") != "pool.low":
            unit.tell("pool.low", importance="alarm", left=draw.left, low_stock=self._settings.low_stock)
        return draw.drawn

    def _reserve_one(self, unit: Unit, request: Request, credential_id: str, login: str, term: Term) -> None:
        logins.spend(unit.tx, [self._logins.mark(login)])
        credentials.reserve(unit.tx, request, credential_id=credential_id, login=login, term=term, at=unit.at)
        unit.tell(
            "credential.reserved",
            sender=request.sender_code,
            request=request.id,
            credential=credential_id,
            login_digest=_login_digest(login),
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
            if not self._logins.is_used(tx, login):
                return login

    def _carry_out_all(self) -> bool:
        """Carry out what is reserved and in no other worker's hand; whether there was anything."""
        failed: dict[str, Exception] = {}
        handed: dict[str, str] = {}
        with self._worker.writing() as unit:
            found = credentials.reserved(unit.tx, BATCH)
            for credential in found:
                try:
                    with unit.savepoint():
                        self._carry_out(unit, credential)
                    handed[credential.login] = credential.id
                except NOT_THE_REQUESTS_FAULT:
                    raise
                except Exception as error:  # one answer that cannot be written must not stop the others
                    self._abandon(unit, credential, error)
                    failed[credential.id] = error
            self._logins.hand_out(handed)
        for credential_id, why in failed.items():
            self._on_trouble(f"credential {credential_id}", why)
        return bool(found)

    def _carry_out(self, unit: Unit, credential: Credential) -> None:
        request = requests.get(unit.tx, credential.request_id)
        fault = _approval_fault(unit.tx, request, self._worker.pen.key) or _reservation_fault(
            unit.tx, credential, request, self._worker.pen.key
        )
        if fault is not None:
            raise TamperedError("{why}", why=fault)
        if self._logins.went_to_another(credential.login, credential.id):
            raise TamperedError("this login went out for another credential, before a backup was restored")
        person = personal.get(unit.tx, credential.person_id)
        sender = senders.get(unit.tx, credential.sender_code)
        ours = not self._accounts.capabilities.makes_secret
        password = secret.password(self._settings.profile, self._randbelow) if ours else None
        handout = self._accounts.create(
            unit.tx,
            Order(credential_id=credential.id, login=credential.login, password=password, expires_at=credential.valid_until),
        )
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
        self._write(unit, request, credential, person=person, sender=sender, handout=handout)
        self._accounts.forget_secret(unit.tx, credential.id)

    def _write(
        self, unit: Unit, request: Request, credential: Credential, *, person: Personal, sender: Sender, handout: Handout
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
            recipient=personal.get(unit.tx, credential.answer_to_id),
            name="issued",
            values=IssuedValues(
                fund_name=fund.name,
                contact=fund.contact,
                portal_url=fund.portal_url,
                organisation=sender.organisation,
                request_number=request.id,
                received_at=local_moment(kept.received_at if kept else request.created_at, fund.zone),
                person=person.name,
                login=handout.login,
                password=handout.password,
                valid_until=local_moment(credential.valid_until, fund.zone),
                by_authority=self._accounts.capabilities.makes_secret,
            ),
            answered=mime.read(kept.content, whole=kept.whole, size_bytes=kept.size_bytes) if kept else None,
            credential_id=credential.id,
        )

    def _abandon(self, unit: Unit, credential: Credential, error: Exception) -> None:
        request = requests.get(unit.tx, credential.request_id)
        credentials.move(unit.tx, credential, CredentialEvent.ABANDONED, at=unit.at)
        if self._stock is not None:
            self._stock.give_back(unit.tx, credential.id)
        self._hold(unit, request, "issuing-failed", type(error).__name__)

    def _hold(self, unit: Unit, request: Request, reason: str, why: str) -> None:
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


def _approval_fault(tx: Tx, request: Request, key: bytes) -> str | None:
    """Why the record does not carry this approval, or None when it does: MAC, request, sender, letter, person and address."""
    found = audit.of_request(tx, request.id, "request.approved")
    if not found:
        return "no approval in the record"
    approval = found[-1]
    why = evidence.fault(approval, key)
    if why is not None:
        return str(why)
    header, details = evidence.read_header(approval), evidence.read_details(approval)
    if (header["event"], header["request"], header["sender"]) != ("request.approved", request.id, request.sender_code):
        return "the record approves another request"
    if (details["letter"], details.get("reissue_of")) != (request.letter_id, request.reissue_of):
        return "the record approves another letter"
    for what, row in (("person", request.person_id), ("answer_to", request.answer_to_id)):
        if row is None or not _same(details[what], personal.get(tx, row)):
            return f"the record approves another {what}"
    return None


def _reservation_fault(tx: Tx, credential: Credential, request: Request, key: bytes) -> str | None:
    """Why this reserved credential is not the one that was reserved for this request, or None when it is."""
    if (credential.sender_code, credential.person_id, credential.answer_to_id) != (
        request.sender_code,
        request.person_id,
        request.answer_to_id,
    ):
        return "the credential is for somebody else than its request"
    wanted = (credential.id, _login_digest(credential.login), evidence.instant(credential.valid_until))
    for sealed in audit.of_request(tx, request.id, "credential.reserved"):
        details = evidence.read_details(sealed)
        if evidence.fault(sealed, key) is None and wanted == (
            details["credential"],
            details["login_digest"],
            details["valid_until"],
        ):
            return None
    return "the record knows no such reservation"


def _login_digest(login: str) -> str:
    """How the record speaks of a login: a name-based one holds a name, and the record is never erased."""
    return hashlib.sha256(login.encode()).hexdigest()


def _same(told: Mapping[str, object] | None, row: Personal) -> bool:
    named = row.name is None or row.name.canonical == row.value  # the letter is written from the parts, the digest from the whole
    return told is not None and named and row.digest() is not None and told["digest"] == row.digest()


def _required(row_id: int | None) -> int:
    if row_id is None:
        raise ValueError("an approved request has a person")
    return row_id
