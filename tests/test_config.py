"""Does the configuration come out as the file and the environment say, and is everything wrong in it refused by name?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailer.config.load import load, read_password
from mailer.config.sections import Config
from mailer.core import addresses
from mailer.errors import SetupError, SetupErrors

FUND = '[fund]\nname = "ТФОМС"\nfrom = "UC@fond.example"\nportal_url = "https://portal.example/"\n'
SERVER = 'host = "mail.fond.example"\nport = 993\ntls = "implicit"\n'
USER = 'user = "uc"\npassword_file = "imap.password"\n'
MAILBOX = f'[[mailbox]]\nname = "uc"\ntrust = "network"\n{SERVER}{USER}'
SMTP = f"[smtp]\n{SERVER}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mailer.toml"


def loaded(file: Path, text: str = FUND, environ: Mapping[str, str] | None = None) -> Config:
    file.write_text(text, encoding="utf-8")
    return load(file, environ or {})


def problems(file: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SetupErrors) as caught:
        loaded(file, text, environ)
    return [str(problem) for problem in caught.value.problems]


def test_what_is_not_said_has_its_default(file: Path) -> None:
    config = loaded(file)
    assert (config.timezone, config.mode, config.zone) == ("Europe/Moscow", "answer", ZoneInfo("Europe/Moscow"))
    assert (config.mailbox, config.smtp) == ((), None)
    assert (config.fund.sender, config.fund.id_domain, config.fund.officer) == ("UC@fond.example", "fond.example", None)
    assert (config.letters.max_bytes, config.letters.max_age_days) == (1_048_576, 14)
    limits = config.limits
    assert (limits.sender_daily, limits.sender_active, limits.address_replies_daily) == (30, 50, 60)
    assert (limits.replies_daily, limits.issues_per_10_minutes) == (5000, 200)
    credentials = config.credentials
    assert (credentials.months, credentials.max_days, credentials.login, credentials.login_prefix) == (3, None, "opaque", "tmp-29-")
    assert (credentials.profile, credentials.verifier, config.accounts.kind) == ("default", "hmac-sha256", "local")
    assert config.approval.delay_seconds == 30


def test_servers_come_out_as_written(file: Path) -> None:
    config = loaded(file, FUND + MAILBOX + "poll_seconds = 5\n" + SMTP)
    (mailbox,) = config.mailbox
    assert (mailbox.host, mailbox.port, mailbox.tls, mailbox.trust) == ("mail.fond.example", 993, "implicit", "network")
    assert (mailbox.folder, mailbox.done, mailbox.poll_seconds, mailbox.batch) == ("INBOX", "Обработано", 5, 100)
    assert config.smtp is not None
    assert (config.smtp.user, config.smtp.connections) == (None, 4)


def test_a_byte_order_mark_is_no_matter(file: Path) -> None:
    file.write_text(FUND, encoding="utf-8-sig")
    assert load(file, {}).fund.name == "ТФОМС"


def test_relative_paths_start_at_the_file(file: Path, tmp_path: Path) -> None:
    config = loaded(file)
    assert config.path("rules") == tmp_path / "rules"
    assert config.path("/etc/mailer/rules") == Path("/etc/mailer/rules")
    assert config.path("~/rules") == Path.home() / "rules"
    assert config.keys_directory == tmp_path / "keys"


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        pytest.param("sqlite:///mailer.db", "sqlite:///{base}/mailer.db", id="relative"),
        pytest.param("sqlite:///var/mailer.db", "sqlite:///{base}/var/mailer.db", id="in-a-folder"),
        pytest.param("sqlite:////var/lib/mailer.db", "sqlite:////var/lib/mailer.db", id="absolute"),
        pytest.param("postgresql+psycopg://m@db/mailer", "postgresql+psycopg://m@db/mailer", id="server"),
        pytest.param("postgresql+psycopg:///mailer", "postgresql+psycopg:///mailer", id="socket"),
    ],
)
def test_a_database_is_the_same_from_every_folder(file: Path, tmp_path: Path, url: str, absolute: str) -> None:
    config = loaded(file, FUND + f'[database]\nurl = "{url}"\n')
    assert config.database_url == config.owner_url == absolute.format(base=tmp_path)
    owned = loaded(file, FUND + f'[database]\nurl = "sqlite:///other.db"\nowner_url = "{url}"\n')
    assert owned.owner_url == absolute.format(base=tmp_path)


def test_public_mail_services_are_known_unless_others_are_named(file: Path) -> None:
    (mailbox,) = loaded(file, FUND + MAILBOX).mailbox
    assert {"mail.ru", "yandex.ru", "rambler.ru", "gmail.com"} <= set(mailbox.shared_domains)
    assert [domain for domain in mailbox.shared_domains if addresses.ascii_domain(domain) != domain] == []
    (mailbox,) = loaded(file, FUND + MAILBOX + "shared_domains = []\n").mailbox
    assert mailbox.shared_domains == ()


@pytest.mark.parametrize("written", ["Mail.RU", "почта.рф", "ПОЧТА.рф", "XN--80A1ACNY.xn--p1ai", "straße.example", "a.b-c.example"])
def test_shared_domains_are_compared_as_those_of_letters(file: Path, written: str) -> None:
    (mailbox,) = loaded(file, FUND + MAILBOX + f"shared_domains = ['{written}']\n").mailbox
    assert mailbox.shared_domains == (addresses.ascii_domain(written),)


def test_the_environment_overrides_the_file(file: Path) -> None:
    environ = {
        "MAILER_MODE": "observe",
        "MAILER_FUND__NAME": "ТФОМС АО",
        "MAILER_FUND__FROM": "ib@fond.example",
        "MAILER_FUND__MESSAGE_ID_DOMAIN": "2026-11-23",
        "MAILER_LIMITS__SENDER_DAILY": "7",
        "MAILER_SMTP__NETWORK_PROTECTED": "true",
        "MAILER_CONFIG": "elsewhere.toml",
        "HOME": "/root",
    }
    config = loaded(file, FUND + SMTP, environ)
    assert (config.mode, config.limits.sender_daily) == ("observe", 7)
    assert (config.fund.name, config.fund.sender, config.fund.id_domain) == ("ТФОМС АО", "ib@fond.example", "2026-11-23")
    assert config.smtp is not None
    assert config.smtp.network_protected is True


def test_variables_with_passwords_are_no_configuration(file: Path) -> None:
    text = FUND + MAILBOX.replace("password_file", "password_env") + SMTP + 'user = "uc"\npassword_env = "MAILER_SMTP_PASSWORD"\n'
    config = loaded(file, text.replace('"imap.password"', '"MAILER_IMAP"'), {"MAILER_IMAP": "x", "MAILER_SMTP_PASSWORD": "y"})
    assert config.mailbox[0].password_env == "MAILER_IMAP"
    assert problems(file, FUND, {"MAILER_IMAP": "x"})[0].startswith("environment: unknown key MAILER_IMAP;")


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        pytest.param({"MAILER_MODES": "answer"}, "environment: unknown key MAILER_MODES; did you mean MAILER_MODE?", id="key"),
        pytest.param({"MAILER_FUND__FORM": "x"}, "unknown key MAILER_FUND__FORM; did you mean MAILER_FUND__FROM?", id="in-section"),
        pytest.param({"MAILER_FUNDS__NAME": "x"}, "unknown key MAILER_FUNDS__NAME; did you mean MAILER_FUND", id="section"),
        pytest.param({"MAILER_ZZZ__X": "x"}, "environment: unknown key MAILER_ZZZ__X", id="section-like-none"),
        pytest.param({"MAILER_MAILBOX__HOST": "x"}, "environment: unknown key MAILER_MAILBOX__HOST", id="one-of-several"),
        pytest.param({"MAILER_BASE": "/"}, "environment: unknown key MAILER_BASE", id="our-own-field"),
        pytest.param({"MAILER_BASE__X": "/"}, "environment: unknown key MAILER_BASE__X", id="inside-our-own-field"),
        pytest.param({"MAILER_MODE": "false"}, "mailer.toml: top level mode: must be one of", id="value"),
        pytest.param({"MAILER_LIMITS__SENDER_DAILY": "ten"}, "[limits] sender_daily: must be a whole number", id="no-number"),
        pytest.param({"MAILER_LIMITS__SENDER_DAILY": "1.5"}, "[limits] sender_daily: must be a whole number", id="fraction"),
        pytest.param({"MAILER_LIMITS": "7"}, "top level limits: must be a section", id="value-for-a-section"),
    ],
)
def test_a_variable_that_is_wrong_is_named(file: Path, variables: dict[str, str], complaint: str) -> None:
    (problem,) = problems(file, FUND + MAILBOX, variables)
    assert complaint in problem


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "top level fund: is missing", id="no-fund"),
        pytest.param(FUND + "[fnud]\n", "top level: unknown key fnud; did you mean fund?", id="section"),
        pytest.param("base = '/'\n" + FUND, "top level: unknown key base", id="base"),
        pytest.param(FUND + "phone = '1'\n", "[fund]: unknown key phone; known are bounce_address,", id="key-like-none"),
        pytest.param(FUND + MAILBOX + "port2 = 1\n", "[[mailbox]] 1: unknown key port2; did you mean port?", id="mailbox-key"),
        pytest.param("fund = 3\n", "top level fund: must be a section", id="fund-no-section"),
        pytest.param(FUND + "[mailbox]\n", "top level mailbox: must be a list of sections ([[…]])", id="mailbox-one-bracket"),
        pytest.param("timezone = 'Moscow'\n" + FUND, "timezone: must be a time zone of the tz database", id="zone"),
        pytest.param("timezone = '../UTC'\n" + FUND, "timezone: must be a time zone of the tz database", id="zone-as-path"),
        pytest.param(
            FUND.replace("UC@fond.example", "Касса <uc@fond.example>"), "[fund] from: must be one bare mail address", id="from"
        ),
        pytest.param(FUND + "officer = 'ib'\n", "[fund] officer: must be one bare mail address", id="officer"),
        pytest.param(FUND.replace('"ТФОМС"', '""'), "[fund] name: must not be empty", id="empty"),
        pytest.param(FUND.replace('"ТФОМС"', "29"), "[fund] name: must be text in quotes", id="number-for-text"),
        pytest.param(FUND + "bounce_address = 'm@fond.example'\n", "bounce_address must be a bare", id="bounce"),
        pytest.param(FUND + "[limits]\nsender_daily = 0\n", "[limits] sender_daily: must be at least 1", id="zero"),
        pytest.param(
            FUND + "[limits]\nsender_daily = '30'\n", "[limits] sender_daily: must be a whole number", id="text-for-number"
        ),
        pytest.param(FUND + SMTP + "connections = 33\n", "[smtp] connections: must be at most 32", id="connections"),
        pytest.param(FUND + "[letters]\nmax_bytes = 100\n", "[letters] max_bytes: must be at least 1024", id="letter-size"),
        pytest.param(
            FUND + "[credentials]\nlogin_prefix = 'тмп-'\n", "[credentials] login_prefix: must fit the pattern", id="prefix"
        ),
        pytest.param(FUND + "[credentials]\nprofile = 'weak'\n", "[credentials] profile: must be one of", id="profile"),
        pytest.param(FUND + "[audit]\npath = 'x'\n", "[audit]: unknown key path", id="audit"),
        pytest.param(FUND + SMTP.replace("993", "0"), "[smtp] port: must be at least 1", id="port"),
        pytest.param(FUND + SMTP.replace("implicit", "ssl"), "[smtp] tls: must be one of", id="tls-word"),
        pytest.param(FUND + SMTP.replace("implicit", "none"), 'tls = "none" would send passwords readable', id="tls-none"),
        pytest.param(FUND + SMTP + "user = 'uc'\n", "user needs password_file or password_env", id="no-password"),
        pytest.param(FUND + MAILBOX + "password_env = 'P'\n", "password_file and password_env are both set", id="two-passwords"),
        pytest.param(FUND + MAILBOX.replace(USER, ""), "[[mailbox]] 1 user: is missing", id="mailbox-without-user"),
        pytest.param(FUND + MAILBOX.replace('trust = "network"\n', ""), "[[mailbox]] 1 trust: is missing", id="no-trust"),
        pytest.param(FUND + MAILBOX.replace("network", "authentication-results"), "needs authserv_id", id="no-authserv-id"),
        pytest.param(
            FUND + MAILBOX + "authserv_id = 'mx.fund.example;'\n", "[[mailbox]] 1 authserv_id: must be one word", id="authserv-id"
        ),
        pytest.param(FUND + MAILBOX + "authserv_id = ' mx'\n", "1 authserv_id: must be one word", id="authserv-id-blank"),
        pytest.param(
            FUND + MAILBOX + "shared_domains = 'mail.ru'\n", "1 shared_domains: must be a list of mail domains", id="shared-text"
        ),
        pytest.param(
            FUND + MAILBOX + "shared_domains = ['mail.ru', 7]\n", "shared_domains: must be a list of mail", id="shared-number"
        ),
        *(
            pytest.param(
                FUND + MAILBOX + f"shared_domains = ['mail.ru', '{domain}']\n",
                f"[[mailbox]] 1 shared_domains: {domain} is no mail domain",
                id=f"shared-{domain}",
            )
            for domain in (
                "@mail.ru",
                "ib@mail.ru",
                "*.mail.ru",
                "mail",
                "mail.ru.",
                ".ru",
                "mail ru.ru",
                "-mail.ru",
                "\uff4d.ru",
                "",
            )
        ),
        pytest.param(
            FUND + MAILBOX.replace('"uc"\ntrust', '"у ц"\ntrust'), "[[mailbox]] 1 name: must fit the pattern", id="mailbox-name"
        ),
        pytest.param(FUND + MAILBOX + MAILBOX, "two mailboxes are named uc", id="name-twice"),
        pytest.param(FUND + MAILBOX + "poll_seconds = 0\n", "[[mailbox]] 1 poll_seconds: must be more than 0", id="poll"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(file: Path, text: str, complaint: str) -> None:
    assert any(complaint in problem for problem in problems(file, text)), problems(file, text)


def test_all_that_is_wrong_is_told_at_once(file: Path) -> None:
    text = "mode = 'x'\n" + FUND + "phone = '1'\n" + MAILBOX.replace("993", "0")
    assert len(problems(file, text, {"MAILER_MODES": "x"})) == 4


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(SMTP.replace("mail.fond.example", "localhost"), id="this-machine"),
        pytest.param(SMTP.replace("mail.fond.example", "::1"), id="this-machine-v6"),
        pytest.param(SMTP + "network_protected = true\n", id="protected-network"),
    ],
)
def test_an_open_line_is_allowed_where_it_is_protected(file: Path, server: str) -> None:
    config = loaded(file, FUND + server.replace("implicit", "none"))
    assert config.smtp is not None
    assert config.smtp.tls == "none"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(None, "there is no configuration at", id="missing"),
        pytest.param(b"[fund", "is not valid TOML", id="not-toml"),
        pytest.param('name = "ТФОМС"'.encode("windows-1251"), "cannot be read", id="not-utf-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(file: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SetupError, match=complaint) as caught:
        load(file, {})
    assert str(file) in str(caught.value)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot be read"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("content", "password"),
    [
        pytest.param("тайна 7\n", "тайна 7", id="line"),
        pytest.param("secret", "secret", id="no-end-of-line"),
        pytest.param("secret\r\n", "secret", id="crlf"),
        pytest.param(" secret \n", " secret ", id="spaces-belong-to-it"),
        pytest.param("\ufeffsecret\r\n", "secret", id="byte-order-mark"),
    ],
)
def test_a_password_is_the_one_line_of_its_file(file: Path, content: str, password: str) -> None:
    config = loaded(file, FUND + MAILBOX)
    (file.parent / "imap.password").write_text(content, encoding="utf-8", newline="")
    assert read_password(config.mailbox[0], config, {}) == password


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(None, "imap.password cannot be read: No such file", id="missing"),
        pytest.param(b"\xff\n", "imap.password cannot be read", id="not-utf-8"),
        pytest.param(b"\n", "must hold the password alone, on one line", id="empty"),
        pytest.param(b"one\ntwo\n", "must hold the password alone, on one line", id="two-lines"),
    ],
)
def test_a_password_file_that_is_wrong_is_named(file: Path, content: bytes | None, complaint: str) -> None:
    config = loaded(file, FUND + MAILBOX)
    if content is not None:
        (file.parent / "imap.password").write_bytes(content)
    with pytest.raises(SetupError, match=complaint) as caught:
        read_password(config.mailbox[0], config, {})
    assert "two" not in str(caught.value)


def test_a_password_may_stand_in_a_variable(file: Path) -> None:
    config = loaded(file, FUND + SMTP + 'user = "uc"\npassword_env = "SMTP_PASSWORD"\n')
    assert config.smtp is not None
    assert read_password(config.smtp, config, {"SMTP_PASSWORD": "secret"}) == "secret"
    for environ in ({}, {"SMTP_PASSWORD": ""}):
        with pytest.raises(SetupError, match="SMTP_PASSWORD that should hold a password is not set"):
            read_password(config.smtp, config, environ)
