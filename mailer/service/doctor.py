"""Can somebody get a letter with another's address into a mailbox, and would it be believed? Tried with letters of our own.

The letters carry our loop mark and a Message-ID of ours, so intake leaves them alone. They are looked for by that id among what
arrives meanwhile; no other letter is fetched beyond its headers, and nothing in the mailbox is moved, marked or deleted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic  # measures how long we wait for the letters; nothing is decided or recorded by it
from typing import TYPE_CHECKING, Final

from mailer.config.sections import Mailbox
from mailer.core import mime, spoof
from mailer.core.letterhead import Letterhead, letter_bytes
from mailer.core.spoof import Handing, Outcome, Way
from mailer.edge.smtp import SmtpAccount
from mailer.edge.smtp_trial import hand_in
from mailer.model import Envelope, Letter, Trust
from mailer.service.office import Office, clock
from mailer.store import senders

if TYPE_CHECKING:
    from mailer.edge.imap import ImapMailbox

SMTP_PORT: Final = 25
LOOK_SECONDS: Final = 2.0  # where a server has no IDLE

SUBJECT: Final = "Проверка почты командой mailer doctor: это письмо можно удалить"
BODY: Final = """\
Это пробное письмо. Его отправила команда mailer doctor, чтобы узнать, пропустит ли почтовый сервер
письмо с чужим адресом в поле From. Отвечать на него не нужно, его можно удалить.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is to be tried at one mailbox. `recipient` is an address whose letters land there, `spoofed` the one they claim."""

    settings: Mailbox
    recipient: str
    spoofed: str
    seconds: float
    accounts: Mapping[Way, SmtpAccount]


def made_up_address(office: Office) -> str | None:
    """An address that nobody has, at a domain of the register; None while the register is empty."""
    with office.database.reading() as tx:
        registered = [address for sender in senders.every(tx) for address in sender.addresses]
    return spoof.made_up(registered, os.urandom(6).hex())


def plan(office: Office, settings: Mailbox, *, recipient: str, spoofed: str, seconds: float, smtp_port: int = SMTP_PORT) -> Plan:
    """Which servers are asked, and how; nothing is connected yet."""
    ours = office.smtp_account() if office.config.smtp else None
    by_port = SmtpAccount(host=settings.host, port=smtp_port, tls="none")
    ways = spoof.ways(
        answers_leave=ours is not None,
        with_login=ours is not None and ours.user is not None,
        same_server=ours is not None and (ours.host, ours.port) == (by_port.host, by_port.port),
    )
    nameless = replace(ours, user=None, password=None) if ours else by_port
    accounts = {Way.PORT_25: by_port, Way.WITHOUT_LOGIN: nameless, Way.HEADER: ours or by_port, Way.ENVELOPE: ours or by_port}
    return Plan(
        settings=settings,
        recipient=recipient,
        spoofed=spoofed.lower(),
        seconds=seconds,
        accounts={way: accounts[way] for way in ways},
    )


def examine(office: Office, wanted: Plan) -> list[Outcome]:
    """Send the trial letters, wait for them, and judge. Raises EdgeError if the mailbox cannot be read; nothing is sent then."""
    settings = wanted.settings
    mailbox = office.mailbox(settings)
    ids = {way: f"<{os.urandom(16).hex()}@{office.config.fund.id_domain}>" for way in wanted.accounts}
    try:
        mailbox.open()
        mailbox.items(full=True)  # whatever lies there already is none of ours
        handings = asyncio.run(_hand_in_all(office, wanted, ids))
        awaited = {ids[way] for way, handing in handings.items() if handing.answer is spoof.Answer.TAKEN}
        arrived = _look(mailbox, set(ids.values()), awaited, wanted.seconds)
    finally:
        mailbox.close()
    return [
        spoof.judge(
            way,
            handing,
            arrived.get(ids[way]),
            spoofed=wanted.spoofed,
            trust=Trust(settings.trust),
            authserv_id=settings.authserv_id,
            shared_domains=frozenset(settings.shared_domains),
        )
        for way, handing in handings.items()
    ]


async def _hand_in_all(office: Office, wanted: Plan, ids: Mapping[Way, str]) -> dict[Way, Handing]:
    """One after the other: a server that is asked much at once may refuse for that alone."""
    handings = {}
    for way, account in wanted.accounts.items():
        own = office.config.fund.sender
        envelope = Envelope(sender=own if way is Way.HEADER else wanted.spoofed, recipient=wanted.recipient)
        letter = _letter(envelope, wanted.spoofed, ids[way])
        handings[way] = await hand_in(account, envelope, letter, as_server=way is Way.PORT_25)
    return handings


def _letter(envelope: Envelope, spoofed: str, message_id: str) -> bytes:
    letterhead = Letterhead(
        envelope=envelope,
        from_name="mailer doctor",
        from_address=spoofed,
        message_id=message_id,
        at=clock(),
        loop_mark="doctor",
    )
    return letter_bytes(letterhead, SUBJECT, BODY)


def _look(mailbox: ImapMailbox, ids: set[str], awaited: set[str], seconds: float) -> dict[str, Letter]:
    """Those of our letters that arrive, by id, until all the `awaited` have come or the time is over."""
    found: dict[str, Letter] = {}
    end = monotonic() + seconds
    while True:
        found |= {id_: letter for id_, letter in _new(mailbox, mailbox.items(full=False)) if id_ in ids}
        left = end - monotonic()
        if awaited <= found.keys() or left <= 0:
            return found
        mailbox.wait(min(left, LOOK_SECONDS), lambda: True)


def _new(mailbox: ImapMailbox, items: Sequence[int]) -> list[tuple[str, Letter]]:
    heads = mailbox.heads(items) if items else []
    letters = [mime.read(head.header, whole=False, size_bytes=head.size_bytes) for head in heads]
    return [(letter.message_id, letter) for letter in letters if letter is not None and letter.message_id is not None]
