"""Which rules are active? Only those of which the record told last; who can only write the database activates none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from mailer.core import rules
from mailer.store import office
from mailer.store.office import Activation
from tests.store.offices import Trial

OLD = {"10.toml": "# old"}
NEW = {"10.toml": "# new"}


def activate(trial: Trial, content: dict[str, str]) -> None:
    with trial.worker().writing() as unit:
        ruleset_hash = rules.digest(content)
        office.activate(unit.tx, ruleset_hash=ruleset_hash, content=content, actor=unit.actor, at=unit.at)
        unit.tell(office.ACTIVATED, ruleset=ruleset_hash, before=None)


def active(trial: Trial) -> Activation | None:
    with trial.database.reading() as tx:
        return office.active(tx, trial.pen.key)


@pytest.fixture
def activated(trial: Trial) -> Trial:
    """The old rules were activated, then the new ones."""
    activate(trial, OLD)
    activate(trial, NEW)
    return trial


def test_what_was_activated_last_is_active(activated: Trial) -> None:
    assert active(activated) == Activation(hash=rules.digest(NEW), content=NEW, fault=None)
    activate(activated, OLD)
    assert active(activated) == Activation(hash=rules.digest(OLD), content=OLD, fault=None)


def test_a_new_office_has_no_active_rules(trial: Trial) -> None:
    assert active(trial) is None


TEXTS = "their texts are not those that were activated"
OTHERS = "the record tells that others were activated"
ATTACKS = {
    "another text": (['UPDATE rulesets SET content = \'{"10.toml"\\: "# theirs"}\''], TEXTS),
    "no texts": (["UPDATE rulesets SET content = '[1]'"], TEXTS),
    "nothing readable": (["UPDATE rulesets SET content = 'x'"], TEXTS),
    "an older set": (["UPDATE instance SET ruleset_hash = :old"], OTHERS),
    "a set of one's own": (
        [
            "INSERT INTO rulesets (hash, content, activated_at, activated_by)"
            ' SELECT :theirs, \'{"10.toml"\\: "# theirs"}\', activated_at, activated_by FROM rulesets WHERE hash = :old',
            "UPDATE instance SET ruleset_hash = :theirs",
        ],
        OTHERS,
    ),
    "with a copy of the record that told of it": (
        [
            "UPDATE instance SET ruleset_hash = :old",
            "INSERT INTO records (seq, header, nonce, details, leaf, mac, at, event, importance, actor, outcome)"
            " SELECT 99, header, nonce, details, leaf, mac, at, event, importance, actor, outcome FROM records WHERE seq = 1",
        ],
        "the MAC does not hold",
    ),
}


@pytest.mark.parametrize(("statements", "why"), ATTACKS.values(), ids=ATTACKS.keys())
def test_rules_that_nobody_activated_are_not_active(activated: Trial, statements: Sequence[str], why: str) -> None:
    named = {"old": rules.digest(OLD), "theirs": rules.digest({"10.toml": "# theirs"})}
    with activated.database.writing() as tx:
        for statement in statements:
            tx.execute(text(statement), {name: value for name, value in named.items() if f":{name}" in statement})
    found = active(activated)
    assert found is not None
    assert found.fault == why


def test_rules_of_which_the_record_never_told_are_not_active(trial: Trial) -> None:
    with trial.database.writing() as tx:
        office.activate(tx, ruleset_hash=rules.digest(OLD), content=OLD, actor="x", at=trial.clock())
    found = active(trial)
    assert found is not None
    assert found.fault == "the record does not tell that anybody activated them"


def test_activating_writes_anew_what_somebody_changed(activated: Trial) -> None:
    with activated.database.writing() as tx:
        tx.execute(text("UPDATE rulesets SET content = 'x'"))
        assert office.ruleset(tx, rules.digest(NEW)) is None, "nor are they shown as the rules of then"
    activate(activated, NEW)
    assert active(activated) == Activation(hash=rules.digest(NEW), content=NEW, fault=None)
    with activated.database.reading() as tx:
        assert office.ruleset(tx, rules.digest(NEW)) == NEW
        assert office.ruleset(tx, rules.digest(OLD)) is None
