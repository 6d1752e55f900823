"""Does the postman say truly what became of a letter, however the mail server behaves?"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiosmtpd.smtp import SMTP as AiosmtpdServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailer.edge.smtp import Postman, SmtpAccount
from mailer.errors import EdgeError, EdgeSetupError
from mailer.model import Delivery, DeliveryOutcome, Envelope
from tests.servers import smtp_sink
from tests.servers.smtp_faults import DRIBBLE, DROP, HALF, STALL, FaultySmtp, Script
from tests.servers.smtp_sink import Sink, letters_in

ENVELOPE = Envelope(sender="mailer+7f3a@fond.example", recipient="gb1@mo.example")
LETTER = b"Subject: =?utf-8?b?0JvQvtCz0LjQvQ==?=\r\nMessage-ID: <1@fond.example>\r\n\r\n.dot first\r\n..two\r\nend\r\n.\r\n"
WHOLE_TALK = ["greeting", "EHLO", "MAIL", "RCPT gb1@mo.example", "DATA", "dot"]


class Certificate(NamedTuple):
    authority: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed certificate for 127.0.0.1, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail server of the tests")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    public, private = folder / "ca.pem", folder / "key.pem"
    public.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)
    return Certificate(public, context)


def account(port: int, **changes: Any) -> SmtpAccount:
    return SmtpAccount(
        **{"host": "127.0.0.1", "port": port, "tls": "none", "connect_seconds": 5.0, "send_seconds": 10.0, **changes}
    )


async def sent_to(port: int, letters: int = 1, **changes: Any) -> list[DeliveryOutcome]:
    """Send the same letter one after another by one postman."""
    postman = Postman(account(port, **changes))
    outcomes = [await postman.send(ENVELOPE, LETTER) for _ in range(letters)]
    await postman.close()
    return outcomes


def talk(script: Script, **changes: Any) -> tuple[DeliveryOutcome, FaultySmtp]:
    """One letter to a server that follows the script on every connection."""

    async def run() -> tuple[DeliveryOutcome, FaultySmtp]:
        async with FaultySmtp(script, script) as server:
            (outcome,) = await sent_to(server.port, **changes)
            return outcome, server

    return asyncio.run(run())


def test_the_server_gets_exactly_the_envelope_and_the_bytes() -> None:
    outcome, server = talk({})
    assert outcome == DeliveryOutcome(delivery=Delivery.SENT, detail="250 taken")
    assert [(letter.sender, letter.recipients, letter.content) for letter in server.letters] == [
        (ENVELOPE.sender, (ENVELOPE.recipient,), LETTER)
    ]
    assert server.steps == [[*WHOLE_TALK, "QUIT"]]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "dot"])
@pytest.mark.parametrize(
    ("answer", "delivery"),
    [
        pytest.param("421 4.3.2 shutting down", Delivery.LATER, id="421"),
        pytest.param("451 4.7.1 greylisted", Delivery.LATER, id="451"),
        pytest.param("530 5.7.0 authentication required", Delivery.LATER, id="530-is-not-about-the-letter"),
        pytest.param("550 5.1.1 no such mailbox", Delivery.NEVER, id="550"),
        pytest.param("554-5.7.1 refused\r\n554 5.7.1 for good", Delivery.NEVER, id="554-two-lines"),
    ],
)
def test_a_clear_no_is_judged_by_its_class(step: str, answer: str, delivery: Delivery) -> None:
    outcome, _ = talk({step: answer})
    assert outcome.delivery is delivery
    code, text = answer.splitlines()[0][:3], answer.splitlines()[0][4:]
    assert f"{code} {text}" in outcome.detail


@pytest.mark.parametrize("step", ["greeting", "EHLO", "AUTH"])
@pytest.mark.parametrize("answer", ["421 4.3.2 busy", "554 5.3.2 not you", "535 5.7.8 wrong password"])
def test_a_no_before_the_letter_is_never_its_fault(step: str, answer: str) -> None:
    outcome, server = talk({step: answer, "HELO": answer}, user="mailer", password="s3cret")
    assert outcome.delivery is Delivery.LATER
    assert answer in outcome.detail
    assert "s3cret" not in outcome.detail
    assert not server.letters


@pytest.mark.parametrize("fault", [DROP, STALL, HALF, DRIBBLE, "nonsense", "199 what"])
@pytest.mark.parametrize(
    ("step", "delivery"),
    [
        ("greeting", Delivery.LATER),
        ("EHLO", Delivery.LATER),
        ("MAIL", Delivery.LATER),
        ("RCPT", Delivery.LATER),
        ("DATA", Delivery.LATER),
        ("dot", Delivery.UNKNOWN),
    ],
)
def test_without_a_clear_answer_only_the_final_dot_decides(step: str, delivery: Delivery, fault: str) -> None:
    outcome, server = talk({step: fault}, send_seconds=1.0 if step == "dot" else 0.2)
    assert outcome.delivery is delivery
    assert outcome.detail
    assert len(server.letters) == (step == "dot")


@pytest.mark.parametrize("fault", [DROP, STALL])
def test_a_line_that_ends_inside_the_letter_leaves_it_unknown(fault: str) -> None:
    """The dot may have been on its way: nobody here can see how far the letter came. The server took none, and gets it again."""
    outcome, server = talk({"content": fault}, send_seconds=1.0)
    assert outcome.delivery is Delivery.UNKNOWN
    assert not server.letters


@pytest.mark.parametrize(
    ("script", "server_wide"),
    [
        pytest.param({"greeting": DROP}, True, id="no-greeting"),
        pytest.param({"greeting": "220"}, False, id="short-greeting-is-one"),
        pytest.param({"greeting": "HTTP/1.1 400 Bad Request"}, True, id="another-protocol"),
        pytest.param({"greeting": "554 5.3.2 not you"}, True, id="refused-at-the-door"),
        pytest.param({"EHLO": "421 4.3.2 closing", "HELO": "421 4.3.2 closing"}, True, id="closing-at-ehlo"),
        pytest.param({"AUTH": "535 5.7.8 wrong password"}, True, id="login"),
        pytest.param({"MAIL": "452 4.3.1 queue full"}, True, id="full"),
        pytest.param({"MAIL": "421 4.3.2 closing"}, True, id="closing-at-mail"),
        pytest.param({"MAIL": DROP}, True, id="dropped-at-mail"),
        pytest.param({"MAIL": "450 4.7.1 greylisted"}, False, id="greylisted-at-mail"),
        pytest.param({"MAIL": "550 5.7.1 no such sender"}, False, id="refused-at-mail"),
        pytest.param({"RCPT": "451 4.7.1 greylisted"}, False, id="greylisted"),
        pytest.param({"RCPT": DROP}, False, id="dropped-at-rcpt"),
        pytest.param({"dot": "452 4.3.1 queue full"}, False, id="full-at-the-dot"),
    ],
)
def test_what_is_said_of_the_server_and_what_of_the_letter(script: Script, server_wide: bool) -> None:
    """Said of the server it holds for every reply; said once a reader is named it may be about this letter alone."""
    outcome, _ = talk(script, user="mailer", password="s3cret")
    assert outcome.server_wide is server_wide


def test_a_server_that_is_not_there_is_not_there_for_anybody() -> None:
    outcome = asyncio.run(Postman(account(1)).send(ENVELOPE, LETTER))
    assert (outcome.delivery, outcome.server_wide) == (Delivery.LATER, True)


@pytest.mark.parametrize("answer", ["454 4.7.0 TLS not available", "502 5.5.1 not here", DROP, STALL, HALF])
def test_no_letter_and_no_password_without_the_tls_that_was_asked_for(answer: str, certificate: Certificate) -> None:
    async def run() -> tuple[DeliveryOutcome, FaultySmtp]:
        async with FaultySmtp({"STARTTLS": answer}, starttls=certificate.server) as server:
            changes: dict[str, Any] = {"tls": "starttls", "ca_file": certificate.authority, "connect_seconds": 1.0}
            (outcome,) = await sent_to(server.port, user="mailer", password="s3cret", **changes)
            return outcome, server

    outcome, server = asyncio.run(run())
    assert (outcome.delivery, outcome.server_wide) == (Delivery.LATER, True)
    assert server.steps[0][:3] == ["greeting", "EHLO", "STARTTLS"]
    assert not {"AUTH", "MAIL"}.intersection(*server.steps)


def test_words_slipped_in_before_the_tls_handshake_are_not_believed(certificate: Certificate) -> None:
    """Somebody on the way adds an answer to the server's 220, hoping that it is read as said under TLS (CVE-2021-33515's kind)."""

    async def run() -> FaultySmtp:
        script = {"STARTTLS": "220 go\r\n535 5.7.8 injected"}
        async with FaultySmtp(script, starttls=certificate.server) as server:
            (outcome,) = await sent_to(server.port, tls="starttls", ca_file=certificate.authority)
            assert outcome.delivery is Delivery.SENT
            return server

    assert len(asyncio.run(run()).letters) == 1


def test_a_dead_quit_after_a_taken_letter_changes_nothing() -> None:
    for fault in (DROP, "500 what"):
        outcome, server = talk({"QUIT": fault})
        assert outcome.delivery is Delivery.SENT
        assert len(server.letters) == 1


def test_closing_does_not_wait_for_a_server_that_stalls_at_quit() -> None:
    async def run() -> None:
        async with asyncio.timeout(5), FaultySmtp({"QUIT": STALL}) as server:
            assert [outcome.delivery for outcome in await sent_to(server.port)] == [Delivery.SENT]

    asyncio.run(run())


def test_no_server_at_all_is_later() -> None:
    async def run() -> DeliveryOutcome:
        async with FaultySmtp() as server:
            port = server.port
        return await Postman(account(port)).send(ENVELOPE, LETTER)

    outcome = asyncio.run(run())
    assert outcome.delivery is Delivery.LATER
    assert "cannot be reached" in outcome.detail


def test_letters_in_turn_share_a_connection() -> None:
    async def run() -> list[list[str]]:
        async with FaultySmtp() as server:
            outcomes = await sent_to(server.port, letters=3)
            assert {outcome.delivery for outcome in outcomes} == {Delivery.SENT}
            return server.steps

    assert asyncio.run(run()) == [[*WHOLE_TALK, *WHOLE_TALK[2:], *WHOLE_TALK[2:], "QUIT"]]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({"idle": DROP}, id="closed-while-idle"),
        pytest.param({"second MAIL": DROP}, id="closed-at-mail"),
        pytest.param({"second MAIL": STALL}, id="silently-dead"),
        pytest.param({"second MAIL": "421 4.4.2 idle for too long"}, id="421"),
        pytest.param({"second MAIL": "503 5.5.0 too many letters"}, id="503"),
    ],
)
def test_what_befell_a_kept_connection_costs_the_letter_nothing(script: Script) -> None:
    async def run() -> FaultySmtp:
        async with FaultySmtp(script) as server:
            postman = Postman(account(server.port, connect_seconds=1.0))
            assert (await postman.send(ENVELOPE, LETTER)).delivery is Delivery.SENT
            if "idle" in script:
                await server.all_left()
            assert (await postman.send(ENVELOPE, LETTER)).delivery is Delivery.SENT
            await postman.close()
            return server

    server = asyncio.run(run())
    assert len(server.letters) == 2
    assert len(server.steps) == 2


def test_a_fresh_connection_is_asked_only_once() -> None:
    async def run() -> FaultySmtp:
        async with FaultySmtp({"idle": DROP}, {"MAIL": DROP}) as server:
            outcomes = await sent_to(server.port, letters=2)
            assert [outcome.delivery for outcome in outcomes] == [Delivery.SENT, Delivery.LATER]
            return server

    assert len(asyncio.run(run()).steps) == 2


def test_after_an_error_the_connection_is_not_used_again() -> None:
    async def run() -> list[list[str]]:
        async with FaultySmtp({"RCPT": "550 5.1.1 nobody"}) as server:
            outcomes = await sent_to(server.port, letters=2)
            assert [outcome.delivery for outcome in outcomes] == [Delivery.NEVER, Delivery.SENT]
            return server.steps

    assert asyncio.run(run()) == [WHOLE_TALK[:4], [*WHOLE_TALK, "QUIT"]]


def test_no_more_connections_than_allowed_and_all_are_used() -> None:
    async def run() -> FaultySmtp:
        async with FaultySmtp() as server:
            postman = Postman(account(server.port, connections=3))
            outcomes = await asyncio.gather(*(postman.send(ENVELOPE, LETTER) for _ in range(30)))
            assert {outcome.delivery for outcome in outcomes} == {Delivery.SENT}
            await postman.close()
            return server

    server = asyncio.run(run())
    assert len(server.letters) == 30
    assert len(server.steps) == 3


def test_a_cancelled_send_leaves_no_connection_behind() -> None:
    async def run() -> None:
        async with FaultySmtp({"dot": STALL}) as server:
            postman = Postman(account(server.port))
            sending = asyncio.create_task(postman.send(ENVELOPE, LETTER))
            await server.stalled.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert (await postman.send(ENVELOPE, LETTER)).delivery is Delivery.SENT
            assert len(server.steps) == 2
            await postman.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "address",
    [
        '"gb1@mo.example" <thief@evil.example>',
        "gb1@mo.example>",
        "<gb1@mo.example>",
        "gb1@mo.example ORCPT=rfc822;x",
        "gb1@mo.example\r\nRCPT TO:<thief@evil.example>",
        "gb1(comment)@mo.example",
        "gb1@mo.example,thief@evil.example",
        "гб1@mo.example",
        "gb1",
        "",
    ],
)
@pytest.mark.parametrize("side", ["sender", "recipient"])
def test_only_bare_addresses_reach_the_wire(side: str, address: str) -> None:
    envelope = Envelope(**{"sender": "a@fond.example", "recipient": "b@mo.example", side: address})
    outcome = asyncio.run(Postman(account(1)).send(envelope, LETTER))  # port 1: nobody is asked
    assert outcome.delivery is Delivery.NEVER
    assert "bare address" in outcome.detail


@pytest.mark.parametrize(
    "content",
    [b"", b"no line end", b"bare\nfeed\r\n", b"bare\rreturn\r\n", "8 бит\r\n".encode(), b"cut\r"],
)
def test_bytes_that_would_have_to_be_changed_are_not_sent(content: bytes) -> None:
    outcome = asyncio.run(Postman(account(1)).send(ENVELOPE, content))
    assert outcome.delivery is Delivery.NEVER
    assert "CRLF" in outcome.detail


def test_a_strange_answer_becomes_one_storable_line() -> None:
    outcome, _ = talk({"RCPT": "550 \udcd0\0 " + "x" * 600})
    assert outcome.delivery is Delivery.NEVER
    assert len(outcome.detail) == 500
    assert outcome.detail.startswith("RCPT: 550 \ufffd\ufffd x")


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_letter_goes_over_tls(tls: str, certificate: Certificate) -> None:
    async def run() -> FaultySmtp:
        contexts = {"tls": certificate.server} if tls == "implicit" else {"starttls": certificate.server}
        async with FaultySmtp(**contexts) as server:
            outcomes = await sent_to(
                server.port, letters=2, tls=tls, ca_file=certificate.authority, user="mailer", password="s3cret"
            )
            assert {outcome.delivery for outcome in outcomes} == {Delivery.SENT}
            return server

    (steps,) = asyncio.run(run()).steps
    assert "AUTH" in steps
    assert ("STARTTLS" in steps) == (tls == "starttls")


def test_nothing_is_said_on_a_line_whose_starttls_was_stripped(certificate: Certificate) -> None:
    outcome, server = talk({}, tls="starttls", ca_file=certificate.authority, user="mailer", password="s3cret")
    assert outcome.delivery is Delivery.LATER
    assert "STARTTLS" in outcome.detail
    assert server.steps == [["greeting", "EHLO"]]


async def probe(account: SmtpAccount) -> None:
    await Postman(account).probe()


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        pytest.param({"greeting": "554 5.3.2 not you"}, EdgeSetupError, "refused the connection: 554 5.3.2 not you", id="greeting"),
        pytest.param({"greeting": "421 4.3.2 busy"}, EdgeError, "refused the connection: 421", id="busy"),
        pytest.param({"greeting": DROP}, EdgeError, "cannot be reached", id="dropped"),
        pytest.param({"EHLO": STALL}, EdgeError, "no answer in time", id="stalled"),
        pytest.param({"AUTH": "535 5.7.8 wrong"}, EdgeSetupError, "refused the login: 535 5.7.8 wrong", id="login"),
        pytest.param({"AUTH": "454 4.7.0 not now"}, EdgeError, "refused the login: 454", id="login-later"),
    ],
)
def test_a_probe_says_who_must_act(script: Script, error: type[EdgeError], words: str) -> None:
    async def run() -> None:
        async with FaultySmtp(script) as server:
            patience = 0.2 if STALL in script.values() else 5.0
            await probe(account(server.port, user="mailer", password="s3cret", connect_seconds=patience))

    with pytest.raises(EdgeError, match=words) as caught:
        asyncio.run(run())
    assert type(caught.value) is error
    assert "127.0.0.1" in str(caught.value)


def test_a_probe_of_a_good_server_logs_in_and_takes_leave() -> None:
    async def run() -> list[list[str]]:
        async with FaultySmtp({}, {"QUIT": DROP}) as server:
            await probe(account(server.port, user="mailer", password="s3cret"))
            await probe(account(server.port))
            return server.steps

    assert asyncio.run(run()) == [["greeting", "EHLO", "AUTH", "QUIT"], ["greeting", "EHLO", "QUIT"]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"ca_file": None}, "TLS handshake", id="unknown-authority"),
        pytest.param({"host": "localhost"}, "TLS handshake", id="another-name"),
        pytest.param({"ca_file": Path("missing.pem")}, "CA file missing.pem cannot be used", id="no-ca-file"),
        pytest.param({"host": "a..b"}, "cannot be used as configured", id="impossible-name"),
    ],
)
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_probe_names_wrong_tls_setup(tls: str, changes: dict[str, Any], words: str, certificate: Certificate) -> None:
    async def run() -> None:
        contexts = {"tls": certificate.server} if tls == "implicit" else {"starttls": certificate.server}
        async with FaultySmtp(**contexts) as server:
            await probe(account(server.port, **{"tls": tls, "ca_file": certificate.authority, **changes}))

    with pytest.raises(EdgeSetupError, match=words):
        asyncio.run(run())


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(account(25, user="mailer", password="s3cret"))


class TakesLetters:
    """A handler of aiosmtpd."""

    def __init__(self) -> None:
        self.letters: list[bytes] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:
        self.letters.append(envelope.original_content)
        return "250 taken"


def test_another_server_gets_the_same_bytes() -> None:
    async def run() -> list[bytes]:
        handler = TakesLetters()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: AiosmtpdServer(handler, loop=loop), "127.0.0.1", 0)
        async with server:
            postman = Postman(account(server.sockets[0].getsockname()[1]))
            outcomes = [await postman.send(ENVELOPE, LETTER) for _ in range(2)]
            await postman.close()
        assert {outcome.delivery for outcome in outcomes} == {Delivery.SENT}
        return handler.letters

    assert asyncio.run(run()) == [LETTER, LETTER]


def test_the_sink_keeps_what_came_in_order_and_refuses_whom_it_was_told() -> None:
    async def run(port: int) -> list[Delivery]:
        postman = Postman(account(port))
        recipients = ["a@mo.example", "nobody@mo.example", "b@mo.example"]
        envelopes = [Envelope(sender="f@fond.example", recipient=recipient) for recipient in recipients]
        outcomes = [await postman.send(envelope, LETTER) for envelope in envelopes]
        await postman.close()
        return [outcome.delivery for outcome in outcomes]

    with Sink(refuse=["nobody@mo.example"], delay_seconds=0.01) as sink:
        assert asyncio.run(run(sink.port)) == [Delivery.SENT, Delivery.NEVER, Delivery.SENT]
        assert sink.wait_for(2)
        assert [letter.recipients for letter in sink.letters] == [("a@mo.example",), ("b@mo.example",)]


def test_the_sink_as_a_process_writes_each_letter_before_it_answers(tmp_path: Path) -> None:
    command = [sys.executable, smtp_sink.__file__, "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        (outcome,) = asyncio.run(sent_to(port))
        process.kill()
    assert outcome.delivery is Delivery.SENT
    (letter,) = letters_in(tmp_path)
    assert (letter.sender, letter.recipients, letter.content) == (ENVELOPE.sender, (ENVELOPE.recipient,), LETTER)
