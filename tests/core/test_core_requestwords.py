"""Has every reason its plain words, and does a person who waits for a decision learn what to type?"""

from __future__ import annotations

import re

import pytest

from mailer.core import requestwords, rules
from mailer.core.decide import GATE
from mailer.core.requestwords import UNPROVEN, WORDS
from mailer.edge import office
from mailer.flow.approving import PERSON
from mailer.flow.override import closing
from mailer.flow.override.corrections import CORRECTED
from mailer.model import Reason, SenderStanding, Verdict

PACKAGED = rules.load(office.rule_texts(None)).rules
OPENING = {rule.id for rule in PACKAGED if rule.verdict in {Verdict.HOLD, Verdict.REFUSE}} - {"name-unreadable"}  # by its reason
AFTER = {"no-pair", "approval-unproven", "issuing-failed", "answer-bounced", "answer-failed", "none", UNPROVEN}
BY_PERSON = {PERSON, CORRECTED, "by-officer", closing.REASON}


def test_every_reason_has_words_and_no_other() -> None:
    assert set(WORDS) == {reason.value for reason in Reason} | OPENING | {bar.reason for bar in GATE} | AFTER | BY_PERSON


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_what_is_to_be_done_is_a_command_with_the_number(words: requestwords.Words) -> None:
    commands = re.findall("`(.*?)`", words.to_do.format(id=17))
    assert any("17" in command for command in commands)
    assert all(command.startswith("mailer ") for command in commands)


@pytest.mark.parametrize("reason", ["machine-mail", "never-answered", "unreadable"])
def test_nobody_is_told_to_approve_what_the_gate_never_lets_through(reason: str) -> None:
    assert "approve" not in WORDS[reason].to_do


def test_an_address_that_is_not_proven_is_another_matter_than_an_unknown_one() -> None:
    assert requestwords.words("unknown-sender", SenderStanding.UNPROVEN) is WORDS[UNPROVEN]
    assert requestwords.words("unknown-sender", SenderStanding.UNKNOWN) is WORDS["unknown-sender"]


@pytest.mark.parametrize("reason", [None, "a-rule-of-the-office"])
def test_other_reasons_are_not_said_here(reason: str | None) -> None:
    assert requestwords.words(reason, None) is None
