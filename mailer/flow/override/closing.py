"""What follows for logins and requests when a person closes a sender? What the person chose, in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from mailer.core.lifecycle import CredentialEvent, RequestEvent
from mailer.flow import approving
from mailer.flow.override import credentials as override
from mailer.flow.override.credentials import Disabler
from mailer.model import Verdict
from mailer.states import CredentialState, LoginEffect, RequestState
from mailer.store import credentials, personal, requests
from mailer.store.db import Tx
from mailer.store.work import Unit

REASON = "sender-blocked"
TOUCHED = {  # which logins an effect reaches
    LoginEffect.KEEP: (),
    LoginEffect.SUSPEND: (CredentialState.ACTIVE,),
    LoginEffect.REVOKE: (CredentialState.ACTIVE, CredentialState.SUSPENDED),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """How many logins and how many approved requests a closing reaches."""

    logins: int = 0
    requests: int = 0

    def __add__(self, other: Reach) -> Reach:
        return Reach(logins=self.logins + other.logins, requests=self.requests + other.requests)


def reach(tx: Tx, sender_code: str, effect: LoginEffect) -> Reach:
    """What `close` would reach now."""
    return Reach(
        logins=len(credentials.of_sender(tx, sender_code, TOUCHED[effect])), requests=len(requests.approved_of(tx, sender_code))
    )


def close(unit: Unit, accounts: Disabler, sender_code: str, effect: LoginEffect, *, reason: str) -> Reach:
    """Suspend or revoke the sender's logins, or leave them; what is approved and not begun waits for a person in any case."""
    touched = credentials.of_sender(unit.tx, sender_code, TOUCHED[effect], to_move=True)
    for credential in touched:
        if effect is LoginEffect.REVOKE:
            override.end(unit, accounts, credential, reason=reason)
            continue
        credentials.move(unit.tx, credential, CredentialEvent.SUSPENDED, at=unit.at)
        accounts.disable(unit.tx, credential.id)
        unit.tell(
            "credential.suspended",
            sender=sender_code,
            request=credential.request_id,
            importance="notice",
            credential=credential.id,
            reason=reason,
        )
    waiting = requests.approved_of(unit.tx, sender_code, to_move=True)
    for request in waiting:
        requests.move(unit.tx, request, RequestEvent.HELD, reason=REASON)
        approving.tell(
            unit,
            RequestState.HELD,
            request=request.id,
            sender=sender_code,
            letter=request.letter_id,
            reissue_of=request.reissue_of,
            person=None if request.person_id is None else personal.get(unit.tx, request.person_id),
            answer_to=None if request.answer_to_id is None else personal.get(unit.tx, request.answer_to_id),
            decided={"verdict": Verdict.HOLD.value, "reason": REASON, "why": reason},
        )
    return Reach(logins=len(touched), requests=len(waiting))
