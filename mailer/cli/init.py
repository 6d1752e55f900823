"""`mailer init`: a new office in one command. Nothing that is there is ever overwritten."""

from __future__ import annotations

import os
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailer.cli.opened import config_of, office_of, operator
from mailer.cli.options import OnlyTry
from mailer.cli.show import say, say_long
from mailer.errors import SchemaError, SetupError

if TYPE_CHECKING:
    from mailer.config.sections import Config
    from mailer.store.db import Database


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Make a new office: mailer.toml, database, keys, the packaged rules activated."))
    def init(
        context: typer.Context,
        eject: Annotated[bool, typer.Option("--eject", help=_("Also copy rules and templates out, for editing."))] = False,
        upgrade: Annotated[bool, typer.Option("--upgrade", help=_("Only bring an older database to this version."))] = False,
        dry_run: OnlyTry = False,
    ) -> None:
        if upgrade:
            _upgrade(context, dry_run=dry_run)
        elif dry_run:
            _would_found(context, eject=eject)
        else:
            _found(context, eject=eject)


def _found(context: typer.Context, *, eject: bool) -> None:
    path: Path = context.obj
    if path.exists():
        _refuse_eject(path, eject=eject)  # written by hand: what it names is made, unless it is there
    else:
        from mailer.edge import office as texts

        for name, target in _ejected(path, eject=eject):
            texts.eject(name, target)
            say(_("{path}: made").format(path=target))
        try:
            path.write_text(_example(eject=eject), encoding="utf-8")
            path.chmod(0o640)  # a database address may hold a password
        except OSError as error:
            raise SetupError("the configuration {path} cannot be written: {why}", path=path, why=error.strerror) from error
        say(_("{path}: written; put your names and servers in").format(path=path))
    _set_up(context)


def _would_found(context: typer.Context, *, eject: bool) -> None:
    """Say what `_found` would make, and refuse what it would refuse."""
    from mailer.config.load import read
    from mailer.core import rules
    from mailer.edge import office as texts
    from mailer.flow.override import policy as override

    path: Path = context.obj
    if path.exists():
        _refuse_eject(path, eject=eject)
        config = config_of(context)
    else:
        config = read(_example(eject=eject), path, os.environ)
        for made in (*(target for _name, target in _ejected(path, eject=eject)), path):
            say(_("{path}: would be made").format(path=made))
    _refuse_another(config)
    directory = None if eject or not config.rules.directory else config.path(config.rules.directory)
    ruleset = rules.load(texts.rule_texts(directory))
    override.refuse_failing(ruleset)
    say(_("{url}: tables would be made").format(url=_shown_url(config)))
    say(_("{path}: keys would be made").format(path=config.keys_directory))
    say(_("rules would be activated: {count} rules, {hash}").format(count=len(ruleset.rules), hash=ruleset.hash[:12]))
    say(_("nothing was changed"))


def _refuse_eject(path: Path, *, eject: bool) -> None:
    if eject:
        raise SetupError("{path} exists already: --eject belongs to a new office", path=path)


def _ejected(path: Path, *, eject: bool) -> list[tuple[str, Path]]:
    """What is copied out, and whereto; SetupError when one of the folders is there."""
    targets = [(name, path.absolute().parent / name) for name in ("rules", "templates") if eject]
    for _name, target in targets:
        if target.exists():
            raise SetupError("{path} exists already and is not overwritten", path=target)
    return targets


def _example(*, eject: bool) -> str:
    """The text of a new configuration."""
    text = (Path(__file__).parent / "mailer.toml.example").read_text(encoding="utf-8")
    return text.replace("# directory = ", "directory = ") if eject else text


def _refuse_another(config: Config) -> None:
    """SetupError when an office is there already. Tables are taken only if an earlier `init` was broken off after making them."""
    from mailer.edge.keys import Keyring
    from mailer.store import db, office

    if taken := Keyring(config.keys_directory).taken():
        raise SetupError("the key {path} exists already: an office is set up only once, no key is overwritten", path=taken)
    database = db.Database(config.owner_url)
    path = database.url.database
    try:
        if database.sqlite and not Path(path or "").exists():
            return
        version = _version(database)
        if version is None and not database.sqlite:
            return
        with database.reading() as tx:
            if version is None or office.is_founded(tx):
                raise SetupError("the database {path} exists already: an office is set up only once", path=path)
    finally:
        database.close()


def _version(database: Database) -> str | None:
    """SetupError when it cannot be asked."""
    from mailer.store import db

    try:
        return db.version(database)
    except db.DatabaseError as error:
        path = database.url.database
        if database.sqlite:
            raise SetupError("{path} exists already and is no database of mailer", path=path) from error
        raise SetupError("the database cannot be read: {why}", why=str(error.orig).strip()) from error


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
    _refuse_another(config)
    keyring = Keyring(config.keys_directory)
    _make_file(config.owner_url)
    database = db.Database(config.owner_url)
    try:
        upgrade(config.owner_url)
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
    say(_("{url}: tables made").format(url=_shown_url(config)))
    said = _("{path}: keys made (keep a copy of record.key, pepper.key, checkpoint.key and issuing/, never one of courier/)")
    say_long(said.format(path=config.keys_directory), indent="")
    _activate(context)


def _make_file(url: str) -> None:
    """The SQLite file, unless it is there."""
    from mailer.store import db

    try:
        db.create(url)
    except FileExistsError:
        return
    except OSError as error:
        raise SetupError("the database {path} cannot be made: {why}", path=error.filename, why=error.strerror) from error


def _shown_url(config: Config) -> str:
    return config.database.url.split("@")[-1]


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
    said = _("next: edit {path}, run `mailer senders import FILE.csv`, then `mailer check`")
    say_long(said.format(path=context.obj), indent="")


def _upgrade(context: typer.Context, *, dry_run: bool) -> None:
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
    try:
        before = _upgradable(database)
    finally:
        database.close()
    if dry_run:
        _would_upgrade(config, before)
        return
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
        if before < "0005":  # from then on rows of the register count only as the record tells of them
            register.adopt(opened.worker(operator()))
        if before != schema.VERSION:
            record.upgraded(opened.worker(operator()), before=before, after=schema.VERSION)
    say(_("the database has version {version}").format(version=schema.VERSION))


def _upgradable(database: Database) -> str:
    """The version of its tables; SetupError when this program cannot bring them forward."""
    from mailer.store import office, schema

    before = _version(database)
    if before is None:
        raise SchemaError("the database holds no tables of mailer: check [database] url; `mailer init` sets up a new office")
    if before > schema.VERSION:
        raise SchemaError(
            "the database has version {found}, this program knows none after {needed}: it needs the newer program",
            found=before,
            needed=schema.VERSION,
        )
    with database.reading() as tx:
        if not office.is_founded(tx):
            raise SetupError("the database was never set up to the end: run `mailer init` again on an empty one")
    return before


def _would_upgrade(config: Config, before: str) -> None:
    from mailer.core.custody import KeyKind
    from mailer.edge import marks_erased, marks_handed
    from mailer.edge.keys import FOLDERS, Keyring
    from mailer.edge.signing import SigningKey
    from mailer.store import schema

    keys = config.keys_directory
    files = (keys / marks_handed.NAME, keys / marks_erased.NAME, config.checkpoints_path)
    wanting = [path for path in files if not path.exists()] + SigningKey(directory=keys, origin="").wanting()
    wanting += [] if Keyring(keys).pools() else [keys / FOLDERS[KeyKind.POOL][1] / "1.key"]
    if before != schema.VERSION:
        say(_("the database has version {before} and would be brought to {after}").format(before=before, after=schema.VERSION))
    else:
        say(_("the database has version {version}").format(version=before))
    for path in wanting:
        say(_("{path}: would be made").format(path=path))
    say(_("nothing was changed"))
