"""`mailer audit prune`: old records leave the database once a bundle holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli import progress
from mailer.cli.opened import officer_of
from mailer.cli.options import AsObject, Because, OnlyTry, given
from mailer.cli.show import plain, print_json, safe_text, say
from mailer.errors import RefusedError, SetupError

if TYPE_CHECKING:
    from mailer.flow.override.pruning import Bundle
    from mailer.service.office import Office
    from mailer.store.work import Worker


def add_to(noun: typer.Typer) -> None:
    noun.command("prune", help=_("Delete old records that a bundle holds in full; as the owner of the database."))(_prune)


def _prune(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Option("--bundle", metavar="FOLDER", help=_("What `mailer audit export --format bundle --to DAY` wrote."))
    ],
    reason: Because,
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> None:
    from mailer.flow.override import pruning
    from mailer.service import published
    from mailer.store.verification import Fault

    why = given(reason)
    with officer_of(context, "audit prune", dry_run=dry_run) as (office, worker):
        history = published.history(office)
        if history is None:
            raise RefusedError("there is no published checkpoint to compare with: `mailer audit verify` says more")
        signed = history.last.checkpoint.size if history.last else 0
        with _opened(folder) as bundle, _owner(office, worker) as owner, progress.bar(_("records"), signed) as advance:
            done = pruning.prune(
                owner,
                bundle,
                history,
                keep_days=office.config.audit.keep_days,
                reason=why,
                dry_run=dry_run,
                progress=advance,
            )
        found = None if dry_run else office.record_signer(worker).publish()
    if as_json:
        print_json({**plain(done), "changed": not dry_run})
    else:
        said = _("would be pruned: {count} records, up to {upto}") if dry_run else _("pruned: {count} records, up to {upto}")
        say(said.format(count=done.count, upto=done.upto))
    if isinstance(found, Fault):
        raise RefusedError("record {seq}: {why}; nothing was signed", seq=found.seq, why=found.why)


@contextmanager
def _opened(folder: Path) -> Iterator[Bundle]:
    from mailer.flow.override.pruning import Bundle

    try:
        manifest, note = (folder / "manifest.json").read_bytes(), (folder / "checkpoint.note").read_bytes().decode()
        records = (folder / "records.jsonl").open("rb")
    except OSError as error:
        raise SetupError("{path}: this is no bundle: {why}", path=safe_text(folder), why=error.strerror) from error
    except UnicodeDecodeError as error:
        raise SetupError("{path}: this is no bundle: {why}", path=safe_text(folder), why="checkpoint.note") from error
    with records:
        yield Bundle(manifest=manifest, note=note, records=records)


@contextmanager
def _owner(office: Office, worker: Worker) -> Iterator[Worker]:
    from mailer.store import db

    database = db.connect(office.config.owner_url)
    try:
        yield replace(worker, database=database)
    finally:
        database.close()
