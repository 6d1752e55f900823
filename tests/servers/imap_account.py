"""How the tests' IMAP servers look to the program: the account of their one user, and letters to drop there."""

from __future__ import annotations

from typing import Any

from mailer.edge.imap import ImapAccount
from tests.servers.dovecot import Dovecot
from tests.servers.imap_faults import FaultyImap


def account(server: Dovecot | FaultyImap, **changes: Any) -> ImapAccount:
    """A plain line to the inbox of `desk`; `changes` are fields of ImapAccount."""
    usual: dict[str, Any] = {
        "name": "office",
        "host": server.host,
        "port": server.port,
        "tls": "none",
        "ca_file": None,
        "user": "desk",
        "password": "desk-password",
        "folder": "INBOX",
        "done": "Обработано",
    }
    return ImapAccount(**{**usual, **changes})


def letter(number: int) -> bytes:
    return f"From: a{number}@mo.example\r\nSubject: letter {number}\r\n\r\nbody of {number}\r\n".encode()


def forever() -> bool:
    return True
