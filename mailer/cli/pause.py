"""`mailer pause`: have letters no longer taken in, logins no longer issued, or answers no longer sent, until `mailer resume`."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mailer.cli.opened import officer_of
from mailer.cli.options import AsObject, Because, OnlyTry, given
from mailer.cli.show import local, print_json, safe_text, say
from mailer.errors import SetupError
from mailer.states import Pausable

if TYPE_CHECKING:
    from mailer.service.office import Office
    from mailer.store.pauses import Pause

What = Annotated[Pausable, typer.Argument(metavar="STEP", help=_("intake, issue or deliver."))]
OfMailbox = Annotated[str, typer.Option("--mailbox", help=_("Only this mailbox; with intake."), metavar="NAME")]


def add_to(app: typer.Typer) -> None:
    @app.command(
        help=_(
            "Have a step stand still until it is resumed: intake (no letter is taken), issue (no login), deliver (no answer sent)."
        )
    )
    def pause(
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
        with officer_of(context, "pause", about=[named(step, mailbox)], dry_run=dry_run) as (office, worker):
            check_mailbox(office, step, mailbox)
            if dry_run:
                with office.database.reading() as tx:
                    override.refuse_paused(tx, step, mailbox)
                say_so(_("would be paused: {what}; nothing was changed"), step, mailbox, as_json=as_json, changed=False)
                return
            override.pause(worker, step, mailbox, reason=why)
        say_so(_("paused: {what}; what is in hand is finished. To go on: mailer resume {what}"), step, mailbox, as_json=as_json)


def say_so(sentence: str, step: Pausable, mailbox: str, *, as_json: bool, changed: bool = True) -> None:
    if as_json:
        print_json({"step": step.value, "mailbox": mailbox or None, "changed": changed})
    else:
        say(sentence.format(what=named(step, mailbox)))


def named(step: Pausable, mailbox: str) -> str:
    """As it is typed after the command."""
    return f"{step.value} --mailbox {mailbox}" if mailbox else step.value


def check_mailbox(office: Office, step: Pausable, mailbox: str) -> None:
    """SetupError for a mailbox that is not there, and for one where none is asked for."""
    known = [one.name for one in office.config.mailbox]
    if mailbox and step is not Pausable.INTAKE:
        raise SetupError("--mailbox goes with intake alone: requests and answers of all mailboxes wait in one row")
    if mailbox and mailbox not in known:
        raise SetupError("there is no mailbox {name}; known: {known}", name=mailbox, known=", ".join(known) or "—")


def pause_line(pause: Pause, zone: ZoneInfo) -> str:
    """A pause that lasts, as `status` and `run --until-idle` say it."""
    return safe_text(
        _("paused: {what}, since {since} by {actor}: {reason}").format(
            what=named(pause.step, pause.mailbox), since=local(pause.since, zone), actor=pause.actor, reason=pause.reason
        )
    )
