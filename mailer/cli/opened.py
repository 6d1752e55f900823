"""The office a command works in: configuration loaded, database and keys opened, closed again when the command ends."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mailer.config.sections import Config
    from mailer.service.office import Office


def config_of(context: typer.Context) -> Config:
    from mailer.config.load import load

    return load(context.obj, os.environ)


@contextmanager
def office_of(context: typer.Context) -> Iterator[Office]:
    config = config_of(context)  # first: what is wrong in it is told before anything slow is loaded
    from mailer.service.office import open_office

    office = open_office(config, os.environ)
    try:
        yield office
    finally:
        office.close()


def operator() -> str:
    """Who types: the login name, as records name their actor."""
    try:
        return f"operator:{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name: a container's
        return f"operator:uid-{os.getuid()}"
