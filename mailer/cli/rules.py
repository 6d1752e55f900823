"""`mailer rules`: check the rule files, and make them the ones that run."""

from __future__ import annotations

from gettext import gettext as _

import typer

from mailer.cli.opened import office_of, operator
from mailer.cli.show import say


def add_to(app: typer.Typer) -> None:
    noun = typer.Typer(help=_("The office's rules."), no_args_is_help=True)
    noun.command("check", help=_("Check the rule files and say whether they are active."))(_check)
    noun.command("activate", help=_("Make the rule files the ones that run."))(_activate)
    app.add_typer(noun, name="rules")


def _check(context: typer.Context) -> int:
    from mailer.core import rules
    from mailer.store import office as stored

    with office_of(context) as office:
        ruleset = rules.load(office.rule_texts())
        office.templates(ruleset)
        with office.database.reading() as tx:
            active = stored.active(tx)
    say(_("{count} rules are valid, hash {hash}").format(count=len(ruleset.rules), hash=ruleset.hash[:12]))
    if active is not None and active.hash == ruleset.hash:
        say(_("they are active"))
        return 0
    say(_("they are not active: mailer rules activate"))
    return 1


def _activate(context: typer.Context) -> None:
    from mailer.core import rules
    from mailer.flow import override

    with office_of(context) as office:
        texts = office.rule_texts()
        ruleset = rules.load(texts)
        office.templates(ruleset)
        override.activate_rules(office.worker(operator()), ruleset, texts)
    say(_("activated: {count} rules, hash {hash}; restart `mailer run`").format(count=len(ruleset.rules), hash=ruleset.hash[:12]))
