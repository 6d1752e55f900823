"""What may an officer do for who never got an answer, or has lost it? Have the same bytes sent again, or a new login issued.

As long as the answer was not handed over, its sealed bytes are there and go out once more. Once they are erased nobody, not we
either, can read the password again: then only a new login helps, and the old one ends when the new answer has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol

from mailer.core import evidence
from mailer.core.lifecycle import CredentialEvent, RequestEvent
from mailer.errors import RefusedError
from mailer.flow import approving
from mailer.flow.approving import PERSON
from mailer.flow.override.credentials import Caps, refuse_beyond
from mailer.flow.stationery import refuse_unwritable
from mailer.flow.undelivered import OPEN, RULE
from mailer.model import Verdict
from mailer.states import CredentialState, ReplyState, RequestState
from mailer.store import credentials, lifespans, outbox, personal, requests, senders, standing
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.outbox import Reply
from mailer.store.requests import Bound, Request
from mailer.store.work import Unit, Worker

KEY_KEPT: Final = timedelta(days=14)  # of a reply that nobody waits for (reliability.md, Secrets)
NEVER_ISSUED: Final = frozenset({CredentialState.RESERVED, CredentialState.ABANDONED, CredentialState.IN_DOUBT})
LOST: Final = frozenset({ReplyState.UNKNOWN, ReplyState.FAILED})


class Place(Protocol):
    """The part of a place of validity that lets a blocked account work again; it takes the open transaction."""

    def enable(self, tx: Tx, credential_id: str) -> None: ...


def reissue(worker: Worker, written: str, *, reason: str, delay: timedelta, caps: Caps, dry_run: bool = False) -> int:
    """Have a new login issued to the same person and address; the number of the request, approved in the operator's name.

    Issuing waits `delay`; the old login ends when the new answer has left.
    """
    with worker.writing(dry_run=dry_run) as unit:
        credential = credentials.lock(unit.tx, credentials.find(unit.tx, written).id)
        refuse_beyond(unit, "credential.reissue-asked", caps)
        request = requests.get(unit.tx, credential.request_id)
        _refuse_followed(unit.tx, credential, request, also=frozenset({RequestState.HELD}))
        person, address = personal.get(unit.tx, credential.person_id), personal.get(unit.tx, credential.answer_to_id)
        _refuse_distrusted(standing.letter_fault(unit.tx, credential, person, address, worker.pen.key))
        _refuse_sender(unit.tx, credential.sender_code, address.value, worker.pen.key)
        number = requests.repeat(unit.tx, request, rule_id=RULE, reason="by-officer", at=unit.at, issue_after=unit.at + delay)
        approving.tell(
            unit,
            RequestState.APPROVED,
            request=number,
            sender=request.sender_code,
            letter=None,
            reissue_of=request.id,
            person=person,
            answer_to=address,
            importance="notice",
            decided={
                "verdict": Verdict.ISSUE.value,
                "rule": PERSON,
                "reason": reason,
                "issue_after": evidence.instant(unit.at + delay),
            },
        )
        _tell(unit, "credential.reissue-asked", credential, reason=reason, by=number)
        return number


def resend(worker: Worker, places: Sequence[Place], written: str, *, reason: str, dry_run: bool = False) -> Reply:
    """Send the same sealed bytes again, with the same Message-ID; a login that was blocked for it works again."""
    with worker.writing(dry_run=dry_run) as unit:
        credential = credentials.lock(unit.tx, credentials.find(unit.tx, written).id)
        reply = _lost(unit, credential)
        request = requests.get(unit.tx, credential.request_id)
        _refuse_followed(unit.tx, credential, request)
        if credential.state not in {CredentialState.ACTIVE, CredentialState.SUSPENDED}:
            raise RefusedError(
                "the credential {login} is {state}: what its answer holds no longer works; "
                "have it issued anew with `mailer credentials reissue`",
                login=credential.login,
                state=credential.state.value,
            )
        _refuse_distrusted(standing.state_fault(unit.tx, credential, worker.pen.key))
        if credential.state is CredentialState.SUSPENDED:
            _resume(unit, places, credential, request, reason)
        outbox.requeue(unit.tx, reply, at=unit.at)
        unit.tell(
            "reply.requeued",
            sender=reply.sender_code,
            request=reply.request_id,
            importance="notice",
            reply=reply.id,
            credential=credential.id,
            was=reply.state.value,
            reason=reason,
        )
        return outbox.get(unit.tx, reply.id)


def _lost(unit: Unit, credential: Credential) -> Reply:
    """The answer with this login, if it can be sent again."""
    found = [one for one in outbox.of_request(unit.tx, credential.request_id) if one.credential_id == credential.id]
    if not found:
        raise RefusedError("no answer was written for the login {login}", login=credential.login)
    reply = found[-1]
    if reply.state in {ReplyState.QUEUED, ReplyState.SENDING}:
        raise RefusedError("the answer with the login {login} is on its way: nothing was changed", login=credential.login)
    if reply.sealed is None:
        raise RefusedError(
            "the answer with the login {login} is {state} and was erased here, nobody can send it again: "
            "have the login issued anew with `mailer credentials reissue`",
            login=credential.login,
            state=reply.state.value,
        )
    if reply.state not in LOST or unit.at - reply.created_at >= KEY_KEPT:
        raise RefusedError(
            "the key to the answer with the login {login} is kept for {days} days only: "
            "have the login issued anew with `mailer credentials reissue`",
            login=credential.login,
            days=KEY_KEPT.days,
        )
    return reply


def _resume(unit: Unit, places: Sequence[Place], credential: Credential, request: Request, reason: str) -> None:
    """The login was blocked because its answer failed; so was a request opened that repeats its own, and that is withdrawn."""
    for repeat in requests.repeats(unit.tx, request):
        if repeat.state is RequestState.HELD:
            bound = Bound(sender_code=repeat.sender_code, person_id=repeat.person_id, answer_to_id=repeat.answer_to_id)
            state = requests.decide(unit.tx, repeat, RequestEvent.WITHDRAWN, bound, at=unit.at, reason="sent-again")
            approving.tell(
                unit,
                state,
                request=repeat.id,
                sender=repeat.sender_code,
                letter=None,
                reissue_of=repeat.reissue_of,
                person=None,
                answer_to=None,
                decided={"verdict": Verdict.IGNORE.value, "rule": PERSON, "reason": reason},
                importance="notice",
            )
    credentials.move(unit.tx, credential, CredentialEvent.RESUMED, at=unit.at)
    lifespans.disabled(unit.tx, credential.id)
    for place in places:
        place.enable(unit.tx, credential.id)
    _tell(unit, "credential.resumed", credential, reason=reason)


def _refuse_followed(tx: Tx, credential: Credential, request: Request, *, also: frozenset[RequestState] = frozenset()) -> None:
    """RefusedError when the person has a newer login, or is about to get one."""
    if credential.state in NEVER_ISSUED:
        raise RefusedError("the login {login} was never issued", login=credential.login)
    if credentials.is_followed(tx, credential):
        raise RefusedError(
            "the person of {login} has a newer login: see `mailer credentials list`; nothing was changed", login=credential.login
        )
    for repeat in requests.repeats(tx, request):
        if repeat.state in OPEN & ({RequestState.APPROVED} | also):
            raise RefusedError(
                "request {id} repeats this one already and is {state}: nothing was changed", id=repeat.id, state=repeat.state.value
            )


def _refuse_distrusted(fault: str | None) -> None:
    if fault is not None:
        raise RefusedError("the login is not as the record tells ({why}): see `mailer accounts reconcile`", why=fault)


def _refuse_sender(tx: Tx, code: str, address: str | None, key: bytes) -> None:
    row = senders.row(tx, code, key)
    if row.fault is not None:
        raise RefusedError("the row of {code} in the register is not as it was last written: see `mailer senders list`", code=code)
    if row.sender.blocked:
        raise RefusedError("the sender {code} is blocked: nothing was changed", code=code)
    if row.sender.answer_to != address:
        raise RefusedError("answers to {code} go elsewhere by now: have a new request sent, so that a person decides it", code=code)
    refuse_unwritable(row.sender)


def _tell(unit: Unit, event: str, credential: Credential, *, reason: str, by: int | None = None) -> None:
    unit.tell(
        event,
        sender=credential.sender_code,
        request=credential.request_id,
        importance="notice",
        credential=credential.id,
        reason=reason,
        by=by,
        valid_until=evidence.instant(credential.valid_until),
    )
