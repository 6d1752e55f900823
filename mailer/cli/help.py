"""`mailer help workflows`: the tasks an officer has most often, each with its commands in their order."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import gettext as _
from types import MappingProxyType
from typing import Final

import typer

from mailer.cli.noun import Noun
from mailer.cli.show import say, say_long
from mailer.errors import N_

WORKFLOWS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        N_("Begin the day: what needs a person, what waits, and why"): (
            "mailer status",
            "mailer requests list --held",
            "mailer requests show №",
        ),
        N_("Decide a request that waits, and take the approval back while it is not issued yet"): (
            "mailer requests approve № --reason TEXT",
            "mailer requests refuse № --reason TEXT",
            "mailer requests undo № --reason TEXT",
        ),
        N_("A name was misspelt, or a letter came by telephone or on paper"): (
            "mailer requests correct № --name NAME --reason TEXT",
            "mailer requests approve № --reason TEXT",
            "mailer issue NAME --to CODE --reason TEXT",
        ),
        N_("Register a clinic from its first letter"): (
            "mailer requests list --held",
            "mailer senders add CODE --organisation TEXT --from-request № --reason TEXT",
            "mailer requests show №",
        ),
        N_("Bring the whole register up to date"): (
            "mailer senders template > senders.csv",
            "mailer senders import senders.csv --dry-run",
            "mailer senders import senders.csv",
        ),
        N_("A password was lost, or an answer did not arrive"): (
            "mailer credentials list --state active",
            "mailer credentials resend LOGIN --reason TEXT",
            "mailer credentials reissue LOGIN --reason TEXT",
        ),
        N_("Somebody has left, or an organisation is to be stopped"): (
            "mailer credentials revoke LOGIN --reason TEXT",
            "mailer senders block CODE --credentials suspend --reason TEXT",
            "mailer senders unblock CODE --reason TEXT",
        ),
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
        N_("Print the journal, and prove that nobody changed the record"): (
            "mailer audit export journal.xlsx --format journal",
            "mailer audit verify",
            "mailer audit verify-letter FILE.eml",
        ),
    }
)
"""Task -> commands. Each command that stands here exists: a test asks the program itself."""


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("How the usual tasks are done."))
    noun.command("workflows", help=_("Show the ten usual tasks with their commands."))(_workflows)
    app.add_typer(noun, name="help")


def _workflows() -> None:
    for number, (task, commands) in enumerate(WORKFLOWS.items(), 1):
        say(f"{number}. {_(task)}")
        for command in commands:
            say(f"       {command}")
        say()
    say_long(_("What a command can do besides: its name with --help. Each change is recorded with who made it and why."), indent="")
