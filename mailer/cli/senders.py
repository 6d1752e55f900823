"""`mailer senders`: the office's register of who may ask: what stands in it, and whole files of it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import sender_changes
from mailer.cli.opened import office_of, operator
from mailer.cli.sender_changes import AsJson, Credentials, OnlyTry, changed_lines, hands, reached_lines
from mailer.cli.show import local, print_json, safe_text, say, table
from mailer.errors import RefusedError, SetupError, SetupErrors
from mailer.states import LoginEffect

if TYPE_CHECKING:
    from mailer.core.registerplan import Plan
    from mailer.model import Sender
    from mailer.service.office import Office
    from mailer.store.db import Tx

EXAMPLE = (
    "code,organisation,subscriber,address,answer_to\n"
    '290001,"ГБУЗ АО «Городская больница № 1»",29(ГБ1) Регистратура Иванова И.И.,gb1@clinic.example,\n'
    "290002,ООО «Зубная клиника»,,office@dent.example,answers@dent.example\n"
)


def add_to(app: typer.Typer) -> None:
    noun = typer.Typer(help=_("The register of senders."), no_args_is_help=True)
    noun.command("import", help=_("Fill the register from a CSV or XLSX file; a file with a bad row changes nothing."))(_import)
    noun.command("list", help=_("Show the register."))(_list)
    noun.command("show", help=_("Show one sender; that you looked is recorded."))(_show)
    noun.command("export", help=_("Write the register as CSV, as `import` reads it; that you did is recorded."))(_export)
    noun.command("template", help=_("Print an example file."))(_template)
    sender_changes.add_to(noun)
    app.add_typer(noun, name="senders")


def _import(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE")],
    *,
    replaces: Annotated[
        bool, typer.Option("--replace", help=_("The file is the whole register: block who is not in it, remove other addresses."))
    ] = False,
    credentials: Annotated[
        LoginEffect | None, typer.Option("--credentials", help=_("With --replace: what becomes of the logins of who is blocked."))
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help=_("Why; stands in the record. Needed with --replace."), metavar="TEXT")] = "",
    yes: Annotated[bool, typer.Option("--yes", help=_("Do not ask."))] = False,
    dry_run: OnlyTry = False,
    as_json: AsJson = False,
) -> None:
    from mailer.flow.override import register as override

    if replaces and not (credentials and reason.strip()):
        raise typer.BadParameter(_("--replace needs --credentials and --reason"), param_hint="--replace")
    content = read_file(file)
    with office_of(context) as office:
        found = _checked(office, file, content, replaces=replaces)
        with office.database.reading() as tx:
            plan = override.planned(tx, found, office.pen().key, replaces=replaces)
            reached = _reach(tx, plan, credentials)
        if as_json:
            print_json({**_told(plan), "logins": reached.logins, "requests": reached.requests, "imported": not dry_run})
        else:
            for line in (*_plan_lines(plan), *reached_lines(reached)):
                say(line)
        if dry_run:
            return
        _agree(plan, yes=yes)
        override.import_file(
            office.worker(operator()),
            hands(office),
            found,
            plan,
            replaces=replaces,
            effect=credentials or LoginEffect.KEEP,
            reason=reason.strip(),
            file_digest=hashlib.sha256(content).hexdigest(),
        )
