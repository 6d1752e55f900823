"""`mailer credentials revoke|extend|reissue|resend`: what a person does with logins that were issued."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, time
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mailer.cli.opened import officer_of
from mailer.cli.options import MOMENTS, AsLines, Because, OnlyTry, dated, given
from mailer.cli.show import local, print_json, safe_text, say, table
from mailer.errors import RefusedError

if TYPE_CHECKING:
    from mailer.flow.override.credentials import Choice
    from mailer.service.office import Office
    from mailer.store.credentials import Credential

Login = Annotated[str, typer.Argument(metavar="LOGIN")]


def add_to(noun: typer.Typer) -> None:
    """The commands under `mailer credentials`."""
    noun.command("revoke", help=_("End logins now: those named, or many at once after a look at the list."))(_revoke)
    noun.command("extend", help=_("Let a login live longer; its holder is told by letter."))(_extend)
    noun.command("reissue", help=_("Have a new login issued to the same person and address; the old one ends when it has left."))(
        _reissue
    )
    noun.command("resend", help=_("Send an answer that did not arrive again: the same bytes, as long as they are there."))(_resend)


def _revoke(
    context: typer.Context,
    logins: Annotated[list[str] | None, typer.Argument(metavar="LOGIN…")] = None,
    *,
    reason: Because,
    sender: Annotated[str | None, typer.Option("--sender", help=_("All of this sender."), metavar="CODE")] = None,
    since: Annotated[datetime | None, dated("--issued-since", help=_("All issued from then on."), formats=MOMENTS)] = None,
    until: Annotated[
        datetime | None, dated("--issued-until", help=_("All issued until then; a day counts whole."), formats=MOMENTS)
    ] = None,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help=_("The code of the list, as --dry-run shows it."), metavar="CODE")
    ] = None,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import credentials as override
    from mailer.store import places

    why = given(reason)
    many = any(one is not None for one in (sender, since, until))
    if many == bool(logins):
        raise typer.BadParameter(_("name logins, or say which are meant: --sender, --issued-since, --issued-until"))
    about = logins or [str(one) for one in (sender, since, until) if one is not None]
    with officer_of(context, "credentials revoke", about=about, dry_run=dry_run) as (office, worker):
        if logins:
            _show(override.revoke(worker, places, *logins, reason=why, dry_run=dry_run), as_json=as_json, dry_run=dry_run)
            return
        zone = office.config.zone
        choice = override.Choice(sender=sender, since=_begin(since, zone), until=_end(until, zone))
        code = _previewed(office, choice, confirm, dry_run=dry_run, as_json=as_json)
        if code is not None:
            at_most = office.config.limits.revoke_at_once
            ended = override.revoke_chosen(worker, places, choice, code=code, reason=why, at_most=at_most)
            _show(ended, as_json=as_json, dry_run=False, code=code)


def _previewed(office: Office, choice: Choice, confirm: str | None, *, dry_run: bool, as_json: bool) -> str | None:
    """The code with which the person has said that just these are meant; None in a dry run, which shows them and their code."""
    from mailer.flow.override import credentials as override

    if confirm is not None and not dry_run:
        return confirm
    with office.database.reading() as tx:
        found = override.choose(tx, choice, at_most=office.config.limits.revoke_at_once)
    code = override.code_of(found)
    if not as_json:
        _list(found, office.config.zone)
        say(
            _("logins that would be ended: {count}; the code of this list, for --confirm: {code}").format(
                count=len(found), code=code
            )
        )
        if dry_run:
            say(_("nothing was changed"))
    elif dry_run:
        _show(found, as_json=True, dry_run=True, code=code)
    if dry_run:
        return None
    if as_json or not sys.stdin.isatty():
        raise RefusedError("look at the list with --dry-run first, then give its code with --confirm; nothing was changed")
    return str(typer.prompt(_("To end all of them, type the code of the list"), err=True)).strip()


def _list(found: Sequence[Credential], zone: ZoneInfo) -> None:
    table(
        [_("login"), _("sender"), _("state"), _("issued"), _("valid until")],
        ((one.login, one.sender_code, one.state.value, local(one.issued_at, zone), local(one.valid_until, zone)) for one in found),
        empty="",
    )


def _extend(
    context: typer.Context,
    login: Login,
    *,
    reason: Because,
    until: Annotated[datetime | None, dated("--until", help=_("The last day."))] = None,
    months: Annotated[int | None, typer.Option("--months", min=1, max=120, help=_("Calendar months from today."))] = None,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import credentials as override

    why = given(reason)
    if (until is None) == (months is None):
        raise typer.BadParameter(_("give either --until or --months"))
    wanted = months if months is not None else until.date() if until is not None else 0
    with officer_of(context, "credentials extend", about=[login], dry_run=dry_run) as (office, worker):
        stationery = office.stationery(office.active_rules())
        found = override.extend(worker, office.places(), stationery, login, wanted, reason=why, caps=office.caps(), dry_run=dry_run)
        zone = office.config.zone
    if as_json:
        print_json({"credential": found, "changed": not dry_run})
        return
    said = _("{login} would be valid until {until}; nothing was changed") if dry_run else _("{login}: valid until {until}")
    say(said.format(login=safe_text(found.login), until=local(found.valid_until, zone)))


def _reissue(context: typer.Context, login: Login, *, reason: Because, dry_run: OnlyTry = False, as_json: AsLines = False) -> None:
    from mailer.flow.override import again

    why = given(reason)
    with officer_of(context, "credentials reissue", about=[login], dry_run=dry_run) as (office, worker):
        delay = office.policy(office.active_rules()).delay
        number = again.reissue(worker, login, reason=why, delay=delay, caps=office.caps(), dry_run=dry_run)
    if as_json:
        print_json({"request_id": None if dry_run else number, "changed": not dry_run})
    elif dry_run:
        say(_("a new login would be issued in place of {login}; nothing was changed").format(login=safe_text(login)))
    else:
        said = _("request {id} is approved: the new login goes to the same address; until it is made: mailer requests undo {id}")
        say(said.format(id=number))


def _resend(context: typer.Context, login: Login, *, reason: Because, dry_run: OnlyTry = False, as_json: AsLines = False) -> None:
    from mailer.flow.override import again

    why = given(reason)
    with officer_of(context, "credentials resend", about=[login], dry_run=dry_run) as (office, worker):
        reply = again.resend(worker, office.places(), login, reason=why, dry_run=dry_run)
    if as_json:
        print_json({"reply_id": reply.id, "message_id": reply.message_id, "changed": not dry_run})
        return
    said = (
        _("the answer with {login} would be sent again; nothing was changed")
        if dry_run
        else _("{login}: the answer goes out again")
    )
    say(said.format(login=safe_text(login)))


def _show(found: Sequence[Credential], *, as_json: bool, dry_run: bool, code: str | None = None) -> None:
    for one in found:
        if as_json:
            print_json({"credential": one, "code": code, "changed": not dry_run})
            continue
        said = _("{login} would be {state}; nothing was changed") if dry_run else _("{login}: {state}")
        say(said.format(login=safe_text(one.login), state=one.state.value))


def _begin(written: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if written is None else written.replace(tzinfo=zone)


def _end(written: datetime | None, zone: ZoneInfo) -> datetime | None:
    """A day without a time is meant whole."""
    if written is not None and written.time() == time():
        written = datetime.combine(written.date(), time.max)
    return _begin(written, zone)
