"""Is everything there that the work needs? Database, keys, rules and templates are opened and checked before the first letter.

Whatever is wrong is a SetupError that names the thing and the command that mends it. Nothing is changed here.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.config.load import read_password
from mailer.config.sections import Config, Mailbox
from mailer.core import rules
from mailer.core.rules import Ruleset
from mailer.edge import office as texts
from mailer.errors import SetupError, TamperedError
from mailer.model import Own, Verdict
from mailer.store import db, office
from mailer.store.db import Database
from mailer.store.facts import Limits

if TYPE_CHECKING:
    from mailer.core.alarms import Limits as AlarmLimits
    from mailer.core.reply import Templates
    from mailer.edge.checkpoints import CheckpointFile
    from mailer.edge.hook import Hook
    from mailer.edge.imap import ImapMailbox
    from mailer.edge.keys import Keyring
    from mailer.edge.keys_pool import PoolKeys
    from mailer.edge.marks_erased import ErasedFile
    from mailer.edge.signing import SigningKey
    from mailer.edge.smtp import Postman, SmtpAccount
    from mailer.flow.issue import Accounts, Issue
    from mailer.flow.override.credentials import Caps
    from mailer.flow.override.destruction import Bureau
    from mailer.flow.override.grounds import Policy
    from mailer.flow.reserving import IssueSettings
    from mailer.flow.signing import Signer
    from mailer.flow.stationery import Stationery
    from mailer.service.survey import Survey
    from mailer.store.accounts_local import LocalAccounts
    from mailer.store.accounts_pool import PoolAccounts
    from mailer.store.audit import Pen
    from mailer.store.logins import Logins
    from mailer.store.work import Worker

REPLY_SUBJECTS = (
    "Логин и пароль",
    "Отказ:",
    "Письмо получено:",
    "Требуется внимание:",
    "Срок действия логина",
    "Сводка приёма запросов за",
)  # how the subjects of the packaged templates begin


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Office:
    """An opened office: what every command needs. Edges and templates are built only where they are used."""

    config: Config
    database: Database
    instance: str
    environ: Mapping[str, str]

    @property
    def keyring(self) -> Keyring:
        from mailer.edge.keys import Keyring  # noqa: PLC0415  cryptography: not for commands that open no key

        return Keyring(self.config.keys_directory)

    @property
    def pool_keys(self) -> PoolKeys:
        from mailer.edge.keys_pool import PoolKeys  # noqa: PLC0415

        return PoolKeys(self.keyring, instance=self.instance)

    def worker(self, actor: str) -> Worker:
        """Somebody who may write, in the name of `actor`: a step, or an operator."""
        from mailer.store.work import Worker  # noqa: PLC0415  not for commands that only read

        return Worker(database=self.database, pen=self.pen(), clock=clock, actor=actor)

    def pen(self) -> Pen:
        from mailer.store.audit import Pen  # noqa: PLC0415  as above

        return Pen(key=self.keyring.secret("record"), randbytes=os.urandom)

    def signing_key(self) -> SigningKey:
        from mailer.core import checkpoints  # noqa: PLC0415  as above
        from mailer.edge.signing import SigningKey  # noqa: PLC0415

        return SigningKey(directory=self.config.keys_directory, origin=checkpoints.origin(self.instance))

    def checkpoint_file(self) -> CheckpointFile:
        from mailer.edge.checkpoints import CheckpointFile  # noqa: PLC0415

        return CheckpointFile(path=self.config.checkpoints_path)

    def record_signer(self, worker: Worker) -> Signer:
        """Who signs and publishes the record: for the step, for commands, before a backup or an export."""
        from mailer.flow.signing import Signer  # noqa: PLC0415

        return Signer(worker, self.checkpoint_file(), self.signing_key(), self.instance)

    def own(self) -> Own:
        return Own(message_id_domain=self.config.fund.id_domain, reply_subjects=REPLY_SUBJECTS)

    def limits(self) -> Limits:
        limits = self.config.limits
        return Limits(
            zone=self.config.zone,
            max_age=timedelta(days=self.config.letters.max_age_days),
            sender_daily=limits.sender_daily,
            sender_active=limits.sender_active,
            address_replies_daily=limits.address_replies_daily,
            replies_daily=limits.replies_daily,
            own_address=self.config.fund.sender.lower(),
        )

    def active_rules(self) -> Ruleset:
        """The rule set that a person activated, by the record; SetupError when there is none or it is no longer valid for this
        program."""
        with self.database.reading() as tx:
            active = office.active(tx, self.keyring.secret("record"))
        if active is None:
            raise SetupError("no rules are activated: look at them with `mailer rules check`, then run `mailer rules activate`")
        if active.fault is not None:
            raise SetupError(
                "the rules in the database are not those that a person activated ({why}): look at the rule files with "
                "`mailer rules check`, then run `mailer rules activate`",
                why=TamperedError(active.fault),
            )
        return rules.load(active.content)

    def rule_texts(self) -> dict[str, str]:
        """The rule files as they lie there now, activated or not."""
        directory = self.config.rules.directory
        return texts.rule_texts(self.config.path(directory) if directory else None)

    def running_rules(self) -> Ruleset:
        """The active rules, refused when the files say something else: nobody shall believe that an edit already works."""
        active = self.active_rules()
        if rules.digest(self.rule_texts()) != active.hash:
            raise SetupError(
                "the rule files differ from the activated rules: check them with `mailer rules check`, "
                "then run `mailer rules activate`"
            )
        return active

    def templates(self, ruleset: Ruleset) -> Templates:
        """The reply templates, checked, with every reply that the rules name."""
        from mailer.core import reply  # noqa: PLC0415  jinja2: not for commands that write nothing
        from mailer.core.replyvalues import REFUSALS  # noqa: PLC0415

        directory = self.config.templates.directory
        loaded = reply.load(texts.template_texts(self.config.path(directory) if directory else None), form=ruleset.form)
        for rule in ruleset.rules:
            allowed = ["issued"] if rule.verdict is Verdict.ISSUE else list(REFUSALS)
            if rule.reply is not None and rule.reply not in allowed:
                raise SetupError(
                    "rule {id}: there is no reply {reply} for the verdict {verdict}; known: {known}",
                    id=rule.id,
                    reply=rule.reply,
                    verdict=rule.verdict.value,
                    known=", ".join(allowed),
                )
        return loaded

    def stationery(self, ruleset: Ruleset) -> Stationery:
        from mailer.flow.stationery import FundIdentity, Stationery  # noqa: PLC0415

        fund = self.config.fund
        stationery = Stationery(
            templates=self.templates(ruleset),
            sealer=self.keyring,
            fund=FundIdentity(
                name=fund.name,
                address=fund.sender,
                id_domain=fund.id_domain,
                portal_url=fund.portal_url,
                contact=fund.contact or fund.sender,
                zone=self.config.zone,
                bounce_address=fund.bounce_address,
            ),
            instance=self.instance,
            randbytes=os.urandom,
            checkpoint_key=self.signing_key().public_if_there,
        )
        stationery.ready()
        return stationery

    def logins(self) -> Logins:
        """Which logins were used; SetupError when what is kept of them outside the database is missing."""
        from mailer.edge.marks_handed import HandedOutFile  # noqa: PLC0415
        from mailer.store.logins import Logins  # noqa: PLC0415

        handed_out = HandedOutFile(self.config.keys_directory)
        handed_out.ready()
        return Logins(key=self.keyring.secret("pepper"), handed_out=handed_out)

    def erased(self) -> ErasedFile:
        from mailer.edge.marks_erased import ErasedFile  # noqa: PLC0415

        return ErasedFile(self.config.keys_directory)

    def bureau(self) -> Bureau:
        """What destroying personal data takes."""
        from mailer.flow.override.destruction import Bureau  # noqa: PLC0415
        from mailer.service.words import russian  # noqa: PLC0415
        from mailer.store import places  # noqa: PLC0415

        fund, directory = self.config.fund, self.config.templates.directory
        return Bureau(
            accounts=places,
            outside=self.erased(),
            key=self.keyring.secret("pepper"),
            say=russian(),
            template=texts.act_text(self.config.path(directory) if directory else None),
            operator=fund.name,
            operator_address=fund.postal_address,
            system=self.config.retention.system,
            zone=self.config.zone,
        )

    def local_accounts(self) -> LocalAccounts:
        from mailer.store.accounts_local import LocalAccounts  # noqa: PLC0415

        return LocalAccounts(peppers=self.keyring.peppers(), algorithm=self.config.credentials.verifier)

    def pool(self) -> PoolAccounts:
        from mailer.store.accounts_pool import PoolAccounts  # noqa: PLC0415

        return PoolAccounts(opener=self.pool_keys, logins=self.logins())

    def accounts(self) -> Accounts:
        """Where new logins are valid, as configured; its keys are read."""
        if self.config.accounts.kind == "local":
            return self.local_accounts()
        self.keyring.check_pool()
        return self.pool()

    def places(self) -> list[Accounts]:
        """Everywhere a login of ours may be valid: an office may have changed its kind of accounts."""
        return [self.local_accounts(), self.pool()]

    def issue(self, worker: Worker, stationery: Stationery, on_trouble: Callable[[str, Exception], None]) -> Issue:
        """The step, issuing where the configuration says."""
        from mailer.flow.issue import Issue  # noqa: PLC0415

        kind = self.config.accounts.kind
        return Issue(
            worker,
            stationery,
            self.accounts(),
            self.logins(),
            self.issue_settings(),
            stock=self.pool() if kind == "pool" else None,
            randbelow=secrets.randbelow,
            on_trouble=on_trouble,
        )

    def issue_settings(self) -> IssueSettings:
        from mailer.core.secret import PROFILES  # noqa: PLC0415
        from mailer.flow.reserving import IssueSettings  # noqa: PLC0415

        wanted = self.config.credentials
        return IssueSettings(
            months=wanted.months,
            max_days=wanted.max_days,
            login=wanted.login,
            login_prefix=wanted.login_prefix,
            profile=PROFILES[wanted.profile],
            breaker=self.config.limits.issues_per_10_minutes,
            low_stock=self.config.accounts.low_stock,
        )

    def policy(self, ruleset: Ruleset) -> Policy:
        """By what the decisions of people are bound."""
        from mailer.flow.override.grounds import Policy  # noqa: PLC0415

        delay = timedelta(seconds=self.config.approval.delay_seconds)
        return Policy(ruleset=ruleset, own=self.own(), limits=self.limits(), delay=delay)

    def caps(self) -> Caps:
        """How far a person may go with logins that were issued."""
        from mailer.flow.override.credentials import Caps  # noqa: PLC0415

        wanted = self.config.credentials
        return Caps(
            months=wanted.months,
            max_days=wanted.max_days,
            extensions=wanted.max_extensions,
            daily=self.config.limits.operator_daily,
            warn_days=wanted.warn_days,
            zone=self.config.zone,
        )

    def alarm_limits(self) -> AlarmLimits:
        """From when on something needs a person. A mailbox may be silent for two of its own rounds at least."""
        from mailer.core.alarms import Limits as AlarmLimits  # noqa: PLC0415

        config = self.config
        patience = timedelta(minutes=config.alarms.mailbox_silent_minutes)
        return AlarmLimits(
            silence={mailbox.name: max(patience, timedelta(seconds=2 * mailbox.poll_seconds)) for mailbox in config.mailbox},
            stopped=patience,
            parts=("desk", "courier") if config.mode == "answer" else ("desk",),
            breaker=config.limits.issues_per_10_minutes,
            disk_free_bytes=config.alarms.disk_free_bytes,
            low_stock=config.accounts.low_stock if config.accounts.kind == "pool" else 0,
        )

    def hook(self) -> Hook | None:
        """The program that is told of alarms; SetupError when it is not there."""
        from mailer.edge.hook import Hook  # noqa: PLC0415

        if not self.config.alarms.command:
            return None
        hook = Hook(self.config.alarms.command)
        hook.check()
        return hook

    def survey(self) -> Survey:
        from mailer.service.survey import Survey  # noqa: PLC0415

        folders = {"keys": self.config.keys_directory}
        if self.database.sqlite:
            folders["database"] = Path(self.database.url.database or "").parent
        return Survey(folders=folders, keyring=self.keyring)

    def open_epoch(self, worker: Worker) -> None:
        """Make today's key pair unless it is there; the courier's work."""
        from mailer.flow import custody  # noqa: PLC0415  cryptography: not for commands that open no key

        custody.open_epoch(worker, self.keyring)

    def done_folder(self, settings: Mailbox) -> ImapMailbox:
        """Where the mailbox's taken letters lie, on a connection of its own."""
        return self.mailbox(settings.model_copy(update={"folder": settings.done}))

    def mailbox(self, settings: Mailbox) -> ImapMailbox:
        from mailer.edge.imap import ImapAccount, ImapMailbox  # noqa: PLC0415

        return ImapMailbox(
            ImapAccount(
                name=settings.name,
                host=settings.host,
                port=settings.port,
                tls=settings.tls,
                ca_file=self.config.path(settings.ca_file) if settings.ca_file else None,
                user=settings.user,
                password=read_password(settings, self.config, self.environ),
                folder=settings.folder,
                done=settings.done,
            )
        )

    def postman(self) -> Postman:
        from mailer.edge.smtp import Postman  # noqa: PLC0415

        return Postman(self.smtp_account())

    def smtp_account(self) -> SmtpAccount:
        from mailer.edge.smtp import SmtpAccount  # noqa: PLC0415

        smtp = self.config.smtp
        if smtp is None:
            raise SetupError("the section [smtp] is missing: without it no answer can leave")
        return SmtpAccount(
            host=smtp.host,
            port=smtp.port,
            tls=smtp.tls,
            ca_file=self.config.path(smtp.ca_file) if smtp.ca_file else None,
            user=smtp.user,
            password=read_password(smtp, self.config, self.environ) if smtp.user else None,
            connections=smtp.connections,
        )

    def close(self) -> None:
        self.database.close()


def open_office(config: Config, environ: Mapping[str, str]) -> Office:
    """Open database and keys; SetupError says what is missing. Rules, templates and edges are opened by who uses them."""
    database = db.connect(config.database_url)
    try:
        with database.reading() as tx:
            founded = office.is_founded(tx)
            name = office.name(tx) if founded else ""
    except db.DatabaseError as error:
        database.close()
        raise SetupError("the database cannot be read: {why}", why=str(error.orig).strip()) from error
    if not founded:
        database.close()
        raise SetupError("the database was never set up to the end: run `mailer init` again on an empty one")
    return Office(config=config, database=database, instance=name, environ=environ)


def jitter() -> float:
    return random.random()  # noqa: S311  spreads retries, guards nothing
