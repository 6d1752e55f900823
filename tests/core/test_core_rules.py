"""Are rules checked when they are loaded: every mistake named with its file and rule, and nothing that can never be reached?"""

from __future__ import annotations

import hashlib
from dataclasses import fields

import pytest

from mailer.core import rules
from mailer.core.rules import Compare, When
from mailer.errors import SetupErrors
from mailer.model import Facts, Form, Kind, NameStanding, Reason, Repair, SenderStanding

LAST = '[[rule]]\nid = "last"\nwhen = {}\nverdict = "hold"\nwhy = "Решает сотрудник."\n'


def rule(when: str = '{ kind = "bounce" }', *, id: str = "ours", verdict: str = "hold", more: str = "") -> str:
    return f'[[rule]]\nid = "{id}"\nwhen = {when}\nverdict = "{verdict}"\nwhy = "Так надо."\n{more}\n'


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
        pytest.param(rule("{ kind = 'bounced' }"), "[[rule]] 1 when kind 0: must be one of", id="word"),
        pytest.param(rule("{ kind = ['bounce', 'request', 'reqest'] }"), "[[rule]] 1 when kind 2: must be one of", id="third-word"),
        pytest.param(rule("{ kind = 3 }"), "[[rule]] 1 when kind 0: must be one of", id="number-for-word"),
        pytest.param(rule("{ duplicate = 'yes' }"), "[[rule]] 1 when duplicate: must be true or false", id="word-for-boolean"),
        pytest.param(rule("{ duplicate = 1 }"), "[[rule]] 1 when duplicate: must be true or false", id="number-for-boolean"),
        pytest.param(rule("{ issued_30d = 3 }"), "[[rule]] 1 when issued_30d:", id="bare-number"),
        pytest.param(rule("{ issued_30d = { over = '3' } }"), "issued_30d over: must be a whole number", id="word-for-number"),
        pytest.param(rule("{ issued_30d = { over = 3.5 } }"), "issued_30d over: must be a whole number", id="fraction"),
        pytest.param(rule("{ issued_30d = { more = 3 } }"), "issued_30d: unknown key more; known is over", id="comparison"),
        pytest.param(rule("{ any = [{ any = [{ duplicate = true }] }] }"), "must name facts, and no any", id="nested-any"),
        pytest.param(rule("{ any = [{}] }"), "must name facts", id="empty-any"),
        pytest.param(
            rule("{ any = [{ duplcate = true }] }"), "any [[rule]] 1: unknown key duplcate; known is duplicate", id="in-any"
        ),
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


@pytest.mark.parametrize(
    ("before", "after", "shadowed"),
    [
        pytest.param("{ duplicate = true }", "{ duplicate = true }", True, id="same"),
        pytest.param("{ duplicate = true }", "{ duplicate = false }", False, id="opposite"),
        pytest.param("{ duplicate = true }", "{ duplicate = true, too_old = true }", True, id="narrower"),
        pytest.param("{ duplicate = true, too_old = true }", "{ duplicate = true }", False, id="wider"),
        pytest.param("{ kind = ['bounce', 'request'] }", "{ kind = 'request' }", True, id="one-of-the-words"),
        pytest.param("{ kind = 'request' }", "{ kind = ['bounce', 'request'] }", False, id="more-words"),
        pytest.param("{ issued_30d = { over = 3 } }", "{ issued_30d = { over = 5 } }", True, id="higher-limit"),
        pytest.param("{ issued_30d = { over = 3 } }", "{ issued_30d = { over = 2 } }", False, id="lower-limit"),
        pytest.param("{ issued_30d = { over = 3 } }", "{ issued_30d = { under = 3 } }", False, id="other-side"),
        pytest.param("{ issued_30d = { under = 9 } }", "{ issued_30d = { over = 3, under = 5 } }", True, id="inside"),
        pytest.param("{ issued_30d = { over = 3, under = 9 } }", "{ issued_30d = { over = 3 } }", False, id="open-side"),
        pytest.param("{ duplicate = true }", "{ duplicate = true, any = [{ too_old = true }] }", True, id="any-narrows"),
        pytest.param("{ any = [{ duplicate = true }] }", "{ duplicate = true }", False, id="any-is-not-looked-into"),
        pytest.param(
            "{ any = [{ duplicate = true }] }", "{ too_old = true, any = [{ duplicate = true }] }", True, id="same-any-narrower"
        ),
        pytest.param("{ any = [{ duplicate = true }] }", "{ any = [{ too_old = true }] }", False, id="other-any"),
    ],
)
def test_a_rule_behind_a_wider_one_is_never_reached(before: str, after: str, shadowed: bool) -> None:
    first, second = (When.model_validate(_table(text)) for text in (before, after))
    assert first.covers(second) is shadowed
    text = rule(before, id="first") + rule(after, id="second") + LAST
    if shadowed:
        assert problems(_10=text) == ["10-ours.toml: rule second is never reached: first stands before it"]
    else:
        assert len(rules.load({"10-ours.toml": text}).rules) == 3


def _table(text: str) -> object:
    import tomllib

    return tomllib.loads(f"when = {text}")["when"]


@pytest.mark.parametrize(
    ("over", "under", "holding"),
    [
        pytest.param(3, None, {4, 5, 100}, id="over"),
        pytest.param(None, 3, {0, 2}, id="under"),
        pytest.param(2, 5, {4}, id="both"),
        pytest.param(5, 2, set(), id="nothing-between"),
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


def test_every_fact_may_stand_in_a_rule() -> None:
    assert [field.name for field in fields(Facts)] == [name for name in When.model_fields if name != "any"]


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
