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
    try:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o640)  # a database address may hold a password
    except OSError as error:
        raise SetupError("the configuration {path} cannot be written: {why}", path=path, why=error.strerror) from error
    say(_("{path}: written; put your names and servers in").format(path=path))
    _set_up(context)


def _found_by_config(context: typer.Context, *, eject: bool) -> None:
    """The configuration was written by hand: what it names is made, unless it is there."""
    if eject:
        raise SetupError("{path} exists already: --eject belongs to a new office", path=context.obj)
    _set_up(context)


def _set_up(context: typer.Context) -> None:
    import secrets

    from mailer.core import checkpoints
    from mailer.edge.checkpoints import CheckpointFile
    from mailer.edge.keys import Keyring
    from mailer.edge.marks_erased import ErasedFile
    from mailer.edge.marks_handed import HandedOutFile
    from mailer.edge.signing import SigningKey
    from mailer.service.office import clock
    from mailer.store import db, office
    from mailer.store.migrate import upgrade

    config = config_of(context)
    keyring = Keyring(config.keys_directory)
    if taken := keyring.taken():
        raise SetupError("the key {path} exists already: an office is set up only once, no key is overwritten", path=taken)
    _make_file(config.owner_url)
    database = db.Database(config.owner_url)
    try:
        upgrade(config.owner_url)
        with database.reading() as tx:
            if office.is_founded(tx):
                raise SetupError("the database {path} exists already: an office is set up only once", path=database.url.database)
        try:
            keyring.found(clock().date(), secrets.token_bytes)
            HandedOutFile(config.keys_directory).make()
            name = secrets.token_hex(16)
            SigningKey(directory=config.keys_directory, origin=checkpoints.origin(name)).make(secrets.token_bytes)
            CheckpointFile(path=config.checkpoints_path).make()
            ErasedFile(config.keys_directory).make()
        except OSError as error:
            raise SetupError("the key {path} cannot be made: {why}", path=error.filename, why=error.strerror) from error
        with database.writing() as tx:
            office.found(tx, name=name, at=clock())
    finally:
        database.close()
    say(_("{url}: tables made").format(url=config.database.url.split("@")[-1]))
    say(
        _("{path}: keys made (keep a copy of record.key, pepper.key, checkpoint.key and issuing/, never one of courier/)").format(
            path=config.keys_directory
        )
    )
    _activate(context)


def _make_file(url: str) -> None:
    """The SQLite file; one that is there is taken only if an earlier `init` was broken off after making its tables."""
    from mailer.store import db

    try:
        db.create(url)
    except FileExistsError as error:
        database = db.Database(url)
        try:
            if db.version(database) is None:
                raise SetupError(
                    "the database {path} exists already: an office is set up only once", path=error.filename
                ) from error
        except db.DatabaseError as failure:
            raise SetupError("{path} exists already and is no database of mailer", path=error.filename) from failure
        finally:
            database.close()
    except OSError as error:
        raise SetupError("the database {path} cannot be made: {why}", path=error.filename, why=error.strerror) from error


def _activate(context: typer.Context) -> None:
    from mailer.core import rules
    from mailer.flow import custody
    from mailer.flow.override import policy as override

    with office_of(context) as opened:
        custody.tell_founded(opened.worker(operator()), opened.keyring)
        texts = opened.rule_texts()
        ruleset = rules.load(texts)
        override.activate(opened.worker(operator()), ruleset, texts)
        say(_("rules activated: {count} rules, {hash}").format(count=len(ruleset.rules), hash=ruleset.hash[:12]))
    say(_("next: edit {path}, run `mailer senders import FILE.csv`, then `mailer check`").format(path=context.obj))


def _upgrade(context: typer.Context) -> None:
    import secrets

    from mailer.core.custody import KeyKind
    from mailer.edge.marks_erased import ErasedFile
    from mailer.edge.marks_handed import HandedOutFile
    from mailer.flow import custody
    from mailer.flow.override import record, register
    from mailer.store import db, schema
    from mailer.store.migrate import upgrade

    config = config_of(context)
    database = db.Database(config.owner_url)
    if database.sqlite and not Path(database.url.database or "").exists():
        raise SetupError("there is no database to upgrade: `mailer init` makes a new one")
    before = db.version(database)
    database.close()
    upgrade(config.owner_url)
    HandedOutFile(config.keys_directory).make()
    ErasedFile(config.keys_directory).make()
    with office_of(context) as opened:
        opened.signing_key().make(secrets.token_bytes)
        opened.checkpoint_file().make()
        if not opened.keyring.pools():
            custody.rotate(opened.worker(operator()), opened.keyring, KeyKind.POOL)
        with opened.database.writing() as tx:
            opened.logins().spend_all(tx)
        if before is not None and before < "0005":  # from then on rows of the register count only as the record tells of them
            register.adopt(opened.worker(operator()))
        if before != schema.VERSION:
            record.upgraded(opened.worker(operator()), before=before, after=schema.VERSION)
    say(_("the database has version {version}").format(version=schema.VERSION))
