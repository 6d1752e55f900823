"""How does a client bear an SMTP server that misbehaves at one chosen step?

Each connection follows a script: a step's name ("greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "dot", "QUIT") and
what comes instead of the usual answer: a reply line, or DROP, STALL, HALF (of the answer, then DROP) or DRIBBLE (three bytes a
second). It is followed when the step is taken for the first time on that connection; "second MAIL" names the next time.
"content" is the moment after the first line of a letter, "idle" the one after the answer to a final dot.
Runs inside the test's own loop, so nothing is left to the clock.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType

from tests.servers.smtp_sink import Conversation, Received

DROP = "drop"
STALL = "stall"
HALF = "half"
DRIBBLE = "dribble"
DRIBBLE_SECONDS = 0.3
Script = Mapping[str, str]


class FaultySmtp:
    """The server, an async context manager. The first connection follows the first script, and so on; further ones behave.

    `letters` holds every letter whose final dot arrived, whatever was answered; `steps` what each connection was asked, in order.
    """

    def __init__(self, *scripts: Script, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None) -> None:
        self._scripts: Sequence[Script] = scripts
        self._starttls = starttls
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.letters: list[Received] = []
        self.steps: list[list[str]] = []
        self.stalled = asyncio.Event()

    async def __aenter__(self) -> FaultySmtp:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def all_left(self) -> None:
        """Wait until every connection has ended, from either side."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.steps)
        script = self._scripts[number] if number < len(self._scripts) else {}
        steps: list[str] = []
        self.steps.append(steps)
        conversation = _FaultyConversation(reader, writer, self.letters.append, self._starttls)
        conversation.follow(script, steps, self.stalled)
        self._tasks.add(asyncio.create_task(conversation.run()))


class _FaultyConversation(Conversation):
    def follow(self, script: Script, steps: list[str], stalled: asyncio.Event) -> None:
        self._script = script
        self._steps = steps
        self._stalled = stalled

    async def reply(self, step: str, usual: str) -> str:
        repeated = "second " if step in self._steps else ""
        self._steps.append(step)
        answer = await super().reply(step, await self._scripted(repeated + step.partition(" ")[0], usual))
        if step == "dot":
            await self._scripted("idle", "")
        return answer

    async def begin_letter(self) -> None:
        await self._scripted("content", "")

    async def _scripted(self, step: str, usual: str) -> str:
        answer = self._script.get(step, usual)
        if answer == STALL:
            self._stalled.set()
            await asyncio.Event().wait()
        if answer == DRIBBLE:
            for place in range(len(usual)):
                self._writer.write(usual[place : place + 1].encode())
                await self._writer.drain()
                await asyncio.sleep(DRIBBLE_SECONDS)
            return ""
        if answer == HALF:
            self._writer.write(usual[: len(usual) // 2].encode())
            await self._writer.drain()
        if answer in {DROP, HALF}:
            raise ConnectionAbortedError(f"dropped at {step}, as the script says")
        return answer
