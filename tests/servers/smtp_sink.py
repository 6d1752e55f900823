"""Which letters did an SMTP server get, in which order, byte for byte?

A small and fast SMTP server for tests: in this process (a thread with its own loop), or as a process of its own that writes each
letter into a folder before it answers, so that a crash test can count deliveries:

    python tests/servers/smtp_sink.py --folder DIR [--port 0] [--delay-seconds S] [--refuse ADDRESS ...]

which prints the port on one line. It must not judge letters: whatever comes is kept as it came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import ssl
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

LINE_LIMIT_BYTES = 1 << 20
START_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One letter as the server took it; `content` is free of dot-stuffing."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Conversation:
    """One client's SMTP dialogue (RFC 5321) from greeting to QUIT; a subclass may answer a step otherwise."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        keep: Callable[[Received], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._keep = keep
        self._tls = tls  # what STARTTLS would use; None: not offered
        self._sender = ""
        self._recipients: list[str] = []

    async def run(self) -> None:
        try:
            await self.reply("greeting", "220 sink ESMTP")
            while line := await self._reader.readline():
                await self._obey(line.rstrip(b"\r\n").decode("ascii", "replace"))
        except ConnectionError:
            return  # either side had enough
        finally:
            self._writer.close()

    async def reply(self, step: str, usual: str) -> str:
        """Answer one step and return the answer given."""
        self._writer.write(usual.encode("utf-8", "surrogateescape") + b"\r\n")
        await self._writer.drain()
        return usual

    async def begin_letter(self) -> None:
        """The first line of a letter has arrived; a subclass may take no more."""

    async def _obey(self, line: str) -> None:
        verb = line.split(" ", 1)[0].upper()
        if verb == "EHLO":
            offers = ["sink", *(["STARTTLS"] if self._tls else []), "AUTH PLAIN"]
            await self.reply(verb, "\r\n".join(f"250-{offer}" for offer in offers[:-1]) + f"\r\n250 {offers[-1]}")
        elif verb == "STARTTLS" and self._tls:
            await self.reply(verb, "220 go ahead")
            await self._writer.start_tls(self._tls)
            self._tls = None
        elif verb == "AUTH":
            await self.reply(verb, "235 welcome")
        elif verb in {"MAIL", "RCPT"}:
            await self._address(verb, line)
        elif verb == "DATA":
            await self._data()
        elif verb == "QUIT":
            await self.reply(verb, "221 bye")
            raise ConnectionAbortedError("the client took leave")
        else:
            await self.reply(verb, "250 done" if verb in {"NOOP", "RSET"} else "502 not here")

    async def _address(self, verb: str, line: str) -> None:
        found = re.search(r"<([^<>]*)>", line)
        address = found[1] if found else ""
        answer = await self.reply(f"{verb} {address}" if verb == "RCPT" else verb, "250 noted")
        if verb == "MAIL":
            self._sender, self._recipients = address, []
        elif answer.startswith("2"):
            self._recipients.append(address)

    async def _data(self) -> None:
        if not (await self.reply("DATA", "354 go on")).startswith("3"):
            return
        lines = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionAbortedError("the client left in the middle of a letter")
            if not lines:
                await self.begin_letter()
            lines.append(line.removeprefix(b"."))
        self._keep(Received(sender=self._sender, recipients=tuple(self._recipients), content=b"".join(lines)))
        await self.reply("dot", "250 taken")


class Sink:
    """The server; a context manager that is started on entering. `letters` is what came, oldest first."""

    def __init__(
        self, *, folder: Path | None = None, delay_seconds: float = 0.0, refuse: Collection[str] = (), port: int = 0
    ) -> None:
        self._folder = folder
        self._delay_seconds = delay_seconds
        self._refuse = frozenset(refuse)
        self._wanted_port = port
        self._changed = threading.Condition()
        self._letters: list[Received] = []
        self._written = len(list(folder.glob("*.eml"))) if folder else 0
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._work, name="smtp-sink", daemon=True)

    def __enter__(self) -> Sink:
        self._thread.start()
        self.port = self._started.result(START_SECONDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def letters(self) -> list[Received]:
        with self._changed:
            return list(self._letters)

    def wait_for(self, count: int, seconds: float = 10.0) -> bool:
        """Whether at least `count` letters came, waiting up to `seconds` for the last of them."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._letters) >= count, seconds)

    def keep(self, letter: Received) -> None:
        """Take a letter, on disk first: called before the client hears of it."""
        with self._changed:
            if self._folder is not None:
                self._written += 1
                _write(self._folder / f"{self._written:06}.eml", letter)
            self._letters.append(letter)
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._meet, "127.0.0.1", self._wanted_port, limit=LINE_LIMIT_BYTES)
        self._started.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()  # and no waiting for clients that are still connected

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):  # the sink stops while a client is still connected
            await _SinkConversation(reader, writer, self).run()

    async def answer(self, step: str, usual: str) -> str:
        if step.removeprefix("RCPT ") in self._refuse:
            return "550 5.1.1 no such mailbox"
        if step == "dot" and self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)
        return usual


class _SinkConversation(Conversation):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sink: Sink) -> None:
        super().__init__(reader, writer, sink.keep)
        self._sink = sink

    async def reply(self, step: str, usual: str) -> str:
        return await super().reply(step, await self._sink.answer(step, usual))


def _write(path: Path, letter: Received) -> None:
    """The envelope beside it as .json, then the letter: it counts once its .eml has its name."""
    path.with_suffix(".json").write_text(json.dumps({"sender": letter.sender, "recipients": letter.recipients}))
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(letter.content)
    unfinished.rename(path)


def letters_in(folder: Path) -> list[Received]:
    """What a sink wrote into its folder, oldest first."""
    letters = []
    for path in sorted(folder.glob("*.eml")):
        envelope = json.loads(path.with_suffix(".json").read_text())
        recipients = tuple(envelope["recipients"])
        letters.append(Received(sender=envelope["sender"], recipients=recipients, content=path.read_bytes()))
    return letters


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-seconds", type=float, default=0.0)
    parser.add_argument("--refuse", action="append", default=[])
    given = parser.parse_args()
    sink = Sink(folder=given.folder, delay_seconds=given.delay_seconds, refuse=given.refuse, port=given.port)
    with sink, suppress(KeyboardInterrupt):
        print(sink.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
