"""What follows when a reply will never arrive? The login in it is blocked, and the same request stands before a person again.

Not a step: deliver (the mail server refused it, or 14 days are over) and bounce (it came back) both act through it. Nothing is
issued here: a person decides whether the address is right by now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailer.core import evidence
from mailer.core.lifecycle import CredentialEvent
from mailer.flow import ending
from mailer.flow.ending import Disabler
from mailer.states import CredentialState, RequestState
from mailer.store import credentials, personal, proof, requests
from mailer.store.credentials import Credential
from mailer.store.db import Tx
from mailer.store.outbox import Reply
from mailer.store.requests import Request
from mailer.store.work import Unit

RULE: Final = "reissue"  # which no rule file holds: it stands where other requests name their rule
OPEN: Final = frozenset({RequestState.HELD, RequestState.APPROVED})


def suspend(unit: Unit, accounts: Disabler, reply: Reply, *, key: bytes, reason: str) -> None:
    """Block what the reply should have brought, and open the request that repeats its own, each only where it is called for."""
    if reply.credential_id is None or reply.request_id is None:
        return
    written = proof.queued(unit.tx, reply, key)
    if written is None or written["credential"] != reply.credential_id:
        return
    credential = credentials.lock(unit.tx, reply.credential_id)
    if credential.state is not CredentialState.ACTIVE:
        return
    ending.end(unit, accounts, credential, CredentialEvent.SUSPENDED)
    request = requests.get(unit.tx, reply.request_id)
    followed = credentials.is_followed(unit.tx, credential)
    fault = None if followed else _fault(unit.tx, request, credential, written, key)
    unit.tell(
        "credential.suspended",
        sender=credential.sender_code,
        request=request.id,
        importance="warning" if fault is None else "alarm",
        credential=credential.id,
        reply=reply.id,
        reason=reason,
        why=fault,
        valid_until=evidence.instant(credential.valid_until),
    )
    if not followed and fault is None:
        _reissue(unit, request, reason)


def _reissue(unit: Unit, request: Request, reason: str) -> None:
    if any(repeat.state in OPEN for repeat in requests.repeats(unit.tx, request)):
        return
    reissue_id = requests.repeat(unit.tx, request, rule_id=RULE, reason=reason, at=unit.at)
    person, answer_to = (_told_of(unit.tx, row) for row in (request.person_id, request.answer_to_id))
    unit.tell(
        "request.held",
        sender=request.sender_code,
        request=reissue_id,
        importance="notice",
        letter=None,
        reissue_of=request.id,
        person=person,
        answer_to=answer_to,
        rule=RULE,
        reason=reason,
    )


def _fault(tx: Tx, request: Request, credential: Credential, written: Mapping[str, Any], key: bytes) -> str | None:
    """Why this request may not be repeated, or None: person and address must still be those of the answer that was written."""
    issued = proof.told_of(tx, request.id, "credential.issued", key, credential=credential.id)
    if issued is None or issued["person"] != _told_of(tx, request.person_id):
        return "the request names another person than the answer"
    if written["recipient"] != _told_of(tx, request.answer_to_id):
        return "the request names another address than the answer went to"
    return None


def _told_of(tx: Tx, row_id: int | None) -> dict[str, object] | None:
    return None if row_id is None else personal.get(tx, row_id).told()
