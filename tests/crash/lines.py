"""What stands between the service and its mail servers, so that a process can be killed on an exact line of the protocol?

From outside, nothing in the process knows of it: a TCP relay that reads the IMAP commands passing through it, and an SMTP server
that is the tests' sink with a memory for times. A `Trap` is set for one command; when it passes, the process is killed either
before the command reaches the server (failed), or when the server has done it and before its answer reaches the process (done).
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from time import monotonic
from types import TracebackType

from tests.crash.moments import Place, Way
from tests.servers.smtp_sink import Conversation, Received, Sink

LINE_BYTES = 1 << 24
COMMANDS = (
    ("login", re.compile(rb"\S+ (AUTHENTICATE|LOGIN) ", re.I)),
    ("select", re.compile(rb"\S+ SELECT ", re.I)),
    ("search", re.compile(rb"\S+ UID SEARCH ", re.I)),
    ("headers", re.compile(rb"\S+ UID FETCH .*BODY\.PEEK\[HEADER\]", re.I)),
    ("whole", re.compile(rb"\S+ UID FETCH .*BODY\.PEEK\[\]", re.I)),
    ("move", re.compile(rb"\S+ UID MOVE ", re.I)),
    ("idle", re.compile(rb"\S+ IDLE\r?\n", re.I)),
)


class Trap:
    """Set for one command of one protocol at a time; `passes` says whether it has just struck."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: tuple[Place, str, Way] | None = None
        self._left = 0
        self._strike: Callable[[], None] = lambda: None

    def set(self, place: Place, name: str, way: Way, nth: int, strike: Callable[[], None]) -> None:
        with self._lock:
            self._set, self._left, self._strike = (place, name, way), nth, strike

    def clear(self) -> None:
        with self._lock:
            self._set = None

    def passes(self, place: Place, name: str, way: Way) -> bool:
        with self._lock:
            if self._set != (place, name, way):
                return False
            self._left -= 1
            if self._left:
                return False
            self._set = None
            self._strike()
            return True


class ImapRelay:
    """A TCP relay to an IMAP server on loopback, a context manager; clients connect to `port`."""

    def __init__(self, server_port: int, trap: Trap) -> None:
        self._server_port = server_port
        self._trap = trap
        self.refuses_moves = False
        self.drops_headers = False  # who asks for headers loses the line
        self._started: Future[int] = Future()
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> ImapRelay:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="imap-relay", daemon=True)
        self._thread.start()
        self.port = self._started.result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0, limit=LINE_BYTES)
        self._started.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port, limit=LINE_BYTES)
        except OSError:
            writer.close()
            return
        done: dict[bytes, str] = {}  # how the server's answer to a command begins -> the command
        pumps = [
            asyncio.ensure_future(self._ask(reader, writer, to_server, done)),
            asyncio.ensure_future(self._answer(from_server, writer, done)),
        ]
        with suppress(asyncio.CancelledError):  # the relay stops while a client is still connected
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for side in (writer, to_server):
            side.close()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_server: asyncio.StreamWriter, done: dict[bytes, str]
    ) -> None:
        while line := await reader.readline():
            name = next((name for name, form in COMMANDS if form.match(line)), None)
            if name is not None:
                if self._trap.passes(Place.IMAP, name, Way.FAILED):
                    return
                if name == "headers" and self.drops_headers:
                    return
                if name == "move" and self.refuses_moves:
                    writer.write(line.split(b" ", 1)[0] + b" NO [NOPERM] not allowed\r\n")
                    await writer.drain()
                    continue
                done[b"+ " if name == "idle" else line.split(b" ", 1)[0] + b" "] = name
            to_server.write(line)
            await to_server.drain()

    async def _answer(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter, done: dict[bytes, str]) -> None:
        while line := await from_server.readline():
            beginning = line.split(b" ", 1)[0] + b" "
            name = done.pop(beginning, None)
            if name is not None and self._trap.passes(Place.IMAP, name, Way.DONE):
                return
            writer.write(line)
            await writer.drain()


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A letter that the sink took. `line_broke`: it never said so, because it dropped the line by itself."""

    at: float  # monotonic
    wall: datetime
    recipients: tuple[str, ...]
    content: bytes
    line_broke: bool


class CrashSink(Sink):
    """The tests' sink; it notes times, is sometimes slow to say "taken", and treats three addresses its own way."""

    def __init__(self, trap: Trap, chance: Random, *, later: str, never: str, mute: str) -> None:
        super().__init__()
        self.trap = trap
        self.chance = chance
        self.later = later  # the first try of each letter is answered 451
        self.never = never  # 550
        self.mute = mute  # the letter is taken, and the line dropped without a word
        self.tried: set[bytes] = set()
        self.copies: list[Copy] = []
        self.is_away: Callable[[], bool] = lambda: False  # then it takes nothing from anybody

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            await _Line(reader, writer, self).run()

    def take(self, letter: Received, *, line_broke: bool) -> None:
        copy = Copy(
            at=monotonic(),
            wall=datetime.now(UTC),
            recipients=letter.recipients,
            content=letter.content,
            line_broke=line_broke,
        )
        self.copies.append(copy)


class _Line(Conversation):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sink: CrashSink) -> None:
        super().__init__(reader, writer, self._take)
        self._sink = sink
        self._answer_to_dot = ""

    async def reply(self, step: str, usual: str) -> str:
        name, _, address = step.partition(" ")
        if name != "dot" and self._sink.trap.passes(Place.SMTP, name, Way.FAILED):
            raise ConnectionAbortedError("killed")
        if name == "greeting" and self._sink.is_away():
            await super().reply(step, "421 4.3.2 not now")
            raise ConnectionAbortedError("away")
        if name == "RCPT" and address == self._sink.never:
            usual = "550 5.1.1 no such mailbox"
        if name == "dot":
            return await self._reply_to_dot()
        said = await super().reply(step, usual)
        if self._sink.trap.passes(Place.SMTP, name, Way.DONE):
            raise ConnectionAbortedError("killed")
        return said

    async def _reply_to_dot(self) -> str:
        if not self._answer_to_dot.startswith("2"):
            return await super().reply("dot", self._answer_to_dot)
        if self._sink.trap.passes(Place.SMTP, "dot", Way.DONE):
            raise ConnectionAbortedError("killed")
        if self._sink.chance.random() < 0.25:
            await asyncio.sleep(self._sink.chance.uniform(0.05, 0.4))
        return await super().reply("dot", self._answer_to_dot)

    def _take(self, letter: Received) -> None:
        """Called when the final dot has come, before anything is answered."""
        if self._sink.trap.passes(Place.SMTP, "dot", Way.FAILED):
            raise ConnectionAbortedError("killed")
        if self._sink.later in letter.recipients and letter.content not in self._sink.tried:
            self._sink.tried.add(letter.content)
            self._answer_to_dot = "451 4.3.0 come again later"
            return
        mute = self._sink.mute in letter.recipients
        self._sink.take(letter, line_broke=mute)
        if mute:
            raise ConnectionAbortedError("dropped without a word")
        self._answer_to_dot = "250 taken"
