"""`mailer init`: a new office in one command. Nothing that is there is ever overwritten."""

from __future__ import annotations

from gettext import gettext as _
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.opened import config_of, office_of, operator
from mailer.cli.show import say
from mailer.errors import SetupError


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Make a new office: mailer.toml, database, keys, the packaged rules activated."))
    def init(
        context: typer.Context,
        eject: Annotated[bool, typer.Option("--eject", help=_("Also copy rules and templates out, for editing."))] = False,
        upgrade: Annotated[bool, typer.Option("--upgrade", help=_("Only bring an older database to this version."))] = False,
    ) -> None:
        if upgrade:
            _upgrade(context)
        else:
            _found(context, eject=eject)


def _found(context: typer.Context, *, eject: bool) -> None:
    path: Path = context.obj
    if path.exists():
        _found_by_config(context, eject=eject)
        return
    from mailer.edge import office as texts

    if eject:
        for name in ("rules", "templates"):
            target = path.absolute().parent / name
            if target.exists():
                raise SetupError("{path} exists already and is not overwritten", path=target)
            texts.eject(name, target)
    text = (Path(__file__).parent / "mailer.toml.example").read_text(encoding="utf-8")
    if eject:
        text = text.replace("# directory = ", "directory = ")
    path.write_text(text, encoding="utf-8")
    say(_("{path}: written; put your names and servers in").format(path=path))
    _set_up(context)


def _found_by_config(context: typer.Context, *, eject: bool) -> None:
    """The configuration was written by hand: what it names is made, unless it is there."""
    if eject:
        raise SetupError("{path} exists already: --eject belongs to a new office", path=context.obj)
    _set_up(context)


def _set_up(context: typer.Context) -> None:
    import secrets

    from mailer.edge.keys import Keyring
    from mailer.service.office import clock
    from mailer.store import db, office
    from mailer.store.migrate import upgrade

    config = config_of(context)
    try:
        db.create(config.owner_url)
    except FileExistsError as error:
        raise SetupError("the database {path} exists already: an office is set up only once", path=error.filename) from error
    except OSError as error:
        raise SetupError("the database {path} cannot be made: {why}", path=error.filename, why=error.strerror) from error
    database = db.Database(config.owner_url)
    try:
        if db.version(database) is not None:
            raise SetupError("the database holds tables of mailer already: an office is set up only once")
        upgrade(config.owner_url)
        try:
            Keyring(config.keys_directory).found(clock().date(), secrets.token_bytes)
        except FileExistsError as error:
            raise SetupError(
                "the key {path} exists already and is not overwritten", path=error.filename2 or error.filename
            ) from error
        with database.writing() as tx:
            office.found(tx, name=secrets.token_hex(16), at=clock())
    finally:
        database.close()
    say(_("{url}: tables made").format(url=config.database.url.split("@")[-1]))
    say(_("{path}: keys made (keep a copy of record.key and pepper.key, never one of courier/)").format(path=config.keys_directory))
    _activate(context)


def _activate(context: typer.Context) -> None:
    from mailer.core import rules
    from mailer.flow import override

    with office_of(context) as opened:
        texts = opened.rule_texts()
        ruleset = rules.load(texts)
        override.activate_rules(opened.worker(operator()), ruleset, texts)
        say(_("rules activated: {count} rules, {hash}").format(count=len(ruleset.rules), hash=ruleset.hash[:12]))
    say(_("next: edit {path}, run `mailer senders import FILE.csv`, then `mailer check`").format(path=context.obj))


def _upgrade(context: typer.Context) -> None:
    from mailer.store import db, schema
    from mailer.store.migrate import upgrade

    config = config_of(context)
    database = db.Database(config.owner_url)
    if database.sqlite and not Path(database.url.database or "").exists():
        raise SetupError("there is no database to upgrade: `mailer init` makes a new one")
    database.close()
    upgrade(config.owner_url)
    say(_("the database has version {version}").format(version=schema.VERSION))
