"""Are examples decided as letters are, by the whole rule set, and is every packaged rule proved by one?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailer.core import ruleexamples, rules
from mailer.core.ruleexamples import Outcome
from mailer.core.rules import Example, Ruleset
from mailer.edge import office as texts
from mailer.model import Facts, Form, Kind, NameStanding, Reason, Repair, SenderStanding, Verdict

PACKAGED = rules.load(texts.rule_texts(None))
PHRASE = Form().phrase
PLAIN = Facts(kind=Kind.REQUEST, name=NameStanding.READ, sender=SenderStanding.KNOWN)
UNREAD = replace(PLAIN, name=NameStanding.UNREADABLE, reason=Reason.INITIALS_MISSING)
FROM_A_MACHINE = replace(PLAIN, kind=Kind.MACHINE_MAIL)
NO_NAME = replace(PLAIN, kind=Kind.NEAR_SUBJECT, name=NameStanding.NONE)


def example(subject: str | None = None, *, sender: SenderStanding = SenderStanding.KNOWN, **facts: object) -> Example:
    return Example(subject=subject, sender=sender, facts=tuple(facts.items()), verdict=Verdict.HOLD, reason=None)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        pytest.param(example(f"{PHRASE} = Пришва А.А."), PLAIN, id="request"),
        pytest.param(example(f"Re: {PHRASE} = Пришва А.А."), replace(PLAIN, repairs=(Repair.PREFIX,)), id="repaired"),
        pytest.param(example(f"{PHRASE} = Иванов"), UNREAD, id="unread"),
        pytest.param(
            example(f"{PHRASE} = Пришва А.А.", reason=Reason.UNDECODABLE),
            replace(UNREAD, reason=Reason.UNDECODABLE),
            id="undecodable",
        ),
        pytest.param(
            example(f"{PHRASE} = Пришва А.А.", sender=SenderStanding.BLOCKED, issued_30d=4),
            replace(PLAIN, sender=SenderStanding.BLOCKED, issued_30d=4),
            id="history",
        ),
        pytest.param(example("Прошу атрибуты доступа"), NO_NAME, id="near"),
        pytest.param(example("Отчёт"), replace(NO_NAME, kind=Kind.OTHER_SUBJECT), id="other"),
        pytest.param(example(f"{PHRASE} = Пришва А.А.", kind=Kind.BOUNCE), replace(NO_NAME, kind=Kind.BOUNCE), id="bounce"),
        pytest.param(
            example(f"{PHRASE} = Пришва А.А.", kind=Kind.MACHINE_MAIL), replace(FROM_A_MACHINE, phrase_first=True), id="machine"
        ),
        pytest.param(
            example("Отчёт", kind=Kind.MACHINE_MAIL),
            replace(FROM_A_MACHINE, name=NameStanding.NONE),
            id="machine-of-something-else",
        ),
        pytest.param(example(kind=Kind.REQUEST), PLAIN, id="no-subject"),
        pytest.param(example(kind=Kind.REQUEST, reason=Reason.INITIALS_MISSING), UNREAD, id="no-subject-unread"),
        pytest.param(example(kind=Kind.NEAR_SUBJECT), NO_NAME, id="no-subject-near"),
    ],
)
def test_an_example_is_a_letter_that_differs_only_as_it_says(written: Example, known: Facts) -> None:
    assert ruleexamples.facts(written, Form()) == known


def test_every_packaged_rule_is_proved_by_its_examples() -> None:
    outcomes = ruleexamples.run(PACKAGED)
    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert {outcome.place for outcome in outcomes} == set(range(len(PACKAGED.rules)))
    assert ruleexamples.untested(PACKAGED) == []


def ruleset(*examples: str) -> Ruleset:
    """Two lines of the rule `old`, then `last`, which alone has the examples."""
    old = '[[rule]]\nid = "old"\nwhen = {{ {} = true }}\nverdict = "hold"\nwhy = "Старое."\n'
    last = '[[rule]]\nid = "last"\nwhen = {}\nverdict = "refuse"\nreply = "refused"\nwhy = "Остальное."\n'
    proofs = "".join(f"[[rule.example]]\nsubject = '{PHRASE} = Пришва А.А.'\n{one}\n" for one in examples)
    return rules.load({"10.toml": old.format("too_old") + old.format("duplicate") + last + proofs})


@pytest.mark.parametrize(
    ("written", "passed", "by"),
    [
        pytest.param('verdict = "refuse"', True, "last", id="as-expected"),
        pytest.param('verdict = "refuse"\nreason = "last"', True, "last", id="reason"),
        pytest.param('verdict = "refuse"\nreason = "name-missing"', False, "last", id="other-reason"),
        pytest.param('verdict = "hold"', False, "last", id="other-verdict"),
        pytest.param('verdict = "hold"\nfacts = { duplicate = true }', False, "old (2)", id="other-rule"),
        pytest.param('verdict = "refuse"\nfacts = { cap_reached = true }', False, "last", id="the-gate-is-part-of-it"),
        pytest.param('verdict = "hold"\nreason = "cap"\nfacts = { cap_reached = true }', True, "last", id="held-by-the-gate"),
    ],
)
def test_an_example_asks_for_this_verdict_by_this_rule(written: str, passed: bool, by: str) -> None:
    proved = ruleset(written)
    (outcome,) = ruleexamples.run(proved)
    assert (outcome.passed, proved.name(outcome.by), outcome.number) == (passed, by, 1)
    assert ruleexamples.untested(proved) == [0, 1]


def test_another_line_of_the_same_rule_is_another_rule() -> None:
    proved = ruleset('verdict = "hold"\nfacts = { duplicate = true }')
    first, second, last = proved.rules
    moved = replace(proved, rules=(replace(first, examples=last.examples), replace(second, examples=last.examples), last))
    assert [(outcome.place, outcome.passed) for outcome in ruleexamples.run(moved)] == [(0, False), (1, True), (2, False)]


def test_examples_enter_the_hash_and_no_decision() -> None:
    with_one, without = ruleset('verdict = "refuse"'), ruleset()
    assert with_one.hash != without.hash
    assert [replace(rule, examples=()) for rule in with_one.rules] == list(without.rules)


def test_outcomes_come_in_the_order_of_the_files() -> None:
    outcomes: list[Outcome] = ruleexamples.run(PACKAGED)
    assert [(outcome.place, outcome.number) for outcome in outcomes] == sorted((one.place, one.number) for one in outcomes)
