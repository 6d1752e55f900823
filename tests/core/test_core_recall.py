"""Do stored facts come back as they were, and what cannot be understood as nothing?"""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from mailer.core import recall, rules
from mailer.core.decide import decide, tried
from mailer.edge import office
from mailer.model import Facts, Kind, NameStanding, Reason, Repair, SenderStanding

RULES = rules.load(office.rule_texts(None))
FACTS = {
    "issued": Facts(kind=Kind.REQUEST, name=NameStanding.READ, sender=SenderStanding.KNOWN),
    "refused": Facts(
        kind=Kind.REQUEST,
        name=NameStanding.UNREADABLE,
        sender=SenderStanding.KNOWN,
        reason=Reason.SEVERAL_NAMES,
        repairs=(Repair.CASE, Repair.PREFIX),
    ),
    "held": Facts(kind=Kind.REQUEST, name=NameStanding.READ, sender=SenderStanding.KNOWN, active_credential=True, issued_30d=5),
}


@pytest.mark.parametrize("known", FACTS.values(), ids=FACTS)
def test_facts_come_back_as_they_were(known: Facts) -> None:
    assert recall.facts(json.dumps(asdict(known))) == known
    assert recall.standing(json.dumps(asdict(known))) is known.sender


def test_a_fact_of_a_later_version_is_as_if_nothing_were_known() -> None:
    known = asdict(FACTS["issued"])
    del known["address_changed"]
    assert recall.facts(json.dumps(known | {"fact_of_tomorrow": True})) == FACTS["issued"]


@pytest.mark.parametrize("written", ["{}", '{"kind": "parcel", "name": "read", "sender": "known"}'], ids=["none", "unknown-word"])
def test_what_cannot_be_understood_is_none(written: str) -> None:
    assert recall.facts(written) is None


@pytest.mark.parametrize("known", FACTS.values(), ids=FACTS)
def test_the_rules_are_tried_down_to_the_one_that_decided(known: Facts) -> None:
    decision, asked = decide(known, RULES), tried(known, RULES)
    assert [(one.name.partition(" ")[0], one.unmet) for one in asked[-1:]] == [(decision.rule_id, None)]
    assert all(one.unmet is not None for one in asked[:-1])
    assert len(asked) == len(decision.trace)
    assert all(one.found == getattr(known, one.unmet) for one in asked if one.unmet not in {None, "any"})
