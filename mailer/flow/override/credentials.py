"""What may an officer do with logins that were issued? End them, let one live longer, have it issued anew or its answer sent again.

Every one is told with who did it and why. A refusal says what to do instead, and changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from mailer.core import evidence, terms
from mailer.core.accounts import Managed
from mailer.core.lifecycle import CREDENTIAL, CredentialEvent
from mailer.core.reply import local_moment
from mailer.errors import RefusedError
from mailer.flow import ending, tidings
from mailer.flow.ending import Disabler
from mailer.flow.stationery import Stationery
from mailer.model import Term
from mailer.states import CredentialState
from mailer.store import audit, credentials, lifespans
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.facts import start_of_day
from mailer.store.work import Unit, Worker


class Place(Protocol):
    """The part of a place of validity that lets an account live on; it takes the open transaction."""

    def read_back(self, tx: Tx, credential_id: str) -> Managed | None: ...

    def set_expiry(self, tx: Tx, credential_id: str, expires_at: datetime) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Caps:
    """How far an officer may go: `months` and `max_days` bound a term as they bound that of a new login, `extensions` how often
    one login may live longer, `daily` how many logins one operator may extend, and have issued anew, in a day of `zone`."""

    months: int
    max_days: int | None
    extensions: int
    daily: int
    warn_days: Sequence[int]
    zone: ZoneInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Which living logins are meant: of one sender, issued from `since` on, until `until`; None where that does not matter."""

    sender: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def revoke(worker: Worker, accounts: Disabler, *written: str, reason: str, dry_run: bool = False) -> list[Credential]:
    """End these credentials now, wherever they are valid: all or none.

    RefusedError when one has ended already, NotFoundError when there is none such.
    """
    with worker.writing(dry_run=dry_run) as unit:
        found = {one.id: one for one in (credentials.find(unit.tx, name) for name in written)}
        return _revoke_all(unit, accounts, list(found.values()), reason=reason)


def choose(tx: Tx, choice: Choice, *, at_most: int) -> list[Credential]:
    """The living logins that are meant, those issued first before the others; RefusedError when there are none or too many."""
    found = credentials.living(tx, choice.sender, choice.since, choice.until, at_most + 1)
    if not found:
        raise RefusedError("no living login is meant by this: nothing was changed")
    if len(found) > at_most:
        raise RefusedError(
            "more than {limit} logins are meant, [limits] revoke_at_once allows no more: narrow it down by --sender, "
            "--issued-since and --issued-until",
            limit=at_most,
        )
    return found


def code_of(found: Sequence[Credential]) -> str:
    """By what a person says that just these are meant: another list has another code."""
    return hashlib.sha256(" ".join(sorted(one.id for one in found)).encode()).hexdigest()[:6]


def revoke_chosen(worker: Worker, accounts: Disabler, choice: Choice, *, code: str, reason: str, at_most: int) -> list[Credential]:
    """End what is meant, if it still is what the person has seen."""
    with worker.writing() as unit:
        found = choose(unit.tx, choice, at_most=at_most)
        if code_of(found) != code:
            raise RefusedError("this code is not that of the list: look at it once more with --dry-run; nothing was changed")
        return _revoke_all(unit, accounts, found, reason=reason)


def _revoke_all(unit: Unit, accounts: Disabler, found: Sequence[Credential], *, reason: str) -> list[Credential]:
    for credential in found:
        if (credential.state, CredentialEvent.REVOKED) not in CREDENTIAL:
            raise RefusedError(
                "the credential {login} is {state} and cannot be revoked", login=credential.login, state=credential.state.value
            )
        end(unit, accounts, credential, reason=reason)
    return [credentials.get(unit.tx, credential.id) for credential in found]


def show(worker: Worker, written: str) -> Credential:
    """One credential for reading, with the request it was issued on: that names a person, so who looks at it is recorded."""
    with worker.writing() as unit:
        credential = credentials.find(unit.tx, written)
        unit.tell(
            "credential.shown",
            sender=credential.sender_code,
            request=credential.request_id,
            importance="notice",
            credential=credential.id,
        )
        return credential


def end(unit: Unit, accounts: Disabler, credential: Credential, *, reason: str) -> None:
    """Revoke this credential in a transaction that does more than that."""
    ending.end(unit, accounts, credential, CredentialEvent.REVOKED)
    unit.tell(
        "credential.revoked",
        sender=credential.sender_code,
        request=credential.request_id,
        importance="notice",
        credential=credential.id,
        reason=reason,
        valid_until=evidence.instant(credential.valid_until),
    )


def extend(
    worker: Worker,
    places: Sequence[Place],
    stationery: Stationery,
    written: str,
    wanted: date | int,
    *,
    reason: str,
    caps: Caps,
    dry_run: bool = False,
) -> Credential:
    """Let a login live until the end of day `wanted`, or for so many calendar months from today; its holder is told by letter."""
    with worker.writing(dry_run=dry_run) as unit:
        credential = credentials.lock(unit.tx, credentials.find(unit.tx, written).id)
        refuse_beyond(unit, "credential.extended", caps)
        if credential.state is not CredentialState.ACTIVE or credential.valid_until < unit.at:
            raise RefusedError(
                "the credential {login} is {state} and cannot be extended: have it issued anew with `mailer credentials reissue`",
                login=credential.login,
                state=credential.state.value,
            )
        term = terms.extended(unit.at, caps.zone, wanted)
        _refuse_term(unit, credential, term, caps)
        for place in [place for place in places if place.read_back(unit.tx, credential.id) is not None]:
            place.set_expiry(unit.tx, credential.id, term.until)
        why = tidings.write(unit, stationery, credential, "extended", key=worker.pen.key, until=term.until)
        if why is not None:
            raise RefusedError("the login is not as the record tells ({why}): see `mailer accounts reconcile`", why=why)
        today = unit.at.astimezone(caps.zone).date()
        past = [days for days in caps.warn_days if term.last_day - timedelta(days=days) <= today]
        lifespans.extend(unit.tx, credential.id, term, warned_days=min(past, default=None))
        _tell_extended(unit, credential, term, reason)
        return credentials.get(unit.tx, credential.id)


def refuse_beyond(unit: Unit, event: str, caps: Caps) -> None:
    """RefusedError when this operator has done it often enough today."""
    if audit.count_by(unit.tx, unit.actor, event, since=start_of_day(unit.at, caps.zone)) >= caps.daily:
        raise RefusedError(
            "{actor} has done this {limit} times today, [limits] operator_daily allows no more: nothing was changed",
            actor=unit.actor,
            limit=caps.daily,
        )


def _refuse_term(unit: Unit, credential: Credential, term: Term, caps: Caps) -> None:
    told = audit.of_request(unit.tx, credential.request_id, "credential.extended")
    if sum(evidence.read_details(one)["credential"] == credential.id for one in told) >= caps.extensions:
        raise RefusedError(
            "the login was extended {count} times, [credentials] max_extensions allows no more: "
            "have it issued anew with `mailer credentials reissue`",
            count=len(told),
        )
    if term.until <= credential.valid_until:
        raise RefusedError(
            "the login is valid until {until} already: name a later day; nothing was changed",
            until=local_moment(credential.valid_until, caps.zone),
        )
    latest = terms.term(unit.at, caps.zone, caps.months, None)
    if term.until > latest.until:
        raise RefusedError(
            "no login lives longer than a new one would: until {until} at most", until=local_moment(latest.until, caps.zone)
        )
    if caps.max_days is not None and credential.issued_at is not None:
        oldest = credential.issued_at.astimezone(caps.zone).date() + timedelta(days=caps.max_days)
        if term.last_day > oldest:
            raise RefusedError(
                "a password may be {days} days old, until {day}: have it issued anew with `mailer credentials reissue`",
                days=caps.max_days,
                day=f"{oldest:%d.%m.%Y}",
            )


def _tell_extended(unit: Unit, credential: Credential, term: Term, reason: str) -> None:
    unit.tell(
        "credential.extended",
        sender=credential.sender_code,
        request=credential.request_id,
        importance="notice",
        credential=credential.id,
        reason=reason,
        valid_until=evidence.instant(term.until),
        last_day=term.last_day.isoformat(),
        term_rule=term.rule,
        before=evidence.instant(credential.valid_until),
    )
