"""`mailer credentials`: what was issued, and how to end it."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from mailer.cli.opened import office_of, operator
from mailer.cli.show import LARGEST, local, print_json, safe_text, say, table
from mailer.states import CredentialState


def add_to(app: typer.Typer) -> None:
    noun = typer.Typer(help=_("The issued credentials."), no_args_is_help=True)
    noun.command("list", help=_("Show the newest credentials."))(_list)
    noun.command("show", help=_("Show one credential, by id or login."))(_show)
    noun.command("revoke", help=_("End a credential now."))(_revoke)
    app.add_typer(noun, name="credentials")


def _list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST, help=_("How many."))] = 50,
    state: Annotated[list[CredentialState] | None, typer.Option("--state", help=_("Only in this state; may be repeated."))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=_("One JSON object a line."))] = False,
) -> None:
    from mailer.flow import report

    with office_of(context) as office, office.database.reading() as tx:
        lines = report.credential_lines(tx, limit, states=state or ())
    if as_json:
        for line in lines:
            print_json(line)
        return
    zone = office.config.zone
    table(
        [_("login"), _("sender"), _("person"), _("state"), _("issued"), _("valid until"), _("request")],
        (
            (
                line.credential.login,
                line.credential.sender_code,
                line.person,
                line.credential.state.value,
                local(line.credential.issued_at, zone),
                local(line.credential.valid_until, zone),
                line.credential.request_id,
            )
            for line in lines
        ),
        empty=_("nothing has been issued"),
    )


def _show(
    context: typer.Context,
    credential: Annotated[str, typer.Argument(metavar="LOGIN")],
    as_json: Annotated[bool, typer.Option("--json", help=_("As one JSON object."))] = False,
) -> None:
    from mailer.cli.requests import show_request
    from mailer.flow import report
    from mailer.store import credentials

    with office_of(context) as office, office.database.reading() as tx:
        found = credentials.find(tx, credential)
        view = report.show_request(tx, found.request_id)
    if as_json:
        print_json({"credential": found, "request": view})
        return
    zone = office.config.zone
    say(_("credential {id}").format(id=found.id))
    say("  " + _("term: {rule}, last day {day}").format(rule=found.term_rule, day=f"{found.last_day:%d.%m.%Y}"))
    show_request(view, zone)


def _revoke(
    context: typer.Context,
    credential: Annotated[str, typer.Argument(metavar="LOGIN")],
    reason: Annotated[str, typer.Option("--reason", help=_("Why; stands in the record."), metavar="TEXT")],
) -> None:
    from mailer.flow import override
    from mailer.store import accounts_local

    if not reason.strip():
        raise typer.BadParameter(_("a reason must be given"), param_hint="--reason")
    with office_of(context) as office:
        found = override.revoke(office.worker(operator()), accounts_local, credential, reason=reason.strip())
    say(_("{login}: {state}").format(login=safe_text(found.login), state=found.state.value))
