"""`mailer resume`: what `mailer pause` had stand still goes on."""

from __future__ import annotations

from gettext import gettext as _

import typer

from mailer.cli.opened import officer_of
from mailer.cli.options import AsObject, Because, OnlyTry, given
from mailer.cli.pause import OfMailbox, What, named, say_so


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Have a step that was paused go on; what waited is worked on at once."))
    def resume(
        context: typer.Context,
        step: What,
        *,
        reason: Because,
        mailbox: OfMailbox = "",
        dry_run: OnlyTry = False,
        as_json: AsObject = False,
    ) -> None:
        from mailer.flow.override import pauses as override

        why = given(reason)
        with officer_of(context, "resume", about=[named(step, mailbox)], dry_run=dry_run) as (office, worker):
            if dry_run:
                with office.database.reading() as tx:
                    override.paused(tx, step, mailbox)
                say_so(_("would be resumed: {what}; nothing was changed"), step, mailbox, as_json=as_json, changed=False)
                return
            override.resume(worker, step, mailbox, reason=why)
        say_so(_("resumed: {what}"), step, mailbox, as_json=as_json)
