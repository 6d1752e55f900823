"""What does a mail server do with another's address on its way into a mailbox? An SMTP server that puts letters into Dovecot.

Its temper decides:

    open       takes whatever comes, from anybody, and delivers it as it is
    binding    talks only to who is logged in; a foreign envelope sender is refused, a foreign From replaced by the login's address
    marking    as open, and says by Authentication-Results that the sender is not proven
    gullible   as open, and vouches by Authentication-Results for any From
    swallowing takes whatever comes, and delivers nothing

It must not be mistaken for a mail system: one recipient's mailbox, no queue, no bounces.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import Final, Literal

from tests.servers.dovecot import Dovecot
from tests.servers.smtp_sink import Conversation, Received, Sink

Temper = Literal["open", "binding", "marking", "gullible", "swallowing"]
HOST: Final = "mail.fond.example"
MARKS: Final = {"marking": "dmarc=fail header.from={domain}", "gullible": "dmarc=pass header.from={domain}"}


class DeliveringSmtp(Sink):
    """The server. `own` is the address of its one login; letters to anybody land in the inbox of Dovecot's user `desk`."""

    def __init__(self, dovecot: Dovecot, temper: Temper, *, own: str = "uc@fond.example") -> None:
        super().__init__()
        self.temper = temper
        self.own = own
        self._dovecot = dovecot

    def keep(self, letter: Received) -> None:
        super().keep(letter)
        if self.temper != "swallowing":
            self._dovecot.drop([self._as_delivered(letter.content)])

    def _as_delivered(self, content: bytes) -> bytes:
        head, _, body = content.partition(b"\r\n\r\n")
        found = re.search(rb"(?im)^From:[^\n]*(?:\n[ \t][^\n]*)*<[^@>]+@([^>]+)>", head)
        assert found is not None
        if self.temper == "binding":
            head = head.replace(found[0], b"From: <%s>" % self.own.encode())
        elif self.temper in MARKS:
            mark = MARKS[self.temper].format(domain=found[1].decode())
            head = f"Authentication-Results: {HOST};\r\n {mark}\r\n".encode() + head
        return head + b"\r\n\r\n" + body

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # the server stops while a client is still connected
            await _DeliveringConversation(reader, writer, self).run()


class _DeliveringConversation(Conversation):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: DeliveringSmtp) -> None:
        super().__init__(reader, writer, server.keep)
        self._server = server
        self._logged_in = False

    async def _address(self, verb: str, line: str) -> None:
        if verb == "MAIL" and self._server.temper == "binding":
            if not self._logged_in:
                await self.reply(verb, "530 5.7.0 Authentication required")
                return
            if f"<{self._server.own}>" not in line:
                await self.reply(verb, "553 5.7.1 \x1b[31mnot owned by uc")
                return
        await super()._address(verb, line)

    async def reply(self, step: str, usual: str) -> str:
        self._logged_in = self._logged_in or step == "AUTH"
        return await super().reply(step, usual)
