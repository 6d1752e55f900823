"""Are rules checked when they are loaded: every mistake named with its file and rule, and nothing that can never be reached?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.core import rules
from mailer.core.reach import Reach
from mailer.core.ruletext import Compare, FactsText, RuleText, When
from mailer.errors import SetupErrors
from mailer.model import Facts, Form, Kind, NameStanding, Reason, Repair, SenderStanding

LAST = '[[rule]]\nid = "last"\nwhen = {}\nverdict = "hold"\nwhy = "Решает сотрудник."\n'


def rule(when: str = '{ kind = "bounce" }', *, id: str = "ours", verdict: str = "hold", more: str = "") -> str:
    return f'[[rule]]\nid = "{id}"\nwhen = {when}\nverdict = "{verdict}"\nwhy = "Так надо."\n{more}\n'


def example(text: str) -> str:
    return rule(more=f"[[rule.example]]\n{text}")


def facts(written: str) -> str:
    return example(f'subject = "x"\nfacts = {written}\nverdict = "hold"')


def problems(**texts: str) -> list[str]:
    """What loading these files complains of; files are named as `_10` for `10-ours.toml`."""
    with pytest.raises(SetupErrors) as caught:
        rules.load({f"{name[1:]}-ours.toml": text for name, text in texts.items()})
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("[[rule]", "10-ours.toml is not valid TOML", id="not-toml"),
        pytest.param(
            rule("{ issued_30_d = { over = 3 } }"), "[[rule]] 1 when: unknown key issued_30_d; known is issued_30d", id="fact"
        ),
        pytest.param(rule("{ knd = 'bounce' }"), "[[rule]] 1 when: unknown key knd; known is kind", id="fact-cut"),
        pytest.param(rule("{ zzzz = true }"), "unknown key zzzz; known is kind, name, sender, reason", id="fact-like-none"),
        pytest.param(rule(more='verdct = "hold"'), "[[rule]] 1: unknown key verdct; known is verdict", id="key"),
        pytest.param(rule("{ kind = 'bounced' }"), "[[rule]] 1 when kind 'bounced': must be one of", id="word"),
        pytest.param(
            rule("{ kind = ['bounce', 'request', 'reqest'] }"), "[[rule]] 1 when kind 'reqest': must be one of", id="third-word"
        ),
        pytest.param(rule("{ kind = 3 }"), "[[rule]] 1 when kind 3: must be one of", id="number-for-word"),
        pytest.param(rule("{ duplicate = 'yes' }"), "[[rule]] 1 when duplicate: must be true or false", id="word-for-boolean"),
        pytest.param(rule("{ duplicate = 1 }"), "[[rule]] 1 when duplicate: must be true or false", id="number-for-boolean"),
        pytest.param(rule("{ issued_30d = 3 }"), "[[rule]] 1 when issued_30d:", id="bare-number"),
        pytest.param(rule("{ issued_30d = { over = '3' } }"), "issued_30d over: must be a whole number", id="word-for-number"),
        pytest.param(rule("{ issued_30d = { over = 3.5 } }"), "issued_30d over: must be a whole number", id="fraction"),
        pytest.param(rule("{ issued_30d = { more = 3 } }"), "issued_30d: unknown key more; known is over", id="comparison"),
        pytest.param(rule("{ any = [{ any = [{ duplicate = true }] }] }"), "must name facts, and no any", id="nested-any"),
        pytest.param(rule("{ any = [{}] }"), "must name facts", id="empty-any"),
        pytest.param(
            rule("{ any = [{ duplcate = true }] }"), "[[rule]] 1 when any 1: unknown key duplcate; known is duplicate", id="in-any"
        ),
        pytest.param(rule("{ kind = [] }"), "[[rule]] 1 when kind: must name at least one word", id="no-word"),
        pytest.param(rule("{ issued_30d = { over = 5, under = 3 } }"), "when issued_30d: no whole number from 0", id="no-number"),
        pytest.param(
            rule("{ issued_30d = { over = 3, under = 4 } }"), "when issued_30d: no whole number from 0", id="next-numbers"
        ),
        pytest.param(rule("{ issued_30d = { under = 0 } }"), "when issued_30d: no whole number from 0", id="below-nothing"),
        pytest.param(example('verdict = "hold"'), "[[rule]] 1 [[rule.example]] 1: must have a subject, or facts", id="no-letter"),
        pytest.param(example('subject = "x"'), "[[rule]] 1 [[rule.example]] 1 verdict: is missing", id="example-no-verdict"),
        pytest.param(
            example('subject = "x"\nverdict = "answer"'), "[[rule.example]] 1 verdict: must be one of", id="example-verdict"
        ),
        pytest.param(example('subjct = "x"\nverdict = "hold"'), "unknown key subjct; known is subject", id="example-key"),
        pytest.param(
            facts("{ duplcate = true }"), "[[rule.example]] 1 facts: unknown key duplcate; known is duplicate", id="example-fact"
        ),
        pytest.param(facts("{ duplicate = 1 }"), "[[rule.example]] 1 facts duplicate: must be true or false", id="example-boolean"),
        pytest.param(facts("{ issued_30d = { over = 3 } }"), "facts issued_30d: must be a whole number", id="example-number"),
        pytest.param(facts("{ issued_30d = -1 }"), "facts issued_30d: must be at least 0", id="example-below-nothing"),
        pytest.param(facts("{ kind = 'bounced' }"), "[[rule.example]] 1 facts kind: must be one of", id="example-word"),
        pytest.param(facts("{ kind = ['bounce', 'request'] }"), "facts kind: must be one of", id="example-words"),
        pytest.param(facts("{ repairs = ['case', 'cases'] }"), "facts repairs 'cases': must be one of", id="example-repair"),
        pytest.param(facts("{ sender = 'known' }"), "facts sender: stands beside facts, not among them", id="example-sender"),
        pytest.param("[[rules]]\nid = 'x'\n", "unknown key rules; known is rule", id="section"),
        pytest.param("[form]\nphrasse = 'x'\n", "form: unknown key phrasse; known is phrase", id="form-key"),
        pytest.param(rule(verdict="answer"), "[[rule]] 1 verdict: must be one of", id="verdict"),
        pytest.param(rule(id="Ours!"), "[[rule]] 1 id: must fit the pattern", id="id"),
        pytest.param('[[rule]]\nid = "x"\nwhen = {}\nverdict = "hold"\n', "[[rule]] 1 why: is missing", id="no-why"),
        pytest.param('[[rule]]\nid = "x"\nverdict = "hold"\nwhy = "x"\n', "[[rule]] 1 when: is missing", id="no-when"),
        pytest.param(LAST + '[form]\nphrase = "ab"\n', "10-ours.toml: form phrase:", id="phrase-too-short"),
        pytest.param(LAST + '[form]\nphrase = "abc"\nseparator = "=="\n', "10-ours.toml: form separator:", id="long-separator"),
        pytest.param(
            rule("{ duplicate = true }", verdict="refuse") + LAST, "rule ours answers, so it needs reply", id="refuse-mute"
        ),
        pytest.param(rule("{ duplicate = true }", verdict="issue") + LAST, "rule ours answers, so it needs reply", id="issue-mute"),
        pytest.param(rule(more='reply = "refused"') + LAST, "ours answers nothing (hold), so it takes no reply", id="mute-reply"),
        pytest.param(rule(), "the last rule must match everything (when = {})", id="open-end"),
        pytest.param(LAST + rule(), "rule ours is never reached: last stands before it", id="after-the-last"),
        pytest.param("", "there is no rule at all", id="empty"),
    ],
)
def test_every_mistake_is_named(text: str, complaint: str) -> None:
    assert complaint in "\n".join(problems(_10=text))


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    found = problems(_10=rule("{ knd = 'x', duplicate = 1 }"), _20="[[rule]", _30=rule(verdict="maybe") + LAST)
    assert [problem[:2] for problem in found] == ["10", "10", "20", "30"]


def test_the_form_stands_once() -> None:
    form = '[form]\nphrase = "Запрос доступа"\n'
    assert problems(_00=form, _10=form + LAST) == ["[form] stands in more than one rule file: keep one"]
    assert rules.load({"00-form.toml": form, "10-last.toml": LAST}).form == Form(phrase="Запрос доступа")
    assert rules.load({"10-last.toml": LAST}).form == Form()


def test_an_id_is_shared_only_side_by_side() -> None:
    twice = rule("{ duplicate = true }", id="a"), rule("{ too_old = true }", id="a")
    assert len(rules.load({"10.toml": twice[0], "20.toml": twice[1] + LAST}).rules) == 3
    between = rule("{ cap_reached = true }", id="b")
    assert problems(_10=twice[0] + between, _20=twice[1] + LAST) == ["20-ours.toml: the rule id a is used twice"]


NEVER = ["never"]
OTHERS = "['blocked', 'unknown', 'unproven']"
BUT_REQUEST = "['unreadable', 'own-letter', 'bounce', 'answer-to-us', 'machine-mail', 'near-subject', 'other-subject']"


@pytest.mark.parametrize(
    ("whens", "takers"),
    [
        pytest.param(["{ duplicate = true }", "{ duplicate = true }"], ["r1"], id="same"),
        pytest.param(["{ duplicate = true }", "{ duplicate = false }"], None, id="opposite"),
        pytest.param(["{ duplicate = true }", "{ duplicate = true, too_old = true }"], ["r1"], id="narrower"),
        pytest.param(["{ duplicate = true, too_old = true }", "{ duplicate = true }"], None, id="wider"),
        pytest.param(["{ sender = ['known', 'unknown'] }", "{ sender = 'known' }"], ["r1"], id="one-of-the-words"),
        pytest.param(["{ sender = 'known' }", "{ sender = ['known', 'unknown'] }"], None, id="more-words"),
        pytest.param(["{ issued_30d = { over = 3 } }", "{ issued_30d = { over = 5 } }"], ["r1"], id="higher-limit"),
        pytest.param(["{ issued_30d = { over = 3 } }", "{ issued_30d = { over = 2 } }"], None, id="lower-limit"),
        pytest.param(["{ issued_30d = { over = 3 } }", "{ issued_30d = { under = 3 } }"], None, id="other-side"),
        pytest.param(["{ issued_30d = { under = 9 } }", "{ issued_30d = { over = 3, under = 5 } }"], ["r1"], id="inside"),
        pytest.param(["{ issued_30d = { over = 3, under = 9 } }", "{ issued_30d = { over = 3 } }"], None, id="open-side"),
        pytest.param(["{ duplicate = true }", "{ duplicate = true, any = [{ too_old = true }] }"], ["r1"], id="any-narrows"),
        pytest.param(["{ any = [{ duplicate = true }] }", "{ duplicate = true }"], ["r1"], id="any-of-one"),
        pytest.param(["{ any = [{ duplicate = true }] }", "{ any = [{ too_old = true }] }"], None, id="other-any"),
        # several rules together
        pytest.param(["{ sender = 'known' }", f"{{ sender = {OTHERS} }}", "{ too_old = true }"], ["r1", "r2"], id="all-words"),
        pytest.param(["{ sender = 'known' }", "{ sender = ['blocked', 'unknown'] }", "{ too_old = true }"], None, id="word-left"),
        pytest.param(["{ duplicate = true }", "{ duplicate = false }", "{ too_old = true }"], ["r1", "r2"], id="yes-and-no"),
        pytest.param(
            ["{ duplicate = true }", "{ too_old = true }", "{ any = [{ duplicate = true }, { too_old = true }] }"],
            ["r1", "r2"],
            id="each-alternative",
        ),
        pytest.param(["{ duplicate = true }", "{ any = [{ duplicate = true }, { too_old = true }] }"], None, id="one-alternative"),
        pytest.param(
            ["{ any = [{ duplicate = true }, { too_old = true }] }", "{ duplicate = true, cap_reached = true }"],
            ["r1"],
            id="an-alternative-before",
        ),
        pytest.param(
            ["{ issued_30d = { under = 4 } }", "{ issued_30d = { over = 3 } }", "{ duplicate = true }"],
            ["r1", "r2"],
            id="all-numbers",
        ),
        pytest.param(
            ["{ issued_30d = { under = 4 } }", "{ issued_30d = { over = 4 } }", "{ duplicate = true }"], None, id="one-number-left"
        ),
        pytest.param(
            ["{ active_minutes = { under = 4 } }", "{ active_minutes = { over = 3 } }", "{ duplicate = true }"],
            None,
            id="an-unknown-number-is-left",
        ),
        pytest.param(
            ["{ active_minutes = { under = 4 } }", "{ active_minutes = { over = 3 } }", "{ active_minutes = { over = 0 } }"],
            ["r1", "r2"],
            id="an-unknown-number-is-not-asked",
        ),
        pytest.param(
            ["{ duplicate = true, too_old = true }", "{ duplicate = true, too_old = false }", "{ duplicate = true }"],
            ["r1", "r2"],
            id="halves",
        ),
        pytest.param(
            ["{ cap_reached = true }", "{ duplicate = true }", "{ duplicate = false }", "{ too_old = true }"],
            ["r2", "r3"],
            id="who-has-no-part-is-not-blamed",
        ),
        # repairs: at least one of those named
        pytest.param(["{ repairs = ['case', 'dash'] }", "{ repairs = 'case' }"], ["r1"], id="one-of-the-repairs"),
        pytest.param(["{ repairs = 'case' }", "{ repairs = ['case', 'dash'] }"], None, id="another-repair"),
        pytest.param(
            ["{ repairs = 'case' }", "{ repairs = 'dash' }", "{ repairs = ['case', 'dash'] }"], ["r1", "r2"], id="each-repair"
        ),
        # what contradicts itself
        pytest.param(["{ duplicate = true, any = [{ duplicate = false }] }"], NEVER, id="no-alternative"),
        pytest.param(["{ duplicate = true, any = [{ duplicate = false }, { too_old = true }] }"], None, id="one-alternative-left"),
        pytest.param(["{ issued_30d = { over = 3 }, any = [{ issued_30d = { under = 2 } }] }"], NEVER, id="no-number-in-any"),
        pytest.param(["{ name = 'read', reason = 'name-missing' }"], NEVER, id="a-reason-with-a-name"),
        pytest.param(["{ name = 'read', kind = 'bounce' }"], NEVER, id="a-name-in-a-bounce"),
        pytest.param(["{ name = 'read', kind = 'machine-mail' }"], None, id="a-name-from-a-machine"),
        pytest.param(["{ repairs = 'case', kind = 'near-subject' }"], NEVER, id="repairs-of-no-request"),
        pytest.param(["{ phrase_first = true, kind = 'request' }"], NEVER, id="the-phrase-of-no-machine"),
        pytest.param(["{ active_credential = false, active_minutes = { under = 15 } }"], NEVER, id="minutes-of-nothing"),
        pytest.param(
            ["{ kind = 'request' }", f"{{ kind = {BUT_REQUEST}, name = 'unreadable' }}"], NEVER, id="unreadable-no-request"
        ),
    ],
)
def test_a_rule_that_can_never_decide_is_named_with_those_that_take_its_letters(whens: list[str], takers: list[str] | None) -> None:
    text = "".join(rule(when, id=f"r{number}") for number, when in enumerate(whens, 1)) + LAST
    if takers is None:
        assert len(rules.load({"10-ours.toml": text}).rules) == len(whens) + 1
        return
    said = {
        0: "can never match: no letter has all these facts at once",
        1: f"is never reached: {takers[0]} stands before it",
    }.get(0 if takers is NEVER else len(takers), f"is never reached: before it {', '.join(takers)} together take all its letters")
    assert problems(_10=text) == [f"10-ours.toml: rule r{len(whens)} {said}"]


def test_the_last_rule_stands_even_when_the_others_leave_it_nothing() -> None:
    both = rule("{ duplicate = true }", id="a") + rule("{ duplicate = false }", id="b")
    assert len(rules.load({"10.toml": both + LAST}).rules) == 3


AXES = {
    "kind": ["request", "bounce", "machine-mail"],
    "name": [word.value for word in NameStanding],
    "sender": ["known", "blocked"],
    "reason": ["name-missing", "undecodable"],
    "repairs": ["case", "dash", "prefix"],
}
CONDITION = st.one_of(
    *(
        st.tuples(st.just(name), st.lists(st.sampled_from(words), min_size=1, max_size=2, unique=True))
        for name, words in AXES.items()
    ),
    *(st.tuples(st.just(name), st.booleans()) for name in ("duplicate", "phrase_first", "active_credential")),
    *(
        st.tuples(st.just(name), st.sampled_from([{"over": 0}, {"over": 1}, {"under": 1}, {"under": 2}, {"over": 0, "under": 2}]))
        for name in ("active_minutes", "issued_30d")
    ),
)
WHEN = st.lists(CONDITION, max_size=3).map(dict)
WHENS = st.builds(
    lambda when, alternatives: {**when, **({"any": alternatives} if alternatives else {})},
    WHEN,
    st.lists(WHEN.filter(bool), max_size=2),
)


def _heads() -> Iterator[Facts]:
    """What reading may give: of the words that no rule here names, one stands for all."""
    repairs = [tuple(combined) for count in range(4) for combined in combinations((Repair.CASE, Repair.DASH, Repair.PREFIX), count)]
    for sender in (SenderStanding.KNOWN, SenderStanding.BLOCKED, SenderStanding.UNKNOWN):
        for used in repairs:
            request = Facts(kind=Kind.REQUEST, name=NameStanding.READ, sender=sender, repairs=used)
            yield request
            for reason in (Reason.NAME_MISSING, Reason.UNDECODABLE, Reason.NAME_MALFORMED):
                yield replace(request, name=NameStanding.UNREADABLE, reason=reason)
        for kind in (Kind.BOUNCE, Kind.NEAR_SUBJECT, Kind.MACHINE_MAIL):
            yield Facts(kind=kind, name=NameStanding.NONE, sender=sender)
        for name in (NameStanding.NONE, NameStanding.READ):
            yield Facts(kind=Kind.MACHINE_MAIL, name=name, sender=sender, phrase_first=True)
        yield Facts(kind=Kind.MACHINE_MAIL, name=NameStanding.READ, sender=sender)


LETTERS = [
    replace(head, active_minutes=minutes, active_credential=active, issued_30d=issued, duplicate=duplicate)
    for head in _heads()
    for minutes, active in [(None, False), (None, True), (0, True), (1, True), (2, True)]
    for issued, duplicate in product((0, 1, 2), (False, True))
]


@settings(deadline=None, max_examples=60)
@given(st.lists(WHENS, min_size=1, max_size=5))
def test_a_rule_is_out_of_reach_exactly_when_no_letter_comes_to_it(whens: list[dict[str, object]]) -> None:
    """Against the letters themselves, one by one."""
    written = [rules.compiled("x.toml", RuleText.model_validate(_written(when))) for when in whens]
    reach = Reach([one.cases for one in written])
    decided = {next((place for place, one in enumerate(written) if one.unmet(letter) is None), None) for letter in LETTERS}
    assert {place for place in range(len(written)) if reach.reaches(place, range(place))} == decided - {None}


def _written(when: dict[str, object]) -> dict[str, object]:
    return {"id": "x", "when": when, "verdict": "hold", "why": "Так надо."}


@pytest.mark.parametrize(
    ("over", "under", "holding"),
    [
        pytest.param(3, None, {4, 5, 100}, id="over"),
        pytest.param(None, 3, {0, 2}, id="under"),
        pytest.param(2, 5, {4}, id="both"),
        pytest.param(None, None, {0, 2, 4, 5, 100}, id="any-known-number"),
    ],
)
def test_numbers_lie_strictly_between(over: int | None, under: int | None, holding: set[int]) -> None:
    compare = Compare(over=over, under=under)
    assert {value for value in (0, 2, 4, 5, 100) if compare.holds(value)} == holding
    assert not compare.holds(None)


FACTS = Facts(
    kind=Kind.REQUEST,
    name=NameStanding.READ,
    sender=SenderStanding.KNOWN,
    repairs=(Repair.PREFIX, Repair.CASE),
    active_credential=True,
    issued_30d=4,
)


@pytest.mark.parametrize(
    ("when", "unmet"),
    [
        pytest.param("{}", None, id="everything"),
        pytest.param("{ kind = ['bounce', 'request'] }", None, id="one-of"),
        pytest.param("{ repairs = ['case', 'dash'] }", None, id="a-repair-among"),
        pytest.param("{ repairs = 'dash' }", "repairs", id="no-such-repair"),
        pytest.param("{ reason = 'name-missing' }", "reason", id="no-reason-at-all"),
        pytest.param("{ active_credential = true, issued_30d = { over = 3 } }", None, id="and"),
        pytest.param("{ active_credential = true, issued_30d = { over = 4 } }", "issued_30d", id="and-second-fails"),
        pytest.param("{ active_minutes = { under = 15 } }", "active_minutes", id="unknown-number"),
        pytest.param("{ duplicate = false }", None, id="false-is-a-condition"),
        pytest.param("{ any = [{ duplicate = true }, { active_credential = true }] }", None, id="or"),
        pytest.param("{ any = [{ duplicate = true }, { too_old = true }] }", "any", id="or-none"),
        pytest.param("{ any = [{ duplicate = true, active_credential = true }] }", "any", id="and-inside-or"),
        pytest.param("{ kind = 'bounce', any = [{ active_credential = true }] }", "kind", id="and-before-or"),
    ],
)
def test_the_first_condition_that_fails_is_named(when: str, unmet: str | None) -> None:
    text = rule(when) + LAST if when != "{}" else LAST
    assert rules.load({"10.toml": text}).rules[0].unmet(FACTS) == unmet


def test_every_fact_may_stand_in_a_rule_and_in_an_example() -> None:
    assert [field.name for field in fields(Facts)] == [name for name in When.model_fields if name != "any"]
    assert [field.name for field in fields(Facts)] == list(FactsText.model_fields)


def test_every_word_of_the_facts_is_known() -> None:
    for name, words in {"kind": Kind, "name": NameStanding, "sender": SenderStanding, "reason": Reason, "repairs": Repair}.items():
        listed = ", ".join(f'"{word.value}"' for word in words)
        assert rules.load({"10.toml": rule(f"{{ {name} = [{listed}] }}") + LAST}).rules[0].conditions == ((name, tuple(words)),)


def test_the_hash_tells_names_and_texts_apart() -> None:
    sets = [
        {"10.toml": LAST},
        {"11.toml": LAST},
        {"10.toml": LAST + "\n"},
        {"10.toml": LAST, "20.toml": ""},
        {"10.toml": "", "20.toml": LAST},
    ]
    assert len({rules.load(texts).hash for texts in sets}) == len(sets)
    assert rules.digest({"b": "2", "a": "1"}) == rules.digest({"a": "1", "b": "2"})
    assert rules.digest({"a": "1"}) == hashlib.sha256(b"a\0" + b"1\0").hexdigest()


def test_the_replies_of_a_set_are_those_its_rules_name() -> None:
    named = rule("{ duplicate = true }", verdict="refuse", more='reply = "refused"')
    assert rules.load({"10.toml": named + LAST}).replies == {"refused"}
