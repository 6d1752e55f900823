"""`mailer accounts`: where logins are valid: the pool of ready pairs, and whether all accounts agree with what was issued."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli.noun import Noun
from mailer.cli.opened import office_of, officer_of
from mailer.cli.options import AsObject, Because, OnlyTry, given
from mailer.cli.show import local, plain, print_json, safe_text, say, table
from mailer.errors import SetupError, SetupErrors

if TYPE_CHECKING:
    from mailer.core.accounts import Differences
    from mailer.core.pairs import Pair
    from mailer.service.office import Office


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("Where logins are valid: the pool of ready pairs, and all accounts."))
    noun.command("list", help=_("Count the accounts and the pairs of the pool."))(_list)
    noun.command("import", help=_("Fill the pool from a CSV file; a file with a bad row changes nothing."))(_import)
    noun.command("reconcile", help=_("Hold the accounts against the issued credentials; exit 1 when they differ."))(_reconcile)
    app.add_typer(noun, name="accounts")


def _list(context: typer.Context, as_json: AsObject = False) -> None:
    from mailer.flow.report import house
    from mailer.service.office import clock

    with office_of(context) as office, office.database.reading() as tx:
        found = house.account_counts(tx, clock())
    if as_json:
        print_json({"kind": office.config.accounts.kind, **plain(found)})
        return
    say(_("new logins are of kind {kind}").format(kind=office.config.accounts.kind))
    say(_("in our own database: {enabled} enabled, {ended} ended").format(enabled=found.local.enabled, ended=found.local.ended))
    pool = found.pool
    say(
        _("pool: {free} pairs free, {ending} end too soon, {taken} taken, {handed} handed out").format(
            free=pool.free, ending=pool.ending, taken=pool.taken, handed=pool.handed
        )
    )
    if pool.spent_before or pool.damaged:
        say(
            _("put aside: {spent_before} went out before a backup was restored, {damaged} do not open").format(
                spent_before=pool.spent_before, damaged=pool.damaged
            )
        )


def _import(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE.csv")],
    remove_file: Annotated[bool, typer.Option("--remove-file", help=_("Overwrite and remove the file afterwards."))] = False,
    expires_column: Annotated[
        str, typer.Option("--expires-column", help=_("The column with the pair's end, if the file has one."), metavar="NAME")
    ] = "expires",
    dry_run: OnlyTry = False,
) -> None:
    from mailer.flow import places

    if remove_file and file == "-":
        raise typer.BadParameter(_("there is no file to remove"), param_hint="--remove-file")
    content = _read(file)
    with officer_of(context, "accounts import", dry_run=dry_run) as (office, worker):
        rows = _checked(office, file, content, expires_column)
        places.import_pairs(worker, office.pool_keys, office.logins(), rows, randbytes=os.urandom, dry_run=dry_run)
    if dry_run:
        say(_("{count} pairs would be imported; nothing was changed").format(count=len(rows)))
        return
    say(_("{count} pairs imported").format(count=len(rows)))
    if remove_file:
        _remove(Path(file), len(content))
        say(_("{path}: overwritten and removed; copies elsewhere (mail, backups) are yours to remove").format(path=safe_text(file)))


def _read(file: str) -> bytes:
    try:
        if file == "-":
            return sys.stdin.buffer.read()
        path = Path(file)
        if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRGRP | stat.S_IROTH):
            typer.echo(
                _("warning: {path} can be read by other users of this machine: chmod 600").format(path=safe_text(file)), err=True
            )
        return path.read_bytes()
    except OSError as error:
        raise SetupError("the file {path} cannot be read: {why}", path=file, why=error.strerror) from error


def _checked(office: Office, file: str, content: bytes, expires_column: str) -> Sequence[Pair]:
    from mailer.core import pairs
    from mailer.flow import places
    from mailer.service.office import clock
    from mailer.store.accounts_pool import SHORTEST

    rows, problems = pairs.read(content, expires_column=expires_column, zone=office.config.zone, not_before=clock() + SHORTEST)
    with office.database.reading() as tx:
        problems += places.conflicts(tx, office.logins(), rows)
    if not rows and not problems:
        problems = [SetupError("the file holds no pairs")]
    if problems:
        problems.sort(key=lambda problem: int(str(problem.values.get("line", 0))))
        raise SetupErrors([*problems, SetupError("{path}: nothing was imported", path=file)])
    return rows


def _remove(path: Path, size_bytes: int) -> None:
    """Zeros over the bytes where the file system keeps them in place; journals and snapshots may keep others."""
    try:
        with path.open("r+b") as file:
            file.write(b"\0" * size_bytes)
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except OSError as error:
        raise SetupError(
            "the pairs are imported, but {path} cannot be removed: {why}; remove it yourself", path=path, why=error.strerror
        ) from error


def _reconcile(
    context: typer.Context,
    disable: Annotated[bool, typer.Option("--disable-orphans", help=_("End accounts that nothing living stands behind."))] = False,
    reason: Because = "",
    dry_run: OnlyTry = False,
    as_json: AsObject = False,
) -> int:
    from mailer.flow import places
    from mailer.service.office import clock

    why = given(reason) if disable else ""
    with officer_of(context, "accounts reconcile", dry_run=dry_run) as (office, worker):
        if disable:
            found = places.disable_orphans(worker, office.places(), reason=why, dry_run=dry_run)
        else:
            with office.database.reading() as tx:
                found = places.reconcile(tx, office.places(), clock(), key=office.pen().key)
    if as_json:
        print_json({**plain(found), "changed": disable and not dry_run and bool(found.without_credential)})
    else:
        _show(found, office, disable=disable, dry_run=dry_run)
    return 1 if found else 0


def _show(found: Differences, office: Office, *, disable: bool, dry_run: bool) -> None:
    zone = office.config.zone
    if not found:
        say(_("accounts and credentials agree"))
        return
    orphans = _("account without a living credential")
    if disable and dry_run:
        orphans = _("account without a living credential, would be disabled")
    elif disable:
        orphans = _("account without a living credential, disabled now")
    what = [
        *((orphans, one.login, one.expires_at, one.credential_id) for one in found.without_credential),
        *(
            (_("credential whose login does not work"), one.login, one.valid_until, one.credential_id)
            for one in found.without_account
        ),
        *(
            (_("account ends at another time than was told"), one.login, one.valid_until, one.credential_id)
            for one in found.other_end
        ),
        *((_("to be blocked by hand where it was made"), one.login, one.expires_at, one.credential_id) for one in found.by_hand),
        *((_(one.why), one.account.login, one.account.expires_at, one.account.credential_id) for one in found.distrusted),
    ]
    table(
        [_("login"), _("valid until"), _("credential"), _("difference")],
        ((login, local(until, zone), credential, text) for text, login, until, credential in what),
        empty="",
    )
