"""What does the office know that bears on this letter? Gathered in the transaction that stores the decision.

Counting here is why caps hold inside a batch: each letter sees what the letters before it were promised.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, union

from mailer.core import evidence
from mailer.model import (
    Facts,
    Kind,
    Letter,
    NameStanding,
    Reading,
    Sender,
    SenderStanding,
)
from mailer.states import CredentialState, RequestState
from mailer.store import audit, letters, outbox, personal, persons, proof, senders
from mailer.store.db import Tx
from mailer.store.requests import APPROVED
from mailer.store.schema import credentials, requests

LIVING: Final = (CredentialState.ACTIVE.value, CredentialState.RESERVED.value, CredentialState.SUSPENDED.value)
NOT_ISSUED: Final = (CredentialState.ABANDONED.value, CredentialState.RESERVED.value)  # one reserved: its request is approved
ON_THE_WAY: Final = (CredentialState.ACTIVE.value, CredentialState.RESERVED.value)  # a suspended one's answer did not arrive
PROMISED: Final = (RequestState.APPROVED.value, RequestState.ISSUED.value, RequestState.ANSWERED.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The office's numbers behind the facts, from `mailer.toml`."""

    zone: ZoneInfo
    max_age: timedelta
    sender_daily: int
    sender_active: int
    address_replies_daily: int
    replies_daily: int
    own_address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A letter as it stands before its decision. `id` is 0 for one that is only explained: nothing came before it."""

    id: int
    received_at: datetime
    proven: bool
    letter: Letter | None
    reading: Reading


def gather(tx: Tx, arrival: Arrival, limits: Limits, now: datetime, *, key: bytes) -> tuple[Facts, Sender | None]:
    """The facts of one letter, and the sender of the register it comes from, if any. `key` is that of the record.

    A row of the register that is not as it was last written counts as none.
    """
    letter, reading = arrival.letter, arrival.reading
    row = senders.by_address(tx, letter.sender, key) if letter is not None and letter.sender is not None else None
    sender = row.sender if row is not None and row.fault is None else None
    standing = _standing(sender, now, proven=arrival.proven)
    base = Facts(
        kind=reading.kind,
        name=_name_standing(reading),
        sender=standing,
        reason=reading.reason,
        repairs=reading.repairs,
        phrase_first=reading.phrase_first,
        duplicate=_is_repeated(tx, arrival),
        too_old=now - arrival.received_at > limits.max_age,
    )
    if sender is None or letter is None or standing is SenderStanding.UNPROVEN:
        return base, None if standing is SenderStanding.UNPROVEN else sender
    named = reading.person
    person = personal.find_person(tx, sender.code, named) if named is not None else None
    other = senders.code_by_point(tx, letter.display_name) if letter.display_name else None
    base = replace(base, display_name_of_another=other is not None and other != sender.code)
    return _with_history(tx, base, sender, 0 if person is None else person.id, limits=limits, now=now, key=key), sender


def of_person(
    tx: Tx, sender: Sender | None, person_id: int | None, *, kind: Kind, limits: Limits, now: datetime, key: bytes
) -> Facts:
    """The facts that bear on a decision by a person, who has looked at the letter himself and knows whose it is.

    `sender`: a row of the register that is as it was written, or None; `person_id`: None when no name was read. `key` is that of
    the record.
    """
    base = Facts(
        kind=kind,
        name=NameStanding.UNREADABLE if person_id is None else NameStanding.READ,
        sender=_standing(sender, now, proven=True),
    )
    return base if sender is None else _with_history(tx, base, sender, person_id or 0, limits=limits, now=now, key=key)


def _with_history(tx: Tx, base: Facts, sender: Sender, person_id: int, *, limits: Limits, now: datetime, key: bytes) -> Facts:
    issued = _living_of(tx, person_id, now)
    newest = max(issued, default=None)
    today = start_of_day(now, limits.zone)
    promised_today = _promised_since(tx, today, sender.code)
    sender_active = _active_others(tx, sender.code, person_id, now)
    return replace(
        base,
        person_unlisted=base.name is NameStanding.READ and not persons.allows(tx, sender.code, person_id, key),
        address_changed=_address_changed(tx, sender, key),
        active_credential=bool(issued),
        active_minutes=None if newest is None else max(0, int((now - newest).total_seconds() // 60)),
        issued_30d=_issued_since(tx, person_id, now - timedelta(days=30)),
        sender_active=sender_active,
        sender_today=promised_today,
        sender_limit_reached=sender_active >= limits.sender_active or promised_today >= limits.sender_daily,
        cap_reached=_cap_reached(tx, sender, limits, today),
        answers_itself=sender.answer_to == limits.own_address,
    )


def start_of_day(now: datetime, zone: ZoneInfo) -> datetime:
    """Midnight of the day that `now` is in, in the fund's zone."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)


def _standing(sender: Sender | None, now: datetime, *, proven: bool) -> SenderStanding:
    if sender is None:
        return SenderStanding.UNKNOWN
    if not proven:
        return SenderStanding.UNPROVEN
    return SenderStanding.BLOCKED if sender.is_blocked(now) else SenderStanding.KNOWN


def _name_standing(reading: Reading) -> NameStanding:
    if reading.person is not None:
        return NameStanding.READ
    return NameStanding.UNREADABLE if reading.kind is Kind.REQUEST else NameStanding.NONE


def _is_repeated(tx: Tx, arrival: Arrival) -> bool:
    if arrival.letter is None or not arrival.id:
        return False
    return letters.repeated(tx, arrival.id, arrival.letter.digest, arrival.letter.fingerprint, arrival.received_at)


def _living_of(tx: Tx, person_id: int, now: datetime) -> list[datetime]:
    """When this person's active credentials were issued; one that is only promised counts from its decision.

    What lives is asked of the term itself: the sweep that marks ended credentials may come later.
    """
    living = select(func.coalesce(credentials.c.issued_at, credentials.c.reserved_at), credentials.c.valid_until).where(
        credentials.c.person_id == person_id, credentials.c.state.in_(ON_THE_WAY)
    )
    promised = select(requests.c.decided_at).where(
        requests.c.person_id == person_id, requests.c.state == RequestState.APPROVED.value
    )
    # The term is asked here: SQLite would take the index of terms, and go through all logins that live.
    issued = [begun for begun, until in tx.execute(living) if until >= now]
    return [*issued, *tx.execute(promised).scalars()]


def _issued_since(tx: Tx, person_id: int, since: datetime) -> int:
    """Credentials issued to this person since then, and those that approved requests still promise."""
    issued = select(func.count()).where(
        credentials.c.person_id == person_id, credentials.c.reserved_at >= since, credentials.c.state.not_in(NOT_ISSUED)
    )
    promised = select(func.count()).where(
        requests.c.person_id == person_id, requests.c.decided_at >= since, requests.c.state == RequestState.APPROVED.value
    )
    return tx.execute(issued).scalar_one() + tx.execute(promised).scalar_one()


def _active_others(tx: Tx, sender_code: str, person_id: int, now: datetime) -> int:
    """How many other persons of the sender have a living credential or are promised one: a reissue does not add one."""
    living = select(credentials.c.person_id).where(
        credentials.c.sender_code == sender_code,
        credentials.c.state.in_(LIVING),
        credentials.c.valid_until >= now,
        credentials.c.person_id != person_id,
    )
    promised = select(requests.c.person_id).where(
        requests.c.sender_code == sender_code,
        requests.c.state == APPROVED,
        requests.c.person_id != person_id,
    )
    return tx.execute(select(func.count()).select_from(union(living, promised).subquery())).scalar_one()


def _promised_since(tx: Tx, since: datetime, sender_code: str) -> int:
    query = select(func.count()).where(
        requests.c.sender_code == sender_code, requests.c.decided_at >= since, requests.c.state.in_(PROMISED)
    )
    return tx.execute(query).scalar_one()


def _address_changed(tx: Tx, sender: Sender, key: bytes) -> bool:
    """Whether nothing was issued yet to the answer address that the register has now, though there was another before."""
    issued = select(credentials.c.id, credentials.c.request_id, credentials.c.answer_to_id).where(
        credentials.c.sender_code == sender.code, credentials.c.state != CredentialState.ABANDONED.value
    )
    last = tx.execute(issued.order_by(credentials.c.reserved_at.desc(), credentials.c.id).limit(1)).one_or_none()
    changed_at = sender.answer_changed_at
    if last is None:
        return changed_at is not None
    if changed_at is not None and not _was_reserved_since(tx, last.request_id, last.id, changed_at, key):
        return True
    return personal.get(tx, last.answer_to_id).value != sender.answer_to


def _was_reserved_since(tx: Tx, request_id: int, credential_id: str, since: datetime, key: bytes) -> bool:
    """As the record tells: the credential's own row says what the last writer of the table wrote."""
    told = proof.holding(audit.of_request(tx, request_id, "credential.reserved"), key)
    if isinstance(told, str):
        return False
    own = [one.header["at"] for one in told if one.details["credential"] == credential_id]
    return any(at >= evidence.instant(since) for at in own)


def _cap_reached(tx: Tx, sender: Sender, limits: Limits, today: datetime) -> bool:
    """Replies already written today, and those that approved requests will still need."""
    waiting = select(func.count()).where(requests.c.state == RequestState.APPROVED.value)
    in_all = outbox.put_since(tx, today) + tx.execute(waiting).scalar_one()
    address = personal.find_address(tx, sender.code, sender.answer_to)
    if address is None:
        return in_all >= limits.replies_daily
    waiting_here = tx.execute(waiting.where(requests.c.answer_to_id == address.id)).scalar_one()
    return in_all >= limits.replies_daily or outbox.put_since(tx, today, address.id) + waiting_here >= limits.address_replies_daily
