"""How is a line to an IMAP server laid, bounded, listened to, and what does its failure mean?

Lays the connection (TLS, TCP_NODELAY, time limits, login), waits for news on it, and translates everything that imapclient, sockets
and TLS raise into `EdgeError` (try later) or `EdgeSetupError` (the administrator acts). It must not know what letters are, and it
never sends a password before the line is as safe as the account asks.
"""

from __future__ import annotations

import imaplib
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic  # measures how long we wait; nothing is decided or recorded by it
from typing import Any, Final, Literal

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import CapabilityError, IMAPClientAbortError, IMAPClientError, LoginError

from mailer.errors import EdgeError, EdgeSetupError

# imapclient and imaplib meet junk with any of these; a socket closed by another thread is a ValueError.
TROUBLE: Final = (IMAPClientError, OSError, ValueError, TypeError, LookupError)

# RFC 5530: refusals that pass by themselves.
PASSING: Final = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]")

LISTEN_SECONDS: Final = 1.0  # how often a waiting thread asks whether to go on
EARLY_SECONDS: Final = 0.05  # an empty answer that came this much too soon did not come from the clock


@dataclass(frozen=True, kw_only=True, slots=True)
class ImapAccount:
    """One mailbox as configured. `folder` and `done` are written with "/" between levels, whatever the server uses.

    `connect_seconds` and `read_seconds` bound the silence of a server, `whole_seconds` one whole conversation: laying the line, or
    one call on it, however steadily its bytes trickle in.
    """

    name: str
    host: str
    port: int
    tls: Literal["implicit", "starttls", "none"]
    ca_file: Path | None
    user: str
    password: str = field(repr=False)
    folder: str
    done: str
    connect_seconds: float = 10
    read_seconds: float = 30
    whole_seconds: float = 120


class Client(IMAPClient):  # type: ignore[misc]  # imapclient has no type hints
    """imapclient, with the two places mended where news of a letter gets lost (reliability.md, IMAP)."""

    def __init__(
        self, host: str, port: int, timeout: SocketTimeout, tls: ssl.SSLContext | None, laid: Callable[[socket.socket], None]
    ) -> None:
        self._laid = laid
        super().__init__(host, port, ssl=tls is not None, ssl_context=tls, timeout=timeout)
        # Else every answer is formatted for the debug log, wanted or not: letters and all, at 18 times the cost of reading them.
        self._imap.debug = 0
        self.normalise_times = False  # keep the server's own offset: naive local times are ambiguous
        self._unread = False

    def _create_IMAP4(self) -> imaplib.IMAP4:
        return _Line(self.host, self.port, self._timeout.connect, self.ssl_context if self.ssl else None, self._laid)

    def idle(self) -> None:
        """Enter IDLE; the next `idle_check` returns at once, with whatever came in one segment with the server's consent."""
        super().idle()
        self._unread = True

    def _poll_socket(self, sock: socket.socket, timeout: float | None = None) -> Any:
        # Lines behind `+ idling` lie in imaplib's buffer already, where polling the socket does not see them.
        if self._unread:
            self._unread = False
            return True
        return super()._poll_socket(sock, timeout)

    def news(self) -> bool:
        """Whether the server told of letters (EXISTS) while it answered other commands; forgets it, and what else piled up."""
        told: bool = self._imap.response("EXISTS")[1] != [None]
        for code in ("RECENT", "EXPUNGE", "COPYUID"):
            self._imap.response(code)
        return told


class _Line(imaplib.IMAP4):
    """imaplib's connection, which shows its bare socket as soon as there is one: handshake and greeting are still to come then."""

    def __init__(
        self, host: str, port: int, seconds: float, tls: ssl.SSLContext | None, laid: Callable[[socket.socket], None]
    ) -> None:
        self._tls = tls
        self._laid = laid
        super().__init__(host, port, seconds)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        bare = socket.create_connection((self.host, self.port), timeout)
        self._laid(bare.dup())  # TLS takes the socket over, but not this second handle on the same line
        return bare if self._tls is None else self._tls.wrap_socket(bare, server_hostname=self.host)


def connect(account: ImapAccount) -> Client:
    """Open the line and read the greeting; not logged in yet. Raises EdgeError, EdgeSetupError."""
    timeout = SocketTimeout(account.connect_seconds, account.read_seconds)
    tls = _tls_context(account) if account.tls == "implicit" else None
    handles: list[socket.socket] = []
    try:
        with bounded(account.whole_seconds, lambda: cut(*handles)):
            return Client(account.host, account.port, timeout, tls, handles.append)
    except TROUBLE as error:
        raise translated(account, error) from error
    finally:
        for handle in handles:
            handle.close()


@contextmanager
def bounded(seconds: float, end: Callable[[], object]) -> Iterator[None]:
    """Call `end`, from another thread, when the block takes longer: bytes that trickle in never run into a limit on silence."""
    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def cut(*lines: socket.socket) -> None:
    """End whatever waits on these lines, in whichever thread."""
    for line in lines:
        with suppress(*TROUBLE):
            # Not SSLSocket.shutdown, which would take the encryption off under the owner's feet.
            socket.socket.shutdown(line, socket.SHUT_RDWR)


def log_in(client: Client, account: ImapAccount) -> None:
    """Secure the line as the account asks, then log in.

    Raises EdgeSetupError (EdgeError, if it will pass) when refused; other trouble comes as imapclient raises it.
    """
    # Single commands take 3-4 ms each while Nagle's algorithm waits for delayed ACKs, and 0.2 ms without.
    client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if account.tls == "starttls":
        _start_tls(client, account)
    if client.has_capability("LOGINDISABLED"):
        raise EdgeSetupError(
            'the mail server {host} forbids a login without TLS: set tls = "implicit" or "starttls" for mailbox {mailbox}',
            host=_place(account),
            mailbox=account.name,
        )
    try:
        if client.has_capability("AUTH=PLAIN"):
            client.plain_login(account.user, account.password)
        else:
            client.login(account.user, account.password)
    except LoginError as error:
        cause = error.__context__  # what imapclient wrapped: a refusal, or a line that broke meanwhile
        if isinstance(cause, IMAPClientAbortError):
            raise cause from error
        raise refused(
            "the mail server {host} refuses the login of {user}: {why}. Check user and password of mailbox {mailbox}",
            account,
            cause or error,
            user=account.user,
        ) from error


def _start_tls(client: Client, account: ImapAccount) -> None:
    try:
        client.starttls(_tls_context(account))
    except CapabilityError as error:
        # Never fall back: somebody on the way may have removed the offer.
        raise EdgeSetupError(
            "the mail server {host} does not offer STARTTLS: nothing was sent. Check port and tls of mailbox {mailbox}",
            host=_place(account),
            mailbox=account.name,
        ) from error


def _tls_context(account: ImapAccount) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=account.ca_file)
    except OSError as error:  # ssl.SSLError, for a file that holds no certificate, is one too
        raise EdgeSetupError(
            "the file {file} (ca_file of mailbox {mailbox}) holds no readable certificates: {why}",
            file=account.ca_file,
            mailbox=account.name,
            why=reason(error),
        ) from error


def translated(account: ImapAccount, error: Exception) -> EdgeError:
    """What a library's error means to the step that meets it."""
    host, why = _place(account), reason(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return EdgeSetupError(
            "the certificate of the mail server {host} is not trusted: {why}. Check host and ca_file of mailbox {mailbox}",
            host=host,
            why=why,
            mailbox=account.name,
        )
    if isinstance(error, ssl.SSLError):
        return EdgeError("no TLS session with the mail server {host}: {why}. Check port and tls", host=host, why=why)
    if isinstance(error, IMAPClientError) and not isinstance(error, IMAPClientAbortError):
        return EdgeError("the mail server {host} refuses: {why}", host=host, why=why)
    return EdgeError("the mail server {host} does not answer: {why}", host=host, why=why)


def refused(message: str, account: ImapAccount, error: BaseException, **values: object) -> EdgeError:
    """A refusal as an error: EdgeSetupError, or EdgeError when the server says that it will pass (RFC 5530)."""
    why = reason(error).rstrip(".")  # the sentences go on behind it
    kind = EdgeError if any(code in why for code in PASSING) else EdgeSetupError
    return kind(message, host=_place(account), mailbox=account.name, why=why, **values)


def reason(error: BaseException) -> str:
    """The words of an error, cut to 300 characters: servers write them."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    words = error.args[-1] if error.args else type(error).__name__
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return text[:300]


def _place(account: ImapAccount) -> str:
    return f"{account.host}:{account.port}"


def wait_for_news(client: Client, seconds: float, slice_seconds: float, keep_going: Callable[[], bool]) -> bool:
    """Wait until the server tells of a letter (True), the time is over or `keep_going` says no (False).

    Listens in IDLE (RFC 2177) for slices of `slice_seconds`; each ends with DONE and NOOP, so that a dead line is noticed and a
    letter told of in an awkward place is found. Without IDLE it asks once, at the end of `seconds`. Raises what imapclient raises;
    the connection is then of no use.
    """
    idling = client.has_capability("IDLE")
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0 and keep_going():
        heard = _idle(client, min(left, slice_seconds), keep_going) if idling else _pause(client, left, keep_going)
        client.noop()
        if client.news() or heard:
            return True
    return False


def _idle(client: Client, seconds: float, keep_going: Callable[[], bool]) -> bool:
    client.idle()
    end = monotonic() + seconds
    heard = _tells_of_letters(client.idle_check(timeout=0))
    while not heard and (left := end - monotonic()) > 0 and keep_going():
        patience = min(left, LISTEN_SECONDS)
        asked = monotonic()
        lines = client.idle_check(timeout=patience)
        if not lines and monotonic() - asked < patience - EARLY_SECONDS:
            raise IMAPClientAbortError("the connection is dead")
        heard = _tells_of_letters(lines)
    client.idle_done()
    return heard


def _tells_of_letters(lines: Iterable[tuple[object, ...]]) -> bool:
    """Whether one of the parsed IDLE lines is `<n> EXISTS`."""
    heard = False
    for line in lines:
        if line[:1] == (b"BYE",):
            raise IMAPClientAbortError("the server says goodbye")
        heard = heard or line[1:2] == (b"EXISTS",)
    return heard


def _pause(client: Client, seconds: float, keep_going: Callable[[], bool]) -> bool:
    """Wait without IDLE: until the time is over, or the line says something or dies; NOOP then finds out which."""
    end = monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(client.socket(), selectors.EVENT_READ)
        while (left := end - monotonic()) > 0 and keep_going():
            if selector.select(min(left, LISTEN_SECONDS)):
                break
    return False
