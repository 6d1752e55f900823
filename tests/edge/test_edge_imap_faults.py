"""Do the traps of reliability.md's IMAP table end as it says, on a server that misbehaves exactly so?"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from imapclient.exceptions import IMAPClientError

from mailer.edge.imap import DONE_KEYWORD, ImapMailbox
from mailer.edge.imap_connection import Client, connect, log_in, wait_for_news
from mailer.errors import EdgeError, EdgeSetupError
from tests.servers.imap_account import account, forever
from tests.servers.imap_faults import ALL, FaultyImap, Line, fetched

ONE = {5: "Subject: one\r\n\r\n"}
PATIENCE_SECONDS = 30  # how long a test waits for what must come at once


def opened(server: FaultyImap, **changes: Any) -> ImapMailbox:
    """A mailbox that was searched in full, as intake leaves it before waiting."""
    box = ImapMailbox(account(server, **changes))
    box.open()
    box.items(full=True)
    return box


def watching(server: FaultyImap) -> Client:
    """A connection that waits in one long IDLE: nothing ends a slice early and so finds what was lost."""
    client = connect(account(server))
    log_in(client, account(server))
    client.select_folder("INBOX")
    client.news()
    return client


def use_in_full(box: ImapMailbox) -> None:
    box.open()
    box.items(full=True)
    box.heads([5])
    box.file([5])


def use_in_full_and_wait(box: ImapMailbox) -> None:
    use_in_full(box)
    box.wait(0.1, forever)


def hang_up(line: Line, _tag: str, _words: str) -> None:
    line.cut()


def hang_up_in_idle(line: Line, _tag: str, _words: str) -> None:
    line.say("+ idling")
    line.cut()


def split_line(line: Line, _tag: str, _words: str) -> None:
    line.say("+ idling")
    line.say("* 1 EXI", end="")
    line.hear()  # the other half never comes; the client must not wait for it


def goodbye(line: Line, _tag: str, _words: str) -> None:
    line.say("+ idling", "* BYE going down")
    line.hear()


def told_before_consent(line: Line, tag: str, _words: str) -> None:
    line.say("* 1 EXISTS")
    line.say("+ idling")
    line.hear()
    line.say(f"{tag} OK done")


def told_with_consent(line: Line, tag: str, _words: str) -> None:
    line.say("+ idling", "* 1 EXISTS")
    line.hear()
    line.say(f"{tag} OK done")


def told_at_the_end(line: Line, tag: str, _words: str) -> None:
    line.say("+ idling")
    line.hear()
    line.say("* 1 EXISTS", f"{tag} OK done")


def told_afterwards(line: Line, tag: str, _words: str) -> None:
    line.say("* 1 EXISTS", f"{tag} OK done")


def stall(line: Line, _tag: str, _words: str) -> None:
    line.hear()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(hang_up_in_idle, id="dead-peer"),
        pytest.param(hang_up, id="dead-before-consent"),
        pytest.param(split_line, id="split-line"),
        pytest.param(goodbye, id="bye"),
        pytest.param(told_before_consent, id="news-before-consent"),
    ],
)
def test_oddity_in_idle_ends_the_connection_and_the_next_one_finds_the_letter(fault: Callable[[Line, str, str], None]) -> None:
    with FaultyImap({"IDLE": fault}) as server:
        box = opened(server)
        server.letters = ONE

        with pytest.raises(EdgeError) as met:
            box.wait(PATIENCE_SECONDS, forever)

        assert not isinstance(met.value, EdgeSetupError)
        box.open()
        assert box.items(full=True) == [5]
        box.close()


def test_dead_peer_is_noticed_within_a_long_slice() -> None:
    with FaultyImap({"IDLE": hang_up_in_idle}) as server:
        client = watching(server)
        began = time.monotonic()

        with pytest.raises(IMAPClientError, match="dead"):
            wait_for_news(client, PATIENCE_SECONDS, PATIENCE_SECONDS, forever)

        assert time.monotonic() - began < 5
        client.shutdown()


def test_news_in_one_segment_with_consent_is_heard_at_once() -> None:
    with FaultyImap({"IDLE": told_with_consent}) as server:
        client = watching(server)
        began = time.monotonic()

        assert wait_for_news(client, PATIENCE_SECONDS, PATIENCE_SECONDS, forever)

        assert time.monotonic() - began < 5
        client.logout()


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"IDLE": told_at_the_end}, id="with-the-end-of-idle"),
        pytest.param({"NOOP": told_afterwards}, id="with-noop"),
    ],
)
def test_news_told_late_is_found_at_the_end_of_the_slice(faults: dict[str, Callable[[Line, str, str], None]]) -> None:
    with FaultyImap(faults) as server:
        client = watching(server)

        assert wait_for_news(client, PATIENCE_SECONDS, 0.1, forever)
        client.logout()


def test_news_told_behind_a_search_is_not_waited_for() -> None:
    with FaultyImap({"UID SEARCH": told_afterwards}) as server:
        box = opened(server)

        assert box.wait(PATIENCE_SECONDS, forever)

        assert "IDLE" not in server.commands()
        box.close()


def test_without_idle_a_dead_line_is_noticed_before_the_time_is_over() -> None:
    with FaultyImap(capabilities="IMAP4rev1 MOVE") as server:
        box = opened(server)
        server.faults["NOOP"] = hang_up
        threading.Timer(0.2, box.interrupt).start()

        with pytest.raises(EdgeError):
            box.wait(PATIENCE_SECONDS, forever)


def test_search_that_always_holds_the_last_letter() -> None:
    with FaultyImap(letters=ONE) as server:
        box = opened(server)

        assert box.items(full=False) == []
        assert server.heard[-1].endswith("UID SEARCH UID 6:*")
        box.close()


def test_letters_and_parts_that_the_server_leaves_out() -> None:
    def sparing(line: Line, tag: str, _words: str) -> None:
        line.say("* 1 FETCH (UID 5 RFC822.SIZE 16)", "* 3 FETCH (FLAGS (\\Seen))", fetched(4, 8, "Subject: x\r\n\r\n", whole=False))
        line.say(f"{tag} OK done")

    with FaultyImap({"UID FETCH": sparing}) as server:
        box = opened(server)

        assert [head.item for head in box.heads([5, 6, 7, 8])] == [8]
        assert box.whole([5, 6, 7, 8]) == {}
        box.close()


@pytest.mark.parametrize(
    ("capabilities", "asked"),
    [
        pytest.param("IMAP4rev1 MOVE UIDPLUS", ["UID MOVE 5,9 Done"], id="move"),
        pytest.param(
            "IMAP4rev1 UIDPLUS",
            ["UID COPY 5,9 Done", r"UID STORE 5,9 +FLAGS.SILENT (\Deleted)", "UID EXPUNGE 5,9"],
            id="uidplus",
        ),
        pytest.param("IMAP4rev1", [f"UID STORE 5,9 +FLAGS.SILENT ({DONE_KEYWORD.decode()})"], id="neither"),
    ],
)
def test_filing_asks_for_what_the_server_can_do(capabilities: str, asked: list[str]) -> None:
    with FaultyImap(capabilities=capabilities) as server:
        box = opened(server, done="Done")
        before = len(server.heard)

        box.file([5, 9])

        assert [said.split(" ", 1)[1].replace('"', "") for said in server.heard[before:]] == asked
        box.close()


@pytest.mark.parametrize(
    ("words", "stays_open"),
    [
        pytest.param("NO [OVERQUOTA] the folder is full", True, id="quota"),
        pytest.param("NO [NOPERM] not yours", True, id="no-right"),
        pytest.param("NO go away", True, id="no-code"),
        pytest.param("BAD what", True, id="bad"),
        pytest.param("NO [TRYCREATE] no such folder", False, id="folder-gone"),
        pytest.param("NO [INUSE] a moment please", False, id="passes"),
    ],
)
@pytest.mark.parametrize(
    ("capabilities", "command"), [(ALL, "UID MOVE"), ("IMAP4rev1 UIDPLUS", "UID COPY"), ("IMAP4rev1", "UID STORE")]
)
def test_refused_move_says_who_acts_and_whether_reading_goes_on(
    words: str, stays_open: bool, capabilities: str, command: str
) -> None:
    def refuse(line: Line, tag: str, _words: str) -> None:
        line.say(f"{tag} {words}")

    with FaultyImap({command: refuse}, letters=ONE, capabilities=capabilities) as server:
        box = opened(server)

        with pytest.raises(EdgeError, match=re.escape(words.partition(" ")[2])) as met:
            box.file([5])

        assert isinstance(met.value, EdgeSetupError) is stays_open
        if stays_open:
            assert box.items(full=True) == [5]
        box.close()


def trickle(line: Line, tag: str, _words: str) -> None:
    """Steady, but too slow to be of use: each byte comes long before a read would time out."""
    for byte in f"* OK still here\r\n{tag} OK done\r\n":
        line.say(byte, end="")
        if line.server.hurry.wait(0.3):
            return


@pytest.mark.parametrize("command", ["UID FETCH", "UID SEARCH", "UID MOVE", "SELECT", "LOGIN", "NOOP", "IDLE"])
def test_bytes_that_trickle_in_do_not_hold_the_step_for_ever(command: str) -> None:
    with FaultyImap({command: trickle}) as server, pytest.raises(EdgeError, match="does not answer"):
        use_in_full_and_wait(ImapMailbox(account(server, whole_seconds=0.5)))


@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_greeting_that_trickles_in_does_not_hold_the_step_for_ever(tls: str) -> None:
    """Over TLS it is the handshake: the server does not know that one is expected."""
    with FaultyImap(greeting="* OK hello", slow_greeting=True) as server, pytest.raises(EdgeError):
        ImapMailbox(account(server, tls=tls, whole_seconds=0.5)).open()


def test_small_commands_do_not_wait_for_each_other() -> None:
    """TCP_NODELAY: without it each command waits for the ACK of the one before, 40 ms on some systems (reliability.md)."""
    with FaultyImap() as server:
        client = connect(account(server))
        log_in(client, account(server))

        assert client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        client.shutdown()


@pytest.mark.parametrize(
    ("items", "asked"),
    [
        pytest.param([5], "5", id="one"),
        pytest.param([5, 6], "5:6", id="two"),
        pytest.param([*range(1, 201), 300], "1:200,300", id="batch"),
        pytest.param([1, 3, 5, 6, 9], "1,3,5:6,9", id="gaps"),
        pytest.param([2**32 + 1, 2**32 + 2], "4294967297:4294967298", id="beyond-32-bits"),
    ],
)
def test_neighbours_are_moved_as_a_range_and_nobody_else_is_in_it(items: list[int], asked: str) -> None:
    with FaultyImap() as server:
        box = opened(server)
        before = len(server.heard)

        box.file(items)

        assert [said.split(" ")[3] for said in server.heard[before:]] == [asked]
        box.close()


@pytest.mark.parametrize("command", ["UID FETCH", "UID SEARCH", "UID MOVE", "SELECT", "AUTHENTICATE", "LOGIN"])
@pytest.mark.parametrize("fault", [pytest.param(stall, id="stalled"), pytest.param(hang_up, id="hung-up")])
def test_line_that_dies_in_a_command_is_an_error_within_the_limit(command: str, fault: Callable[[Line, str, str], None]) -> None:
    capabilities = f"{ALL} AUTH=PLAIN" if command == "AUTHENTICATE" else ALL
    with (
        FaultyImap({command: fault}, capabilities=capabilities) as server,
        pytest.raises(EdgeError, match="does not answer") as met,
    ):
        use_in_full(ImapMailbox(account(server, read_seconds=0.2)))

    assert not isinstance(met.value, EdgeSetupError)


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param("* 1 FETCH (UID x RFC822.SIZE 16)", id="uid-is-no-number"),
        pytest.param("* 1 FETCH (UID", id="unfinished"),
        pytest.param("* 1 FETCH UID 5", id="no-list"),
        pytest.param("220 mail.example ESMTP", id="another-protocol"),
        pytest.param("* 1 FETCH (BODY[] {3}\r\nabcdef", id="literal-runs-over"),
    ],
)
def test_junk_ends_the_connection(junk: str) -> None:
    def talk_junk(line: Line, tag: str, _words: str) -> None:
        line.say(junk, f"{tag} OK done")

    with FaultyImap({"UID FETCH": talk_junk}) as server:
        box = opened(server)

        with pytest.raises(EdgeError):
            box.heads([5])
        with pytest.raises(EdgeError, match="is not connected"):
            box.items(full=True)


def test_close_does_not_wait_for_a_server_that_ignores_it() -> None:
    with FaultyImap({"LOGOUT": stall}) as server:
        box = opened(server)
        began = time.monotonic()

        box.close()

        assert time.monotonic() - began < 10


def test_interrupt_ends_a_command_that_got_no_answer() -> None:
    with FaultyImap({"UID FETCH": stall}) as server:
        box = opened(server)
        threading.Timer(0.2, box.interrupt).start()
        began = time.monotonic()

        with pytest.raises(EdgeError):
            box.heads([5])

        assert time.monotonic() - began < 10
