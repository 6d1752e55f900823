"""`mailer requests watch`: the list on a terminal, refreshed in place until Ctrl+C. Nothing of it is recorded."""

from __future__ import annotations

from gettext import gettext as _
from time import sleep
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mailer.cli.opened import office_of
from mailer.cli.request_list import cells, headings
from mailer.cli.show import drawn, minute, safe_text
from mailer.errors import RefusedError
from mailer.states import RequestState

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from mailer.service.office import Office

SECONDS: Final = 2
AROUND: Final = 6  # lines that are no rows
ROWS: Final = 100


def add_to(noun: typer.Typer) -> None:
    noun.command("watch", help=_("Show the list and keep it up to date, until Ctrl+C."))(_watch)


def _watch(
    context: typer.Context,
    held: Annotated[bool, typer.Option("--held", help=_("Only what a person must decide, who waits longest first."))] = False,
) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    if not console.is_terminal:
        raise RefusedError("`requests watch` needs a terminal; without one use `mailer requests list`")
    with office_of(context) as office:
        try:
            with Live(console=console, auto_refresh=False, screen=True) as live:
                while True:
                    live.update(_picture(office, console, held=held), refresh=True)
                    sleep(SECONDS)
        except KeyboardInterrupt:
            return


def _picture(office: Office, console: Console, *, held: bool) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from mailer.flow.report.requests import listed
    from mailer.service.office import clock
    from mailer.store.worklist import Page, Wanted

    rows = max(1, min(ROWS, console.height - AROUND))
    wanted = Wanted(states=(RequestState.HELD,) if held else (), strangers_in_one=held)
    with office.database.reading() as tx:
        found = listed(tx, wanted, Page(limit=rows, oldest_first=held))
    now, zone = clock(), office.config.zone
    lines = [[safe_text(cell) for cell in line] for line in cells(found.lines, zone, now, held=held)]
    more = _("and more") if found.more else ""
    below = _("as of {at}; Ctrl+C ends").format(at=minute(now, zone))
    body = drawn(headings(held=held), lines, width=console.width) if lines else Text(_("there are no requests"))
    return Group(body, Text(more), Text(below))
