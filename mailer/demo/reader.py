"""What lies in a mailbox of the trial office?

One way for everybody, in the office's own process or in another: plain IMAP, which changes nothing on the server.
"""

from __future__ import annotations

from typing import Final

from imapclient import IMAPClient, SocketTimeout

HOST: Final = "127.0.0.1"
TIMEOUT: Final = SocketTimeout(5, 10)  # seconds to connect, seconds to wait for an answer


def letters_of(imap_port: int, user: str, password: str) -> list[bytes]:
    """The letters in INBOX, oldest first, byte for byte. Raises OSError or IMAPClientError as imapclient does."""
    with IMAPClient(HOST, imap_port, ssl=False, timeout=TIMEOUT) as mailbox:
        mailbox.login(user, password)
        mailbox.select_folder("INBOX", readonly=True)
        uids = sorted(mailbox.search("ALL"))
        if not uids:
            return []
        letters = mailbox.fetch(uids, ["BODY.PEEK[]"])
    return [letters[uid][b"BODY[]"] for uid in uids]
