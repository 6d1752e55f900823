"""`mailer letters`: what was taken in, and what was decided of it."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from mailer.cli.opened import office_of
from mailer.cli.show import LARGEST, brief, local, print_json, safe_text, say, table
from mailer.states import LetterState


def add_to(app: typer.Typer) -> None:
    noun = typer.Typer(help=_("The kept letters."), no_args_is_help=True)
    noun.command("list", help=_("Show the newest letters."))(_list)
    noun.command("show", help=_("Show one letter, what was read in it, and its records."))(_show)
    app.add_typer(noun, name="letters")


def _list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST, help=_("How many."))] = 50,
    quarantined: Annotated[bool, typer.Option("--quarantined", help=_("Only those that could not be read three times."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("One JSON object a line."))] = False,
) -> None:
    from mailer.flow import report
    from mailer.store import letters

    with office_of(context) as office, office.database.reading() as tx:
        found = letters.newest(tx, limit, state=LetterState.QUARANTINED if quarantined else None)
    views = [report.letter_view(kept) for kept in found]
    if as_json:
        for view in views:
            print_json(view)
        return
    zone = office.config.zone
    table(
        ["№", _("received"), _("from"), _("subject"), _("kind"), _("verdict"), _("reason"), _("state")],
        ((v.id, local(v.received_at, zone), v.sender, v.subject, v.kind, v.verdict, v.reason, v.state) for v in views),
        empty=_("there are no letters"),
    )


def _show(
    context: typer.Context,
    letter: Annotated[int, typer.Argument(metavar="№", min=1, max=LARGEST)],
    as_json: Annotated[bool, typer.Option("--json", help=_("As one JSON object."))] = False,
) -> None:
    from mailer.flow import report
    from mailer.store import letters

    with office_of(context) as office, office.database.reading() as tx:
        kept = letters.get(tx, letter)
        view, timeline = report.letter_view(kept), report.timeline(tx, letter)
        reading = report.reread(kept, office.active_rules().form, office.own())
    if as_json:
        print_json({"letter": view, "reading": reading, "timeline": timeline})
        return
    zone = office.config.zone
    say(_("letter {id}, {kind}, {state}").format(id=view.id, kind=view.kind, state=view.state))
    say(
        "  "
        + _("received: {at}; {size} bytes; {mailbox}").format(
            at=local(view.received_at, zone), size=view.size_bytes, mailbox=view.mailbox
        )
    )
    say("  " + _("from: {sender}").format(sender=safe_text(view.sender or "?")))
    say("  " + _("subject: {subject}").format(subject=safe_text(view.subject or "")))
    if reading.person is not None:
        say("  " + _("person: {person}").format(person=safe_text(reading.person.canonical)))
    say(
        "  "
        + _("verdict: {verdict} ({rule}, {reason})").format(
            verdict=view.verdict or "-", rule=view.rule_id or "-", reason=view.reason or "-"
        )
    )
    for entry in timeline:
        say(f"  {local(entry.at, zone)}  {entry.event:<22} {safe_text(brief(entry.details))}")
