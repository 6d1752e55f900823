"""Does the mailbox keep its promises on a real Dovecot? What flow/intake relies on, the fakes' contract included."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from imapclient import IMAPClient

from mailer.edge.imap import DONE_KEYWORD, HEADER_BYTES, ImapMailbox
from mailer.errors import EdgeError
from tests.servers.dovecot import Dovecot
from tests.servers.imap_account import account, forever, letter
from tests.servers.services import needed

DONE = "Обработано"
PLAIN = "IMAP4rev1 NAMESPACE IDLE"


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Iterator[ImapMailbox]:
    box = ImapMailbox(account(dovecot))
    yield box
    box.close()


def test_epoch_is_the_servers_and_stays(mailbox: ImapMailbox) -> None:
    first = mailbox.open()

    assert first > 0
    assert mailbox.open() == first


def test_items_in_full_and_beyond_the_mark(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    dovecot.drop([letter(1), letter(2)])
    mailbox.open()
    assert mailbox.items(full=True) == [1, 2]
    assert mailbox.items(full=False) == []

    dovecot.drop([letter(3)])

    assert mailbox.items(full=False) == [3]
    assert mailbox.items(full=False) == []
    assert mailbox.items(full=True) == [1, 2, 3]


def test_mark_begins_anew_with_each_connection(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    dovecot.drop([letter(1)])
    mailbox.open()
    assert mailbox.items(full=False) == [1]

    mailbox.open()

    assert mailbox.items(full=False) == [1]


def test_heads_say_size_and_date_without_opening_the_letter(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    dovecot.drop([letter(1), letter(2)])
    mailbox.open()

    first, second = mailbox.heads([1, 2, 77])

    assert (first.item, second.item) == (1, 2)
    assert first.size_bytes == len(letter(1))
    assert first.header == b"From: a1@mo.example\r\nSubject: letter 1\r\n\r\n"
    assert first.received_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - first.received_at) < timedelta(minutes=5)
    assert dovecot.flags() == ["", ""]


def test_whole_letters_byte_for_byte_without_opening_them(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    raw = b'Subject: \xcf\xf0\xe8\xe2\xe5\xf2 {3}\r\n\r\n\xff)("\\ * 1 EXISTS\r\n.\r\n'
    dovecot.drop([raw, letter(2)])
    mailbox.open()

    assert mailbox.whole([1, 2, 77]) == {1: raw, 2: letter(2)}
    assert dovecot.flags() == ["", ""]


def test_endless_header_is_cut(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    dovecot.drop([b"X-Long: " + b"a\r\n " * 100_000 + b"\r\n\r\nbody"])
    mailbox.open()

    (head,) = mailbox.heads([1])

    assert len(head.header) == HEADER_BYTES
    assert head.size_bytes > HEADER_BYTES


def test_filing_moves_to_the_done_folder_and_may_be_repeated(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    dovecot.drop([letter(1), letter(2), letter(3)])
    mailbox.open()

    mailbox.file([1, 3])
    mailbox.file([1, 3])
    mailbox.file([])

    assert dovecot.letters() == [letter(2)]
    assert dovecot.letters(DONE) == [letter(1), letter(3)]
    assert mailbox.items(full=True) == [2]


def test_done_folder_is_shown_to_people_and_used_again(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    mailbox.open()
    mailbox.open()

    with IMAPClient(dovecot.host, dovecot.port, ssl=False) as officer:
        officer.login("desk", "desk-password")
        assert [name for _, _, name in officer.list_sub_folders()] == [DONE]


@pytest.mark.parametrize(
    ("prefix", "separator", "done", "where"),
    [
        pytest.param("", ".", "Архив/Обработано", "Архив.Обработано", id="dots"),
        pytest.param("", "/", "Архив/Обработано", "Архив.Обработано", id="slashes"),
        pytest.param("INBOX.", ".", "Обработано", "Обработано", id="namespace-under-inbox"),
        pytest.param("INBOX.", ".", "INBOX/Обработано", "Обработано", id="namespace-already-named"),
    ],
)
def test_folder_names_follow_the_server(prefix: str, separator: str, done: str, where: str) -> None:
    with needed(), Dovecot(prefix=prefix, separator=separator) as server:
        server.drop([letter(1)])
        box = ImapMailbox(account(server, done=done))
        box.open()
        box.file([1])
        box.close()

        assert server.letters(where) == [letter(1)]


def test_without_move_only_our_own_letters_are_removed() -> None:
    with needed(), Dovecot(capabilities=f"{PLAIN} UIDPLUS") as server:
        server.drop([letter(1), letter(2), letter(3)])
        with IMAPClient(server.host, server.port, ssl=False) as officer:
            officer.login("desk", "desk-password")
            officer.select_folder("INBOX")
            officer.delete_messages([2])
            box = ImapMailbox(account(server))
            box.open()

            box.file([1])
            box.file([1])

            assert box.items(full=True) == [2, 3]
            box.close()
        assert server.letters(DONE) == [letter(1)]
        assert len(server.letters()) == 2


def test_without_move_and_uidplus_letters_stay_and_are_marked() -> None:
    with needed(), Dovecot(capabilities=PLAIN) as server:
        server.drop([letter(1), letter(2)])
        box = ImapMailbox(account(server))
        box.open()

        box.file([1])
        box.file([1])

        assert box.items(full=True) == [1, 2]
        box.close()
        with IMAPClient(server.host, server.port, ssl=False) as officer:
            officer.login("desk", "desk-password")
            officer.select_folder("INBOX")
            assert DONE_KEYWORD in officer.get_flags([1])[1]
            assert DONE_KEYWORD not in officer.get_flags([2])[2]
        assert server.letters(DONE) == []


@pytest.mark.parametrize("capabilities", [pytest.param(None, id="all"), pytest.param(PLAIN, id="few")])
def test_letter_wakes_the_waiting_thread(capabilities: str | None) -> None:
    with needed(), Dovecot(capabilities=capabilities) as server:
        box = ImapMailbox(account(server))
        box.open()
        box.items(full=True)
        postman = threading.Timer(0.3, server.drop, [[letter(1)]])
        postman.start()

        began = time.monotonic()
        woke = box.wait(30, forever)

        assert woke
        assert time.monotonic() - began < 5
        assert box.items(full=False) == [1]
        box.close()


def test_without_idle_the_folder_is_asked_at_the_end_of_the_time() -> None:
    with needed(), Dovecot(capabilities="IMAP4rev1 MOVE") as server:
        box = ImapMailbox(account(server))
        box.open()
        box.items(full=True)
        assert not box.wait(0.2, forever)

        server.drop([letter(1)])

        assert box.wait(0.2, forever)
        assert box.items(full=False) == [1]
        box.close()


def test_quiet_mailbox_returns_when_the_time_is_over(mailbox: ImapMailbox) -> None:
    mailbox.open()
    mailbox.items(full=True)

    assert not mailbox.wait(0.5, forever)
    assert mailbox.items(full=True) == []


def test_waiting_ends_when_told(mailbox: ImapMailbox) -> None:
    mailbox.open()
    mailbox.items(full=True)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()

    began = time.monotonic()
    woke = mailbox.wait(60, lambda: not stop.is_set())

    assert not woke
    assert time.monotonic() - began < 5
    assert mailbox.items(full=True) == []


def test_interrupt_ends_a_blocked_call(mailbox: ImapMailbox) -> None:
    mailbox.open()
    mailbox.items(full=True)
    threading.Timer(0.3, mailbox.interrupt).start()

    with pytest.raises(EdgeError):
        mailbox.wait(60, forever)


def test_after_a_restart_of_the_server_the_mailbox_opens_again(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    dovecot.drop([letter(1)])
    epoch = mailbox.open()
    mailbox.items(full=True)
    stopping = threading.Timer(0.3, dovecot.stop)
    stopping.start()
    with pytest.raises(EdgeError):
        mailbox.wait(60, forever)
    stopping.join()
    with pytest.raises(EdgeError, match="does not answer"):
        mailbox.open()

    dovecot.start()

    assert mailbox.open() == epoch
    assert mailbox.items(full=True) == [1]


def test_a_letter_that_the_server_cannot_read_breaks_the_line_for_its_whole_batch(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    """Which it was, Dovecot does not say: flow/intake finds it by halves."""
    dovecot.drop([letter(n) for n in (1, 2, 3)])
    mailbox.open()
    mailbox.items(full=True)
    dovecot.damage(2)

    with pytest.raises(EdgeError, match="does not answer"):
        mailbox.whole([1, 2, 3])

    mailbox.open()
    assert mailbox.whole([1, 3]) == {1: letter(1), 3: letter(3)}


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda box: box.items(full=True), id="items"),
        pytest.param(lambda box: box.heads([1]), id="heads"),
        pytest.param(lambda box: box.whole([1]), id="whole"),
        pytest.param(lambda box: box.file([1]), id="file"),
        pytest.param(lambda box: box.wait(1, forever), id="wait"),
    ],
)
def test_closed_mailbox_says_so(mailbox: ImapMailbox, use: Callable[[ImapMailbox], object]) -> None:
    mailbox.open()
    mailbox.close()
    mailbox.close()
    mailbox.interrupt()

    with pytest.raises(EdgeError, match="office is not connected"):
        use(mailbox)


def test_a_letter_is_put_back_unread_with_its_date_and_found_by_its_day(mailbox: ImapMailbox, dovecot: Dovecot) -> None:
    dovecot.drop([letter(1)])
    mailbox.open()
    got = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

    mailbox.put_back(letter(2), got)

    assert mailbox.items(full=False) == [1, 2]
    assert mailbox.whole([2]) == {2: letter(2)}
    (head,) = mailbox.heads([2])
    assert head.received_at == got
    assert 2 in mailbox.since(got.date())
    assert 2 not in mailbox.since(got.date() + timedelta(days=1))
    with IMAPClient("127.0.0.1", dovecot.port, ssl=False) as client:
        client.login("desk", "desk-password")
        client.select_folder("INBOX", readonly=True)
        assert client.get_flags([2])[2] in {(), (b"\\Recent",)}
