"""Does life go only the ways of architecture.md, "States"? Every pair of state and event is tried; others are errors."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import product
from typing import Any

import pytest

from mailer.core import lifecycle
from mailer.core.lifecycle import CredentialEvent, LetterEvent, ReplyEvent, RequestEvent
from mailer.errors import TransitionError
from mailer.states import CredentialState, LetterState, ReplyState, RequestState

# state -> {event: next state}, in the order of the design's table.
LETTER = {
    "kept": {"read": "read", "quarantined": "quarantined"},
    "quarantined": {"retried": "kept", "dropped": "dropped"},
}
REQUEST = {
    "held": {"approved": "approved", "refused": "refused", "withdrawn": "withdrawn"},
    "approved": {"issued": "issued", "held": "held", "withdrawn": "withdrawn"},
    "issued": {"answered": "answered"},
}
ENDS = {"expired": "expired", "revoked": "revoked", "superseded": "superseded"}
CREDENTIAL = {
    "reserved": {"created": "active", "abandoned": "abandoned", "doubted": "in-doubt"},
    "in-doubt": {"created": "active", "abandoned": "abandoned"},
    "active": {"suspended": "suspended", **ENDS},
    "suspended": {"resumed": "active", **ENDS},  # a term ends for it as well, and a person may revoke it
}
REPLY = {
    "queued": {"leased": "sending", "failed": "failed"},  # failed: its sealed bytes do not open
    "sending": {"sent": "sent", "postponed": "queued", "returned": "queued", "doubted": "unknown", "failed": "failed"},
    "unknown": {"returned": "queued", "sent": "sent"},
    "failed": {"returned": "queued"},  # a person has it sent again
    "sent": {"confirmed": "confirmed", "bounced": "bounced"},
}
Life = dict[str, dict[str, str]]
After = Callable[[Any, Any], StrEnum]

LIVES: list[tuple[str, Life, type[StrEnum], type[StrEnum], After]] = [
    ("letter", LETTER, LetterState, LetterEvent, lifecycle.after_letter),
    ("request", REQUEST, RequestState, RequestEvent, lifecycle.after_request),
    ("credential", CREDENTIAL, CredentialState, CredentialEvent, lifecycle.after_credential),
    ("reply", REPLY, ReplyState, ReplyEvent, lifecycle.after_reply),
]


EVERY_PAIR = [
    pytest.param(after, state, event, life.get(state.value, {}).get(event.value), id=f"{noun}-{state}-{event}")
    for noun, life, states, events, after in LIVES
    for state, event in product(states, events)
]


@pytest.mark.parametrize(("after", "state", "event", "expected"), EVERY_PAIR)
def test_a_change_is_allowed_or_an_error(after: After, state: StrEnum, event: StrEnum, expected: str | None) -> None:
    if expected is not None:
        assert after(state, event).value == expected
        return
    with pytest.raises(TransitionError, match=f"that is {state.value} cannot be {event.value}"):
        after(state, event)


@pytest.mark.parametrize(
    ("life", "states", "ends"),
    [
        pytest.param(LETTER, LetterState, {"read", "dropped"}, id="letter"),
        pytest.param(REQUEST, RequestState, {"refused", "answered", "withdrawn"}, id="request"),
        pytest.param(CREDENTIAL, CredentialState, {"abandoned", "expired", "revoked", "superseded"}, id="credential"),
        pytest.param(REPLY, ReplyState, {"confirmed", "bounced"}, id="reply"),
    ],
)
def test_what_has_ended_stays_so(life: Life, states: type[StrEnum], ends: set[str]) -> None:
    assert {state.value for state in states} - set(life) == ends


@pytest.mark.parametrize(("noun", "life", "states", "after"), [(noun, life, s, a) for noun, life, s, _, a in LIVES])
def test_every_state_is_reached_from_a_first_one(noun: str, life: Life, states: type[StrEnum], after: After) -> None:
    first = {"letter": {"kept"}, "request": {"held", "approved", "refused"}, "credential": {"reserved"}, "reply": {"queued"}}
    reached = first[noun] | {state for ways in life.values() for state in ways.values()}
    assert reached == {state.value for state in states}
