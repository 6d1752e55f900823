"""Real letter files are judged as the file beside each says: the whole judgement that `mailer explain --json` gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailer.core import register, rules
from mailer.edge import office as texts
from mailer.flow.explain import Channel, Explanation, explain
from mailer.model import Kind, Own, Reason, Repair, Trust, Verdict
from mailer.service.office import REPLY_SUBJECTS
from mailer.store.facts import Limits
from tests.flow.desks import ZONE
from tests.store.offices import START, set_up

FOLDER = Path(__file__).parents[1] / "letters"
LETTERS = sorted(FOLDER.glob("*.eml"))
EXPECTED: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.with_suffix(".json").read_text(encoding="utf-8")) for path in LETTERS
}
BLOCKED = "290005"
CHANNELS = {
    "network": Channel(),
    "gate": Channel(trust=Trust.AUTHENTICATION_RESULTS, authserv_id="mx.fund.example"),
}
OWN = Own(message_id_domain="mail.fund.example", reply_subjects=REPLY_SUBJECTS)
LIMITS = Limits(
    zone=ZONE,
    max_age=timedelta(days=14),
    sender_daily=30,
    sender_active=50,
    address_replies_daily=60,
    replies_daily=5000,
    own_address="desk@fund.example",
)
BEYOND_ONE_LETTER = {  # rules that need a letter or an answer before it, a server's date, or a list of persons
    "duplicate",
    "too-old",
    "person-unknown",
    "address-changed",
    "reply-with-active",
    "just-issued",
    "reissued-often",
    "sender-limit",
    "cap",
}

Judge = Callable[[bytes, str], Explanation]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """Judges bytes as if they came through this mailbox to an office with the register beside the letters."""
    trial = set_up(f"sqlite:///{tmp_path_factory.mktemp('letters') / 'mailer.db'}")
    content = (FOLDER / "register.csv").read_bytes()
    read, problems = register.read(content)
    assert not problems
    senders = [replace(sender, blocked=sender.code == BLOCKED) for sender in register.senders(read, [])]
    trial.register(*senders)
    ruleset = rules.load(texts.rule_texts(None))
    with trial.database.reading() as tx:
        yield lambda letter, mailbox: explain(
            tx, letter, channel=CHANNELS[mailbox], ruleset=ruleset, own=OWN, limits=LIMITS, now=START, key=trial.pen.key
        )
    trial.database.close()


@pytest.mark.parametrize("path", LETTERS, ids=[path.stem for path in LETTERS])
def test_a_letter_is_judged_as_expected(judge: Judge, path: Path) -> None:
    expected = EXPECTED[path.stem]
    found = judge(path.read_bytes(), expected.get("mailbox", "network"))
    person = found.reading.person

    assert {
        "kind": found.reading.kind,
        "verdict": found.decision.verdict,
        "reason": found.decision.reason,
        "rule": found.decision.rule_id,
        "person": person and {"surname": person.surname, "initials": person.initials, "canonical": person.canonical},
        "repairs": sorted(found.reading.repairs),
        "sender": found.sender and found.sender.code,
    } == {key: value for key, value in expected.items() if key != "mailbox"}


def test_every_expectation_has_its_letter() -> None:
    assert [path.with_suffix(".json") for path in LETTERS] == sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_stands_in_a_letter(kind: Kind) -> None:
    assert any(expected["kind"] == kind for expected in EXPECTED.values())


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_stands_in_a_letter(verdict: Verdict) -> None:
    assert any(expected["verdict"] == verdict for expected in EXPECTED.values())


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_stands_in_a_letter(reason: Reason) -> None:
    assert any(expected["reason"] == reason for expected in EXPECTED.values())


@pytest.mark.parametrize("repair", Repair)
def test_every_repair_stands_in_a_letter(repair: Repair) -> None:
    assert any(repair in expected["repairs"] for expected in EXPECTED.values())


def test_every_rule_that_one_letter_can_reach_stands_in_a_letter() -> None:
    packaged = {rule.id for rule in rules.load(texts.rule_texts(None)).rules}
    assert {expected["rule"] for expected in EXPECTED.values()} == packaged - BEYOND_ONE_LETTER
