"""What do the people of the trial office write, and how does it get to the fund? Four letters, each with the end it must come to.

They are written and sent as other people's mail programs would do it, never with our own edge.
"""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from enum import StrEnum
from typing import Final

from mailer.demo.place import FUND_ADDRESS
from mailer.demo.reader import HOST

SMTP_SECONDS: Final = 10.0
FIRST_ADDRESS: Final = "gb1@clinic.example"  # of the first organisation in the register
TEXT: Final = "Просим выдать логин и пароль для веб-портала.\n"


class Ending(StrEnum):
    """How a letter of the demo must end."""

    ANSWERED = "answered"  # issued; login and password have arrived and are valid
    REFUSED = "refused"  # the refusal has arrived
    HELD = "held"  # waits for a person; nothing has arrived


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """A letter of the demo. `old_program`: written by one that puts bare windows-1251 into its headers."""

    name: str
    sender: str
    subject: str
    ending: Ending
    old_program: bool = False


SAMPLES: Final = (
    Sample(
        name="good",
        sender=FIRST_ADDRESS,
        subject="Запрос атрибутов временного доступа = Соколова М.И.",
        ending=Ending.ANSWERED,
    ),
    Sample(
        name="repaired",
        sender="office@dent.example",
        subject="RE: запрос аттрибутов временного доступа – пришва а а",
        ending=Ending.ANSWERED,
        old_program=True,
    ),
    Sample(
        name="placeholder",
        sender="rp@district.example",
        subject="Запрос атрибутов временного доступа = Фамилия И.О.",
        ending=Ending.REFUSED,
    ),
    Sample(
        name="stranger",
        sender="petrov@elsewhere.example",
        subject="Запрос атрибутов временного доступа = Петров П.П.",
        ending=Ending.HELD,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A letter as it was handed to the mail server."""

    sender: str
    subject: str
    message_id: str
    content: bytes


def write(sender: str, subject: str, at: datetime, *, old_program: bool = False) -> Posted:
    """A letter to the fund. ValueError: the subject cannot stand in a letter."""
    message_id = make_msgid(domain=sender.rpartition("@")[2])
    content = _bare(sender, subject, at, message_id) if old_program else _modern(sender, subject, at, message_id)
    return Posted(sender=sender, subject=subject, message_id=message_id, content=content)


def post(letter: Posted, smtp_port: int) -> None:
    """Hand it to the mail server; OSError or SMTPException as smtplib raises them."""
    with smtplib.SMTP(HOST, smtp_port, local_hostname="localhost", timeout=SMTP_SECONDS) as server:
        server.sendmail(letter.sender, [FUND_ADDRESS], letter.content)


def _modern(sender: str, subject: str, at: datetime, message_id: str) -> bytes:
    letter = EmailMessage()
    letter["From"] = sender
    letter["To"] = FUND_ADDRESS
    letter["Subject"] = subject
    letter["Date"] = at
    letter["Message-ID"] = message_id
    letter.set_content(TEXT)
    return letter.as_bytes()


def _bare(sender: str, subject: str, at: datetime, message_id: str) -> bytes:
    headers = [
        f"From: {sender}",
        f"To: {FUND_ADDRESS}",
        f"Subject: {subject}",
        f"Date: {format_datetime(at)}",
        f"Message-ID: {message_id}",
        "Content-Type: text/plain; charset=windows-1251",
        "Content-Transfer-Encoding: 8bit",
    ]
    return "\r\n".join([*headers, "", TEXT]).encode("cp1251")
