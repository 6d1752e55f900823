"""`mailer requests`: who asked for whom, and the whole timeline of one request."""

from __future__ import annotations

from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mailer.cli import corrections, decisions
from mailer.cli.observed import show_observed
from mailer.cli.opened import office_of
from mailer.cli.show import LARGEST, brief, local, print_json, safe_text, say, table
from mailer.states import RequestState

if TYPE_CHECKING:
    from mailer.flow.report.requests import RequestLine, RequestView


def add_to(app: typer.Typer) -> None:
    noun = typer.Typer(help=_("The requests."), no_args_is_help=True)
    noun.command("list", help=_("Show the newest requests."))(_list)
    noun.command("show", help=_("Show one request with its whole timeline."))(_show)
    decisions.add_to(noun)
    corrections.add_to(noun)
    app.add_typer(noun, name="requests")


def _list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST, help=_("How many."))] = 50,
    *,
    state: Annotated[list[RequestState] | None, typer.Option("--state", help=_("Only in this state; may be repeated."))] = None,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help=_("Only those whose reply did not arrive for certain."))
    ] = False,
    observed: Annotated[
        bool, typer.Option("--observed", help=_("What would have been done in mode observe, with the refusals' words."))
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("One JSON object a line."))] = False,
) -> None:
    from mailer.flow.report import requests as report

    if observed:
        with office_of(context) as office:
            show_observed(office, limit, as_json=as_json)
        return
    with office_of(context) as office, office.database.reading() as tx:
        lines = report.request_lines(tx, limit, states=state or (), undelivered=undelivered)
    if as_json:
        for line in lines:
            print_json(line)
        return
    zone = office.config.zone
    table(
        ["№", _("created"), _("sender"), _("person"), _("state"), _("rule"), _("reason")],
        (
            (line.id, local(line.created_at, zone), line.sender_code, line.person, line.state, _rule(line), line.reason)
            for line in lines
        ),
        empty=_("there are no requests"),
    )


def _rule(line: RequestLine) -> str:
    return line.rule_id if line.reissue_of is None else _("{rule} of № {id}").format(rule=line.rule_id, id=line.reissue_of)


def _show(
    context: typer.Context,
    request: Annotated[int, typer.Argument(metavar="№", min=1, max=LARGEST)],
    as_json: Annotated[bool, typer.Option("--json", help=_("As one JSON object."))] = False,
) -> None:
    from mailer.flow.report import requests as report

    with office_of(context) as office, office.database.reading() as tx:
        view = report.show_request(tx, request)
    if as_json:
        print_json(view)
    else:
        show_request(view, office.config.zone)


def show_request(view: RequestView, zone: ZoneInfo) -> None:
    """A request for reading: what was asked, what was decided and why, what was issued and sent, and every record of it."""
    request = view.request
    say(_("request {id}: {state}").format(id=request.id, state=request.state.value))
    if request.reissue_of is not None:
        say("  " + _("repeats request {id}, whose answer did not arrive").format(id=request.reissue_of))
    say("  " + _("subject: {subject}").format(subject=safe_text((view.letter.subject if view.letter else None) or "")))
    say(
        "  "
        + _("sender: {code}, {organisation}").format(
            code=safe_text(request.sender_code or "-"), organisation=safe_text(view.organisation or "-")
        )
    )
    say("  " + _("person: {person}").format(person=safe_text(view.person or "-")))
    say(
        "  "
        + _("decided: {verdict} by rule {rule}").format(verdict=request.verdict, rule=request.rule_id)
        + (f" ({request.reason})" if request.reason else "")
    )
    if view.credential is not None:
        credential = view.credential
        say(
            "  "
            + _("login {login}: {state}, valid until {until}").format(
                login=credential.login, state=credential.state.value, until=local(credential.valid_until, zone)
            )
        )
    for reply in view.replies:
        say(
            "  "
            + _("reply {name} to {address}: {state}, {attempts} attempts").format(
                name=reply.name, address=safe_text(view.answer_to or "-"), state=reply.state, attempts=reply.attempts
            )
        )
    for repeat in view.repeated_by:
        say("  " + _("repeated by request {id}: {state}").format(id=repeat.id, state=repeat.state.value))
    for entry in view.timeline:
        say(f"  {local(entry.at, zone)}  {entry.event:<22} {safe_text(brief(entry.details))}")
