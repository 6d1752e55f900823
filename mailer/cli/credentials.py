"""`mailer credentials`: what was issued, and how to end it."""

from __future__ import annotations

import getpass
import math
import sys
import time
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import measures
from mailer.cli.noun import Noun
from mailer.cli.opened import office_of, officer_of
from mailer.cli.options import AsLines, AsObject
from mailer.cli.show import LARGEST, local, minute, print_json, say, table
from mailer.cli.termwords import term_words
from mailer.states import CredentialState

if TYPE_CHECKING:
    from mailer.flow.places import Checked
    from mailer.service.office import Office
    from mailer.store.work import Worker


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("The issued credentials."))
    noun.command("list", help=_("Show the newest credentials."))(_list)
    noun.command("show", help=_("Show one credential, by id or login."))(_show)
    noun.command("check", help=_("Check a login; its password is asked for or read from standard input."))(_check)
    measures.add_to(noun)
    app.add_typer(noun, name="credentials")


def _list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST, help=_("How many."))] = 50,
    state: Annotated[list[CredentialState] | None, typer.Option("--state", help=_("Only in this state; may be repeated."))] = None,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.report import credentials as report

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
                minute(line.credential.issued_at, zone),
                minute(line.credential.valid_until, zone),
                line.credential.request_id,
            )
            for line in lines
        ),
        empty=_("nothing has been issued"),
    )


def _show(
    context: typer.Context,
    credential: Annotated[str, typer.Argument(metavar="LOGIN")],
    as_json: AsObject = False,
) -> None:
    from mailer.cli.request_show import request_as_object, show_request
    from mailer.flow.override import credentials as override
    from mailer.flow.report import requests as report

    with officer_of(context, "credentials show") as (office, worker):
        found = override.show(worker, credential)
        with office.database.reading() as tx:
            view = report.show_request(tx, found.request_id)
    if as_json:
        print_json({"credential": found, "request": request_as_object(view)})
        return
    zone = office.config.zone
    say(_("credential {id}").format(id=found.id))
    say("  " + _("term: {rule}, last day {day}").format(rule=term_words(found.term_rule), day=f"{found.last_day:%d.%m.%Y}"))
    say("  " + _("first use: {when}").format(when=_("unknown")))  # no place of validity of ours tells it
    show_request(view, zone)


def _check(context: typer.Context, login: Annotated[str, typer.Argument(metavar="LOGIN")]) -> int:
    from mailer.core.accounts import Standing

    with officer_of(context, "credentials check") as (office, worker):
        written = _password()
        found = _patiently(office, worker, login.strip(), written)
    say(_told(found, office))
    return 0 if found.standing is Standing.VALID else 1


def _password() -> str:
    """Never an argument: those stand in the shell's history and in the list of processes."""
    if sys.stdin.isatty():
        return getpass.getpass(_("Password: "))
    return sys.stdin.buffer.readline().decode("utf-8", "replace").rstrip("\r\n")


def _patiently(office: Office, worker: Worker, login: str, written: str) -> Checked:
    """Check, and where too many were wrong of late, wait first; never long."""
    from mailer.flow import places

    while True:
        found = places.check(worker, office.local_accounts(), login, written)
        if found.standing is not None:
            return found
        seconds = math.ceil(found.wait.total_seconds())
        typer.echo(_("too many wrong passwords of late: {seconds} s to wait").format(seconds=seconds), err=True)
        time.sleep(seconds)


def _told(found: Checked, office: Office) -> str:
    from mailer.core.accounts import Standing

    match found.standing, found.credential:
        case Standing.VALID, credential if credential is not None:
            said = _("valid until {until}").format(until=local(credential.valid_until, office.config.zone))
        case Standing.ENDED, credential if credential is not None:
            said = _("the password is right, but the login is no longer valid: {state}, valid until {until}").format(
                state=credential.state.value, until=local(credential.valid_until, office.config.zone)
            )
        case Standing.DISTRUSTED, _any:
            return _(
                "the password is right, but the account is not as the record tells: somebody meddled with the database; "
                "see `mailer accounts reconcile`"
            )
        case Standing.WRONG, _any:
            return _("wrong password")
        case _standing, None:
            return _("there is no such login")
        case _standing, _any:
            return _("this login was made elsewhere: its password can be checked only there")
    if found.other_layout:
        said += "\n" + _("(typed on the Russian layout: switch to the Latin one)")
    return said
