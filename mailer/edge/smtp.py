"""What became of one attempt to hand a reply to the mail server?

Kept connections, an explicit envelope, and a note of the last step begun: aiosmtplib raises the same error before and after the
final dot, and only that step tells "send it later" from "the server may have it". Nothing here renders, parses or stores a letter,
decides when to try again, or lets an SMTP code out (reliability.md, "SMTP"; RFC 5321).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException, SMTPServerDisconnected

from mailer.errors import N_, EdgeError, EdgeSetupError
from mailer.model import Delivery, DeliveryOutcome, Envelope

DETAIL_CHARACTERS: Final = 500
QUIT_SECONDS: Final = 2.0
OWN_NAME_SECONDS: Final = 2.0
AUTHENTICATION_REQUIRED: Final = 530  # RFC 4954, 6; RFC 3207, 4: said of the connection, to whatever letter is on it
OF_NO_LETTER: Final = frozenset(
    {0, 421, 452}
)  # to MAIL: no answer, closing, full (RFC 5321, 4.2.3); 450 and 451 may mean the sender

# RFC 5321, 4.1.2: Mailbox with a Dot-string, the only form this program ever validates and therefore ever sends to
_ADDR_SPEC: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_BARE_LINE_END: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)")


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpAccount:
    """The mail server that takes our replies, and how long we wait for it.

    `ca_file`, when given, is the only authority trusted. `connect_seconds` bounds one opening (TLS and login included),
    `send_seconds` one whole `send`, waiting for a free connection included.
    """

    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    ca_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    connections: int = 4
    connect_seconds: float = 15.0
    send_seconds: float = 60.0


class _Step(StrEnum):
    """How far a letter came; the value is the word of the protocol that people know it by."""

    CONNECT = "connect"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "final dot"  # the server may have the letter from here on


@dataclass(kw_only=True, slots=True)
class _Attempt:
    """One letter on its way, with the last step begun."""

    envelope: Envelope
    content: bytes
    step: _Step = _Step.CONNECT

    async def mail(self, client: SMTP) -> None:
        await self._ask(client, _Step.MAIL, b"MAIL", b"FROM:<%s>" % self.envelope.sender.encode("ascii"))

    async def rest(self, client: SMTP) -> str:
        """Everything after an accepted MAIL; return the server's last answer."""
        await self._ask(client, _Step.RCPT, b"RCPT", b"TO:<%s>" % self.envelope.recipient.encode("ascii"))
        await self._ask(client, _Step.DATA, b"DATA", expected=3)
        return await self._give_content(client)

    async def _ask(self, client: SMTP, step: _Step, *command: bytes, expected: int = 2) -> None:
        # the library's own mail() and rcpt() parse the address once more; what was validated must be what is sent
        self.step = step
        response = await client.execute_command(*command)
        if response.code // 100 != expected:
            raise SMTPResponseException(response.code, response.message)

    async def _give_content(self, client: SMTP) -> str:
        """The content and the dot in one write: the library's data() cannot tell a line lost before it from one lost after."""
        protocol = client.protocol
        if protocol is None or not protocol.is_connected:
            raise SMTPServerDisconnected("the line broke before the letter left us")
        self.step = _Step.DOT
        protocol.write(_dot_stuffed(self.content) + b".\r\n")
        response = await protocol.read_response()
        if response.code // 100 != 2:
            raise SMTPResponseException(response.code, response.message)
        return f"{response.code} {response.message}"


class Postman:
    """Hands replies to one mail server over at most `connections` kept connections; belongs to one event loop."""

    def __init__(self, account: SmtpAccount) -> None:
        self._account = account
        self._places = asyncio.Semaphore(account.connections)
        self._kept: list[SMTP] = []
        self._own_name: str | None = None

    async def send(self, envelope: Envelope, content: bytes) -> DeliveryOutcome:
        """Hand over exactly these bytes (7-bit, CRLF line ends, as rendered once and stored) and say what became of it.

        Raises nothing but cancellation, after which the letter's fate is as unknown as after a crash.
        """
        fault = _unsendable(envelope, content)
        if fault is not None:
            return DeliveryOutcome(delivery=Delivery.NEVER, detail=fault)
        attempt = _Attempt(envelope=envelope, content=content)
        try:
            async with asyncio.timeout(self._account.send_seconds), self._places:
                answer = await self._deliver(attempt)
        except (EdgeError, SMTPException, OSError) as error:
            return _judge(attempt.step, error)
        return DeliveryOutcome(delivery=Delivery.SENT, detail=_tidy(answer))

    async def probe(self) -> None:
        """Open a connection as for a letter (TLS and login included) and take leave.

        Raises EdgeSetupError when the administrator must act (login, certificate, no STARTTLS), else EdgeError.
        """
        await take_leave(await self._open())

    async def close(self) -> None:
        """Take leave of the kept connections, within `QUIT_SECONDS`; no `send` may be under way."""
        kept, self._kept = self._kept, []
        await asyncio.gather(*(take_leave(client) for client in kept))

    async def _deliver(self, attempt: _Attempt) -> str:
        client = await self._kept_after_mail(attempt) or await self._fresh_after_mail(attempt)
        with thrown_away_on_error(client):
            answer = await attempt.rest(client)
        self._kept.append(client)
        return answer

    async def _kept_after_mail(self, attempt: _Attempt) -> SMTP | None:
        """A kept connection on which MAIL went well, if there is one.

        Whatever else comes back may be said of the connection's age and not of the letter: a fresh connection is asked then.
        """
        self._kept = [client for client in self._kept if client.is_connected]
        if not self._kept:
            return None
        client = self._kept.pop()
        try:
            with thrown_away_on_error(client):
                async with asyncio.timeout(self._account.connect_seconds):
                    await attempt.mail(client)
        except (SMTPException, OSError):
            return None
        return client

    async def _fresh_after_mail(self, attempt: _Attempt) -> SMTP:
        attempt.step = _Step.CONNECT
        client = await self._open()
        with thrown_away_on_error(client):
            await attempt.mail(client)
        return client

    async def _open(self) -> SMTP:
        try:
            async with asyncio.timeout(self._account.connect_seconds):
                client = await self._client()
                with thrown_away_on_error(client):
                    await client.connect()
                    if client.is_ehlo_or_helo_needed:
                        await client.ehlo()
                return client
        except (SMTPException, OSError, ValueError) as error:
            raise _trouble(self._account, error) from error

    async def _client(self) -> SMTP:
        account = self._account
        if self._own_name is None:
            self._own_name = await find_own_name()
        return SMTP(
            hostname=account.host,
            port=account.port,
            username=account.user,
            password=account.password,
            local_hostname=self._own_name,
            timeout=None,  # the library counts idle time per answer; the bounds here are on the whole
            use_tls=account.tls == "implicit",
            start_tls=account.tls == "starttls",  # never None: that would try STARTTLS and fall back
            tls_context=None if account.tls == "none" else await asyncio.to_thread(trust_store, account),
        )


def _unsendable(envelope: Envelope, content: bytes) -> str | None:
    """Why these bytes or this envelope cannot go out unchanged, if so."""
    for address in (envelope.sender, envelope.recipient):
        if _ADDR_SPEC.fullmatch(address) is None:
            return "the envelope holds something other than a bare address"
    if not content.isascii() or not content.endswith(b"\r\n") or _BARE_LINE_END.search(content):
        return "the letter is not 7-bit text with CRLF line ends"
    return None


def _dot_stuffed(content: bytes) -> bytes:
    """RFC 5321, 4.5.2."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def _judge(step: _Step, error: Exception) -> DeliveryOutcome:
    """The outcome of a letter that the server did not take with a clear yes."""
    code = error.code if isinstance(error, SMTPResponseException) else 0
    if 400 <= code < 500 or code == AUTHENTICATION_REQUIRED:
        delivery = Delivery.LATER
    elif 500 <= code < 600:
        delivery = Delivery.NEVER
    else:
        delivery = Delivery.UNKNOWN if step is _Step.DOT else Delivery.LATER
    detail = str(error) if isinstance(error, EdgeError) else f"{step}: {words(error)}"
    server_wide = step is _Step.CONNECT or (step is _Step.MAIL and code in OF_NO_LETTER)
    return DeliveryOutcome(delivery=delivery, detail=_tidy(detail), server_wide=server_wide)


def _trouble(account: SmtpAccount, error: Exception) -> EdgeError:
    """Who must act on a connection that could not be opened; no letter is at fault, whatever the code."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error  # the library wraps what TCP and TLS said
    setup = True
    if isinstance(error, SMTPResponseException):
        setup = 500 <= error.code < 600
        message = N_("mail server {host}:{port} refused the connection: {detail}")
        if isinstance(error, SMTPAuthenticationError):
            message = N_("mail server {host}:{port} refused the login: {detail}")
    elif isinstance(cause, ssl.SSLError):
        message = N_("mail server {host}:{port} failed the TLS handshake: {detail}")
    elif isinstance(error, OSError):
        setup = False
        message = N_("mail server {host}:{port} cannot be reached: {detail}")
    else:
        message = N_("mail server {host}:{port} cannot be used as configured: {detail}")
    kind = EdgeSetupError if setup else EdgeError
    return kind(message, host=account.host, port=account.port, detail=words(cause))


def words(error: BaseException) -> str:
    """What an error says, never empty."""
    if isinstance(error, SMTPResponseException):
        return _tidy(f"{error.code} {error.message}")
    return _tidy(str(error)) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)


def _tidy(text: str) -> str:
    """One line that every database takes, cut: aiosmtplib decodes foreign bytes into lone surrogates."""
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")
    return " ".join(readable.split())[:DETAIL_CHARACTERS]


def trust_store(account: SmtpAccount) -> ssl.SSLContext:
    """Read anew for each connection, so a renewed CA file needs no restart."""
    try:
        return ssl.create_default_context(cafile=account.ca_file)
    except OSError as error:
        raise EdgeSetupError("the CA file {file} cannot be used: {detail}", file=account.ca_file, detail=words(error)) from error


async def find_own_name() -> str:
    """The name for EHLO; an address literal (RFC 5321, 4.1.4) where a network without DNS cannot tell it in time."""
    name = ""
    with suppress(TimeoutError):
        async with asyncio.timeout(OWN_NAME_SECONDS):
            name = await asyncio.to_thread(socket.getfqdn)
    return name if _DOMAIN.fullmatch(name) else "[127.0.0.1]"


@contextmanager
def thrown_away_on_error(client: SMTP) -> Iterator[None]:
    """After any error the two sides may disagree about where they are: such a connection is never used again."""
    try:
        yield
    except BaseException:
        transport = client.transport
        client.close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()  # close() alone would wait for a stalled peer to read what is buffered
        raise


async def take_leave(client: SMTP) -> None:
    """QUIT is politeness: whatever comes of it, every letter's fate was settled before."""
    with suppress(SMTPException, OSError):
        async with asyncio.timeout(QUIT_SECONDS):
            await client.quit()
    client.close()
