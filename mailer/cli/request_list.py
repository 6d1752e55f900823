"""`mailer requests list`: the work list, page by page, and how a request stands on one line of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from gettext import gettext as _
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from mailer.cli.observed import show_observed
from mailer.cli.opened import office_of, operator
from mailer.cli.options import AsLines, dated
from mailer.cli.show import LARGEST, hint, minute, print_json, safe_text, say_long, table
from mailer.core.requestwords import Words, words
from mailer.errors import N_
from mailer.states import RequestState

if TYPE_CHECKING:
    from mailer.flow.report.requests import Listed, RequestLine

UNDELIVERED: Final = N_(
    "what became of each answer: `mailer requests show №`; a login whose answer came back is blocked, and a request that repeats "
    "it waits for approval: `mailer requests list --held`"
)


def add_to(noun: typer.Typer) -> None:
    noun.command("list", help=_("Show requests, the newest first; with --held the work list, who waits longest first."))(_list)


def _list(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help=_("How many lines."))] = 50,
    held: Annotated[
        bool, typer.Option("--held", help=_("Only what a person must decide; unknown senders in one line each."))
    ] = False,
    state: Annotated[list[RequestState] | None, typer.Option("--state", help=_("Only in this state; may be repeated."))] = None,
    sender: Annotated[str | None, typer.Option("--sender", help=_("Only of the sender with this code."), metavar="CODE")] = None,
    person: Annotated[str | None, typer.Option("--person", help=_("Only for a person of this name."), metavar="NAME")] = None,
    since: Annotated[datetime | None, dated("--since", help=_("Opened on this day or later."), metavar="DATE")] = None,
    until: Annotated[datetime | None, dated("--until", help=_("Opened on this day or before."), metavar="DATE")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help=_("Only with this reason, as --json names it."), metavar="WORD")
    ] = None,
    find: Annotated[
        str | None,
        typer.Option(
            "--find", help=_("Words of a name, an organisation, a code or an address; ё is е, look-alikes are one."), metavar="TEXT"
        ),
    ] = None,
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help=_("Only those whose reply did not arrive for certain."))
    ] = False,
    observed: Annotated[
        bool, typer.Option("--observed", help=_("What would have been done in mode observe, with the refusals' words."))
    ] = False,
    before: Annotated[
        int | None, typer.Option("--before", min=1, max=LARGEST, help=_("Only older than this one."), metavar="№")
    ] = None,
    after: Annotated[
        int | None, typer.Option("--after", min=1, max=LARGEST, help=_("Only newer than this one."), metavar="№")
    ] = None,
    as_json: AsLines = False,
) -> None:
    from mailer.flow.override import lookups
    from mailer.flow.report.requests import listed
    from mailer.service.office import clock
    from mailer.store.worklist import Page, Wanted

    if observed:
        with office_of(context) as office:
            show_observed(office, limit, as_json=as_json)
        return
    if held and state:
        raise typer.BadParameter(_("--held is the state held already"), param_hint="--state")
    by_name, by_text = _terms("--person", person), _terms("--find", find)
    others = (sender, person, since, until, reason, find)
    with office_of(context) as office:
        zone = office.config.zone
        wanted = Wanted(
            states=(RequestState.HELD,) if held else tuple(state or ()),
            sender=sender,
            reason=reason,
            since=_midnight(since, zone),
            until=_midnight(until, zone, days=1),
            person=by_name,
            text=by_text,
            undelivered=undelivered,
            strangers_in_one=held and not undelivered and not any(others),
        )
        if by_name or by_text:
            lookups.searched(office.worker(operator()), "; ".join([*by_name, *by_text]))
        with office.database.reading() as tx:
            found = listed(tx, wanted, Page(limit=limit, before=before, after=after, oldest_first=held))
    if as_json:
        for line in found.lines:
            print_json(line)
    else:
        table(headings(held=held), cells(found.lines, zone, clock(), held=held), empty=_("there are no requests"))
        if held:
            show_to_do(found.lines)
        elif undelivered and found.lines:
            say_long(_(UNDELIVERED), indent="", then="")
    backwards = before is not None or not (held or after is not None)
    _show_way_on(found, held=held, backwards=backwards, as_json=as_json)


def _terms(option: str, written: str | None) -> tuple[str, ...]:
    from mailer.core.folding import terms

    found = terms(written) if written is not None else ()
    if written is not None and not found:
        raise typer.BadParameter(_("there is no letter and no digit in it to look for"), param_hint=option)
    return found


def _midnight(day: datetime | None, zone: ZoneInfo, *, days: int = 0) -> datetime | None:
    """The first moment of a day in the fund's zone, or of one some days later."""
    return None if day is None else (day + timedelta(days=days)).replace(tzinfo=zone)


def headings(*, held: bool) -> list[str]:
    """The columns of a list."""
    if held:
        return ["№", _("waits"), _("sender"), _("person"), _("why")]
    return ["№", _("opened"), _("sender"), _("person"), _("state"), _("why")]


def cells(lines: Sequence[RequestLine], zone: ZoneInfo, now: datetime, *, held: bool) -> Iterator[list[str]]:
    """The lines under `headings`; what strangers wrote stands in them as they wrote it."""
    for line in lines:
        sender = line.sender_code or line.stranger or "—"
        if line.alike > 1:
            sender = _("{sender} ({count} letters)").format(sender=sender, count=line.alike)
        if held:
            yield [str(line.id), waited(now - line.created_at), sender, line.person or "—", why(line)]
        else:
            yield [str(line.id), minute(line.created_at, zone), sender, line.person or "—", line.state, why(line)]


def waited(since: timedelta) -> str:
    """How long, in two words at most."""
    minutes = max(0, int(since.total_seconds())) // 60
    if minutes < 60:
        return _("{minutes} min").format(minutes=minutes)
    if minutes < 24 * 60:
        return _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)
    return _("{days} d {hours} h").format(days=minutes // 1440, hours=minutes // 60 % 24)


def why(line: RequestLine) -> str:
    """The reason in plain words; of an office's own rule in its words; a repeated request says of which."""
    said = words(line.reason, line.standing)
    told = _(said.what) if said is not None else line.own_words or line.reason or ""
    return told if line.reissue_of is None else _("{why} (repeats № {id})").format(why=told, id=line.reissue_of)


def to_do(said: Words | None, number: int) -> str:
    """What a person can do about a request that waits."""
    return _((said or Words(what="")).to_do).format(id=number)


def show_to_do(lines: Sequence[RequestLine]) -> None:
    """What can be done about each reason that stands in the list, with the number of the first that has it."""
    told = set()
    for line in lines:
        said = words(line.reason, line.standing)
        if line.state == RequestState.HELD.value and said not in told:
            told.add(said)
            say_long(safe_text(f"{why(line)}:" if said is None else f"{_(said.what)}:"), indent="")
            say_long(to_do(said, line.id), then="  ")


def _show_way_on(found: Listed, *, held: bool, backwards: bool, as_json: bool) -> None:
    """How to see more, in the direction in which the page was looked for."""
    if found.searched_to is not None:
        way = "--before" if backwards else "--after"
        hint(_("looked through as far as № {id}; further: {way} {id}").format(id=found.searched_to, way=way), as_json=as_json)
    elif found.more:
        oldest, newest = (found.lines[0], found.lines[-1]) if held else (found.lines[-1], found.lines[0])
        if backwards:
            hint(_("there are older ones: --before {id}").format(id=oldest.id), as_json=as_json)
        else:
            hint(_("there are newer ones: --after {id}").format(id=newest.id), as_json=as_json)
