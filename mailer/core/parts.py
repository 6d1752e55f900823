"""Which parts is a report made of? Only bounces are taken apart; the body of a request is never looked at.

A splitter over bytes (RFC 2046, 5.1), not `email.parser`, which fails on deep nests. It never raises, and its costs are linear:

    letter           1 MiB is looked at
    parts            20 in all, multiparts counted, at most 5 within each other; what lies deeper or behind is not seen
    one part         256 KiB of its body, decoded from base64 or quoted-printable; 4,000 bytes of its Content-Type
    boundary         1 to 200 bytes; a multipart without one is not taken apart

A returned letter (message/rfc822) is one part and is not taken apart: what stands in it is what we sent, or what somebody says so.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from mailer.core import contenttype, mime
from mailer.core.contenttype import ContentType

LETTER_MAX: Final = 1024 * 1024
PARTS_MAX: Final = 20
DEPTH_MAX: Final = 5
BODY_MAX: Final = 256 * 1024

_BOUNDARY_MAX: Final = 200
_NOT_BASE64: Final = bytes(sorted(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")))


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part, its lines ended by LF. `head` (the lines of `headers`) and `body` as they stand: `content` is the body decoded."""

    content_type: ContentType
    head: bytes
    headers: Mapping[str, list[bytes]]
    body: bytes

    @property
    def content(self) -> bytes:
        body = self.body[:BODY_MAX]
        match self._encoding:
            case b"base64":
                return _lines(from_base64(body))
            case b"quoted-printable":
                return _lines(binascii.a2b_qp(body))
        return body

    def encoded(self, content: bytes) -> bytes:
        """Another content as it would stand in this part's body."""
        match self._encoding:
            case b"base64":
                return base64.encodebytes(content)
            case b"quoted-printable":
                return binascii.b2a_qp(content)
        return content

    @property
    def _encoding(self) -> bytes:
        return next(iter(self.headers.get("content-transfer-encoding", [])), b"").partition(b"(")[0].strip().lower()

    @property
    def boundary(self) -> bytes | None:
        """By what a multipart is taken apart; None where it cannot be."""
        boundary = self.content_type.parameters.get("boundary", b"").rstrip(b" \t")
        return boundary if self.content_type.name.startswith("multipart/") and 0 < len(boundary) <= _BOUNDARY_MAX else None


def whole(content: bytes) -> Part:
    """The letter itself as one part."""
    return _part(_lines(content[:LETTER_MAX]))


def leaves(letter: Part) -> Iterator[Part]:
    """The parts that hold no other, in the order of the letter; a letter that is no multipart is its own only leaf."""
    return (part for part in islice(_walk(letter, DEPTH_MAX), PARTS_MAX) if part.boundary is None)


def _walk(part: Part, depth: int) -> Iterator[Part]:
    yield part
    if part.boundary is not None and depth:
        for inner in _split(part.body, part.boundary):
            yield from _walk(_part(inner), depth - 1)


def _split(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """RFC 2046, 5.1.1: the line end before a delimiter belongs to it. A part that is not closed reaches to the end."""
    body = b"\n" + body
    begin = None
    for delimiter in re.finditer(rb"\n--" + re.escape(boundary) + rb"(--)?+[ \t]*+(?=\n|\Z)", body):
        if begin is not None:
            yield body[begin : delimiter.start()]
        if delimiter[1]:
            return
        begin = delimiter.end() + 1
    if begin is not None:
        yield body[begin:]


def _part(content: bytes) -> Part:
    head, body = (b"", content[1:]) if content.startswith(b"\n") else _halves(content)
    headers = mime.headers(head)
    written = contenttype.read(next(iter(headers.get("content-type", [])), b""))
    return Part(content_type=written, head=head, headers=headers, body=body)


def _halves(content: bytes) -> tuple[bytes, bytes]:
    head, _, body = content.partition(b"\n\n")
    return head + b"\n", body


def _lines(content: bytes) -> bytes:
    """Line ends as LF, by the same measure as `core.mime`: CR alone ends a line only where it ends the first."""
    if b"\n" not in content:
        return content.replace(b"\r", b"\n")
    return content.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")


def from_base64(body: bytes) -> bytes:
    """What can be read of it: strange bytes are passed over, padding ends it, and what is cut within a group is dropped."""
    digits = body.partition(b"=")[0].translate(None, _NOT_BASE64)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))
