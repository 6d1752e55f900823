"""What stands above the text of our letters, and how do both become bytes? Nothing here knows what the letter says.

Headers are written and folded here, not by `email.policy`: Python 3.11 encodes long message ids, which breaks threads, and the
bytes must be the same whenever they are made (reliability.md, Replies and loops).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from mailer.model import LOOP_HEADER, Envelope

_ID_MAX: Final = 900  # a header line ends at 998 octets (RFC 5322, 2.1.1)
_REFERENCES_MAX: Final = 20
_LINE: Final = 76  # characters of base64 (RFC 2045, 6.8)
_WORD_BYTES: Final = 42  # of UTF-8 in an encoded word: with "Subject: " before it a line of 77 characters (RFC 2047, 2)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")
_BARE_ADDRESS: Final = re.compile(r"[!-+\--;=?-~]+@[!-+\--;=?A-~]+")  # printable ASCII but `,`, `<`, `>`; the domain without `@`


@dataclass(frozen=True, kw_only=True, slots=True)
class Letterhead:
    """Who writes to whom, when, and in answer to what.

    `from_address` is what people see, `envelope.sender` may be a bounce address. `in_reply_to` is the id of the letter answered,
    `references` are the ids that letter itself answers (RFC 5322, 3.6.4). `loop_mark` is by what we know our own letters.
    Raises ValueError for control characters, ids not of the form `<...@...>`, addresses that are not bare ASCII, and a naive time.
    """

    envelope: Envelope
    from_name: str
    from_address: str
    message_id: str
    at: datetime
    loop_mark: str
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    asked_for: bool = True  # False: a notice of ours, which answers nobody

    def __post_init__(self) -> None:
        for address in (self.from_address, self.envelope.recipient):
            if not _BARE_ADDRESS.fullmatch(address):
                raise ValueError("an address in a letterhead is bare and ASCII")
        for message_id in (self.message_id, *self.references, *filter(None, [self.in_reply_to])):
            if not _MESSAGE_ID.fullmatch(message_id):
                raise ValueError("a message id has the form <...@...>")
        if len(self.message_id) > _ID_MAX or not re.fullmatch(r"[!-~]+", self.loop_mark):
            raise ValueError("our own message id fits on a line, and the loop mark is one ASCII word")
        if not self.from_name.strip():
            raise ValueError("a letter needs a name it comes from")
        refuse_controls("from_name", self.from_name)
        if self.at.tzinfo is None:
            raise ValueError("the time of a letter needs a time zone")


def letter_bytes(letterhead: Letterhead, subject: str, body: str) -> bytes:
    """The finished letter: 7-bit MIME with CRLF, text/plain in UTF-8, nothing left to be changed on its way out."""
    refuse_controls("subject", subject)
    headers = (
        ("From", f"{_encoded_name(letterhead.from_name)}\r\n <{letterhead.from_address}>"),
        ("To", f"<{letterhead.envelope.recipient}>"),
        ("Subject", _encoded_words(subject)),
        ("Date", _date(letterhead.at, letterhead.at.utcoffset())),
        ("Message-ID", letterhead.message_id),
        *_thread(letterhead),
        ("Auto-Submitted", "auto-replied" if letterhead.asked_for else "auto-generated"),  # RFC 3834
        ("X-Auto-Response-Suppress", "All"),
        (LOOP_HEADER, letterhead.loop_mark),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", "base64"),
    )
    head = "".join(f"{header}: {value}\r\n" for header, value in headers)
    content = base64.b64encode(body.replace("\n", "\r\n").encode()).decode("ascii")
    lines = [content[start : start + _LINE] for start in range(0, len(content), _LINE)]
    return "\r\n".join([head, *lines, ""]).encode("ascii")


def holds_controls(text: str) -> bool:
    """Whether it holds a line break or another character that could end a header or not be encoded."""
    return _CONTROL.search(text) is not None


def refuse_controls(name: str, text: str) -> None:
    """Raise ValueError if the text may not stand in a letter."""
    if holds_controls(text):
        raise ValueError(f"{name} holds a line break or another control character")


@lru_cache(maxsize=8)  # a batch of answers is of one moment; moments that differ by their offset alone count as equal
def _date(at: datetime, _offset: timedelta | None) -> str:
    return format_datetime(at)


@lru_cache(maxsize=8)  # all our letters come from the same
def _encoded_name(name: str) -> str:
    return _encoded_words(name)


def _encoded_words(text: str) -> str:
    """RFC 2047, one word a line, no character split; ASCII is encoded too, so that nothing in a name needs quoting."""
    encoded, start = text.encode(), 0
    words: list[str] = []
    while start < len(encoded) or not words:
        end = start + _WORD_BYTES
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        words.append(f"=?utf-8?B?{base64.b64encode(encoded[start:end]).decode()}?=")
        start = end
    return "\r\n ".join(words)


def _thread(letterhead: Letterhead) -> Iterator[tuple[str, str]]:
    """In-Reply-To and References, one id a line; what does not fit on a line is left out, and the middle of a long thread."""
    answered = letterhead.in_reply_to
    if answered and len(answered) <= _ID_MAX:
        yield "In-Reply-To", answered
    earlier = (message_id for message_id in letterhead.references if message_id != answered)
    ids = [message_id for message_id in dict.fromkeys([*earlier, *filter(None, [answered])]) if len(message_id) <= _ID_MAX]
    if len(ids) > _REFERENCES_MAX:
        ids = [ids[0], *ids[1 - _REFERENCES_MAX :]]
    if ids:
        yield "References", "\r\n ".join(ids)
