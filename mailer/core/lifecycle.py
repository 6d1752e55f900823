"""Which changes of state are allowed? Life as tables (architecture.md, "States"); anything else is an error.

Must not know how a state is stored, nor why an event happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from mailer.errors import TransitionError
from mailer.states import CredentialState, LetterState, ReplyState, RequestState

State = TypeVar("State", bound=StrEnum)
Event = TypeVar("Event", bound=StrEnum)


class LetterEvent(StrEnum):
    READ = "read"
    QUARANTINED = "quarantined"
    RETRIED = "retried"
    DROPPED = "dropped"


class RequestEvent(StrEnum):
    APPROVED = "approved"
    REFUSED = "refused"
    ISSUED = "issued"
    ANSWERED = "answered"
    HELD = "held"
    WITHDRAWN = "withdrawn"


class CredentialEvent(StrEnum):
    CREATED = "created"
    ABANDONED = "abandoned"
    DOUBTED = "doubted"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


class ReplyEvent(StrEnum):
    LEASED = "leased"
    SENT = "sent"
    POSTPONED = "postponed"  # nothing went out: back to the queue
    RETURNED = "returned"  # the sender died or the line broke: same bytes again
    DOUBTED = "doubted"
    FAILED = "failed"
    CONFIRMED = "confirmed"
    BOUNCED = "bounced"


LETTER: Mapping[tuple[LetterState, LetterEvent], LetterState] = {
    (LetterState.KEPT, LetterEvent.READ): LetterState.READ,
    (LetterState.KEPT, LetterEvent.QUARANTINED): LetterState.QUARANTINED,
    (LetterState.QUARANTINED, LetterEvent.RETRIED): LetterState.KEPT,
    (LetterState.QUARANTINED, LetterEvent.DROPPED): LetterState.DROPPED,
}

REQUEST: Mapping[tuple[RequestState, RequestEvent], RequestState] = {
    (RequestState.HELD, RequestEvent.APPROVED): RequestState.APPROVED,
    (RequestState.HELD, RequestEvent.REFUSED): RequestState.REFUSED,
    (RequestState.HELD, RequestEvent.WITHDRAWN): RequestState.WITHDRAWN,
    (RequestState.APPROVED, RequestEvent.ISSUED): RequestState.ISSUED,
    (RequestState.APPROVED, RequestEvent.HELD): RequestState.HELD,
    (RequestState.APPROVED, RequestEvent.WITHDRAWN): RequestState.WITHDRAWN,
    (RequestState.ISSUED, RequestEvent.ANSWERED): RequestState.ANSWERED,
}

CREDENTIAL: Mapping[tuple[CredentialState, CredentialEvent], CredentialState] = {
    (CredentialState.RESERVED, CredentialEvent.CREATED): CredentialState.ACTIVE,
    (CredentialState.RESERVED, CredentialEvent.ABANDONED): CredentialState.ABANDONED,
    (CredentialState.RESERVED, CredentialEvent.DOUBTED): CredentialState.IN_DOUBT,
    (CredentialState.IN_DOUBT, CredentialEvent.CREATED): CredentialState.ACTIVE,
    (CredentialState.IN_DOUBT, CredentialEvent.ABANDONED): CredentialState.ABANDONED,
    (CredentialState.ACTIVE, CredentialEvent.SUSPENDED): CredentialState.SUSPENDED,
    (CredentialState.SUSPENDED, CredentialEvent.RESUMED): CredentialState.ACTIVE,
    **{
        (state, event): ended
        for state in (CredentialState.ACTIVE, CredentialState.SUSPENDED)
        for event, ended in (
            (CredentialEvent.EXPIRED, CredentialState.EXPIRED),
            (CredentialEvent.REVOKED, CredentialState.REVOKED),
            (CredentialEvent.SUPERSEDED, CredentialState.SUPERSEDED),
        )
    },
}

REPLY: Mapping[tuple[ReplyState, ReplyEvent], ReplyState] = {
    (ReplyState.QUEUED, ReplyEvent.LEASED): ReplyState.SENDING,
    (ReplyState.QUEUED, ReplyEvent.FAILED): ReplyState.FAILED,
    (ReplyState.SENDING, ReplyEvent.SENT): ReplyState.SENT,
    (ReplyState.SENDING, ReplyEvent.POSTPONED): ReplyState.QUEUED,
    (ReplyState.SENDING, ReplyEvent.RETURNED): ReplyState.QUEUED,
    (ReplyState.SENDING, ReplyEvent.DOUBTED): ReplyState.UNKNOWN,
    (ReplyState.SENDING, ReplyEvent.FAILED): ReplyState.FAILED,
    (ReplyState.UNKNOWN, ReplyEvent.RETURNED): ReplyState.QUEUED,
    (ReplyState.FAILED, ReplyEvent.RETURNED): ReplyState.QUEUED,
    (ReplyState.UNKNOWN, ReplyEvent.SENT): ReplyState.SENT,
    (ReplyState.SENT, ReplyEvent.CONFIRMED): ReplyState.CONFIRMED,
    (ReplyState.SENT, ReplyEvent.BOUNCED): ReplyState.BOUNCED,
}


def may_harm(state: LetterState, batches: int) -> bool:
    """Whether reading such a letter failed or killed whoever did, or may have; `batches`: its tries in company."""
    tried = state is LetterState.KEPT and batches > 0
    return tried or state in {LetterState.QUARANTINED, LetterState.DROPPED}


def after_letter(state: LetterState, event: LetterEvent) -> LetterState:
    return _after("letter", LETTER, state, event)


def after_request(state: RequestState, event: RequestEvent) -> RequestState:
    return _after("request", REQUEST, state, event)


def after_credential(state: CredentialState, event: CredentialEvent) -> CredentialState:
    return _after("credential", CREDENTIAL, state, event)


def after_reply(state: ReplyState, event: ReplyEvent) -> ReplyState:
    return _after("reply", REPLY, state, event)


def _after(noun: str, table: Mapping[tuple[State, Event], State], state: State, event: Event) -> State:
    try:
        return table[state, event]
    except KeyError:
        raise TransitionError(
            "a {noun} that is {state} cannot be {event}", noun=noun, state=state.value, event=event.value
        ) from None
