"""Which keys may `mailer.toml` hold, of what kind, and with which defaults? The names are a contract: later versions only add."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from mailer.errors import N_
from mailer.model import Trust

DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
ADDRESS = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*@{DOMAIN}")  # RFC 5321 dot-string
PUBLIC_MAIL = (
    *("mail.ru", "bk.ru", "list.ru", "inbox.ru", "internet.ru", "xmail.ru", "vk.com"),
    *("yandex.ru", "ya.ru", "yandex.com", "yandex.by", "yandex.kz", "narod.ru"),
    *("rambler.ru", "lenta.ru", "autorambler.ru", "myrambler.ru", "ro.ru"),
    *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "live.ru", "msn.com"),
    *("icloud.com", "me.com", "mac.com", "yahoo.com", "aol.com", "gmx.com", "mail.com", "proton.me", "protonmail.com"),
)
"""Services known in Russia where anybody can have an address: what their servers sign says nothing of who has asked for it."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


WRONG = {
    "address": N_("must be one bare mail address such as uc@fond.example"),
    "authserv_id": N_("must be one word without quotes, as our server writes it at the beginning of Authentication-Results"),
    "domains": N_('must be a list of mail domains, as in ["mail.ru", "gmail.com"]'),
    "domain": N_("{domain} is no mail domain: write what stands behind the @, such as mail.ru"),
    "line": N_("must be one line without control characters"),
    "hour": N_('must be an hour of the day such as 08:00, or "" for none'),
    "zone": N_("must be a time zone of the tz database such as Europe/Moscow"),
    "bounce_address": N_("bounce_address must be a bare mail address with the place of the id, as in {example}"),
    "tls": N_(
        'tls = "none" would send passwords readable over the line to {host}: use "implicit" or "starttls", or say '
        "network_protected = true if the network itself is protected (ViPNet)"
    ),
    "two_passwords": N_("password_file and password_env are both set: keep one"),
    "no_password": N_("user needs password_file or password_env"),
    "done": N_("done names the folder that is read: taken letters must go into another"),
    "authserv": N_('trust = "authentication-results" needs authserv_id, the name our own server signs with'),
    "command": N_('must be a list of texts that begins with the whole path of a program: ["/usr/local/bin/alarm", "sms"]'),
    "mailbox": N_("two mailboxes are named {name}"),
}


def _wrong(kind: str, **values: str) -> PydanticCustomError:
    return PydanticCustomError(kind, WRONG[kind], values)


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value):
        raise _wrong("address")
    return value


def _authserv_id(value: str) -> str:
    if value and not re.fullmatch(r"[!#-'*-:<-\[\]-~]+", value):
        raise _wrong("authserv_id")
    return value


def _domains(written: object) -> tuple[str, ...]:
    if not isinstance(written, list) or not all(isinstance(domain, str) for domain in written):
        raise _wrong("domains")
    return tuple(_ascii_domain(domain) for domain in written)


def _ascii_domain(written: str) -> str:
    """A domain as letters are compared with it: lower case, IDNA 2008. A mere name such as `gmail` would match no letter."""
    domain = written.lower()
    if not domain.isascii():
        import idna  # noqa: PLC0415  (its tables are slow to load, and most domains are ASCII)

        try:
            domain = idna.encode(domain).decode("ascii")
        except idna.IDNAError as error:
            raise _wrong("domain", domain=written) from error
    if "." not in domain or not re.fullmatch(DOMAIN, domain):
        raise _wrong("domain", domain=written)
    return domain


def _line(value: str) -> str:
    if not value.isprintable():
        raise _wrong("line")
    return value


def _hour(value: str) -> str:
    if value and not re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise _wrong("hour")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _wrong("zone") from error
    return value


def _command(value: object) -> object:
    """A program is named by its whole path: the service's PATH and folder are not the administrator's."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) and "\0" not in word for word in value):
        raise _wrong("command")
    if value and not value[0].startswith("/"):
        raise _wrong("command")
    return tuple(value)


Address = Annotated[str, AfterValidator(_address)]
Zone = Annotated[str, AfterValidator(_zone)]
Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1), AfterValidator(_line)]
Tls = Literal["implicit", "starttls", "none"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)  # built once, inside Config


class Fund(_Section):
    """Who answers. `sender` is the file's `from`."""

    name: Text
    sender: Address = Field(alias="from")
    message_id_domain: Annotated[str, Field(pattern=rf"^(?:{DOMAIN})?$")] = ""
    portal_url: Text
    contact: Annotated[str, AfterValidator(_line)] = ""
    postal_address: Annotated[str, AfterValidator(_line)] = ""
    officer: Address | None = None
    digest_at: Annotated[str, AfterValidator(_hour)] = "08:00"
    bounce_address: str | None = None

    @model_validator(mode="after")
    def _bounce_address_has_a_place_for_the_id(self) -> Self:
        written = self.bounce_address
        if written is not None and not ("{id}" in written and ADDRESS.fullmatch(written.replace("{id}", "0" * 32))):
            raise _wrong("bounce_address", example="mailer+{id}@fond.example")
        return self

    @property
    def id_domain(self) -> str:
        """The right side of our Message-IDs; the domain of `from` unless set."""
        return self.message_id_domain or self.sender.rpartition("@")[2]


class Database(_Section):
    url: Text = "sqlite:///mailer.db"
    owner_url: str | None = None


class _Server(_Section):
    """What IMAP and SMTP servers have in common."""

    host: Text
    port: Port
    tls: Tls
    ca_file: str | None = None
    user: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    network_protected: bool = False

    @model_validator(mode="after")
    def _secrets_never_cross_an_open_line(self) -> Self:
        if self.tls == "none" and self.host not in LOOPBACK and not self.network_protected:
            raise _wrong("tls", host=self.host)
        if self.password_file is not None and self.password_env is not None:
            raise _wrong("two_passwords")
        if self.user is not None and self.password_file is None and self.password_env is None:
            raise _wrong("no_password")
        return self


class Mailbox(_Server):
    """One mailbox that is read. `trust` has no default: only the administrator knows how far its senders are proven."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
    kind: Literal["imap"] = "imap"
    user: Text
    trust: Literal["network", "authentication-results"]
    authserv_id: Annotated[str, AfterValidator(_authserv_id)] | None = None
    shared_domains: Annotated[tuple[str, ...], Field(strict=False), BeforeValidator(_domains)] = PUBLIC_MAIL
    folder: Text = "INBOX"
    done: Text = "Обработано"
    poll_seconds: Annotated[float, Field(gt=0, le=3600, strict=False)] = 60
    batch: Annotated[int, Field(ge=1, le=1000)] = 100

    @model_validator(mode="after")
    def _results_need_their_server(self) -> Self:
        if self.done == self.folder:
            raise _wrong("done")
        if self.trust == Trust.AUTHENTICATION_RESULTS.value and not self.authserv_id:
            raise _wrong("authserv")
        return self


class Smtp(_Server):
    connections: Annotated[int, Field(ge=1, le=32)] = 4


class Letters(_Section):
    max_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    max_age_days: Annotated[int, Field(ge=1, le=3650)] = 14
    keep_days: Count | None = None


class Limits(_Section):
    sender_daily: Count = 30
    sender_active: Count = 50
    address_replies_daily: Count = 60
    replies_daily: Count = 5000
    issues_per_10_minutes: Count = 200
    operator_daily: Count = 30
    revoke_at_once: Count = 100


class Credentials(_Section):
    months: Annotated[int, Field(ge=1, le=120)] = 3
    max_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    login: Literal["opaque", "name"] = "opaque"
    login_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{0,16}$")] = "tmp-29-"
    profile: Literal["default", "mixed"] = "default"
    verifier: Literal["hmac-sha256", "argon2id"] = "hmac-sha256"
    warn_days: Annotated[tuple[Annotated[int, Field(ge=1, le=365)], ...], Field(strict=False)] = (14, 3)
    max_extensions: Annotated[int, Field(ge=0)] = 2


class Accounts(_Section):
    kind: Literal["local", "pool"] = "local"
    low_stock: Annotated[int, Field(ge=0)] = 20


class Replies(_Section):
    received: bool = False


class Approval(_Section):
    delay_seconds: Annotated[int, Field(ge=0)] = 30


class Keys(_Section):
    directory: Text = "keys"


class Directory(_Section):
    directory: str | None = None


class Alarms(_Section):
    mailbox_silent_minutes: Annotated[int, Field(ge=1, le=10080)] = 15
    disk_free_bytes: Annotated[int, Field(ge=0)] = 200_000_000
    command: Annotated[tuple[str, ...], BeforeValidator(_command)] = ()


class Audit(_Section):
    """`keep_days`: younger records are never pruned."""

    checkpoints: Annotated[str, Field(min_length=1)] | None = None
    keep_days: Annotated[int, Field(ge=90)] = 365


class Retention(_Section):
    """How long names are kept, and what the papers of a destruction say. Of letters: `[letters] keep_days`."""

    names_days: Count | None = None
    done_days: Count | None = None
    acts: Text = "acts"
    system: Text = "mailer"


class Config(_Section):
    """The whole of `mailer.toml`. `base` is the file's own folder: every relative path in it starts there."""

    base: Path
    timezone: Zone = "Europe/Moscow"
    mode: Literal["answer", "observe"] = "answer"
    fund: Fund
    database: Database = Database()
    mailbox: Annotated[tuple[Mailbox, ...], Field(strict=False)] = ()
    smtp: Smtp | None = None
    letters: Letters = Letters()
    limits: Limits = Limits()
    credentials: Credentials = Credentials()
    accounts: Accounts = Accounts()
    replies: Replies = Replies()
    approval: Approval = Approval()
    keys: Keys = Keys()
    audit: Audit = Audit()
    alarms: Alarms = Alarms()
    retention: Retention = Retention()
    rules: Directory = Directory()
    templates: Directory = Directory()

    @model_validator(mode="after")
    def _mailbox_names_differ(self) -> Self:
        names = [mailbox.name for mailbox in self.mailbox]
        for name in names:
            if names.count(name) > 1:
                raise _wrong("mailbox", name=name)
        return self

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def keys_directory(self) -> Path:
        return self.path(self.keys.directory)

    @property
    def checkpoints_path(self) -> Path:
        """Where checkpoints are published: beside the keys unless set."""
        return self.path(self.audit.checkpoints) if self.audit.checkpoints else self.keys_directory / "checkpoints.txt"

    @property
    def database_url(self) -> str:
        """The URL with a relative SQLite path made absolute, so that a command finds the same database from any folder."""
        return self._absolute(self.database.url)

    @property
    def owner_url(self) -> str:
        """The database as its owner: for the schema, and for pruning."""
        return self._absolute(self.database.owner_url or self.database.url)

    def path(self, written: str) -> Path:
        return self.base / Path(written).expanduser()

    def _absolute(self, url: str) -> str:
        scheme, separator, path = url.partition(":///")
        if scheme.startswith("sqlite") and separator and path:
            return f"{scheme}:///{self.base / path}"
        return url
