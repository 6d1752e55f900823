"""All steps of an office over a real database, real keys, the packaged rules and templates; only the outside is faked."""

from __future__ import annotations

import random
import shutil
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import text

from mailer.core import checkpoints, evidence, reply, rules
from mailer.core.alarms import Limits as AlarmLimits
from mailer.core.caution import Caution
from mailer.core.reply import Templates
from mailer.core.rules import Ruleset
from mailer.core.secret import PROFILES
from mailer.edge import office as texts
from mailer.edge.keys import Keyring
from mailer.edge.keys_pool import PoolKeys
from mailer.edge.marks_handed import HandedOutFile
from mailer.edge.signing import SigningKey
from mailer.flow.alarm import AlarmSettings, AlarmStep
from mailer.flow.answer import Answer, AnswerSettings
from mailer.flow.bounced import Bounced, BouncedSettings
from mailer.flow.deliver import Deliver, DeliverSettings
from mailer.flow.ending import Disabler
from mailer.flow.expire import Expire, ExpireSettings
from mailer.flow.intake import Intake
from mailer.flow.issue import Issue
from mailer.flow.keeping import IntakeSettings
from mailer.flow.override.grounds import Policy
from mailer.flow.reserving import IssueSettings
from mailer.flow.stationery import FundIdentity, Stationery
from mailer.model import Own, Sender, Trust
from mailer.service.words import russian
from mailer.store import audit, office, places, verification
from mailer.store.accounts_local import LocalAccounts
from mailer.store.accounts_pool import PoolAccounts
from mailer.store.db import Tx
from mailer.store.facts import Limits
from mailer.store.logins import Logins
from mailer.store.work import Worker
from tests.e2e.bureau import body
from tests.fakes import FakeCommand, FakeMailbox, FakePostman, FakeSurroundings
from tests.store.offices import INSTANCE, START, Trial

OFFICER = "ib@fond.example"
ZONE = ZoneInfo("Europe/Moscow")
CLINIC = Sender(code="290001", organisation="ГБУЗ «Больница»", answer_to="gb1@clinic.example", addresses=("gb1@clinic.example",))
DENTIST = Sender(
    code="290002",
    organisation="Зубная клиника",
    answer_to="dent@clinic.example",
    addresses=("dent@clinic.example",),
    points=("29(Зуб) Сидоров",),
)


@cache
def packaged() -> tuple[Ruleset, Templates]:
    """The packaged rules and templates; both are frozen, so that all desks share them."""
    ruleset = rules.load(texts.rule_texts(None))
    return ruleset, reply.load(texts.template_texts(None), form=ruleset.form)


@dataclass(kw_only=True)
class Desk:
    """The steps, and what they work with. `observe`, `breaker` and `limits` as configured."""

    trial: Trial
    home: Path
    observe: bool = False
    breaker: int = 200
    sender_daily: int = 30
    replies_daily: int = 5000
    max_bytes: int = 1_048_576
    bounce_address: str | None = None
    address: str = "uc@fond.example"
    batch: int = 100
    kind: str = "local"
    low_stock: int = 0
    warn_days: tuple[int, ...] = ()
    accounts: Disabler | None = None  # None: those inside
    delay: timedelta = timedelta(seconds=30)
    login: Literal["opaque", "name"] = "opaque"
    mailbox: FakeMailbox = field(default_factory=FakeMailbox)
    postman: FakePostman = field(default_factory=FakePostman)
    surroundings: FakeSurroundings = field(default_factory=FakeSurroundings)
    command: FakeCommand = field(default_factory=FakeCommand)
    troubles: list[str] = field(default_factory=list)
    caution: Caution = field(default_factory=Caution)

    def __post_init__(self) -> None:
        self.own = Own(message_id_domain=self.address.partition("@")[2], reply_subjects=("Логин и пароль", "Отказ:"))
        with self.trial.database.reading() as tx:
            self.keyring = Keyring(self.home / "keys")
            self.instance = office.name(tx)
            self.pool_keys = PoolKeys(self.keyring, instance=self.instance)
        if not (self.home / "keys").exists():
            self.keyring.found(self.trial.clock().date(), self.trial.randbytes)
        self.trial.register(CLINIC, DENTIST)
        with self.trial.database.reading() as tx:
            self._begun_at = audit.head(tx)
        self.ruleset, templates = packaged()
        handed_out = HandedOutFile(self.home / "keys")
        handed_out.make()
        pepper = self.keyring.secret("pepper")
        self.logins = Logins(key=pepper, handed_out=handed_out)
        self.local = LocalAccounts(peppers={1: pepper}, algorithm="hmac-sha256")
        self.pool = PoolAccounts(opener=self.pool_keys, logins=self.logins)
        self.stationery = Stationery(
            templates=templates,
            sealer=self.keyring,
            fund=FundIdentity(
                name="ТФОМС АО",
                address=self.address,
                id_domain=self.own.message_id_domain,
                portal_url="https://portal.example/",
                contact="отдел",
                zone=ZONE,
                bounce_address=self.bounce_address,
            ),
            instance=INSTANCE,
            randbytes=self.trial.randbytes,
            checkpoint_key=self.signing_key.public_if_there,
        )

    @property
    def signing_key(self) -> SigningKey:
        return SigningKey(directory=self.home / "keys", origin=checkpoints.origin(self.instance))

    def trouble(self, what: str, error: Exception) -> None:
        self.troubles.append(f"{what}: {type(error).__name__}")

    def intake(self) -> Intake:
        settings = IntakeSettings(
            mailbox="uc",
            trust=Trust.NETWORK,
            authserv_id=None,
            shared_domains=frozenset(),
            form=self.ruleset.form,
            own=self.own,
            max_bytes=self.max_bytes,
            batch=self.batch,
            wait_seconds=60,
            observe=self.observe,
        )
        return Intake(
            self.trial.worker("intake:uc"), self.mailbox, settings, self.caution, on_trouble=self.trouble, watched=unwatched
        )

    @property
    def limits(self) -> Limits:
        return Limits(
            zone=ZONE,
            max_age=timedelta(days=14),
            sender_daily=self.sender_daily,
            sender_active=50,
            address_replies_daily=60,
            replies_daily=self.replies_daily,
            own_address=self.address,
        )

    def policy(self) -> Policy:
        """By what people's decisions are bound."""
        return Policy(ruleset=self.ruleset, own=self.own, limits=self.limits, delay=self.delay)

    def answer(self, worker: Worker | None = None) -> Answer:
        settings = AnswerSettings(ruleset=self.ruleset, own=self.own, limits=self.limits, observe=self.observe)
        return Answer(worker or self.trial.worker("answer"), self.stationery, settings, on_trouble=self.trouble, watched=unwatched)

    def bounced(self, worker: Worker | None = None) -> Bounced:
        settings = BouncedSettings(bounce_address=self.bounce_address, observe=self.observe)
        return Bounced(worker or self.trial.worker("bounce"), places, settings, on_trouble=self.trouble, watched=unwatched)

    def issue(self) -> Issue:
        settings = IssueSettings(
            months=3,
            max_days=None,
            login=self.login,
            login_prefix="tmp-29-",
            profile=PROFILES["default"],
            breaker=self.breaker,
            low_stock=self.low_stock,
        )
        chance = random.Random(self.trial.chance.random())
        return Issue(
            self.trial.worker(),
            self.stationery,
            self.pool if self.kind == "pool" else self.local,
            self.logins,
            settings,
            stock=self.pool if self.kind == "pool" else None,
            randbelow=chance.randrange,
            on_trouble=self.trouble,
        )

    def deliver(self) -> Deliver:
        settings = DeliverSettings(instance=INSTANCE, connections=4)
        return Deliver(self.trial.worker("deliver"), self.postman, self.keyring, places, settings, jitter=lambda: 0.0)

    def expire(self) -> Expire:
        settings = ExpireSettings(warn_days=self.warn_days, zone=ZONE)
        accounts = self.accounts or places
        return Expire(self.trial.worker("expire"), accounts, self.stationery, settings, on_trouble=self.trouble)

    def alarm(self, *, officer: str | None = OFFICER, silence: timedelta = timedelta(days=99)) -> AlarmStep:
        """Its stopwatch runs with the trial clock; of the service no part is missed, and its mailbox only after `silence`."""
        self.surroundings.uptime = self._uptime_seconds
        settings = AlarmSettings(
            limits=AlarmLimits(
                silence={"uc": silence},
                stopped=silence,
                parts=(),
                breaker=self.breaker,
                disk_free_bytes=1000,
                low_stock=self.low_stock if self.kind == "pool" else 0,
            ),
            officer=officer,
            replies_daily=self.replies_daily,
            address_replies_daily=60,
            zone=ZONE,
        )
        return AlarmStep(
            self.trial.worker("alarm"),
            self.stationery,
            self.surroundings,
            self.command,
            settings,
            say=russian(),
            on_trouble=self.trouble,
        )

    def _uptime_seconds(self) -> float:
        return (self.trial.clock() - START).total_seconds()

    def take(self, *letters: bytes) -> None:
        """Letters arrive and are kept."""
        self.mailbox.drop(*letters)
        until_done(self.intake())

    def fail_to_issue(self, letter: bytes) -> None:
        """The letter's credential is abandoned, for somebody meddled with it, and its request is held."""
        self.take(letter)
        until_done(self.answer())
        issue = self.issue()
        issue.reserving.reserve()
        with self.trial.database.writing() as tx:
            tx.execute(text("UPDATE credentials SET login = 'another'"))
        until_done(issue)

    def run(self) -> None:
        """Every step until nothing is left; then the record is whole."""
        for step in (self.intake(), self.answer(), self.bounced(), self.issue(), self.expire()):
            until_done(step)
        self.send()
        assert verification.verify(self.trial.database, self.trial.pen.key).fault is None

    def send(self) -> None:
        deliver = self.deliver()
        until_done(deliver)
        deliver.close()

    def events(self) -> list[str]:
        """What the record was told since this desk was opened."""
        with self.trial.database.reading() as tx:
            return [str(header["event"]) for header in self.headers(tx)]

    def headers(self, tx: Tx) -> list[dict[str, Any]]:
        return [evidence.read_header(sealed) for sealed in audit.page(tx, after=self._begun_at, limit=10_000)]

    def forget_keys(self) -> None:
        shutil.rmtree(self.home / "keys" / "courier")


def unwatched(_what: str) -> AbstractContextManager[None]:
    return nullcontext()


def until_done(step: Intake | Answer | Bounced | Issue | Deliver | Expire) -> None:
    for _ in range(1000):
        if not step.step():
            return
    raise AssertionError("the step never ran out of work")


def password_in(content: bytes) -> tuple[str, str]:
    """Login and password as the reader finds them: each alone on a line."""
    lines = [line.strip() for line in body(content).splitlines()]
    (login,) = {line for line in lines if line.startswith("tmp-29-")} or {
        word for line in lines for word in line.split() if word.startswith("tmp-29-")
    }
    (password,) = {line for line in lines if len(line) == 18 and set(line) <= set("bdfghjkmnrstuvwz3478")}
    return login, password
