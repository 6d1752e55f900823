"""`mailer audit export`: the record for a SIEM, a spreadsheet or an outsider who verifies it without us."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from gettext import gettext as _
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from mailer.cli import progress
from mailer.cli.newfiles import new_file, new_folder
from mailer.cli.opened import officer_of
from mailer.cli.options import dated
from mailer.cli.show import say
from mailer.errors import RefusedError, SetupError

if TYPE_CHECKING:
    from mailer.service.office import Office
    from mailer.store.recordpages import Selection
    from mailer.store.work import Worker

WIDTHS = (9, 32, 24, 11, 24, 10, 10, 9, 80)
JOURNAL_WIDTHS = (6, 12, 42, 22, 20, 20, 24, 12, 22, 16)


class Form(StrEnum):
    """What `--format` takes."""

    JSONL = "jsonl"
    CSV = "csv"
    XLSX = "xlsx"
    CEF = "cef"
    JOURNAL = "journal"
    BUNDLE = "bundle"


def add_to(noun: typer.Typer) -> None:
    noun.command(
        "export", help=_("Write records, the journal of what was issued, or a bundle that verifies alone, into a new file.")
    )(_export)


def _export(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=_("A file that is not there yet (bundle: a folder); - is standard output."))
    ],
    form: Annotated[Form, typer.Option("--format", help=_("journal is the spreadsheet of what was issued."))] = Form.JSONL,
    since: Annotated[datetime | None, dated("--from", help=_("From this day on."))] = None,
    until: Annotated[datetime | None, dated("--to", help=_("Up to this day, with it."))] = None,
    event: Annotated[list[str] | None, typer.Option("--event", help=_("Only this event; may be repeated."))] = None,
    actor: Annotated[str | None, typer.Option("--actor", help=_("Only of this actor."))] = None,
    sender: Annotated[str | None, typer.Option("--sender", help=_("Only of this sender, by code."))] = None,
    excel: Annotated[bool, typer.Option("--excel", help=_("CSV as Russian Excel opens it: BOM and semicolons."))] = False,
    reason: Annotated[str | None, typer.Option("--reason", help=_("Why; stands in the record."))] = None,
) -> None:
    from mailer.store.recordpages import Selection

    if form is Form.JOURNAL and (event or actor or sender):
        raise SetupError("the journal is chosen by days alone: --from and --to")
    if str(file) == "-" and form in {Form.XLSX, Form.JOURNAL, Form.BUNDLE}:
        raise SetupError("this form needs a file: name one instead of -")
    if excel and form is not Form.CSV:
        raise SetupError("--excel is for --format csv")
    with officer_of(context, "audit export") as (office, worker):
        zone = office.config.zone
        selection = Selection(
            since=_start(since, zone),
            until=_start(until and until + timedelta(days=1), zone),
            events=event or (),
            actor=actor,
            sender=sender,
        )
        match form:
            case Form.BUNDLE:
                _bundle(office, worker, selection, file, reason)
            case Form.XLSX | Form.JOURNAL:
                _workbook(office, worker, selection, file, form, reason)
            case _:
                _lines(worker, selection, file, form, excel=excel, reason=reason)


def _start(day: date | None, zone: ZoneInfo) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), zone)


def _lines(worker: Worker, selection: Selection, file: Path, form: Form, *, excel: bool, reason: str | None) -> None:
    from importlib.metadata import version

    from mailer.flow import export
    from mailer.flow.export import RecordForm

    def write(target: Callable[[bytes], object]) -> int:
        upto = export.announce(worker, selection, form=form.value, reason=reason)
        count = export.count(worker, selection, upto=upto)
        with progress.bar(_("records"), count) as advance:
            export.lines(
                worker,
                selection,
                target,
                RecordForm(form.value),
                upto=upto,
                version=version("mailer"),
                excel=excel,
                progress=advance,
            )
        return count

    if str(file) == "-":
        write(sys.stdout.buffer.write)
        sys.stdout.flush()
        return
    with new_file(file) as opened:
        count = write(opened.write)
    say(_("{path}: {count} records").format(path=file, count=count))


def _workbook(office: Office, worker: Worker, selection: Selection, file: Path, form: Form, reason: str | None) -> None:
    from mailer.core import journal, recordforms
    from mailer.edge.workbook import Workbook
    from mailer.flow import export
    from mailer.service.words import russian

    with new_file(file) as target, TemporaryDirectory(dir=file.parent) as folder:  # 0700, and gone afterwards
        path = Path(folder) / "book.xlsx"
        upto = export.announce(worker, selection, form=form.value, reason=reason)
        if form is Form.JOURNAL:
            word = russian()
            table = Workbook(path, [word(one) for one in journal.HEADINGS], JOURNAL_WIDTHS, title=word(journal.TITLE))
            count = export.journal_rows(worker, selection.since, selection.until, table, zone=office.config.zone, word=word)
        else:
            table = Workbook(path, recordforms.COLUMNS, WIDTHS)
            count = export.count(worker, selection, upto=upto)
            with progress.bar(_("records"), count) as advance:
                export.rows(worker, selection, table, upto=upto, progress=advance)
        table.close()
        with path.open("rb") as written:
            shutil.copyfileobj(written, target)
    said = _("{path}: {count} lines") if form is Form.JOURNAL else _("{path}: {count} records")
    say(said.format(path=file, count=count))


def _bundle(office: Office, worker: Worker, selection: Selection, file: Path, reason: str | None) -> None:
    from mailer.core import bundle
    from mailer.edge.office import packaged
    from mailer.flow import export
    from mailer.store.verification import Fault

    with new_folder(file) as folder:
        export.announce(worker, selection, form=Form.BUNDLE.value, reason=reason)
        signer = office.record_signer(worker)
        published = signer.publish()
        if isinstance(published, Fault):
            raise RefusedError("record {seq}: {why}; nothing was signed", seq=published.seq, why=published.why)
        key = str(office.signing_key().signer()[0])
        with (
            new_file(folder / "records.jsonl") as records,
            progress.bar(_("records"), published.checkpoint.size) as advance,
        ):
            manifest = export.bundled(worker, selection, published, records.write, public_key=key, progress=advance)
        with signer.standing() as said:
            steps = export.handovers(worker, said, published)
        files = {"manifest.json": manifest, "checkpoint.note": published.signed.encode()}
        if steps:
            files["keys.json"] = bundle.keys(steps)
        for name, content in files.items():
            with new_file(folder / name) as target:
                target.write(content)
        for shipped in sorted(packaged("bundle").glob("*.*")):
            with new_file(folder / shipped.name) as target:
                target.write(shipped.read_bytes())
    say(
        _("{path}: {count} records under the checkpoint with code {code}").format(
            path=file, count=published.checkpoint.size, code=published.code
        )
    )
    say(_("verify it with: python3 {path}/verify_export.py {path}").format(path=file))
