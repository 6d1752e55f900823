"""`mailer letters`: what was taken in, what was decided of it, and what is done with one that could not be read."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, datetime
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli.newfiles import new_file
from mailer.cli.noun import Noun
from mailer.cli.opened import office_of, officer_of
from mailer.cli.options import AsLines, AsObject, Because, Numbers, OnlyTry, dated, given
from mailer.cli.show import LARGEST, local, minute, print_json, safe_text, say, say_long, table
from mailer.cli.timeline import show_entry
from mailer.model import Kind
from mailer.states import LetterState, RequestState

if TYPE_CHECKING:
    from mailer.flow.report.letters import LetterView
    from mailer.flow.report.records import Entry
    from mailer.service.office import Office
    from mailer.store.letters import Kept
    from mailer.store.requests import Request


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("The kept letters."))
    noun.command("list", help=_("Show the newest letters."))(_list)
    noun.command("show", help=_("Show one letter, what was read in it, and its records."))(_show)
    noun.command("retry", help=_("Have quarantined letters read once more."))(_retry)
    noun.command("drop", help=_("Give quarantined letters up: they are never read again."))(_drop)
    noun.command("export", help=_("Write the kept bytes of one letter to a new file."))(_export)
    noun.command("forward", help=_("Put kept letters back into the folder they came to, for people; they are not read again."))(
        _forward
    )
    noun.command("rescan", help=_("Look again at the letters that were left in the mailboxes as not ours."))(_rescan)
    app.add_typer(noun, name="letters")


def _list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST, help=_("How many."))] = 50,
    quarantined: Annotated[bool, typer.Option("--quarantined", help=_("Only those that could not be read three times."))] = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.report import letters as report
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
        ["№", _("received"), _("from"), _("subject"), _("decision")],
        ((view.id, minute(view.received_at, zone), view.from_address, view.subject, _decision(view)) for view in views),
        empty=_("there are no letters"),
    )


def _decision(view: LetterView) -> str:
    """The verdict, or the state of a letter that was not read; its reason, and its kind unless it is a request."""
    read = view.state == LetterState.READ
    about = [view.reason if read else None, None if view.kind == Kind.REQUEST else view.kind]
    said = ", ".join(dict.fromkeys(one for one in about if one is not None))
    return f"{view.verdict if read else view.state}" + (f" ({said})" if said else "")


def _show(
    context: typer.Context,
    letter: Annotated[int, typer.Argument(metavar="№", min=1, max=LARGEST)],
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import letters as override
    from mailer.flow.report import letters as report
    from mailer.flow.report import records

    with officer_of(context, "letters show", about=[letter]) as (office, worker):
        kept = override.show(worker, letter)
        reading = report.reread(kept, office.active_rules().form, office.own())
        with office.database.reading() as tx:
            view, timeline = report.letter_view(kept), records.timeline(tx, letter)
    if as_json:
        print_json({"letter": view, "reading": reading, "timeline": timeline})
        return
    zone = office.config.zone
    say(_("letter {id}, {kind}, {state}").format(id=view.id, kind=view.kind, state=view.state))
    said = _("received: {at}; {size} bytes; {mailbox}")
    say_long(said.format(at=local(view.received_at, zone), size=view.size_bytes, mailbox=view.mailbox))
    say_long(_kept(view, timeline))
    say_long(_("from: {sender}").format(sender=safe_text(view.from_address or "?")))
    say_long(_("subject: {subject}").format(subject=safe_text(view.subject or "")))
    if reading is not None and reading.person is not None:
        say_long(_("person: {person}").format(person=safe_text(reading.person.canonical)))
    why = ", ".join(dict.fromkeys(one for one in (view.rule_id, view.reason) if one))
    say_long(_("verdict: {verdict}").format(verdict=view.verdict or "-") + (f" ({why})" if why else ""))
    for entry in timeline:
        show_entry(entry, zone)


def _kept(view: LetterView, timeline: Sequence[Entry]) -> str:
    """How much of a letter is kept; why not all of it, its record tells."""
    from mailer.core.keeping import LeftOut

    if view.whole:
        return _("kept: the whole letter")
    match next((entry.details["note"] for entry in timeline if entry.event == "letter.kept"), None):
        case LeftOut.TOO_LARGE:
            return _("kept: the headers; the letter is too large, it lies on the mail server")
        case LeftOut.ANSWERS_OURS:
            return _("kept: the headers; the letter answers one of ours and may quote a password, it lies on the mail server")
        case LeftOut.LEAK:
            return _("kept: the headers; a password or a letter of ours stands in the letter, it lies on the mail server")
        case LeftOut.RETURNED:
            return _("kept: what the server reports; what came back may hold a password, it lies on the mail server")
    return _("kept: the headers; the letter lies on the mail server")


def _retry(
    context: typer.Context,
    numbers: Numbers,
    reason: Because,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import letters as override

    why = given(reason)
    with officer_of(context, "letters retry", about=numbers, dry_run=dry_run) as (_office, worker):
        _show_changed(override.retry(worker, numbers, reason=why, dry_run=dry_run), dry_run=dry_run, as_json=as_json)


def _drop(
    context: typer.Context,
    numbers: Numbers,
    reason: Because,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import letters as override

    why = given(reason)
    with officer_of(context, "letters drop", about=numbers, dry_run=dry_run) as (_office, worker):
        _show_changed(override.drop(worker, numbers, reason=why, dry_run=dry_run), dry_run=dry_run, as_json=as_json)


def _forward(
    context: typer.Context,
    numbers: Numbers,
    *,
    reason: Because,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import letters as override
    from mailer.store import requests

    why = given(reason)
    with officer_of(context, "letters forward", about=numbers, dry_run=dry_run) as (office, worker):
        found = override.forward(worker, numbers, reason=why, dry_run=dry_run)
        with office.database.reading() as tx:
            opened = {kept.id: requests.of_letter(tx, kept.id) for kept in found}
    for kept in found:
        if as_json:
            print_json({"letter_id": kept.id, "mailbox": kept.mailbox, "changed": not dry_run})
        elif dry_run:
            say(_("letter {id} would be put back into {mailbox}; nothing was changed").format(id=kept.id, mailbox=kept.mailbox))
        else:
            say(_("letter {id}: the service puts it back into {mailbox}").format(id=kept.id, mailbox=kept.mailbox))
            _show_open(opened[kept.id])


def _show_open(request: Request | None) -> None:
    """That a letter was put back decides nothing about its request."""
    if request is not None and request.state in {RequestState.HELD, RequestState.APPROVED}:
        said = _(
            "request {id} is still {state}: if people answer it themselves, `mailer requests withdraw {id} --reason …` closes it"
        )
        say_long(said.format(id=request.id, state=request.state.value))


def _rescan(
    context: typer.Context,
    *,
    since: Annotated[datetime, dated("--since", help=_("From this day on."))],
    reason: Because,
    dry_run: OnlyTry = False,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import letters as override

    why = given(reason)
    with officer_of(context, "letters rescan", dry_run=dry_run) as (office, worker):
        mailboxes = [mailbox.name for mailbox in office.config.mailbox]
        override.rescan(worker, mailboxes, since.date(), reason=why, dry_run=dry_run)
        waiting = _left_in(office, since.date()) if dry_run else {}
    for mailbox in mailboxes:
        if as_json:
            print_json({"mailbox": mailbox, "since": since.date(), "left": waiting.get(mailbox), "changed": not dry_run})
        elif dry_run:
            said = _("{mailbox}: {count} letters would be looked at again; nothing was changed")
            say(said.format(mailbox=mailbox, count=waiting[mailbox]))
        else:
            say(_("{mailbox}: the service looks again at what was left there").format(mailbox=mailbox))


def _left_in(office: Office, since: date) -> dict[str, int]:
    """Mailbox -> how many letters were left there; asked of the mail server, where nothing is changed."""
    from mailer.flow.intake import epoch_of
    from mailer.service.office import clock
    from mailer.store import ledger

    found = {}
    for settings in office.config.mailbox:
        mailbox = office.mailbox(settings)
        try:
            epoch = epoch_of(mailbox.open(), clock())
            items = mailbox.since(since)
        finally:
            mailbox.close()
        with office.database.reading() as tx:
            found[settings.name] = ledger.count_left(tx, settings.name, epoch, items)
    return found


def _show_changed(changed: Sequence[Kept], *, dry_run: bool, as_json: bool) -> None:
    for kept in changed:
        if as_json:
            print_json({"letter_id": kept.id, "state": kept.state.value, "changed": not dry_run})
            continue
        said = _("letter {id} would be {state}; nothing was changed") if dry_run else _("letter {id}: {state}")
        say(said.format(id=kept.id, state=kept.state.value))


def _export(
    context: typer.Context,
    letter: Annotated[int, typer.Argument(metavar="№", min=1, max=LARGEST)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("A file that is not there yet; - is standard output."))],
    reason: Because = "",
) -> None:
    from mailer.flow.override import letters as override
    from mailer.store import letters

    with officer_of(context, "letters export", about=[letter]) as (office, worker):
        with office.database.reading() as tx:
            letters.get(tx, letter)  # a wrong number leaves no empty file behind
        to_stdout = str(file) == "-"
        if to_stdout:
            kept = override.export(worker, letter, reason=reason.strip() or None)
            sys.stdout.buffer.write(kept.content)
            sys.stdout.flush()
            return
        with new_file(file) as target:
            kept = override.export(worker, letter, reason=reason.strip() or None)
            target.write(kept.content)
    said = (
        _("{path}: the whole letter") if kept.whole else _("{path}: what was kept of the letter; it lies whole on the mail server")
    )
    say(said.format(path=safe_text(file)))
