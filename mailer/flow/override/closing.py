"""What follows for logins and requests when a person closes a sender? What the person chose, in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.core import evidence
from mailer.core.lifecycle import CredentialEvent, RequestEvent
from mailer.flow import approving, ending
from mailer.flow.ending import Disabler
from mailer.flow.override import credentials as override
from mailer.model import Verdict
from mailer.states import CredentialState, LoginEffect
from mailer.store import credentials, leases, personal, proof, requests
from mailer.store.db import Tx
from mailer.store.requests import Bound, Request
from mailer.store.work import Unit

REASON = "sender-blocked"
TOUCHED = {  # which logins an effect reaches
    LoginEffect.KEEP: (),
    LoginEffect.SUSPEND: (CredentialState.ACTIVE,),
    LoginEffect.REVOKE: (CredentialState.ACTIVE, CredentialState.SUSPENDED),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How many logins and how many approved requests a closing reaches, and how many logins stay valid."""

    logins: int = 0
    requests: int = 0
    kept: int = 0

    def __add__(self, other: Reach) -> Reach:
        return Reach(logins=self.logins + other.logins, requests=self.requests + other.requests, kept=self.kept + other.kept)


def reach(tx: Tx, sender_code: str, effect: LoginEffect) -> Reach:
    """What `close` would reach now."""
    return Reach(
        logins=len(credentials.of_sender(tx, sender_code, TOUCHED[effect])),
        requests=len(requests.approved_of(tx, sender_code)),
        kept=_kept(tx, sender_code, effect),
    )


def _kept(tx: Tx, sender_code: str, effect: LoginEffect) -> int:
    return len(credentials.of_sender(tx, sender_code, (CredentialState.ACTIVE,))) if effect is LoginEffect.KEEP else 0


def close(unit: Unit, accounts: Disabler, sender_code: str, effect: LoginEffect, *, key: bytes, reason: str) -> Reach:
    """Suspend or revoke the sender's logins, or leave them; what is approved and not issued waits for a person in any case.

    Nothing is decided or reserved meanwhile, and what is just being carried out is waited for. A login in reserve is abandoned by
    the step that reserved it, since its request is held.
    """
    for step in ("answer", "issue"):
        leases.take_turn_of(unit.tx, step)
    living = credentials.of_sender(unit.tx, sender_code, (*TOUCHED[effect], CredentialState.RESERVED), to_move=True)
    touched = [credential for credential in living if credential.state in TOUCHED[effect]]
    for credential in touched:
        if effect is LoginEffect.REVOKE:
            override.end(unit, accounts, credential, reason=reason)
            continue
        ending.end(unit, accounts, credential, CredentialEvent.SUSPENDED)
        unit.tell(
            "credential.suspended",
            sender=sender_code,
            request=credential.request_id,
            importance="notice",
            credential=credential.id,
            reason=reason,
            valid_until=evidence.instant(credential.valid_until),
        )
    held = [request for request in requests.approved_of(unit.tx, sender_code, to_move=True) if _hold(unit, key, request, reason)]
    return Reach(logins=len(touched), requests=len(held), kept=_kept(unit.tx, sender_code, effect))


def _hold(unit: Unit, key: bytes, request: Request, reason: str) -> bool:
    """Put an approval before a person again. One that is not as it was recorded is left: it is never told as if it were decided."""
    if proof.request_fault(proof.docket(unit.tx, [request], key), request) is not None:
        return False
    bound = Bound(sender_code=request.sender_code, person_id=request.person_id, answer_to_id=request.answer_to_id)
    state = requests.decide(unit.tx, request, RequestEvent.HELD, bound, at=unit.at, reason=REASON)
    approving.tell(
        unit,
        state,
        request=request.id,
        sender=request.sender_code,
        letter=request.letter_id,
        reissue_of=request.reissue_of,
        person=None if request.person_id is None else personal.get(unit.tx, request.person_id),
        answer_to=None if request.answer_to_id is None else personal.get(unit.tx, request.answer_to_id),
        decided={"verdict": Verdict.HOLD.value, "reason": REASON, "why": reason},
    )
    return True
