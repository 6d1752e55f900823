"""Is a returned answer cut out of a bounce, however it came back, and is what the bounce says still read?"""

from __future__ import annotations

import base64
import quopri

import pytest

from mailer.core import bounce
from mailer.core.bounce import Bounce
from mailer.core.bouncecut import without_answer

REPLY_ID = "0123456789abcdef" * 2
SECRET = base64.b64encode("Ваш пароль: zk7m3wdr8fhn4gtbsj".encode()).decode()
OURS = (
    f"From: uc@fond.example\r\nSubject: =?utf-8?q?x?=\r\nMessage-ID: <{REPLY_ID}@fond.example>\r\nX-Mailer-Loop: {REPLY_ID}\r\n"
    f"Content-Transfer-Encoding: base64\r\n\r\n{SECRET}\r\n"
)
HEAD = "From: MAILER-DAEMON@x.example\r\nTo: uc@fond.example\r\n"
REPORT = (
    f"{HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nsorry\r\n"
    "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
    "Final-Recipient: rfc822; gb1@clinic.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n"
)
QUOTED = "> " + OURS.replace("\r\n", "\r\n> ")
ENCODED = {
    "base64": base64.encodebytes(OURS.encode()).decode().replace("\n", "\r\n"),
    "quoted-printable": quopri.encodestring(OURS.replace("Loop:", "Loop=3A").encode()).decode().replace("\n", "\r\n"),
}


@pytest.mark.parametrize("ends", ["\r\n", "\n", "\r"], ids=["CRLF", "LF", "CR"])
@pytest.mark.parametrize(
    "written",
    [
        pytest.param(f"{REPORT}\r\n{OURS}\r\n--b--\r\n", id="as a part"),
        pytest.param(f"{HEAD}Content-Type: text/plain\r\n\r\nsorry\r\n--- below is the message\r\n\r\n{OURS}", id="in the text"),
        pytest.param(f"{HEAD}\r\nsorry\r\n\r\n{QUOTED}", id="quoted"),
        pytest.param(
            f"{REPORT}Content-Transfer-Encoding: base64\r\n\r\n{ENCODED['base64']}\r\n--b--\r\n", id="once more in base64"
        ),
    ],
)
def test_the_answer_is_not_kept(written: str, ends: str) -> None:
    content = written.replace("\r\n", ends).encode()
    cut = without_answer(content)
    assert content.startswith(cut)
    assert SECRET.encode() not in cut
    assert base64.b64encode(SECRET.encode())[4:20] not in cut
    assert ENCODED["base64"].encode()[:40] not in cut
    assert cut.startswith(HEAD.replace("\r\n", ends).encode())


def test_what_the_bounce_says_is_still_read() -> None:
    content = f"{REPORT}\r\n{OURS}\r\n--b--\r\n".encode()
    before, after = (bounce.read(one, bounce_address=None) for one in (content, without_answer(content)))
    assert isinstance(after, Bounce)
    assert after == before
    assert after.reply_ids == (REPLY_ID,)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"X-Mailer-Loop: 1\r\n\r\nbody", f"{REPORT}\r\nheaders: none\r\n".encode(), b"\r\n" * 5]
)
def test_what_returns_nothing_of_ours_stays_as_it_is(content: bytes) -> None:
    assert without_answer(content) == content


def test_a_report_that_was_encoded_with_the_answer_ends_with_its_headers() -> None:
    """As Exchange writes it: report and returned headers in one text, base64 over both."""
    written = base64.encodebytes(f"ib@clinic.example\n#554 5.2.2 full ##\n\n{OURS}".replace("\r\n", "\n").encode()).decode()
    content = f"{HEAD}Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + written.encode()
    cut = without_answer(content)
    assert content.startswith(cut)
    kept = base64.b64decode(cut.partition(b"\r\n\r\n")[2])
    assert SECRET.encode() not in kept
    assert b"#554 5.2.2 full" in kept
    assert REPLY_ID.encode() in kept
