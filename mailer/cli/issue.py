"""`mailer issue`: a login that was asked for by telephone or on paper, without a letter."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from mailer.cli.decisions import show
from mailer.cli.opened import officer_of
from mailer.cli.options import AsLines, Because, OnlyTry, given
from mailer.cli.show import say


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Issue a login to somebody of a registered sender without a letter; it waits as an approval does."))
    def issue(
        context: typer.Context,
        name: Annotated[str, typer.Argument(metavar="NAME", help=_("Surname and initials."))],
        *,
        to: Annotated[str, typer.Option("--to", help=_("The sender's code in the register."), metavar="CODE")],
        reason: Because,
        dry_run: OnlyTry = False,
        as_json: AsLines = False,
    ) -> None:
        from mailer.flow.override import orders as override
        from mailer.states import RequestState

        why = given(reason)
        with officer_of(context, "issue", about=[to], dry_run=dry_run) as (office, worker):
            decided = override.issue(worker, office.policy(office.active_rules()), name, to, reason=why, dry_run=dry_run)
            show([decided], office.config.zone, as_json=as_json)
        if decided.state is RequestState.HELD and decided.record and not as_json:
            say(
                _(
                    "a rule holds it: `mailer requests show {id}` says which; to issue all the same: mailer requests approve {id}"
                ).format(id=decided.request)
            )
