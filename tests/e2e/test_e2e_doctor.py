"""Does `mailer doctor` find out whether a real mailbox would believe a letter with another's address, and touch nothing else?"""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailer.cli.app import run
from mailer.config.load import load
from mailer.core import kinds, mime
from mailer.core.spoof import Fate, Outcome, Verdict, Way, verdict
from mailer.errors import EdgeError
from mailer.model import Form, Kind, Own
from mailer.service import doctor
from mailer.service.office import open_office
from tests.cli.offices import Shell
from tests.e2e.bureau import CONFIG, ROOT, header, request
from tests.servers.dovecot import Dovecot, free_port
from tests.servers.services import needed
from tests.servers.smtp_delivering import HOST, DeliveringSmtp, Temper

pytestmark = pytest.mark.slow

NETWORK = 'trust = "network"'
RESULTS = f'trust = "authentication-results"\nauthserv_id = "{HOST}"'
PASSWORDS = {"imap.password": "desk-password", "smtp.password": "s3cret-of-smtp"}
REGISTER = "code,organisation,subscriber,address,answer_to\n290001,МО 1,,gb1@clinic.example,\n"


@pytest.fixture(scope="module", autouse=True)
def _english() -> Iterator[None]:
    before = dict(os.environ)
    os.environ["LANGUAGE"] = "en"
    yield
    os.environ.clear()
    os.environ.update(before)


@dataclass(frozen=True, kw_only=True)
class Fund:
    """An office whose answers go to an SMTP server that puts letters into the office's own mailbox."""

    home: Path
    dovecot: Dovecot
    smtp: DeliveringSmtp

    @property
    def config(self) -> Path:
        return self.home / "mailer.toml"

    def examine(self, *, smtp_port: int, seconds: float = 20.0) -> dict[Way, Outcome]:
        """As the command does, but for the port that stands for 25: what listens there on this machine is none of a test's."""
        config = load(self.config, {})
        office = open_office(config, {})
        try:
            plan = doctor.plan(
                office,
                config.mailbox[0],
                recipient="uc@fond.example",
                spoofed="Other@clinic.example",
                seconds=seconds,
                smtp_port=smtp_port,
            )
            return {outcome.way: outcome for outcome in doctor.examine(office, plan)}
        finally:
            office.close()


@contextmanager
def fund(home: Path, dovecot: Dovecot, temper: Temper, *, trust: str = NETWORK) -> Iterator[Fund]:
    with DeliveringSmtp(dovecot, temper) as smtp:
        text = CONFIG.format(mode="answer", url="sqlite:///mailer.db", imap=dovecot.port, smtp=smtp.port, more="")
        login = 'user = "uc"\npassword_file = "smtp.password"\n'
        office = Fund(home=home, dovecot=dovecot, smtp=smtp)
        office.config.write_text(text.replace(NETWORK, trust).replace("[limits]", f"{login}\n[limits]"), encoding="utf-8")
        for name, password in PASSWORDS.items():
            (home / name).write_text(password)
        (home / "senders.csv").write_text(REGISTER, encoding="utf-8")
        assert run(["init", "--config", str(office.config)]) == 0
        assert run(["senders", "import", str(home / "senders.csv"), "--config", str(office.config)]) == 0
        yield office


@pytest.mark.parametrize(
    ("temper", "trust", "fates", "expected"),
    [
        pytest.param("open", NETWORK, [Fate.BELIEVED] * 4, Verdict.BELIEVED, id="open-network"),
        pytest.param("open", RESULTS, [Fate.UNPROVEN] * 4, Verdict.STOOD, id="open-results"),
        pytest.param("binding", NETWORK, [Fate.REWRITTEN, *[Fate.REFUSED] * 3], Verdict.STOOD, id="binding-network"),
        pytest.param("marking", NETWORK, [Fate.BELIEVED] * 4, Verdict.BELIEVED, id="marking-network"),
        pytest.param("marking", RESULTS, [Fate.UNPROVEN] * 4, Verdict.STOOD, id="marking-results"),
        pytest.param("gullible", RESULTS, [Fate.BELIEVED] * 4, Verdict.BELIEVED, id="gullible-results"),
    ],
)
def test_what_each_server_lets_in(
    *, dovecot: Dovecot, tmp_path: Path, temper: Temper, trust: str, fates: list[Fate], expected: Verdict
) -> None:
    with fund(tmp_path, dovecot, temper, trust=trust) as office, DeliveringSmtp(dovecot, temper) as by_port:
        outcomes = office.examine(smtp_port=by_port.port)
        assert [outcomes[way].fate for way in Way] == fates
        assert verdict(list(outcomes.values())) is expected
        came = [*office.smtp.letters, *by_port.letters]
        assert {letter.recipients for letter in came} == {("uc@fond.example",)}
        assert {letter.sender for letter in came} <= {"uc@fond.example", "other@clinic.example"}


def test_a_letter_that_never_comes_proves_nothing(dovecot: Dovecot, tmp_path: Path) -> None:
    with fund(tmp_path, dovecot, "swallowing") as office:
        outcomes = office.examine(smtp_port=free_port(), seconds=0.1)
    assert [outcomes[way].fate for way in Way] == [Fate.UNSEEN, Fate.UNSEEN, Fate.UNSEEN, Fate.CLOSED]
    assert verdict(list(outcomes.values())) is Verdict.UNSURE


def test_the_same_server_is_not_asked_twice(dovecot: Dovecot, tmp_path: Path) -> None:
    with fund(tmp_path, dovecot, "open") as office:
        assert set(office.examine(smtp_port=office.smtp.port)) == set(Way) - {Way.PORT_25}


def test_intake_leaves_its_letters_and_no_other_is_touched(dovecot: Dovecot, tmp_path: Path) -> None:
    others = [request("Пришва А.А.", "stranger@elsewhere.example"), "Subject: Отпуск\r\n\r\nhello\r\n".encode(), b"no header"]
    dovecot.drop(others)
    with fund(tmp_path, dovecot, "open") as office:
        outcomes = office.examine(smtp_port=free_port())
        assert sum(outcome.arrived for outcome in outcomes.values()) == 3
        sent = [letter.content for letter in office.smtp.letters]
        assert sorted(dovecot.letters()) == sorted([*others, *sent])
        assert set(dovecot.flags()) == {""}
        assert {kinds.judge(mime.read(content), Form(), Own(message_id_domain="fond.example")).kind for content in sent} == {
            Kind.OWN_LETTER
        }
        assert {"удалить" in header(content, "Subject") for content in sent} == {True}
        assert run(["run", "--until-idle", "--config", str(office.config)]) == 0
        assert sorted(dovecot.letters()) == sorted([*others, *sent])
        assert len(office.smtp.letters) == len(sent), "nobody is answered"


def test_nothing_is_sent_unless_the_mailbox_can_be_read(dovecot: Dovecot, tmp_path: Path) -> None:
    with fund(tmp_path, dovecot, "open") as office:
        (tmp_path / "imap.password").write_text("wrong")
        with pytest.raises(EdgeError, match="refuses the login"):
            office.examine(smtp_port=free_port())
        assert office.smtp.letters == []


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fund]:
    """An open mail server, for tests in which nothing is sent."""
    with needed(), Dovecot() as dovecot, fund(tmp_path_factory.mktemp("fund"), dovecot, "open") as office:
        yield office


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param([], "nothing was sent: say --yes", id="nobody-agreed"),
        pytest.param(["--yes", "--mailbox", "xx"], "there is no mailbox xx; known: uc", id="mailbox"),
        pytest.param(["--yes", "--to", "a@b, c@d"], "--to: a@b, c@d is not one bare mail address", id="to"),
        pytest.param(["--yes", "--as", "\x1bx"], "--as: \\x1bx is not one bare mail address", id="as-hostile"),
        pytest.param(["--yes", "--as", "UC@fond.example"], "is our own address", id="as-ours"),
        pytest.param(["--yes", "--seconds", "0"], "--seconds", id="seconds"),
    ],
)
def test_without_a_good_word_nothing_is_sent(
    asked: Fund, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    said = Shell(home=asked.home, capsys=capsys)("doctor", *arguments)
    assert (said.code, said.out) == (2, "")
    assert complaint in said.err
    assert asked.smtp.letters == []


def test_a_no_at_the_terminal_sends_nothing(asked: Fund) -> None:
    terminal, inside = pty.openpty()
    os.write(terminal, b"no\n")
    command = [sys.executable, "-m", "mailer", "--config", str(asked.config), "doctor"]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, stdin=inside, capture_output=True, text=True, env=environ, check=False)
    for end in (terminal, inside):
        os.close(end)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(r"Up to 4 trial letters will be sent to uc@fond\.example", done.stderr)
    assert done.stderr.endswith("Send them? (yes/no) nothing was sent\n")
    assert asked.smtp.letters == []


@pytest.fixture
def _nobody_at_25() -> None:
    """The command itself asks port 25 of the mailbox's host, which here is this machine: a mail server of its own is left alone."""
    with socket.socket() as line:
        if line.connect_ex(("127.0.0.1", 25)) == 0:
            pytest.skip("a mail server listens on port 25 of this machine")


@pytest.mark.usefixtures("_nobody_at_25")
@pytest.mark.parametrize(
    ("temper", "code", "lines"),
    [
        pytest.param(
            "open",
            1,
            [
                "  ✗ {smtp} with our login, another's From, our envelope sender: arrived as written and would be believed "
                "(no Authentication-Results)",
                "  ✓ 127.0.0.1:25 without a login, another's From and envelope sender: nobody takes letters there",
                "let the mail server bind the From address to the login",
                "3 trial letters are left in the folder INBOX",
                "--as ADDRESS tries that",
            ],
            id="open",
        ),
        pytest.param(
            "binding",
            0,
            [
                "  ✓ {smtp} with our login, another's From, our envelope sender: arrived with another From: uc@fond.example\n",
                "  ✓ {smtp} with our login, another's From and envelope sender: refused at MAIL: 553 5.7.1 \\x1b[31mnot owned",
                "  ✓ {smtp} without a login, another's From and envelope sender: refused at MAIL: 530 5.7.0 ",
                'Mailbox uc believed no trial letter: trust = "network" has stood this trial.',
                "1 trial letter is left in the folder INBOX",
            ],
            id="binding",
        ),
        pytest.param(
            "swallowing",
            1,
            ["  ? {smtp} without a login, another's From and envelope sender: taken, and not found", "--to names another address"],
            id="swallowing",
        ),
    ],
)
def test_the_command_says_it_in_words_and_by_its_exit_code(
    *, dovecot: Dovecot, tmp_path: Path, capsys: pytest.CaptureFixture[str], temper: Temper, code: int, lines: list[str]
) -> None:
    with fund(tmp_path, dovecot, temper) as office:
        capsys.readouterr()
        said = Shell(home=tmp_path, capsys=capsys)("doctor", "--yes", "--seconds", "1" if temper == "swallowing" else "20")
    assert said.code == code
    for line in lines:
        assert line.format(smtp=f"127.0.0.1:{office.smtp.port}") in said.out
    assert not any(password in said.out + said.err for password in PASSWORDS.values())


@pytest.mark.usefixtures("_nobody_at_25")
def test_the_command_says_it_to_machines(dovecot: Dovecot, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fund(tmp_path, dovecot, "gullible", trust=RESULTS):
        capsys.readouterr()
        shell = Shell(home=tmp_path, capsys=capsys)
        (told,) = shell("doctor", "--yes", "--json", "--to", "desk@fond.example", "--as", "gb1@clinic.example").objects
        (tmp_path / "imap.password").write_text("wrong")
        refused = shell("doctor", "--yes", "--json")
    head = {key: told[key] for key in ("mailbox", "trust", "to_address", "from_address", "verdict", "left")}
    assert head == {
        "mailbox": "uc",
        "trust": "authentication-results",
        "to_address": "desk@fond.example",
        "from_address": "gb1@clinic.example",
        "verdict": "believed",
        "left": 3,
    }
    assert [(way["way"], way["fate"]) for way in told["ways"]] == [
        ("header", "believed"),
        ("envelope", "believed"),
        ("without-login", "believed"),
        ("port-25", "closed"),
    ]
    assert told["ways"][0]["results"] == f"{HOST}; dmarc=pass header.from=clinic.example"
    assert (refused.code, refused.objects[0]["verdict"]) == (1, None)
    assert "refuses the login" in refused.objects[0]["error"]
