"""What do commands that change something have in common? The same options, with the same words, and the same question."""

from __future__ import annotations

import sys
from gettext import gettext as _
from typing import Annotated, Final

import typer

from mailer.cli.show import LARGEST, say
from mailer.errors import RefusedError

Numbers = Annotated[list[int], typer.Argument(metavar="№…", min=1, max=LARGEST)]
Because = Annotated[str, typer.Option("--reason", help=_("Why; stands in the record."), metavar="TEXT")]
OnlyTry = Annotated[bool, typer.Option("--dry-run", help=_("Only say what would be done; change nothing."))]
AsObject = Annotated[bool, typer.Option("--json", help=_("As one JSON object."))]
AsLines = Annotated[bool, typer.Option("--json", help=_("One JSON object a line."))]

ANSWERS: Final = {"": False, "n": False, "no": False, "н": False, "нет": False, "y": True, "yes": True, "д": True, "да": True}


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
