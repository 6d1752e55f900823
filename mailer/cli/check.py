"""`mailer check`: is everything ready for the first letter? One line each; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from gettext import gettext as _
from typing import TYPE_CHECKING

import typer

from mailer.cli.opened import config_of
from mailer.cli.show import safe_text, say, translated
from mailer.errors import MailerError, SetupError, SetupErrors, TamperedError

if TYPE_CHECKING:
    from mailer.config.sections import Mailbox
    from mailer.service.office import Office


def add_to(app: typer.Typer) -> None:
    @app.command(help=_("Check configuration, rules, templates, database, keys and servers; one line each."))
    def check(context: typer.Context) -> int:
        import os

        from mailer.service.office import open_office

        config = config_of(context)
        say("✓ " + _("configuration: {path}").format(path=context.obj))
        found: list[Office] = []

        def opened() -> str:
            found.append(open_office(config, os.environ))
            return _("schema of this version")

        if not _line(_("database"), opened):
            return 2
        office = found[0]
        checks: list[tuple[str, Callable[[], str]]] = [
            (_("rules"), lambda: _("{count} rules, active").format(count=len(office.running_rules().rules))),
            (_("templates"), lambda: _templates(office)),
            (_("keys"), lambda: _keys(office)),
            (_("record"), lambda: _record(office)),
            (_("accounts"), lambda: _accounts(office)),
            (_("register"), lambda: _register(office)),
            (_("erased data"), lambda: _erased(office)),
            *((f"IMAP {mailbox.name}", _imap_check(office, mailbox)) for mailbox in config.mailbox),
            ("SMTP", lambda: _smtp(office)),
            (_("alarms"), lambda: _alarms(office)),
        ]
        good = [_line(name, one) for name, one in checks]
        if not _is_published_outside(office):
            say("! " + _("record: no checkpoint leaves this machine: set [fund] officer and digest_at, or [audit] checkpoints"))
        if office.signing_key().has_successor():
            say("! " + _("record: a new key was begun and is not in its place: run the command again that made it"))
        office.close()
        return 0 if all(good) else 2


def _line(name: str, one: Callable[[], str]) -> bool:
    try:
        say(f"✓ {name}: {safe_text(one())}")
    except MailerError as error:
        for problem in error.problems if isinstance(error, SetupErrors) else (error,):
            say(f"✗ {name}: {safe_text(translated(problem))}")
        return False
    return True


def _templates(office: Office) -> str:
    office.templates(office.active_rules())
    return _("every reply renders")


def _keys(office: Office) -> str:
    from mailer.core.custody import KeyKind, loss
    from mailer.core.secret import PROFILES, entropy_bits
    from mailer.flow import custody

    office.pen()
    office.accounts()
    office.stationery(office.active_rules())
    with office.database.reading() as tx:
        lost = [one.key for one in custody.holdings(tx, office.keyring) if one.key.kind is KeyKind.PEPPER and not one.key.there]
    if lost:
        raise SetupErrors([SetupError("the key {path} is missing: {loss}", path=key.path, loss=loss(key.kind)) for key in lost])
    epochs = office.keyring.epochs()
    profile = PROFILES[office.config.credentials.profile]
    return _("record key, pepper, {count} epochs, the last of {day}; passwords of {bits:.0f} bits").format(
        count=len(epochs), day=epochs[-1] if epochs else "-", bits=entropy_bits(profile)
    )


def _record(office: Office) -> str:
    from mailer.service import published

    office.signing_key().signer()
    history = published.history(office)
    last = history.last if history else None
    if last is None:
        return _("its key signs; nothing was signed yet")
    return _("its key signs; the last checkpoint is of {count} records, code {code}").format(
        count=last.checkpoint.size, code=last.code
    )


def _is_published_outside(office: Office) -> bool:
    """Whether checkpoints go where this machine's administrator cannot reach them: in the digest, or to a folder of the network."""
    fund = office.config.fund
    mailed = fund.officer is not None and bool(fund.digest_at) and office.config.mode == "answer"
    return mailed or office.checkpoint_file().is_on_another_machine()


def _accounts(office: Office) -> str:
    from mailer.flow.report import house
    from mailer.service.office import clock

    office.logins()
    if office.config.accounts.kind == "local":
        return _("in our own database")
    with office.database.reading() as tx:
        pool = house.account_counts(tx, clock()).pool
    return _("pool: {free} pairs free, {ending} end too soon").format(free=pool.free, ending=pool.ending)


def _register(office: Office) -> str:
    from mailer.store import persons, senders

    key = office.pen().key
    with office.database.reading() as tx:
        count, faults, of_lists = senders.count(tx), senders.faults(tx, key), persons.faults(tx, key)
    problems = [
        SetupError(
            "{code}: {why}: nothing of it is believed; `mailer senders import` of the right file writes it anew",
            code=code,
            why=TamperedError(why),
        )
        for code, why in faults.items()
    ] + [
        SetupError(
            "{code}: {why}: nobody counts as listed, so each request waits for a person; "
            "`mailer persons import --replace` of the whole list writes it anew",
            code=code,
            why=TamperedError(why),
        )
        for code, why in of_lists.items()
    ]
    if problems:
        raise SetupErrors(problems)
    return _("{count} senders").format(count=count) if count else _("empty: mailer senders import FILE.csv")


def _erased(office: Office) -> str:
    from mailer.flow.override import destruction

    with office.database.reading() as tx:
        left = destruction.unfinished(tx, office.erased())
    if left.unknown:
        raise SetupError(
            "this database is older than a destruction of personal data and may hold it again: "
            "`mailer personal reapply` destroys it once more"
        )
    if left.uncompacted:
        raise SetupError("erased data may still lie in the files of the database: `mailer personal reapply` writes them anew")
    return _("none of it is here")


def _imap_check(office: Office, settings: Mailbox) -> Callable[[], str]:
    def checked() -> str:
        from mailer.flow.preview import preview
        from mailer.model import Trust
        from mailer.service.office import clock

        mailbox = office.mailbox(settings)
        try:
            epoch = mailbox.open()
            found = preview(
                office.database,
                mailbox,
                settings.name,
                epoch,
                trust=Trust(settings.trust),
                authserv_id=settings.authserv_id,
                shared_domains=frozenset(settings.shared_domains),
                ruleset=office.active_rules(),
                own=office.own(),
                limits=office.limits(),
                now=clock(),
                key=office.pen().key,
            )
        finally:
            mailbox.close()
        return _("{waiting} new letters; a run would issue {issue}, refuse {refuse}, hold {hold}").format(
            waiting=found.waiting, issue=found.issue, refuse=found.refuse, hold=found.hold
        )

    return checked


def _smtp(office: Office) -> str:
    import asyncio

    asyncio.run(office.postman().probe())
    if office.config.smtp is not None and office.config.smtp.user is None:
        return _("the server answers; no login is configured")
    return _("the server takes our login")


def _alarms(office: Office) -> str:
    office.hook()
    officer, command = office.config.fund.officer, office.config.alarms.command
    return _("letters to {officer}, command {command}").format(officer=officer or "—", command=command[0] if command else "—")
