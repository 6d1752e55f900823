"""A small IMAP server that misbehaves where it is told to; for the rest just enough of RFC 3501 for one mailbox.

It must not be clever: a fault takes over one command and talks on the line itself, so that a test shows the very bytes of the trap.
"""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final

ALL: Final = "IMAP4rev1 IDLE MOVE UIDPLUS"


class Line(socketserver.StreamRequestHandler):
    """The server's end of one connection. One `say` is one segment."""

    server: _Listener
    disable_nagle_algorithm = True

    def say(self, *lines: str, end: str = "\r\n") -> None:
        self.wfile.write("\r\n".join(lines).encode() + end.encode())

    def hear(self) -> str:
        """The client's next line; empty when it hung up."""
        try:
            return self.rfile.readline().decode().strip()
        except ConnectionError:
            return ""

    def cut(self) -> None:
        """Hang up without a word."""
        self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self) -> None:
        desk = self.server.desk
        if desk.slow_greeting:
            self._greet_slowly(desk.greeting)
            return
        self.say(desk.greeting)
        while said := self.hear():
            desk.heard.append(said)
            tag, command, words = re.fullmatch(r"(\S+) ((?:UID )?\S+) ?(.*)", said).groups()  # type: ignore[union-attr]
            answer = desk.faults.get(command, ANSWERS.get(command, _ok))
            try:
                answer(self, tag, words)
            except ConnectionError:
                return

    def _greet_slowly(self, greeting: str) -> None:
        for byte in greeting * 10:
            if self.server.hurry.wait(0.3):
                return
            try:
                self.say(byte, end="")
            except ConnectionError:
                return


Answer = Callable[[Line, str, str], None]


def _ok(line: Line, tag: str, _words: str) -> None:
    line.say(f"{tag} OK done")


def _capability(line: Line, tag: str, _words: str) -> None:
    line.say(f"* CAPABILITY {line.server.desk.capabilities}", f"{tag} OK done")


def _list(line: Line, tag: str, words: str) -> None:
    root = words.endswith('""')
    line.say(r'* LIST (\Noselect) "/" ""' if root else r'* LIST () "/" Done', f"{tag} OK done")


def _select(line: Line, tag: str, _words: str) -> None:
    desk = line.server.desk
    line.say(f"* {len(desk.letters)} EXISTS", f"* OK [UIDVALIDITY {desk.epoch}] ok", f"{tag} OK [READ-WRITE] done")


def _search(line: Line, tag: str, _words: str) -> None:
    # Every letter, whatever was asked: a harsher form of the habit that `n:*` always holds the last one.
    found = "".join(f" {item}" for item in line.server.desk.letters)
    line.say(f"* SEARCH{found}", f"{tag} OK done")


def _fetch(line: Line, tag: str, words: str) -> None:
    for number, (item, letter) in enumerate(line.server.desk.letters.items(), start=1):
        line.say(fetched(number, item, letter, whole="BODY.PEEK[]" in words))
    line.say(f"{tag} OK done")


def fetched(number: int, item: int, letter: str, *, whole: bool) -> str:
    """One FETCH answer as a right server gives it."""
    if whole:
        return f"* {number} FETCH (UID {item} BODY[] {{{len(letter)}}}\r\n{letter})"
    date = '"24-Nov-2025 10:00:00 +0300"'
    return (
        f"* {number} FETCH (UID {item} INTERNALDATE {date} RFC822.SIZE {len(letter)} BODY[HEADER]<0> {{{len(letter)}}}\r\n{letter})"
    )


def _idle(line: Line, tag: str, _words: str) -> None:
    line.say("+ idling")
    line.hear()
    line.say(f"{tag} OK done")


def _logout(line: Line, tag: str, _words: str) -> None:
    line.say("* BYE", f"{tag} OK done")


ANSWERS: Final[Mapping[str, Answer]] = {
    "CAPABILITY": _capability,
    "LIST": _list,
    "SELECT": _select,
    "UID SEARCH": _search,
    "UID FETCH": _fetch,
    "IDLE": _idle,
    "LOGOUT": _logout,
}


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, desk: FaultyImap) -> None:
        self.desk = desk
        self.hurry = threading.Event()  # the test is over: nobody talks slowly any more
        super().__init__(("127.0.0.1", 0), Line)


class FaultyImap:
    """`with FaultyImap({"IDLE": fault}) as server:` answers every command well but IDLE.

    `letters` maps UIDs to ASCII letters; what the client said stands in `heard`, a line each.
    """

    def __init__(
        self,
        faults: Mapping[str, Answer] | None = None,
        *,
        letters: Mapping[int, str] | None = None,
        capabilities: str = ALL,
        epoch: int = 7,
        greeting: str = "* OK hello",
        slow_greeting: bool = False,
    ) -> None:
        self.faults = dict(faults or {})
        self.letters = dict(letters or {})
        self.capabilities = capabilities
        self.epoch = epoch
        self.greeting = greeting
        self.slow_greeting = slow_greeting
        self.heard: list[str] = []
        self._listener = _Listener(self)
        self.host, self.port = "127.0.0.1", int(self._listener.server_address[1])

    def commands(self) -> list[str]:
        """What was asked, without tags and arguments."""
        return [said.split(" ", 1)[1].removeprefix("UID ").split(" ")[0] for said in self.heard]

    def __enter__(self) -> FaultyImap:
        # The short interval is how long `shutdown` may take.
        threading.Thread(target=self._listener.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.hurry.set()
        self._listener.shutdown()
        self._listener.server_close()
