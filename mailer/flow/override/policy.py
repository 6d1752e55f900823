"""Which rules decide? Those that a person put into force."""

from __future__ import annotations

from collections.abc import Mapping

from mailer.core import ruleexamples
from mailer.core.rules import Ruleset
from mailer.errors import RefusedError
from mailer.store import office
from mailer.store.work import Worker


def activate(worker: Worker, ruleset: Ruleset, content: Mapping[str, str]) -> None:
    """From now on these rules decide; a running desk takes them up when it is started again. RefusedError as `refuse_failing`."""
    refuse_failing(ruleset)
    with worker.writing() as unit:
        before = office.active(unit.tx, worker.pen.key)
        office.activate(unit.tx, ruleset_hash=ruleset.hash, content=content, actor=worker.actor, at=unit.at)
        known = before.hash if before is not None and before.fault is None else None
        unit.tell("rules.activated", importance="notice", ruleset=ruleset.hash, before=known)


def refuse_failing(ruleset: Ruleset) -> None:
    """RefusedError when an example in the rule files comes out otherwise: rules that contradict themselves never take force."""
    failed = [outcome for outcome in ruleexamples.run(ruleset) if not outcome.passed]
    if failed:
        raise RefusedError(
            "the rules are not activated, examples come out otherwise: {examples}; see `mailer rules test`",
            examples=", ".join(f"{ruleset.name(outcome.place)} #{outcome.number}" for outcome in failed),
        )
