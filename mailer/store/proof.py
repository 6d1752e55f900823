"""Does the record carry what the tables say? Whoever can only write the database cannot make it so.

Asked before anything is issued or sent. Every answer is None, or in a few words why the row is not believed. Only records whose MAC
holds count for a row; one whose MAC does not hold counts against it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mailer.core import evidence
from mailer.core.evidence import Sealed
from mailer.errors import TamperedError
from mailer.states import RequestState
from mailer.store import audit, personal, senders
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.outbox import MAX_SENDS, Reply
from mailer.store.personal import Personal
from mailer.store.requests import Request
from mailer.store.senders import Row

DECISIONS: Final = (
    *("request.approved", "request.held", "request.refused", "request.withdrawn"),
    *("request.undone", "request.corrected"),
)
STANDING: Final = {
    RequestState.HELD: ("request.held", "request.undone", "request.corrected"),
    RequestState.APPROVED: ("request.approved",),
}
NOTICE: Final = "notice.queued"  # a letter to the officer, of no request
ISSUING: Final = ("credential.reserved", "credential.issued")
NEVER_AGAIN: Final = {
    "reply.sent": "it was sent already",
    "reply.failed": "it was given up already",
    "reply.bounced": "it came back already",
    "reply.doubted": "nobody has put it back into the queue",
}
A_PERSONS_WORD: Final = frozenset({"reply.failed", "reply.doubted"})  # undone by it: *reply.requeued*
LIFE: Final = ("reply.leased", "reply.postponed", "reply.returned", *NEVER_AGAIN)


@dataclass(frozen=True, slots=True)
class Bar:
    """Why an approved request is held after all: the reason by its id, and in words for the record."""

    reason: str
    why: str


UNPROVEN: Final = "approval-unproven"
BLOCKED: Final = Bar("sender-blocked", "the sender is blocked")
MOVED: Final = Bar("address-changed", "the register has another answer address by now")
EARLY: Final = Bar(UNPROVEN, "the time in which it can be taken back is not over")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A record that holds: its two parts."""

    header: Mapping[str, Any]
    details: Mapping[str, Any]

    @property
    def event(self) -> str:
        return str(self.header["event"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Docket:
    """What tables and record say of several requests, read at once; by the ids of requests and personal rows, and by codes."""

    requests: Mapping[int, Request]
    people: Mapping[int, Personal]
    told: Mapping[int, Sequence[Told] | str]  # a text: why one of the records does not hold
    senders: Mapping[str, Row]


def docket(tx: Tx, found: Sequence[Request], key: bytes) -> Docket:
    """Of requests that were read in this transaction."""
    rows = {row for request in found for row in (request.person_id, request.answer_to_id) if row is not None}
    sealed = audit.of_requests(tx, [request.id for request in found], *DECISIONS, *ISSUING)
    codes = sorted({request.sender_code for request in found if request.sender_code is not None})
    return Docket(
        requests={request.id: request for request in found},
        people=personal.several(tx, sorted(rows)),
        told={number: holding(records, key) for number, records in sealed.items()},
        senders=senders.rows(tx, codes, key),
    )


def still_holds(tx: Tx, docket: Docket, seq: int) -> bool:
    """Whether what was proved when this record was the newest still is: nothing was told since of these requests, nor by a person,
    who may have changed anything else the docket holds. A change that nobody told is none that the docket need know."""
    return not any(
        actor.startswith(evidence.OPERATOR) or request_id in docket.requests for actor, request_id in audit.told_after(tx, seq)
    )


def approval_fault(docket: Docket, request: Request) -> str | None:
    """Why the record does not carry this approval: MAC, request, sender, letter, person and address; the last decision counts."""
    told = docket.told[request.id]
    if isinstance(told, str):
        return told
    if request.state is not RequestState.APPROVED:
        return "the request is not approved"
    decisions = [one for one in told if one.event in DECISIONS]
    if not decisions or decisions[-1].event != "request.approved":
        return "no approval in the record"
    if any(one.event == "credential.issued" for one in told):
        return "the record tells that it was issued already"
    if request.person_id is None or request.answer_to_id is None:
        return "nobody is named"
    sender = docket.senders.get(request.sender_code or "")
    return _another(decisions[-1], docket, request) or ("the register has no such sender" if sender is None else sender.fault)


def bar(docket: Docket, request: Request, now: datetime) -> Bar | None:
    """What keeps this approved request from being issued now, None when nothing does."""
    why = approval_fault(docket, request)
    if why is not None:
        return Bar(UNPROVEN, why)
    sender = docket.senders[request.sender_code or ""].sender
    if sender.is_blocked(now):
        return BLOCKED
    if docket.people[request.answer_to_id or 0].value != sender.answer_to:
        return MOVED
    return EARLY if _is_early(docket.told[request.id], evidence.instant(now)) else None


def _is_early(told: Sequence[Told] | str, now: str) -> bool:
    """Whether the record lets it wait still; what was told in the future, while the clock ran ahead, waits for nothing."""
    approved = next(one for one in reversed(told) if isinstance(one, Told) and one.event == "request.approved")
    return bool(approved.header["at"] <= now < (approved.details.get("issue_after") or ""))


def request_fault(docket: Docket, request: Request) -> str | None:
    """Why this request is not as the record last told whose it is: who decides on it would decide on what somebody else wrote."""
    told = docket.told[request.id]
    if isinstance(told, str):
        return told
    decisions = [one for one in told if one.event in DECISIONS]
    whole = [one for one in decisions if "person" in one.details]
    if not whole:
        return "the record knows no such request"
    if decisions[-1].event not in STANDING.get(request.state, ()):
        return "the record tells of another decision"
    return _another(whole[-1], docket, request)


def is_taken_back(docket: Docket, request: Request) -> bool:
    """Whether this request is held by now, and the record tells so too."""
    if request.state is not RequestState.HELD:
        return False
    last = last_decision(docket, request)
    return last is not None and last.event in STANDING[RequestState.HELD]


def last_decision(docket: Docket, request: Request) -> Told | None:
    """The record that decides on this request today; None when there is none that holds."""
    told = docket.told[request.id]
    decisions = [] if isinstance(told, str) else [one for one in told if one.event in DECISIONS]
    return decisions[-1] if decisions else None


def decided_by(docket: Docket, request: Request, rule: str) -> bool:
    """Whether the last decision names this rule, or a person said whom the request is for."""
    told = docket.told[request.id]
    decisions = [] if isinstance(told, str) else [one for one in told if one.event in DECISIONS]
    corrected = any(one.event == "request.corrected" for one in decisions)
    return corrected or (bool(decisions) and decisions[-1].details.get("rule") == rule)


def reservation_fault(docket: Docket, credential: Credential, request: Request) -> str | None:
    """Why this reserved credential is not the one that was reserved for this request."""
    if (credential.sender_code, credential.person_id, credential.answer_to_id) != (
        request.sender_code,
        request.person_id,
        request.answer_to_id,
    ):
        return "the credential is for somebody else than its request"
    told = docket.told[request.id]
    if isinstance(told, str):
        return told
    login = docket.people[credential.person_id].login_digest(credential.login)
    wanted = (credential.id, login, evidence.instant(credential.valid_until))
    approved = max((place for place, one in enumerate(told) if one.event in DECISIONS), default=0)
    for one in told[approved:]:  # what was reserved for an earlier approval was abandoned since
        details = one.details
        if one.event == "credential.reserved" and wanted == (
            details["credential"],
            details["login_digest"],
            details["valid_until"],
        ):
            return None
    return "the record knows no such reservation"


def records_of(tx: Tx, reply: Reply) -> list[Sealed]:
    """Every record of the reply's request, oldest first; of a notice, which has none: its writing, the life of notices since."""
    if reply.request_id is not None:
        return audit.of_request(tx, reply.request_id)
    written = audit.of_event(tx, NOTICE, reply.created_at)
    return [*written, *audit.without_request(tx, LIFE, after=written[0].seq)] if written else []


def queued(tx: Tx, reply: Reply, key: bytes) -> Mapping[str, Any] | None:
    """What the record says of how this reply was written, if a record that holds says anything."""
    return told(tx, reply, _writing(reply), key)


def told(tx: Tx, reply: Reply, event: str, key: bytes) -> Mapping[str, Any] | None:
    """What the record says of this reply in this event."""
    return _saying(records_of(tx, reply), event, reply.request_id, key, reply=reply.id)


def told_of(tx: Tx, request_id: int, event: str, key: bytes, **named: str) -> Mapping[str, Any] | None:
    """What the record says of this request in this event, where its details name these values."""
    return _saying(audit.of_request(tx, request_id, event), event, request_id, key, **named)


def reply_fault(reply: Reply, recipient: Personal, sealed: Sequence[Sealed], key: bytes) -> str | None:
    """Why these stored bytes are not the ones that were written for this recipient and may still leave.

    `sealed`: what `records_of` gives, among them the record of the attempt which begins.
    """
    held = holding(sealed, key)
    if isinstance(held, str):
        return held
    own = [one for one in held if one.details.get("reply") == reply.id]
    if not own or (own[0].event, own[0].header["request"]) != (_writing(reply), reply.request_id):
        return "the record knows no such reply"
    written = own[0].details
    if reply.sealed is None or hashlib.sha256(reply.sealed).hexdigest() != written["digest"]:
        return "its bytes are not those in the record"
    if recipient.digest is None or written["recipient"]["digest"] != recipient.digest:
        return "its recipient is not the one in the record"
    if (written["credential"], written["key_epoch"], written["message_id"]) != (
        reply.credential_id,
        reply.key_epoch,
        reply.message_id,
    ):
        return "its credential, key or Message-ID is not the one in the record"
    return _life_fault([one.event for one in own])


def _another(approval: Told, docket: Docket, request: Request) -> str | None:
    """What this record names otherwise than the request does."""
    if (approval.header["request"], approval.header["sender"]) != (request.id, request.sender_code):
        return "the record tells of another request"
    if (approval.details["letter"], approval.details.get("reissue_of")) != (request.letter_id, request.reissue_of):
        return "the record tells of another letter"
    for what, row in (("person", request.person_id), ("answer_to", request.answer_to_id)):
        named = approval.details[what]
        if (row is None) != (named is None) or (row is not None and not same(named, docket.people[row])):
            return f"the record tells of another {what}"
    return None


def _life_fault(events: Sequence[str]) -> str | None:
    """Why a reply with this life may not leave: what ended does not begin again, what is given up or in doubt only by a person."""
    word = max((place for place, event in enumerate(events) if event == "reply.requeued"), default=-1)
    since = events[word + 1 :]
    for event, why in NEVER_AGAIN.items():
        if event in (since if event in A_PERSONS_WORD else events):
            return why
    if since.count("reply.leased") - since.count("reply.postponed") > MAX_SENDS:
        return "the record tells of more sends than are allowed"
    return None


def _writing(reply: Reply) -> str:
    return NOTICE if reply.request_id is None else "reply.queued"


def _saying(sealed: Sequence[Sealed], event: str, request_id: int | None, key: bytes, **named: str) -> Mapping[str, Any] | None:
    """The details of the first record that holds, is of this event and request, and names these values."""
    for one in sealed:
        if evidence.fault(one, key) is None:
            header = evidence.read_header(one)
            if (header["event"], header["request"]) == (event, request_id):
                details = evidence.read_details(one)
                if all(details.get(name) == value for name, value in named.items()):
                    return details
    return None


def holding(sealed: Sequence[Sealed], key: bytes) -> list[Told] | str:
    """The records with their parts; the fault of the first that does not hold instead."""
    told = []
    for one in sealed:
        parts = evidence.parts(one, key)
        if isinstance(parts, TamperedError):
            return str(parts)
        header, details = parts
        told.append(Told(header=header, details=details))
    return told


def same(told: Mapping[str, object] | None, row: Personal) -> bool:
    """Whether the record tells of this person or address; one that was erased is the same as none."""
    named = row.name is None or row.name.canonical == row.value  # the letter is written from the parts, the digest from the whole
    digest = row.digest
    return told is not None and named and digest is not None and told["digest"] == digest
