"""What do commands that change something have in common? The same options, with the same words, and the same question."""

from __future__ import annotations

import sys
from datetime import datetime
from gettext import gettext as _
from typing import Annotated, Any, Final

import typer

from mailer.cli.show import LARGEST, say
from mailer.errors import RefusedError

Numbers = Annotated[list[int], typer.Argument(metavar="№…", min=1, max=LARGEST)]
Because = Annotated[str, typer.Option("--reason", help=_("Why; stands in the record."), metavar="TEXT")]
OnlyTry = Annotated[bool, typer.Option("--dry-run", help=_("Only say what would be done; change nothing."))]
AsObject = Annotated[bool, typer.Option("--json", help=_("As one JSON object."))]
AsLines = Annotated[bool, typer.Option("--json", help=_("One JSON object a line."))]

DAYS: Final = ["%d.%m.%Y", "%Y-%m-%d"]
MOMENTS: Final = [*DAYS, "%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M"]
YEARS: Final = (1970, 9000)  # of a date in a command: there is room on both sides to count days and to change the zone
ANSWERS: Final = {"": False, "n": False, "no": False, "н": False, "нет": False, "y": True, "yes": True, "д": True, "да": True}


def dated(name: str, *, help: str, formats: list[str] = DAYS, metavar: str | None = None) -> Any:
    """An option that takes a date."""
    return typer.Option(name, help=help, formats=formats, metavar=metavar, callback=_in_range)


def _in_range(written: datetime | None) -> datetime | None:
    first, last = YEARS
    if written is not None and not first <= written.year <= last:
        raise typer.BadParameter(_("the year must lie between {first} and {last}").format(first=first, last=last))
    return written


def given(reason: str) -> str:
    """The reason without the blanks around it; a wrong usage when nothing is left."""
    if not reason.strip():
        raise typer.BadParameter(_("a reason must be given"), param_hint="--reason")
    return reason.strip()


def confirmed(question: str) -> bool:
    """Ask the person at the terminal, again until the answer is one. Abort when he ends the input."""
    while True:
        said = typer.prompt(f"{question} " + _("[y/N]"), default="", show_default=False, err=True)
        answer = ANSWERS.get(str(said).strip().lower())
        if answer is not None:
            return answer


def agreed(*, yes: bool, needed: bool, as_json: bool = False) -> bool:
    """Whether what was shown may be done. RefusedError where nobody can be asked: a program reads, or nobody sits there."""
    if yes or not needed:
        return True
    if as_json or not sys.stdin.isatty():
        raise RefusedError("nothing was changed: look at the changes with --dry-run, then run the command again with --yes")
    return confirmed(_("Carry this out?"))


def say_dry(*, changed: bool) -> None:
    if not changed:
        say(_("nothing was changed"))
