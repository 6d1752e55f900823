"""`mailer help workflows`: the tasks an officer has most often, each with its commands in their order."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _
from types import MappingProxyType
from typing import Final

import typer

from mailer.cli.show import say
from mailer.errors import N_

WORKFLOWS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        N_("Begin the day: what waits, what needs a person"): (
            "mailer status",
            "mailer requests list --state held",
            "mailer requests show №",
        ),
        N_("Find out why a letter was decided so"): ("mailer letters list", "mailer letters show №", "mailer explain FILE.eml"),
        N_("Bring the register up to date"): (
            "mailer senders template > senders.csv",
            "mailer senders import senders.csv",
            "mailer senders list",
        ),
        N_("A password was lost, or somebody has left: end the login; a new letter of the clinic brings a new one"): (
            "mailer credentials list --state active",
            "mailer credentials show LOGIN",
            "mailer credentials revoke LOGIN --reason TEXT",
        ),
        N_("Somebody cannot log in: is the password the right one?"): ("mailer credentials check LOGIN",),
        N_("An answer did not arrive"): ("mailer requests list --undelivered", "mailer requests show №", "mailer check"),
        N_("A letter is in quarantine"): (
            "mailer letters list --quarantined",
            "mailer letters export № FILE.eml --reason TEXT",
            "mailer letters retry № --reason TEXT",
            "mailer letters drop № --reason TEXT",
        ),
        N_("Stop for a while, and go on"): (
            "mailer pause issue --reason TEXT",
            "mailer status",
            "mailer resume issue --reason TEXT",
        ),
        N_("Try new rules before they decide"): (
            "mailer rules check",
            "mailer rules test",
            "mailer explain FILE.eml",
            "mailer rules activate",
        ),
        N_("Look at the record and prove that nobody changed it"): ("mailer audit list --limit 100", "mailer audit verify"),
    }
)
"""Task -> commands. Each command that stands here exists: a test asks the program itself."""


def add_to(app: typer.Typer) -> None:
    noun = typer.Typer(help=_("How the usual tasks are done."), no_args_is_help=True)
    noun.command("workflows", help=_("Show the ten usual tasks with their commands."))(_workflows)
    app.add_typer(noun, name="help")


def _workflows() -> None:
    for number, (task, commands) in enumerate(WORKFLOWS.items(), 1):
        say(f"{number}. {_(task)}")
        for command in commands:
            say(f"       {command}")
        say()
    say(_("What a command can do besides: its name with --help. Each change is recorded with who made it and why."))
