"""`mailer rules`: show the rules in force, check and test the rule files, and make them the ones that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from gettext import gettext as _
from gettext import ngettext
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailer.cli.noun import Noun
from mailer.cli.opened import office_of, officer_of
from mailer.cli.options import AsLines, OnlyTry
from mailer.cli.show import print_json, safe_text, say, say_long, table
from mailer.errors import NotFoundError

if TYPE_CHECKING:
    from mailer.core.reach import Conditions
    from mailer.core.ruleexamples import Outcome
    from mailer.core.rules import Example, Rule, Ruleset


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("The office's rules."))
    noun.command("show", help=_("Show the rules in force, in their order, or one of them with its examples."))(_show)
    noun.command("check", help=_("Check the rule files and say whether they are active."))(_check)
    noun.command("test", help=_("Decide the examples inside the rule files and compare."))(_test)
    noun.command("activate", help=_("Make the rule files the ones that run."))(_activate)
    app.add_typer(noun, name="rules")


def _check(context: typer.Context) -> int:
    from mailer.core import decide, rules
    from mailer.store import office as stored

    with office_of(context) as office:
        ruleset = rules.load(office.rule_texts())
        office.templates(ruleset)
        with office.database.reading() as tx:
            active = stored.active(tx, office.keyring.secret("record"))
    say(_("{count} rules are valid, hash {hash}").format(count=len(ruleset.rules), hash=ruleset.hash[:12]))
    for place in decide.unanswered(ruleset):
        text = _("warning: rule {rule} answers in vain: no letter that comes to it is ever answered, it becomes a hold")
        say(text.format(rule=ruleset.name(place)))
    if active is not None and active.fault is None and active.hash == ruleset.hash:
        say(_("they are active"))
        return 0
    say(_("they are not active: mailer rules activate"))
    return 1


def _activate(context: typer.Context, dry_run: OnlyTry = False) -> None:
    from mailer.core import rules
    from mailer.flow.override import policy as override

    with officer_of(context, "rules activate", dry_run=dry_run) as (office, worker):
        texts = office.rule_texts()
        ruleset = rules.load(texts)
        office.templates(ruleset)
        if dry_run:
            override.refuse_failing(ruleset)
        else:
            override.activate(worker, ruleset, texts)
    if dry_run:
        said = _("would be activated: {count} rules, hash {hash}; nothing was changed")
    else:
        said = _("activated: {count} rules, hash {hash}; restart `mailer run`")
    say(said.format(count=len(ruleset.rules), hash=ruleset.hash[:12]))


def _test(context: typer.Context, as_json: AsLines = False) -> int:
    from mailer.core import ruleexamples, rules

    with office_of(context) as office:
        ruleset = rules.load(office.rule_texts())
    outcomes = ruleexamples.run(ruleset)
    failed = [outcome for outcome in outcomes if not outcome.passed]
    untested = ruleexamples.untested(ruleset)
    if as_json:
        for outcome in outcomes:
            print_json(_outcome_as_object(ruleset, outcome))
        for place in untested:
            print_json(_untested_as_object(ruleset, place))
        return 1 if failed else 0
    for outcome in failed:
        _tell_failed(ruleset, outcome)
    if untested:
        say(_("without an example: {rules}").format(rules=", ".join(ruleset.name(place) for place in untested)))
    count = len(outcomes)
    said = ngettext("{count} example, {failed} came out otherwise", "{count} examples, {failed} came out otherwise", count)
    say(said.format(count=count, failed=len(failed)))
    return 1 if failed else 0


def _tell_failed(ruleset: Ruleset, outcome: Outcome) -> None:
    rule, decision = ruleset.rules[outcome.place], outcome.decision
    say(f"{safe_text(rule.file)}: {ruleset.name(outcome.place)} #{outcome.number}: {_letter(outcome.example)}")
    expected = outcome.example.verdict.value + (f" ({outcome.example.reason})" if outcome.example.reason else "")
    say("  " + _("expected: {verdict} by {rule}").format(verdict=safe_text(expected), rule=ruleset.name(outcome.place)))
    came = decision.verdict.value + (f" ({decision.reason})" if decision.reason else "")
    say("  " + _("came out: {verdict} by {rule}").format(verdict=came, rule=ruleset.name(outcome.by)))
    for line in decision.trace:
        say(f"    {line}")


def _outcome_as_object(ruleset: Ruleset, outcome: Outcome) -> Mapping[str, Any]:
    decision = outcome.decision
    came_out = {"verdict": decision.verdict, "reason": decision.reason, "place": outcome.by + 1, "rule_id": decision.rule_id}
    return {
        **_place_as_object(ruleset, outcome.place),
        "number": outcome.number,
        "example": _example_as_object(outcome.example),
        "passed": outcome.passed,
        "came_out": came_out,
        "trace": decision.trace,
    }


def _untested_as_object(ruleset: Ruleset, place: int) -> Mapping[str, Any]:
    """A rule without an example: the same fields, and nothing in them."""
    nothing = dict.fromkeys(("number", "example", "passed", "came_out"))
    return {**_place_as_object(ruleset, place), **nothing, "trace": []}


def _place_as_object(ruleset: Ruleset, place: int) -> Mapping[str, Any]:
    rule = ruleset.rules[place]
    return {"place": place + 1, "rule_id": rule.id, "file": rule.file}


def _example_as_object(example: Example) -> Mapping[str, Any]:
    return {
        "subject": example.subject,
        "standing": example.sender,
        "facts": dict(example.facts),
        "expected": {"verdict": example.verdict, "reason": example.reason},
    }


def _show(
    context: typer.Context,
    rule_id: Annotated[str, typer.Argument(metavar="[ID]", help=_("Only this rule, with its examples."))] = "",
    as_json: AsLines = False,
) -> None:
    from mailer.core import rules

    with office_of(context) as office:
        ruleset = office.active_rules()
        differ = rules.digest(office.rule_texts()) != ruleset.hash
    places = [place for place, rule in enumerate(ruleset.rules) if rule_id in {"", rule.id}]
    if not places:
        raise NotFoundError("there is no rule {id} in force: `mailer rules show` shows those there are", id=safe_text(rule_id))
    if as_json:
        for place in places:
            print_json(_rule_as_object(ruleset, place))
        return
    if rule_id:
        for place in places:
            _tell_rule(ruleset, place)
    else:
        _tell_rules(ruleset)
    if differ:
        say(_("the rule files differ from these rules, which are the ones in force: mailer rules check"))


def _tell_rules(ruleset: Ruleset) -> None:
    """Two rows a rule, the second one says why: beside the conditions there is no room for it on a terminal."""
    rows = []
    for place, rule in enumerate(ruleset.rules):
        verdict = rule.verdict.value + (f": {rule.reply}" if rule.reply else "")
        rows.append((ruleset.name(place), verdict, "; ".join(_readable(rule)) or _("every letter")))
        rows.append(("", "", f"  {rule.why}"))
    table((_("rule"), _("verdict"), _("conditions, and why")), rows, empty="")
    say(_("hash {hash}").format(hash=ruleset.hash[:12]))


def _tell_rule(ruleset: Ruleset, place: int) -> None:
    rule = ruleset.rules[place]
    say(f"{ruleset.name(place)} → {rule.verdict.value}" + (f": {safe_text(rule.reply)}" if rule.reply else ""))
    say_long(_("why: {why} [{rule}]").format(why=safe_text(rule.why), rule=safe_text(rule.file)))
    for condition in _readable(rule) or [_("every letter")]:
        say_long(_("condition: {condition}").format(condition=condition))
    for number, example in enumerate(rule.examples, 1):
        said = _("example {number}: {letter} → {verdict}")
        reason = f" ({safe_text(example.reason)})" if example.reason else ""
        say_long(said.format(number=number, letter=_letter(example), verdict=example.verdict.value + reason))


def _rule_as_object(ruleset: Ruleset, place: int) -> Mapping[str, Any]:
    rule = ruleset.rules[place]
    return {
        **_place_as_object(ruleset, place),
        "when": _as_written(rule.conditions),
        "any": [_as_written(one) for one in rule.alternatives],
        "verdict": rule.verdict,
        "reply": rule.reply,
        "why": rule.why,
        "examples": [_example_as_object(example) for example in rule.examples],
    }


def _as_written(conditions: Conditions) -> Mapping[str, Any]:
    from mailer.core.ruletext import Compare

    return {name: wanted.model_dump(exclude_none=True) if isinstance(wanted, Compare) else wanted for name, wanted in conditions}


def _readable(rule: Rule) -> list[str]:
    """The conditions, one a line; alternatives on one."""
    either = _(" or ").join(" + ".join(_condition(name, wanted) for name, wanted in one) for one in rule.alternatives)
    return [*(_condition(name, wanted) for name, wanted in rule.conditions), *([either] if either else [])]


def _condition(name: str, wanted: Any) -> str:
    from mailer.core.ruletext import Compare

    if isinstance(wanted, Compare):
        limits = [f"{sign} {limit}" for sign, limit in ((">", wanted.over), ("<", wanted.under)) if limit is not None]
        return f"{name} " + (_(" and ").join(limits) or "≥ 0")
    return f"{name} = " + (_said(wanted) if isinstance(wanted, bool) else _(" or ").join(wanted))


def _letter(example: Example) -> str:
    """The letter of an example on one line: its subject, and what else is said of it."""
    parts = [f"«{safe_text(example.subject)}»"] if example.subject is not None else []
    parts += [f"sender = {example.sender.value}", *(f"{name} = {_said(value)}" for name, value in example.facts)]
    return ", ".join(parts)


def _said(value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return " + ".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
