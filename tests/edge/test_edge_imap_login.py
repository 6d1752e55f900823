"""Does the mailbox log in safely or not at all, and does a wrong setup say what to mend?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.edge.imap import ImapAccount, ImapMailbox
from mailer.errors import EdgeError, EdgeSetupError
from tests.servers.dovecot import Dovecot, write_certificate
from tests.servers.imap_account import account, forever, letter
from tests.servers.imap_faults import FaultyImap, Line
from tests.servers.services import needed


@pytest.fixture(scope="module")
def secure_dovecot() -> Iterator[Dovecot]:
    with needed(), Dovecot(tls=True) as server:
        yield server


def secure_account(server: Dovecot, tls: str, **changes: Any) -> ImapAccount:
    port = server.tls_port if tls == "implicit" else server.port
    return account(server, **{"host": "localhost", "tls": tls, "port": port, "ca_file": server.ca_file, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"password": "wrong"}, "refuses the login of desk.*mailbox office", id="password"),
        pytest.param({"user": "иванов"}, "refuses the login of иванов", id="unknown-cyrillic-user"),
        pytest.param({"folder": "Запросы"}, "does not open the folder Запросы.*mailbox office", id="folder-missing"),
        pytest.param(
            {"done": "Архив//Обработано"}, "does not create the folder Архив..Обработано.*mailbox office", id="done-impossible"
        ),
    ],
)
def test_wrong_setup_names_what_to_mend(dovecot: Dovecot, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(EdgeSetupError, match=words) as met:
        ImapMailbox(account(dovecot, **changes)).open()

    assert "wrong" not in str(met.value)
    assert "desk-password" not in str(met.value)


def test_password_is_not_shown(dovecot: Dovecot) -> None:
    assert "desk-password" not in repr(account(dovecot))


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_letters_come_over_tls(secure_dovecot: Dovecot, tls: str) -> None:
    secure_dovecot.drop([letter(1)])
    box = ImapMailbox(secure_account(secure_dovecot, tls))
    box.open()
    (item,) = box.items(full=True)
    assert box.whole([item]) == {item: letter(1)}
    box.file([item])
    assert box.items(full=True) == []

    postman = threading.Timer(0.3, secure_dovecot.drop, [[letter(2)]])
    postman.start()
    assert box.wait(30, forever)
    box.file(box.items(full=False))

    threading.Timer(0.3, box.interrupt).start()
    with pytest.raises(EdgeError):
        box.wait(60, forever)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize(
    ("ca_file", "words"),
    [
        pytest.param(
            "other", "certificate of the mail server .* is not trusted.*ca_file of mailbox office", id="another-authority"
        ),
        pytest.param("system", "certificate of the mail server .* is not trusted", id="self-signed"),
        pytest.param("missing", "missing.pem .*holds no readable certificates", id="file-missing"),
        pytest.param("empty", "empty.pem .*holds no readable certificates", id="file-empty"),
    ],
)
def test_untrusted_line_gets_no_password(secure_dovecot: Dovecot, tmp_path: Path, tls: str, ca_file: str, words: str) -> None:
    (tmp_path / "empty.pem").touch()
    files = {"other": write_certificate(tmp_path)[0], "missing": tmp_path / "missing.pem", "empty": tmp_path / "empty.pem"}

    with pytest.raises(EdgeSetupError, match=words):
        ImapMailbox(secure_account(secure_dovecot, tls, ca_file=files.get(ca_file))).open()


def test_tls_on_a_plain_port_is_an_error_with_advice(dovecot: Dovecot) -> None:
    with pytest.raises(EdgeError, match=r"no TLS session .*Check port and tls"):
        ImapMailbox(account(dovecot, tls="implicit")).open()


@pytest.mark.parametrize(
    ("words", "lasting"),
    [
        pytest.param("[AUTHENTICATIONFAILED] no such user", True, id="refused"),
        pytest.param("go away", True, id="no-code"),
        pytest.param("[UNAVAILABLE] the directory is down", False, id="refused-for-a-while"),
    ],
)
def test_refused_login_says_who_acts(words: str, lasting: bool) -> None:
    def refuse(line: Line, tag: str, _words: str) -> None:
        line.say(f"{tag} NO {words}")

    with FaultyImap({"LOGIN": refuse}) as server, pytest.raises(EdgeError, match="refuses the login of desk") as met:
        ImapMailbox(account(server)).open()

    assert isinstance(met.value, EdgeSetupError) is lasting
    assert words in str(met.value)


@pytest.mark.parametrize(
    ("tls", "capabilities", "words"),
    [
        pytest.param("starttls", "IMAP4rev1", "does not offer STARTTLS", id="starttls-stripped"),
        pytest.param("none", "IMAP4rev1 LOGINDISABLED", "forbids a login without TLS", id="login-disabled"),
    ],
)
def test_password_is_not_sent_over_a_line_less_safe_than_asked(tls: str, capabilities: str, words: str) -> None:
    with FaultyImap(capabilities=capabilities) as server:
        with pytest.raises(EdgeSetupError, match=words):
            ImapMailbox(account(server, tls=tls)).open()

        assert "desk-password" not in "".join(server.heard)


@pytest.mark.parametrize("greeting", ["* BYE too many connections", "220 mail.example ESMTP", "* NO"])
def test_unfriendly_greeting_is_tried_again_later(greeting: str) -> None:
    with FaultyImap(greeting=greeting) as server, pytest.raises(EdgeError) as met:
        ImapMailbox(account(server)).open()

    assert not isinstance(met.value, EdgeSetupError)


def test_folder_that_can_only_be_read() -> None:
    def read_only(line: Line, tag: str, _words: str) -> None:
        line.say("* 0 EXISTS", f"{tag} OK [READ-ONLY] done")

    with FaultyImap({"SELECT": read_only}) as server, pytest.raises(EdgeSetupError, match="can only be read: desk needs"):
        ImapMailbox(account(server)).open()


@pytest.mark.parametrize("epoch", [0, 1, 2**32, 2**63])
def test_epoch_of_any_size(epoch: int) -> None:
    with FaultyImap(epoch=epoch) as server:
        box = ImapMailbox(account(server))

        assert box.open() == epoch
        box.close()
