"""What lies in the office's IMAP mailbox, and how is it filed once it is kept?

One connection, owned by one thread; only `interrupt` may come from another. It reads with BODY.PEEK alone, so that nothing looks
opened, never touches another folder than the two configured, and never decides which letter is ours: flow/intake does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from time import monotonic  # measures how long nothing came; nothing is decided or recorded by it
from typing import Final

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, IMAPClientReadOnlyError

from mailer.edge.imap_connection import (
    TROUBLE,
    Client,
    ImapAccount,
    bounded,
    connect,
    cut,
    log_in,
    refused,
    translated,
    wait_for_news,
)
from mailer.errors import N_, EdgeError, EdgeSetupError
from mailer.model import Head

__all__ = ["ImapAccount", "ImapMailbox"]

# One byte more than the largest header block that is read (letters.md, section 1), so that a longer one is seen to be longer.
HEADER_BYTES: Final = 256 * 1024 + 1
HEADER_PART: Final = f"BODY.PEEK[HEADER]<0.{HEADER_BYTES}>"

# What a letter gets where it cannot be moved: the server has neither MOVE nor UIDPLUS.
DONE_KEYWORD: Final = b"$MailerDone"

# Dovecot gathers changes for half a second before it tells an idling client, but tells at once whoever asks. So while letters
# are coming we end IDLE ten times a second (1 ms of work each); after a quiet while the server's own word is soon enough.
BRISK_SLICE_SECONDS: Final = 0.1
CALM_SLICE_SECONDS: Final = 120.0
BRISK_FOR_SECONDS: Final = 900.0

GOODBYE_SECONDS: Final = 2.0

NOT_A_FOLDER: Final = frozenset({rb"\noselect", rb"\nonexistent"})  # a mere level in the tree of folders


class ImapMailbox:
    """A mailbox on an IMAP server (RFC 3501). After any EdgeError the connection is gone: `open` again, then search in full."""

    def __init__(self, account: ImapAccount) -> None:
        self.name = account.name
        self._account = account
        self._client: Client | None = None
        self._done = account.done
        self._mark = 0
        self._news_at = 0.0

    def open(self) -> int:
        """Connect, log in, create the done folder if absent, select the folder for writing.

        Returns the epoch (UIDVALIDITY as the server says it, 0 if it says none). Raises EdgeSetupError for a refused login, an
        untrusted certificate, a missing or read-only folder; else EdgeError.
        """
        self.close()
        self._client = connect(self._account)
        with self._connection() as client:
            log_in(client, self._account)
            self._done = _path(client, self._account.done)
            self._create_done_folder(client)
            epoch = self._select(client)
        self._mark = 0
        self._news_at = monotonic()
        return epoch

    def items(self, *, full: bool) -> list[int]:
        """UIDs in the folder, ascending: all of them, or only those above the highest seen since `open`."""
        with self._connection() as client:
            client.noop()  # Dovecot searches what it told us of last; NOOP makes it look again
            client.news()  # told before the search is found by the search; told later is `wait`'s to notice
            found = client.search("ALL" if full else f"UID {self._mark + 1}:*")
        # `n:*` always holds the last letter, also when its UID is below n (RFC 3501, section 9, seq-range).
        fresh = sorted({item for item in found if full or item > self._mark})
        self._mark = max([self._mark, *fresh])
        return fresh

    def heads(self, items: Sequence[int]) -> list[Head]:
        """Headers (at most 256 KiB + 1 byte of each), sizes and the server's dates, by one command.

        A letter that is gone, or of which the server left something out, is missing in the answer.
        """
        with self._connection() as client:
            found = client.fetch(items, ["INTERNALDATE", "RFC822.SIZE", HEADER_PART])
        return [head for item in items if (head := _head(item, found.get(item, {}))) is not None]

    def whole(self, items: Sequence[int]) -> dict[int, bytes]:
        """Letters as they lie on the server, byte for byte, by one command; one that is gone is missing in the answer."""
        with self._connection() as client:
            found = client.fetch(items, ["BODY.PEEK[]"])
        parts = {item: found.get(item, {}).get(b"BODY[]") for item in items}
        return {item: content for item, content in parts.items() if isinstance(content, bytes)}

    def since(self, day: date) -> list[int]:
        """UIDs of the letters that the server got on that day or later, by its own date, ascending (RFC 3501, 6.4.4, SINCE)."""
        with self._connection() as client:
            return sorted(client.search(["SINCE", day]))

    def put_back(self, content: bytes, received_at: datetime) -> None:
        """Write a letter into the folder, unread, with the server's date that it had; returns once the server agreed."""
        with self._connection() as client:
            client.append(_path(client, self._account.folder), content, (), received_at)

    def file(self, items: Sequence[int]) -> None:
        """Move letters to the done folder; returns once the server agreed. Letters already gone are no error.

        EdgeSetupError: the server says no and will say it again (no room, no right). It alone leaves the mailbox open.
        Without MOVE (RFC 6851): COPY, \\Deleted and UID EXPUNGE (UIDPLUS, RFC 4315). Without both: a keyword, and the letters stay,
        because a plain EXPUNGE would also remove what other people marked.
        """
        if not items:
            return
        with self._connection() as client:
            refusal = self._moved(client, _as_set(items))
        if refusal is not None:
            raise refusal

    def _moved(self, client: Client, items: str) -> EdgeSetupError | None:
        try:
            if client.has_capability("MOVE"):
                client.move(items, self._done)
            elif client.has_capability("UIDPLUS"):
                client.copy(items, self._done)
                client.delete_messages(items, silent=True)
                client.uid_expunge(items)
            else:
                client.add_flags(items, [DONE_KEYWORD], silent=True)
        except IMAPClientError as error:
            message = N_("the mail server {host} does not move letters to {folder}: {why}. Check room and rights there")
            refusal = refused(message, self._account, error, folder=self._done)
            # Any other class is a broken line or junk; a folder that is gone is made anew by the next `open` (RFC 3501, 6.4.7).
            if type(error) is not IMAPClientError or not isinstance(refusal, EdgeSetupError) or "[TRYCREATE]" in str(refusal):
                raise
            return refusal
        return None

    def remove(self, items: Sequence[int]) -> None:
        """Remove letters of the selected folder for good; returns once the server agreed. Letters already gone are no error.

        EdgeSetupError without UIDPLUS (RFC 4315): a plain EXPUNGE would also remove what other people marked.
        """
        with self._connection() as client:
            if not client.has_capability("UIDPLUS"):
                raise EdgeSetupError(
                    "the mail server of mailbox {mailbox} cannot remove single letters (UIDPLUS): nothing was removed",
                    mailbox=self.name,
                )
            wanted = _as_set(items)
            client.delete_messages(wanted, silent=True)
            client.uid_expunge(wanted)

    def wait(self, seconds: float, keep_going: Callable[[], bool]) -> bool:
        """True as soon as a letter may have come since `items`; False after `seconds`, or within 1 s of `keep_going` saying no."""
        with self._connection(seconds) as client:
            quiet = monotonic() - self._news_at
            slice_seconds = BRISK_SLICE_SECONDS if quiet < BRISK_FOR_SECONDS else CALM_SLICE_SECONDS
            heard = client.news() or wait_for_news(client, seconds, slice_seconds, keep_going)
        if heard:
            self._news_at = monotonic()
        return heard

    def interrupt(self) -> None:
        """From another thread: cut the line, so that a blocked call ends with EdgeError.

        A connection that is only being made is not cut: it ends by its own limits.
        """
        client = self._client
        if client is not None:
            with suppress(*TROUBLE):
                cut(client.socket())

    def close(self) -> None:
        """Log out, within seconds, whatever the server does; never raises."""
        client = self._client
        if client is not None:
            with suppress(*TROUBLE):
                client.socket().settimeout(GOODBYE_SECONDS)
                client.logout()
            self._drop()

    @contextmanager
    def _connection(self, pause_seconds: float = 0) -> Iterator[Client]:
        """The open connection; any failure ends it, because nobody knows where in the conversation it stands.

        So does a server that takes longer than `whole_seconds` in all, apart from a wanted pause.
        """
        if self._client is None:
            raise EdgeError("the mailbox {mailbox} is not connected", mailbox=self.name)
        try:
            with bounded(self._account.whole_seconds + pause_seconds, self.interrupt):
                yield self._client
        except EdgeError:
            self._drop()
            raise
        except TROUBLE as error:
            self._drop()
            raise translated(self._account, error) from error

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(*TROUBLE):
                client.shutdown()

    def _select(self, client: Client) -> int:
        folder = _path(client, self._account.folder)
        try:
            answer = client.select_folder(folder)
        except IMAPClientReadOnlyError as error:
            message = N_("the folder {folder} of mailbox {mailbox} can only be read: {user} needs the right to move letters")
            values = {"folder": folder, "mailbox": self.name, "user": self._account.user}
            raise EdgeSetupError(message, **values) from error
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            message = N_("the mail server {host} does not open the folder {folder}: {why}. Check folder of mailbox {mailbox}")
            raise refused(message, self._account, error, folder=folder) from error
        return int(answer.get(b"UIDVALIDITY", 0))

    def _create_done_folder(self, client: Client) -> None:
        found = client.list_folders("", self._done)
        if any(NOT_A_FOLDER.isdisjoint(flag.lower() for flag in flags) for flags, _, _ in found):
            return
        try:
            client.create_folder(self._done)
        except IMAPClientAbortError:
            raise
        except IMAPClientError as error:
            message = N_("the mail server {host} does not create the folder {folder}: {why}. Check done of mailbox {mailbox}")
            raise refused(message, self._account, error, folder=self._done) from error
        with suppress(IMAPClientError):  # a convenience: most mail programs show people only subscribed folders
            client.subscribe_folder(self._done)


def _path(client: Client, name: str) -> str:
    """A folder's path on this server: its delimiter for "/", its personal namespace before it (RFC 2342)."""
    if name.upper() == "INBOX":
        return name
    if client.has_capability("NAMESPACE") and (personal := client.namespace().personal):
        prefix, delimiter = personal[0]
    else:
        prefix, delimiter = "", (client.list_folders("", "")[0][1] or b"/").decode("ascii")
    path = name.replace("/", delimiter)
    return path if path.startswith(prefix) else prefix + path


def _as_set(items: Sequence[int]) -> str:
    """Ascending numbers as the server reads them fastest, neighbours as ranges: `1:200,300` (RFC 3501, 9, sequence-set)."""
    ranges: list[list[int]] = []
    for item in items:
        if ranges and item == ranges[-1][1] + 1:
            ranges[-1][1] = item
        else:
            ranges.append([item, item])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in ranges)


def _head(item: int, parts: Mapping[bytes, object]) -> Head | None:
    received_at, size_bytes = parts.get(b"INTERNALDATE"), parts.get(b"RFC822.SIZE")
    header = parts.get(b"BODY[HEADER]<0>")
    if not (isinstance(received_at, datetime) and isinstance(size_bytes, int) and isinstance(header, bytes)):
        return None
    return Head(item=item, received_at=received_at.astimezone(UTC), size_bytes=size_bytes, header=header)
