"""How does a decision about a request come to stand in the record? In one form, whoever decides: issuing acts on nothing else.

Not a step: answer tells through it what the rules decided, and the officer's commands what a person did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from mailer.model import Decision, Facts
from mailer.states import RequestState
from mailer.store.personal import Personal
from mailer.store.work import Unit

PERSON: Final = "person"  # which no rule file holds: it stands where other decisions name their rule
EVENTS: Final = {
    RequestState.APPROVED: "request.approved",
    RequestState.HELD: "request.held",
    RequestState.REFUSED: "request.refused",
    RequestState.WITHDRAWN: "request.withdrawn",
}


def tell(
    unit: Unit,
    state: RequestState,
    *,
    request: int,
    sender: str | None,
    letter: int | None,
    reissue_of: int | None,
    person: Personal | None,
    answer_to: Personal | None,
    decided: Mapping[str, object],
    importance: str | None = None,
    event: str | None = None,
) -> None:
    """The request's new state, and for whom: what `proof.approval_fault` holds against the request before anything is issued.

    `decided`: why; no personal data. `event`: where the state alone does not say what happened.
    """
    unit.tell(
        event or EVENTS[state],
        sender=sender,
        request=request,
        importance=importance or ("notice" if state is RequestState.HELD else "info"),
        outcome="refused" if state is RequestState.REFUSED else "done",
        letter=letter,
        reissue_of=reissue_of,
        person=person.told() if person else None,
        answer_to=answer_to.told() if answer_to else None,
        decided=decided,
    )


def told_of(decision: Decision, known: Facts, ruleset_hash: str) -> dict[str, object]:
    """What the record says of a decision by rules: no personal data, and only the facts that say something."""
    return {
        "verdict": decision.verdict.value,
        "rule": decision.rule_id,
        "reason": decision.reason,
        "ruleset": ruleset_hash,
        "facts": {name: value for name, value in asdict(known).items() if value not in (None, False, (), 0)},
    }
