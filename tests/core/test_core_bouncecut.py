"""Is a returned answer left out of a bounce, however it came back, and is what the bounce says still read?"""

from __future__ import annotations

import base64
import quopri
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import bounce, leak
from mailer.core.bounce import Bounce
from mailer.core.bouncecut import without_answer
from mailer.core.deliverystatus import Outcome
from tests.core.test_core_leak import PASSWORDS, answer, as_html, quoted
from tests.e2e.canary import seen

LETTERS = sorted((Path(__file__).parents[1] / "bounces").glob("*.eml"))
REPLY_ID = "0" * 32
HEAD = "From: MAILER-DAEMON@x.example\r\nTo: uc@fond.example\r\n"
STATUS = (
    "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
    "Final-Recipient: rfc822; gb1@clinic.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
)
TOLD = "Hi. This is the qmail-send program at x.example.\r\n\r\n<gb1@clinic.example>:\r\n550 5.1.1 no such user\r\n\r\n"
COPY = "--- Below this line is a copy of the message.\r\n\r\n"


def report(*parts: str) -> str:
    head = f"{HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    return head + "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"


def encoded(text: str, how: str) -> str:
    written = (
        base64.encodebytes(text.encode())
        if how == "base64"
        else quopri.encodestring(text.replace("\r\n", "\n").encode()).replace(b":", b"=3A")
    )
    return written.decode().replace("\n", "\r\n")


def part(content_type: str, text: str, encoding: str = "8bit") -> str:
    body = text if encoding == "8bit" else encoded(text, encoding)
    return f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}"


def returned(ours: str, text: str) -> dict[str, str]:
    """Each way in which servers send it back, and whether the id of our letter can be read in it."""
    sorry = "\r\nsorry\r\n"
    plain = "text/plain; charset=utf-8"
    return {
        "as a part": report(sorry, STATUS, part("message/rfc822", ours)),
        "once more in base64": report(sorry, STATUS, part("message/rfc822", ours, "base64")),
        "once more in quoted-printable": report(sorry, STATUS, part("message/rfc822", ours, "quoted-printable")),
        "before the report": report(part("message/rfc822", ours), STATUS),
        "its text behind the report": report(sorry, STATUS, part(plain, text)),
        "its text behind the report, in base64": report(sorry, STATUS, part(plain, text, "base64")),
        "its text before the report": report(part(plain, f"sorry\r\n\r\n{text}", "quoted-printable"), STATUS),
        "its text as HTML": report(sorry, STATUS, part("text/html; charset=utf-8", as_html(text), "base64")),
        "its text as a file": report(sorry, STATUS, part("application/octet-stream", text, "base64")),
        "its text in the delivery status": report(sorry, f"{STATUS}\r\n{text}"),
        "text and part": report(part(plain, f"sorry\r\n\r\n{text}"), STATUS, part("message/rfc822", ours)),
        "multipart without a report": report(part(plain, f"{TOLD}{text}")),
        "in the text": f"{HEAD}\r\n{TOLD}{COPY}{ours}",
        "in the text, without headers": f"{HEAD}\r\n{TOLD}{COPY}{text}",
        "in the text, nothing before it": f"{HEAD}\r\n{TOLD}{text}",
        "in the text, quoted": f"{HEAD}\r\n{TOLD}{quoted(ours)}",
        "in the text, quoted without headers": f"{HEAD}\r\n{TOLD}{quoted(text)}",
        "in the text, in base64": f"{HEAD}{part(plain, f'{TOLD}{COPY}{ours}', 'base64')}",
        "in HTML alone": f"{HEAD}{part('text/html', as_html(text))}",
        "instead of the headers": f"{HEAD}{part('text/rfc822-headers', text)}",
        "where no text is": f"{HEAD}{part('image/png', text, 'base64')}",
    }


@pytest.mark.parametrize("ends", ["\r\n", "\n", "\r"], ids=["CRLF", "LF", "CR"])
@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("way", returned("", ""))
def test_the_answer_is_not_kept(way: str, password: str, ends: str) -> None:
    ours, text = answer(password)
    content = returned(ours.decode(), text)[way].replace("\r\n", "\n").replace("\n", ends).encode()
    assert leak.is_in(content)
    cut = without_answer(content)
    groups = " ".join(password[at : at + 6] for at in range(0, len(password), 6))
    assert [seen(cut, password), seen(cut, groups), leak.is_in(cut)] == [[], [], False]
    assert cut.startswith(HEAD.replace("\r\n", "\n").encode())


@pytest.mark.parametrize("way", sorted(returned("", "").keys() - {"in HTML alone", "instead of the headers", "where no text is"}))
def test_what_the_bounce_says_is_still_read(way: str) -> None:
    ours, text = answer(PASSWORDS["default"])
    content = returned(ours.decode(), text)[way].encode()
    before, after = (bounce.read(one, bounce_address=None) for one in (content, without_answer(content)))
    assert isinstance(after, Bounce)
    assert after == before
    assert [(one.outcome, one.final) for one in after.recipients] == [(Outcome.FAILED, "gb1@clinic.example")]


@pytest.mark.parametrize("ends", [b"\r\n", b"\n", b"\r"], ids=["CRLF", "LF", "CR"])
@pytest.mark.parametrize("path", LETTERS, ids=[path.stem for path in LETTERS])
def test_real_bounces_say_the_same(path: Path, ends: bytes) -> None:
    content = path.read_bytes().replace(b"\n", ends)
    address = "mailer+{id}@fond.example"
    cut = without_answer(content)
    assert bounce.read(cut, bounce_address=address) == bounce.read(content, bounce_address=address)


@pytest.mark.parametrize(
    "ending", [f"{COPY}{'h: x' * 5}", "--\r\nГлавный врач, тел. 12-34\r\n", "<ib@clinic.example>:\r\nполон\r\n"]
)
def test_of_a_text_its_server_is_kept_as_far_as_it_tells_of_recipients(ending: str) -> None:
    content = f"{HEAD}\r\n{TOLD}{ending}\r\n\r\nУважаемые коллеги!\r\n\r\nи так далее".encode()
    cut = without_answer(content)
    assert bounce.read(cut, bounce_address=None) == bounce.read(content, bounce_address=None)
    assert b"550 5.1.1 no such user" in cut
    assert "коллеги".encode() not in cut


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from([*returned("x: y\r\n\r\nz", "Пароль: a1b2c3d4").values()])).map(lambda them: "".join(them).encode())
)
def test_what_is_kept_says_the_same_when_it_is_cut_again(content: bytes) -> None:
    cut = without_answer(content)
    assert bounce.read(without_answer(cut), bounce_address=None) == bounce.read(cut, bounce_address=None)
