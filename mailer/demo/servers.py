"""The trial office's mail servers: where do its letters go when there is no office?

pymap serves every mailbox by IMAP, aiosmtpd is the one MTA, both on free ports of 127.0.0.1 and in memory: what they hold is gone
when they stop. They stand outside of the program as any mail servers would; nothing here may know rules, requests or replies.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from argparse import Namespace
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session
from proxyprotocol.sock import SocketInfoLocal
from pymap.backend.dict import Config, Identity, Login
from pymap.concurrent import Subsystem
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.user import UserMetadata
from pysasl.creds.server import ServerCredentials
from pysasl.hashing import Cleartext

from mailer.demo.reader import HOST, letters_of

PASSWORD: Final = "trial-office"  # noqa: S105  of every mailbox: they live in memory, on loopback, and hold made-up letters
START_SECONDS: Final = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Where the two servers listen, on 127.0.0.1, without TLS."""

    imap: int
    smtp: int


class Office:
    """Both servers in one background thread with a loop of its own; started and stopped once.

    Every address has a mailbox, made when it is first written to or looked into: the user name is the address in lower case, the
    password is `PASSWORD`. Letters to tagged forms of the fund's address (`fund+tag@…`, its bounce addresses) go to its mailbox.
    """

    def __init__(self, fund_address: str) -> None:
        self._fund_address = fund_address.lower()
        self._started: Future[Ports] = Future()
        self._thread = threading.Thread(target=self._work, name="trial-office", daemon=True)

    def start(self) -> Ports:
        """Return once both servers listen."""
        self._thread.start()
        self.ports = self._started.result(START_SECONDS)
        return self.ports

    def inbox(self, address: str) -> list[bytes]:
        """What arrived for an address, oldest first."""
        return letters_of(self.ports.imap, address.lower(), PASSWORD)

    def stop(self) -> None:
        """Return once both servers, their connections and the thread have ended."""
        self._loop.call_soon_threadsafe(self._leaving.set)
        self._thread.join()

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())  # on its way out it cancels what serves connections still open
        except OSError as error:
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._leaving = asyncio.Event()
        config = _imap_config()
        mailboxes = _Mailboxes(config)
        imap_server = IMAPServer(mailboxes, config)

        async def meet(reader: StreamReader, writer: StreamWriter) -> None:
            await imap_server(reader, _WholeAnswers(reader, writer), SocketInfoLocal(writer))

        imap = await asyncio.start_server(meet, HOST, 0)
        mta = Mta(self._fund_address, mailboxes.put)
        smtp = await self._loop.create_server(lambda: SMTP(mta, hostname="localhost", loop=self._loop), HOST, 0)
        self._started.set_result(Ports(imap=imap.sockets[0].getsockname()[1], smtp=smtp.sockets[0].getsockname()[1]))
        await self._leaving.wait()
        imap.close()
        smtp.close()


class _WholeAnswers(StreamWriter):
    """Sends an answer at once: pymap writes it in pieces, and imapclient loses a session over a piece of a line inside IDLE."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        super().__init__(writer.transport, writer.transport.get_protocol(), reader, asyncio.get_running_loop())
        self._pieces = bytearray()

    def write(self, data: bytes | bytearray | memoryview[int]) -> None:
        self._pieces += data

    async def drain(self) -> None:
        whole = bytes(self._pieces)
        self._pieces.clear()
        super().write(whole)
        await super().drain()


class _Mailboxes(Login):
    """pymap's memory backend, with a mailbox for whoever asks."""

    async def authenticate(self, credentials: ServerCredentials) -> Identity:
        await self.open(credentials.authcid)
        return await super().authenticate(credentials)

    async def open(self, address: str) -> Identity:
        identity = Identity(address, self, None, frozenset())
        if address not in self.users_dict:
            await identity.set(UserMetadata(self.config, address, password=PASSWORD))
        return identity

    async def put(self, address: str, content: bytes) -> None:
        identity = await self.open(address)
        async with identity.new_session() as session:
            await session.append_messages("INBOX", [AppendMessage(content)])


class Mta:
    """What aiosmtpd calls: every recipient is local, and `put` places a letter into the mailbox of an address."""

    def __init__(self, fund_address: str, put: Callable[[str, bytes], Awaitable[None]]) -> None:
        self._fund_address = fund_address
        self._put = put

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        for recipient in envelope.rcpt_tos:
            await self._put(self._mailbox_of(recipient.lower()), envelope.original_content or b"")
        return "250 2.0.0 taken"

    async def handle_exception(self, error: Exception) -> str:
        """aiosmtpd would tell the client the error's own text."""
        log.error("the trial office could not take a letter", exc_info=error)
        return "451 4.3.0 try again later"

    def _mailbox_of(self, recipient: str) -> str:
        local, _, domain = recipient.rpartition("@")
        untagged = f"{local.partition('+')[0]}@{domain}"
        return untagged if untagged == self._fund_address else recipient


def _imap_config() -> Config:
    """Everything in the one loop: no pool of threads for passwords, which are no secret here."""
    return Config(
        Namespace(passlib_cfg=None, proxy_protocol=None),
        host=HOST,
        port=0,
        tls_enabled=False,
        demo_data=False,
        demo_user="",
        demo_password="",
        hash_context=Cleartext(),
        cpu_subsystem=Subsystem.for_asyncio(),
    )
