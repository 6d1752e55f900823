"""The office a command works in: configuration loaded, database and keys opened, closed again when the command ends."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from mailer.core.evidence import OPERATOR
from mailer.errors import EdgeError, NotFoundError, RefusedError, SetupError

if TYPE_CHECKING:
    from mailer.config.sections import Config
    from mailer.service.office import Office
    from mailer.store.work import Worker


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


@contextmanager
def officer_of(
    context: typer.Context, command: str, *, about: Sequence[object] = (), dry_run: bool = False
) -> Iterator[tuple[Office, Worker]]:
    """The office in which a person changes something, and in whose name. A command that is refused, or fails, leaves nothing but
    its record; a dry run leaves nothing.

    `command`: as it is typed; `about`: the numbers, codes or logins it names, no personal data.
    """
    with office_of(context) as office:
        worker = office.worker(operator())
        try:
            yield office, worker
        except (RefusedError, NotFoundError, SetupError, EdgeError) as error:
            from mailer.flow.override import refusals

            if not dry_run:
                refusals.tell(worker, command, about, error)
            raise


def operator() -> str:
    """Who types: the login name, as records name their actor."""
    try:
        return f"{OPERATOR}{getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name: a container's
        return f"{OPERATOR}uid-{os.getuid()}"
