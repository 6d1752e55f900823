"""`mailer keys`: which keys there are and who holds them, a new one, an old one's end, and what a backup holds of them."""

from __future__ import annotations

from collections.abc import Sequence
from gettext import gettext as _
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.noun import Noun
from mailer.cli.opened import office_of, officer_of
from mailer.cli.options import AsLines, OnlyTry
from mailer.cli.show import plain, print_json, safe_text, say, table, translated
from mailer.core.custody import KeyKind, loss
from mailer.errors import N_, SetupErrors

BACKUPS = {"must": N_("must have one"), "may": N_("may have one"), "never": N_("must never have one")}


def add_to(app: typer.Typer) -> None:
    noun = Noun(help=_("The keys outside the database."))
    noun.command("list", help=_("Show every secret key; exit 1 if one is missing, with what is lost and what is not."))(_list)
    noun.command("new", help=_("Make what is missing of today's keys, as the courier does each day."))(_new)
    noun.command("rotate", help=_("Make a new key at once; what the older one sealed or checked it still opens or checks."))(
        _rotate
    )
    noun.command("destroy-expired", help=_("Destroy pairs of past days that no reply needs, as the courier does each day."))(
        _destroy
    )
    noun.command("backup-check", help=_("Does a backup hold the keys it must hold, and none that it must not? exit 1 if not."))(
        _check
    )
    app.add_typer(noun, name="keys")


def _list(context: typer.Context, as_json: AsLines = False) -> int:
    from mailer.flow import custody
    from mailer.service.office import clock

    with office_of(context) as office, office.database.reading() as tx:
        found = custody.holdings(tx, office.keyring)
    today, folder = clock().date(), office.config.keys_directory
    missing = [one.key for one in found if not one.key.there]
    if as_json:
        for one in found:
            print_json({**plain(one.key), "holder": one.holder, "backup": one.backup, "waiting": one.waiting})
        return 1 if missing else 0
    table(
        [_("kind"), _("name"), _("file"), _("who holds it"), _("age in days"), _("replies that need it"), _("backup")],
        (
            (
                one.key.kind.value,
                one.key.name,
                one.key.path.relative_to(folder)
                if one.key.there
                else _("{path}: MISSING").format(path=one.key.path.relative_to(folder)),
                _(one.holder),
                _("not to be seen by this user") if not one.key.readable else (today - one.key.made).days if one.key.made else "",
                one.waiting or "",
                _(BACKUPS[one.backup.value]),
            )
            for one in found
        ),
        empty="",
    )
    say(_("the folder of the keys: {path}").format(path=safe_text(folder)))
    for key in missing:
        say(_("{path} is missing: {loss}").format(path=safe_text(key.path), loss=translated(loss(key.kind))))
    return 1 if missing else 0


def _new(context: typer.Context, dry_run: OnlyTry = False) -> None:
    from mailer.flow import custody

    with officer_of(context, "keys new", dry_run=dry_run) as (office, worker):
        keyring = office.keyring
        if dry_run:
            _say_wanting(custody.wanting(worker, keyring))
            return
        custody.open_epoch(worker, keyring)
        if not keyring.pools():
            custody.rotate(worker, keyring, KeyKind.POOL)
        say(
            _("replies are sealed to the key of {day}, ready pairs to pool key {number}").format(
                day=keyring.epochs()[-1], number=keyring.pools()[-1]
            )
        )


def _say_wanting(wanting: Sequence[tuple[KeyKind, str]]) -> None:
    for kind, name in wanting:
        say(_("{kind}: the key {name} would be made").format(kind=kind.value, name=name))
    say(_("nothing was changed") if wanting else _("nothing is missing of today's keys"))


def _rotate(
    context: typer.Context,
    kind: Annotated[KeyKind, typer.Argument(metavar="KIND", help="epoch, pepper, pool")],
    dry_run: OnlyTry = False,
) -> None:
    from mailer.flow import custody

    with officer_of(context, "keys rotate", about=[kind.value], dry_run=dry_run) as (office, worker):
        if dry_run:
            name = custody.next_name(worker, office.keyring, kind)
            say(_("{kind}: the new key would be {name}; nothing was changed").format(kind=kind.value, name=name))
            return
        name = custody.rotate(worker, office.keyring, kind)
    say(_("{kind}: the new key is {name}").format(kind=kind.value, name=name))
    if kind is KeyKind.PEPPER:
        say(_("start the desk again, and put the new file into the backup"))
    elif kind is KeyKind.POOL:
        say(_("put the new file into the backup; the older pool key is needed as long as a pair is sealed to it"))


def _destroy(context: typer.Context, dry_run: OnlyTry = False) -> None:
    from mailer.flow import custody

    with officer_of(context, "keys destroy-expired", dry_run=dry_run) as (office, worker):
        days = (custody.expired if dry_run else custody.destroy_expired)(worker, office.keyring)
    if not days:
        say(_("there is nothing to destroy"))
        return
    said = _("would be destroyed: {days}; nothing was changed") if dry_run else _("destroyed: {days}")
    say(said.format(days=", ".join(days)))


def _check(context: typer.Context, place: Annotated[Path, typer.Argument(metavar="DIR|FILE")]) -> int:
    from mailer.core.custody import Copy, backup_faults
    from mailer.edge import backup
    from mailer.edge.keys_file import key_in

    with office_of(context) as office:
        keys = [(key.kind, str(key.path), _bytes(key.path)) for key in office.keyring.inventory() if key.there]
    copies = [Copy(path=one.path, key=key_in(one.beginning), is_database=one.is_database) for one in backup.contents(place)]
    faults = backup_faults(copies, keys)
    if faults:
        say(_("{path}: this backup is not as it must be").format(path=safe_text(place)))
        for problem in SetupErrors(faults).problems:
            say("✗ " + safe_text(translated(problem)))
        return 1
    say(
        _("{path}: it holds what it must hold and none of what it must not; {count} files seen").format(
            path=safe_text(place), count=len(copies)
        )
    )
    return 0


def _bytes(path: Path) -> bytes | None:
    from mailer.edge.keys_file import key_in

    try:
        return key_in(path.read_bytes())
    except OSError:
        return None
