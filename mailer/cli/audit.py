"""`mailer audit`: read the record and verify it."""

from __future__ import annotations

from gettext import gettext as _
from typing import Annotated

import typer

from mailer.cli.opened import office_of
from mailer.cli.show import LARGEST, brief, local, print_json, say, table, translated
from mailer.errors import SetupError


def add_to(app: typer.Typer) -> None:
    noun = typer.Typer(help=_("The record of every step."), no_args_is_help=True)
    noun.command("list", help=_("Show the newest records."))(_list)
    noun.command("verify", help=_("Verify seq, leaves, MACs and projections (exit 1: tampered, 2: cannot verify)."))(_verify)
    app.add_typer(noun, name="audit")


def _list(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST, help=_("How many."))] = 50,
    as_json: Annotated[bool, typer.Option("--json", help=_("One JSON object a line."))] = False,
) -> None:
    from mailer.flow.report import records
    from mailer.store import audit

    with office_of(context) as office, office.database.reading() as tx:
        entries = [records.entry(sealed) for sealed in audit.last(tx, limit)]
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    zone = office.config.zone
    table(
        ["№", _("at"), _("event"), _("sender"), _("request"), _("who"), _("details")],
        (
            (entry.seq, local(entry.at, zone), entry.event, entry.sender, entry.request, entry.actor, brief(entry.details))
            for entry in entries
        ),
        empty=_("there are no records yet"),
    )


def _verify(
    context: typer.Context,
    since: Annotated[int, typer.Option("--since", min=1, max=LARGEST, help=_("Start at this record."))] = 1,
    as_json: Annotated[bool, typer.Option("--json", help=_("As one JSON object."))] = False,
) -> int:
    from mailer.store import audit

    with office_of(context) as office:
        try:
            pen = office.pen()
        except SetupError as error:
            raise SetupError("CANNOT VERIFY: {why}", why=error) from error
        with office.database.reading() as tx:
            found = audit.verify(tx, pen.key, since=since)
    if as_json:
        print_json(
            {
                "verdict": "OK" if found.why is None else "TAMPERED",
                "records": found.checked,
                "seq": found.seq,
                "why": str(found.why) if found.why else None,
            }
        )
    elif found.why is None:
        say(_("OK: {count} records; inside only: no checkpoint outside the database was compared").format(count=found.checked))
    else:
        say(_("TAMPERED: record {seq}: {why}").format(seq=found.seq, why=translated(found.why)))
    return 0 if found.why is None else 1
