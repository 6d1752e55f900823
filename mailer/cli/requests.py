"""`mailer requests`: the work list. Its commands stand in modules of their own, each of which adds its own to the noun."""

from __future__ import annotations

from gettext import gettext as _
from importlib import import_module
from typing import Final

import typer

from mailer.cli.noun import Noun

PARTS: Final = ("request_list", "request_show", "request_watch", "decisions", "corrections")


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("The requests."))
    for part in PARTS:
        import_module(f"mailer.cli.{part}").add_to(noun)
    app.add_typer(noun, name="requests")
