"""What do the packaged rules decide? A line for every rule of letters.md, section 5, and every kind of section 2, in that order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import rules
from mailer.core.decide import NEVER_ANSWERED, decide, unanswered
from mailer.core.rules import Ruleset
from mailer.edge import office as texts
from mailer.model import Facts, Kind, NameStanding, Reason, Repair, SenderStanding, Verdict

PACKAGED = rules.load(texts.rule_texts(None))
KINDS = {kind.value: kind for kind in Kind}
SENDERS = {standing.value: standing for standing in SenderStanding}
PLAIN = Facts(kind=Kind.REQUEST, name=NameStanding.READ, sender=SenderStanding.KNOWN)


def facts(kind: str = "request", sender: str = "known", *, reason: Reason | None = None, **more: Any) -> Facts:
    """A plain request of a known sender with a readable name, but for what is said."""
    request = KINDS[kind] is Kind.REQUEST
    name = NameStanding.UNREADABLE if reason else NameStanding.READ if request else NameStanding.NONE
    return Facts(kind=KINDS[kind], name=name, sender=SENDERS[sender], reason=reason, **more)


PREFIX, LATIN = (Repair.PREFIX,), (Repair.LATIN_INITIALS,)
NO_INITIALS = Reason.INITIALS_MISSING
CASES = [
    # section 2: kinds
    ("unreadable", facts("unreadable"), "hold", "unreadable", "unreadable", None),
    ("unreadable-of-a-stranger", facts("unreadable", "unknown"), "hold", "unreadable", "unreadable", None),
    ("own-letter", facts("own-letter"), "ignore", "own-letter", "own-letter", None),
    ("bounce", facts("bounce", "unknown"), "ignore", "bounce", "bounce", None),
    ("answer-to-us", facts("answer-to-us"), "ignore", "answer-to-us", "answer-to-us", None),
    ("machine-mail", facts("machine-mail"), "ignore", "machine-mail", "machine-mail", None),
    ("machine-mail-with-phrase", facts("machine-mail", phrase_first=True), "hold", "machine-mail", "machine-mail", None),
    (
        "machine-mail-of-a-stranger",
        facts("machine-mail", "unknown", phrase_first=True),
        "ignore",
        "machine-mail",
        "machine-mail",
        None,
    ),
    ("other-subject", facts("other-subject"), "ignore", "other-subject", "other-subject", None),
    ("near-subject", facts("near-subject"), "refuse", "near-subject", "near-subject", "refused-subject"),
    ("near-subject-of-a-stranger", facts("near-subject", "unknown"), "ignore", "near-subject", "near-subject", None),
    ("near-subject-unproven", facts("near-subject", "unproven"), "ignore", "near-subject", "near-subject", None),
    ("near-subject-blocked", facts("near-subject", "blocked"), "ignore", "near-subject", "near-subject", None),
    ("near-subject-again", facts("near-subject", duplicate=True), "ignore", "near-subject", "near-subject", None),
    ("near-subject-old", facts("near-subject", too_old=True), "ignore", "near-subject", "near-subject", None),
    # section 5: a request, in the order of the rules
    ("unknown", facts(sender="unknown"), "hold", "unknown-sender", "unknown-sender", None),
    ("unproven", facts(sender="unproven"), "hold", "unknown-sender", "unknown-sender", None),
    ("unknown-unread", facts(sender="unknown", reason=NO_INITIALS), "ignore", "unknown-sender", "initials-missing", None),
    ("blocked", facts(sender="blocked"), "refuse", "blocked-sender", "blocked-sender", "refused-sender"),
    ("duplicate", facts(duplicate=True), "ignore", "duplicate", "duplicate", None),
    ("too-old", facts(too_old=True), "hold", "too-old", "too-old", None),
    *((f"name-{why}", facts(reason=why), "refuse", "name-unreadable", why.value, "refused") for why in Reason),
    ("latin-initials", facts(repairs=LATIN), "hold", "latin-initials", "latin-initials", None),
    ("display-name", facts(display_name_of_another=True), "hold", "display-name", "display-name", None),
    ("person-unknown", facts(person_unlisted=True), "hold", "person-unknown", "person-unknown", None),
    ("address-changed", facts(address_changed=True), "hold", "address-changed", "address-changed", None),
    ("reply-with-active", facts(repairs=PREFIX, active_credential=True), "hold", "reply-with-active", "reply-with-active", None),
    ("reply-without-active", facts(repairs=PREFIX), "issue", "issue", None, "issued"),
    ("just-issued", facts(active_credential=True, active_minutes=14), "ignore", "just-issued", "just-issued", None),
    ("issued-15-minutes-ago", facts(active_credential=True, active_minutes=15), "issue", "issue", None, "issued"),
    ("reissued-often", facts(issued_30d=4), "hold", "reissued-often", "reissued-often", None),
    ("reissued-three-times", facts(issued_30d=3), "issue", "issue", None, "issued"),
    ("sender-limit", facts(sender_limit_reached=True), "hold", "sender-limit", "sender-limit", None),
    ("cap", facts(cap_reached=True), "hold", "cap", "cap", None),
    ("issue", facts(), "issue", "issue", None, "issued"),
    ("issue-with-repairs", facts(repairs=(Repair.CASE, Repair.PHRASE_TYPO)), "issue", "issue", None, "issued"),
    ("reissue", facts(active_credential=True, active_minutes=600, issued_30d=1), "issue", "issue", None, "issued"),
    # where two rules fit, the earlier decides
    ("unknown-before-duplicate", facts(sender="unknown", duplicate=True), "hold", "unknown-sender", "unknown-sender", None),
    ("unproven-before-cap", facts(sender="unproven", cap_reached=True), "hold", "unknown-sender", "unknown-sender", None),
    (
        "blocked-before-duplicate",
        facts(sender="blocked", duplicate=True),
        "refuse",
        "blocked-sender",
        "blocked-sender",
        "refused-sender",
    ),
    (
        "blocked-before-name",
        facts(sender="blocked", reason=NO_INITIALS),
        "refuse",
        "blocked-sender",
        "initials-missing",
        "refused-sender",
    ),
    ("duplicate-before-old", facts(duplicate=True, too_old=True), "ignore", "duplicate", "duplicate", None),
    ("duplicate-before-name", facts(duplicate=True, reason=NO_INITIALS), "ignore", "duplicate", "initials-missing", None),
    ("old-before-name", facts(too_old=True, reason=NO_INITIALS), "hold", "too-old", "initials-missing", None),
    (
        "latin-before-display-name",
        facts(repairs=LATIN, display_name_of_another=True),
        "hold",
        "latin-initials",
        "latin-initials",
        None,
    ),
    (
        "display-name-before-person",
        facts(display_name_of_another=True, person_unlisted=True),
        "hold",
        "display-name",
        "display-name",
        None,
    ),
    ("person-before-address", facts(person_unlisted=True, address_changed=True), "hold", "person-unknown", "person-unknown", None),
    (
        "reply-before-just-issued",
        facts(repairs=PREFIX, active_credential=True, active_minutes=1),
        "hold",
        "reply-with-active",
        "reply-with-active",
        None,
    ),
    (
        "just-issued-before-often",
        facts(active_credential=True, active_minutes=1, issued_30d=9),
        "ignore",
        "just-issued",
        "just-issued",
        None,
    ),
    ("often-before-limit", facts(issued_30d=9, sender_limit_reached=True), "hold", "reissued-often", "reissued-often", None),
    ("limit-before-cap", facts(sender_limit_reached=True, cap_reached=True), "hold", "sender-limit", "sender-limit", None),
    # the gate closes on packaged rules too: a refusal is an answer
    ("refusal-beyond-the-cap", facts(reason=NO_INITIALS, cap_reached=True), "hold", "name-unreadable", "cap", None),
    ("near-beyond-the-cap", facts("near-subject", cap_reached=True), "hold", "near-subject", "cap", None),
    ("blocked-beyond-the-cap", facts(sender="blocked", cap_reached=True), "hold", "blocked-sender", "cap", None),
    ("refusal-to-ourselves", facts(reason=NO_INITIALS, answers_itself=True), "hold", "name-unreadable", "answers-itself", None),
    ("login-to-ourselves", facts(answers_itself=True), "hold", "issue", "answers-itself", None),
]


@pytest.mark.parametrize(("known", "verdict", "rule", "reason", "reply"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_the_packaged_rules(known: Facts, verdict: str, rule: str, reason: str | None, reply: str | None) -> None:
    decision = decide(known, PACKAGED)
    assert (decision.verdict.value, decision.rule_id, decision.reason, decision.reply) == (verdict, rule, reason, reply)


def test_every_packaged_rule_has_its_line() -> None:
    assert {case[3] for case in CASES} == {rule.id for rule in PACKAGED.rules}
    lines = {rule for case in CASES for rule in PACKAGED.rules if rule.why == decide(case[1], PACKAGED).why}
    assert [rule for rule in PACKAGED.rules if rule not in lines] == []


def test_the_trace_names_each_rule_tried_and_what_ruled_it_out() -> None:
    trace = decide(facts(sender="unproven"), PACKAGED).trace
    assert trace[0] == "unreadable: no (kind)"
    assert trace[-1] == "unknown-sender: hold"
    beyond = decide(facts(reason=NO_INITIALS, cap_reached=True), PACKAGED)
    assert beyond.trace[-2:] == ("name-unreadable: refuse", "gate: cap")
    assert len(decide(PLAIN, PACKAGED).trace) == len(PACKAGED.rules)


def careless(verdict: str) -> Ruleset:
    """An office's edit that answers everything."""
    return rules.load({"10.toml": f'[[rule]]\nid = "all"\nwhen = {{}}\nverdict = "{verdict}"\nreply = "x"\nwhy = "Всем."\n'})


@pytest.mark.parametrize("verdict", ["issue", "refuse"])
@pytest.mark.parametrize(
    ("known", "reason"),
    [
        *(pytest.param(replace(PLAIN, kind=kind), "never-answered", id=kind.value) for kind in Kind if kind in NEVER_ANSWERED),
        pytest.param(facts(sender="unknown"), "unknown-sender", id="unknown"),
        pytest.param(facts(sender="unproven"), "unknown-sender", id="unproven"),
        pytest.param(facts(answers_itself=True), "answers-itself", id="our-own-address"),
        pytest.param(facts(cap_reached=True), "cap", id="beyond-the-cap"),
    ],
)
def test_no_edit_of_the_rules_answers_what_must_not_be_answered(known: Facts, reason: str, verdict: str) -> None:
    decision = decide(known, careless(verdict))
    assert (decision.verdict, decision.reason, decision.reply) == (Verdict.HOLD, reason, None)
    assert decision.trace == (f"all: {verdict}", f"gate: {reason}")


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        pytest.param(facts(reason=Reason.NAME_PLACEHOLDER), "name-placeholder", id="name-not-read"),
        pytest.param(facts("near-subject"), "name-missing", id="no-name-at-all"),
    ],
)
def test_no_edit_of_the_rules_issues_without_a_name(known: Facts, reason: str) -> None:
    decision = decide(known, careless("issue"))
    assert (decision.verdict, decision.reason) == (Verdict.HOLD, reason)
    assert decide(known, careless("refuse")).verdict is Verdict.REFUSE


@pytest.mark.parametrize(
    ("when", "verdict", "in_vain"),
    [
        pytest.param("kind = 'bounce'", "refuse", True, id="bounce"),
        pytest.param("kind = ['bounce', 'near-subject']", "refuse", False, id="bounce-or-near"),
        pytest.param("kind = ['bounce', 'near-subject']", "issue", True, id="issue-without-a-name"),
        pytest.param("sender = ['unknown', 'unproven']", "refuse", True, id="strangers"),
        pytest.param("sender = 'blocked'", "refuse", False, id="refuse-the-blocked"),
        pytest.param("sender = 'blocked'", "issue", True, id="issue-to-the-blocked"),
        pytest.param("cap_reached = true", "issue", True, id="beyond-the-cap"),
        pytest.param("answers_itself = true", "refuse", True, id="to-ourselves"),
        pytest.param("too_old = true", "issue", False, id="old"),
        pytest.param("too_old = true, sender = 'unknown'", "hold", False, id="a-hold-is-no-answer"),
        pytest.param("any = [{ kind = 'bounce' }, { cap_reached = true }]", "refuse", True, id="every-alternative"),
        pytest.param("any = [{ kind = 'bounce' }, { too_old = true }]", "refuse", False, id="one-alternative-passes"),
    ],
)
def test_a_rule_whose_answers_never_leave_is_known(when: str, verdict: str, in_vain: bool) -> None:
    reply = "" if verdict == "hold" else 'reply = "x"\n'
    head = f'[[rule]]\nid = "ours"\nwhen = {{ {when} }}\nverdict = "{verdict}"\n{reply}why = "Так надо."\n'
    found = unanswered(rules.load({"10.toml": head + '[[rule]]\nid = "last"\nwhen = {}\nverdict = "hold"\nwhy = "Решает."\n'}))
    assert found == ([0] if in_vain else [])


def test_what_earlier_rules_take_is_not_left_to_be_answered() -> None:
    known = '[[rule]]\nid = "known"\nwhen = { sender = ["known", "blocked"] }\nverdict = "hold"\nwhy = "Решает."\n'
    rest = '[[rule]]\nid = "rest"\nwhen = {}\nverdict = "refuse"\nreply = "x"\nwhy = "Всем."\n'
    assert unanswered(rules.load({"10.toml": known + rest})) == [1]


def test_no_packaged_rule_answers_in_vain() -> None:
    assert unanswered(PACKAGED) == []


@given(
    st.builds(
        Facts,
        kind=st.sampled_from(Kind),
        name=st.sampled_from(NameStanding),
        sender=st.sampled_from(SenderStanding),
        reason=st.none() | st.sampled_from(Reason),
        cap_reached=st.booleans(),
        answers_itself=st.booleans(),
    ),
    st.sampled_from([PACKAGED, careless("issue"), careless("refuse")]),
)
def test_whatever_the_rules_an_answer_goes_only_to_the_known_within_the_caps(known: Facts, ruleset: Ruleset) -> None:
    decision = decide(known, ruleset)
    assert (decision.reply is not None) == (decision.verdict in {Verdict.ISSUE, Verdict.REFUSE})
    if decision.reply is not None:
        assert known.kind in {Kind.REQUEST, Kind.NEAR_SUBJECT}
        assert known.sender in {SenderStanding.KNOWN, SenderStanding.BLOCKED}
        assert not known.cap_reached
        assert not known.answers_itself
    if decision.verdict is Verdict.ISSUE:
        assert known.name is NameStanding.READ
