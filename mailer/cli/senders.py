"""`mailer senders`: the office's register of who may ask."""

from __future__ import annotations

import hashlib
import sys
from gettext import gettext as _
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.opened import office_of, operator
from mailer.cli.show import print_json, say, table
from mailer.errors import SetupError, SetupErrors

EXAMPLE = (
    "code,organisation,subscriber,address,answer_to\n"
    '290001,"ГБУЗ АО «Городская больница № 1»",29(ГБ1) Регистратура Иванова И.И.,gb1@clinic.example,\n'
    "290002,ООО «Зубная клиника»,,office@dent.example,answers@dent.example\n"
)


def add_to(app: typer.Typer) -> None:
    noun = typer.Typer(help=_("The register of senders."), no_args_is_help=True)
    noun.command("import", help=_("Fill the register from a CSV file; a file with a bad row changes nothing."))(_import)
    noun.command("list", help=_("Show the register."))(_list)
    noun.command("template", help=_("Print an example file."))(_template)
    app.add_typer(noun, name="senders")


def _import(context: typer.Context, file: Annotated[str, typer.Argument(metavar="FILE.csv")]) -> None:
    from mailer.core import register
    from mailer.flow.override import register as override
    from mailer.store import senders

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise SetupError("the file {path} cannot be read: {why}", path=file, why=error.strerror) from error
    with office_of(context) as office:
        rows, problems = register.read(content)
        with office.database.reading() as tx:
            faults = senders.faults(tx, office.pen().key)
            registered = [one for one in senders.every(tx) if one.code not in faults or one.code not in {row.code for row in rows}]
        problems = sorted(
            [*problems, *register.conflicts(rows, registered)], key=lambda problem: int(str(problem.values.get("line", 0)))
        )
        if problems:
            raise SetupErrors([*problems, SetupError("{path}: nothing was imported", path=file)])
        found = register.senders(rows, registered)
        digest = hashlib.sha256(content).hexdigest()
        new, changed = override.import_file(office.worker(operator()), found, file_digest=digest)
    say(_("{count} senders read: {new} new, {changed} changed").format(count=len(found), new=new, changed=changed))


def _list(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help=_("One JSON object a line."))] = False
) -> None:
    from mailer.store import senders

    with office_of(context) as office, office.database.reading() as tx:
        found = senders.every(tx)
    if as_json:
        for sender in found:
            print_json(sender)
        return
    table(
        [_("code"), _("organisation"), _("addresses"), _("subscriber points"), _("answers to"), _("blocked")],
        (
            (
                sender.code,
                sender.organisation,
                ", ".join(sender.addresses),
                "; ".join(sender.points),
                sender.answer_to,
                _("yes") if sender.blocked else "",
            )
            for sender in found
        ),
        empty=_("the register is empty: mailer senders import FILE.csv"),
    )


def _template() -> None:
    say(EXAMPLE.rstrip("\n"))
