"""Is it told truly what a mail server said to a trial letter, and at which command?"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from mailer.core.spoof import Answer, Handing
from mailer.edge.smtp import SmtpAccount
from mailer.edge.smtp_trial import hand_in
from mailer.model import Envelope
from tests.servers.dovecot import free_port, write_certificate
from tests.servers.smtp_faults import DROP, STALL, FaultySmtp, Script

ENVELOPE = Envelope(sender="other@clinic.example", recipient="uc@fond.example")
LETTER = b"From: <other@clinic.example>\r\n\r\n.dot first\r\nend\r\n"


def account(port: int, **changes: Any) -> SmtpAccount:
    usual = {"host": "127.0.0.1", "port": port, "tls": "none", "connect_seconds": 5.0, "send_seconds": 10.0}
    return SmtpAccount(**{**usual, **changes})


def talk(
    script: Script, *, as_server: bool = False, starttls: ssl.SSLContext | None = None, **changes: Any
) -> tuple[Handing, FaultySmtp]:
    async def run() -> tuple[Handing, FaultySmtp]:
        async with FaultySmtp(script, starttls=starttls) as server:
            return await hand_in(account(server.port, **changes), ENVELOPE, LETTER, as_server=as_server), server

    return asyncio.run(run())


def test_the_server_gets_the_envelope_and_the_letter() -> None:
    handing, server = talk({}, user="uc", password="s3cret")
    assert handing == Handing(answer=Answer.TAKEN, command="DATA", detail="250 taken")
    (letter,) = server.letters
    assert (letter.sender, letter.recipients, letter.content) == (ENVELOPE.sender, (ENVELOPE.recipient,), LETTER)
    assert server.steps == [["greeting", "EHLO", "AUTH", "MAIL", "RCPT uc@fond.example", "DATA", "dot", "QUIT"]]


@pytest.mark.parametrize(
    ("step", "command"), [("greeting", "connect"), ("MAIL", "MAIL"), ("RCPT", "RCPT"), ("DATA", "DATA"), ("dot", "DATA")]
)
@pytest.mark.parametrize(
    ("said", "answer"),
    [
        pytest.param("553 5.7.1 not yours", Answer.REFUSED, id="553"),
        pytest.param("530 5.7.0 log in first", Answer.REFUSED, id="530"),
        pytest.param("451 4.7.1 later", Answer.PUT_OFF, id="451"),
    ],
)
def test_a_clear_no_names_its_command(step: str, command: str, said: str, answer: Answer) -> None:
    handing, _ = talk({step: said})
    assert handing == Handing(answer=answer, command=command, detail=said)


@pytest.mark.parametrize("fault", [DROP, STALL])
@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("greeting", Answer.NOBODY),
        ("MAIL", Answer.NOT_ASKED),
        ("RCPT", Answer.NOT_ASKED),
        ("dot", Answer.TAKEN),
    ],
)
def test_without_an_answer_only_the_letter_may_have_been_taken(step: str, answer: Answer, fault: str) -> None:
    handing, server = talk({step: fault}, send_seconds=1.0)
    assert handing.answer is answer
    assert handing.detail
    assert len(server.letters) == (step == "dot")


def test_a_refused_login_is_no_refusal_of_the_letter() -> None:
    handing, server = talk({"AUTH": "535 5.7.8 wrong"}, user="uc", password="s3cret")
    assert handing == Handing(answer=Answer.NOT_ASKED, command="connect", detail="535 5.7.8 wrong")
    assert "MAIL" not in server.steps[0]


def test_where_nobody_listens_nobody_is_met() -> None:
    handing = asyncio.run(hand_in(account(free_port()), ENVELOPE, LETTER, as_server=True))
    assert (handing.answer, handing.command) == (Answer.NOBODY, "connect")


@pytest.mark.parametrize("changes", [{"host": "a..b"}, {"tls": "starttls", "ca_file": Path("missing.pem")}], ids=["name", "ca"])
def test_a_wrong_setup_is_no_refusal(changes: dict[str, Any]) -> None:
    handing, server = talk({}, **changes)
    assert handing.answer is Answer.NOT_ASKED
    assert not server.letters


def test_no_login_is_shown_to_a_line_whose_starttls_was_stripped() -> None:
    handing, server = talk({}, tls="starttls", user="uc", password="s3cret")
    assert handing.answer is Answer.NOT_ASKED
    assert server.steps == [["greeting", "EHLO"]]


@pytest.mark.parametrize("offered", [True, False])
def test_among_servers_tls_is_taken_as_offered_and_unseen(offered: bool, tmp_path: Path) -> None:
    context = None
    if offered:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*write_certificate(tmp_path))
    handing, server = talk({}, as_server=True, starttls=context)
    assert handing.answer is Answer.TAKEN
    assert ("STARTTLS" in server.steps[0]) == offered
