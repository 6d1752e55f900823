"""Do the trial office's servers behave as an office's mail servers would, over real sockets?"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from aiosmtpd.smtp import SMTP
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from mailer.demo.reader import letters_of
from mailer.demo.servers import PASSWORD, Mta, Office, Ports
from mailer.edge.smtp import Postman, SmtpAccount
from mailer.model import Delivery, DeliveryOutcome, Envelope

FUND = "Mailer@fond.example"
LETTER = b"From: gb1@mo.example\r\nSubject: =?utf-8?b?0JfQsNC/0YDQvtGB?=\r\n\r\n.dot\r\nend\r\n"


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office(FUND)
    office.start()
    yield office
    office.stop()


@pytest.fixture
def ports(office: Office) -> Ports:
    return office.ports


def posted(smtp_port: int, *recipients: str) -> list[DeliveryOutcome]:
    async def run() -> list[DeliveryOutcome]:
        postman = Postman(SmtpAccount(host="127.0.0.1", port=smtp_port, tls="none"))
        envelopes = [Envelope(sender="gb1@mo.example", recipient=recipient) for recipient in recipients]
        outcomes = [await postman.send(envelope, LETTER) for envelope in envelopes]
        await postman.close()
        return outcomes

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("recipient", "mailbox"),
    [
        pytest.param("mailer@fond.example", "mailer@fond.example", id="the-fund"),
        pytest.param("MAILER@FOND.example", FUND, id="any-case"),
        pytest.param("mailer+7f3a@fond.example", FUND, id="the-funds-bounce-address"),
        pytest.param("gb1@mo.example", "gb1@mo.example", id="a-requester"),
        pytest.param("gb1+tag@mo.example", "gb1+tag@mo.example", id="a-tag-of-somebody-else"),
    ],
)
def test_a_letter_lands_in_the_mailbox_of_its_recipient(office: Office, recipient: str, mailbox: str) -> None:
    assert [outcome.delivery for outcome in posted(office.ports.smtp, recipient)] == [Delivery.SENT]
    assert office.inbox(mailbox) == [LETTER]


def test_every_recipient_has_a_mailbox_of_its_own(office: Office) -> None:
    posted(office.ports.smtp, "a@mo.example", "b@mo.example", "a@mo.example")
    assert [len(office.inbox(f"{name}@mo.example")) for name in "abc"] == [2, 1, 0]


def test_a_waiting_reader_hears_of_a_letter_and_files_it(ports: Ports) -> None:
    with IMAPClient("127.0.0.1", ports.imap, ssl=False, timeout=10) as mailbox:
        mailbox.login(FUND.lower(), PASSWORD)
        assert {b"IDLE", b"MOVE", b"UIDPLUS"} <= set(mailbox.capabilities())
        mailbox.create_folder("Обработано")
        mailbox.select_folder("INBOX")
        for number in (1, 2, 3):
            mailbox.idle()
            posted(ports.smtp, FUND)
            assert (number, b"EXISTS") in mailbox.idle_check(timeout=10)
            mailbox.idle_done()
        mailbox.move(mailbox.search("ALL"), "Обработано")
        assert mailbox.search("ALL") == []
        mailbox.select_folder("Обработано")
        uids = mailbox.search("ALL")
        assert [found[b"BODY[]"] for found in mailbox.fetch(uids, ["BODY.PEEK[]"]).values()] == [LETTER] * 3


def test_reading_changes_nothing(office: Office) -> None:
    posted(office.ports.smtp, FUND)
    assert office.inbox(FUND) == office.inbox(FUND) == [LETTER]
    with IMAPClient("127.0.0.1", office.ports.imap, ssl=False, timeout=10) as mailbox:
        mailbox.login(FUND.lower(), PASSWORD)
        mailbox.select_folder("INBOX")
        assert mailbox.search("UNSEEN") == mailbox.search("ALL") != []


def test_another_process_reads_the_same(office: Office) -> None:
    posted(office.ports.smtp, "gb1@mo.example")
    program = (
        "import sys; from mailer.demo.reader import letters_of; "
        "sys.stdout.buffer.write(b''.join(letters_of(int(sys.argv[1]), sys.argv[2], sys.argv[3])))"
    )
    command = [sys.executable, "-c", program, str(office.ports.imap), "gb1@mo.example", PASSWORD]
    assert subprocess.run(command, capture_output=True, check=True, timeout=30).stdout == LETTER


def test_a_wrong_password_is_refused(ports: Ports) -> None:
    with pytest.raises(LoginError):
        letters_of(ports.imap, "gb1@mo.example", "wrong")


def test_stopping_ends_everything_even_with_clients_connected() -> None:
    before = set(threading.enumerate())
    office = Office(FUND)
    ports = office.start()
    with IMAPClient("127.0.0.1", ports.imap, ssl=False, timeout=10) as mailbox:
        mailbox.login(FUND.lower(), PASSWORD)
        mailbox.select_folder("INBOX")
        mailbox.idle()
        with socket.create_connection(("127.0.0.1", ports.smtp)) as half_open:
            assert half_open.recv(4) == b"220 "
            office.stop()
    assert set(threading.enumerate()) == before
    for port in (ports.imap, ports.smtp):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


def test_trouble_inside_the_mta_is_not_told_to_the_client(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(address: str, content: bytes) -> None:
        raise ValueError(f"the secret of {address}")

    async def run() -> DeliveryOutcome:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(Mta(FUND, fail), hostname="localhost", loop=loop), "127.0.0.1", 0)
        async with server:
            postman = Postman(SmtpAccount(host="127.0.0.1", port=server.sockets[0].getsockname()[1], tls="none"))
            return await postman.send(Envelope(sender="a@mo.example", recipient="b@mo.example"), LETTER)

    with caplog.at_level(logging.ERROR):
        outcome = asyncio.run(run())
    assert outcome == DeliveryOutcome(delivery=Delivery.LATER, detail="final dot: 451 4.3.0 try again later")
    assert "could not take a letter" in caplog.text
