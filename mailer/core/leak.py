"""Does a password of ours stand in the clear in what somebody sends us? Asked of bytes before they are kept; nothing raises.

Who answers a letter quotes it, who passes it on encloses it, and servers send back what they could not deliver. Structure is not
relied on: whatever can be undone is undone, wherever it stands and within each other, and each result is searched.

    undone       marks of quotation before lines, quoted-printable, base64, uuencode, encoded words, HTML tags and entities, UTF-16
    found        what looks like a password of `secret.PROFILES`, also parted by spaces and hyphens;
                 the word «пароль», in the usual charsets, with the sign of Latin letters and digits that it announces
    not found    what stands in archives, office documents, PDF and pictures, or is encrypted

It errs on the side of finding: «Пароль: A12345» is taken for one of ours, whoever made it. Costs are linear.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from typing import Final

from mailer.core import mime, parts
from mailer.core.secret import PROFILES
from mailer.model import LOOP_HEADER

_DEPTH_MAX: Final = 3  # encodings within each other
_SLICE: Final = 1024 * 1024
_OVERLAP: Final = 64 * 1024  # longer than an answer of ours in any form
_PIECES_MAX: Final = 500  # a slice in which more than that is encoded is taken to hold a password
_WORDS_MAX: Final = 500  # a piece that says «пароль» more often is taken to hold one
_WINDOW: Final = 4_000  # bytes after the word: HTML between a word and what it announces is long

_EMPTY_LINE: Final = re.compile(rb"\n\r*+\n|\r\r(?!\r*+\n)")
_QUOTE: Final = re.compile(rb"^[ \t]*+>[> \t]*+", re.MULTILINE)
_ESCAPED: Final = re.compile(rb"=(?:[0-9A-Fa-f]{2}|\n)")
_BASE64: Final = re.compile(rb"^[ \t]*+([A-Za-z0-9+/]{4,}+(?:\n[ \t]*+[A-Za-z0-9+/]++)*+)", re.MULTILINE)
_BASE64_LEAST: Final = 16
_ENCODED_WORD: Final = re.compile(rb"=\?[!->@-~]{1,40}\?([BbQq])\?([!->@-~]*+)\?=")
_UUENCODED: Final = re.compile(rb"^begin [0-7]{3,4} [^\n]*+\n((?:[!-M`][ -`]*+\n)*+)", re.MULTILINE)
_TAG: Final = re.compile(rb"</?[A-Za-z][^<>]{0,2000}+>|<!--")
_ENTITY: Final = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|nbsp|lt|gt|quot|amp);")
_LOOP_MARK: Final = LOOP_HEADER.lower().encode() + b":"

_PARTING: Final = b" -\t\r\n\xc2\xa0\x00"  # a hard space in UTF-8 among them; without NUL, ASCII in UTF-16 is ASCII again
_SYMBOLS: Final = "".join(profile.alphabet for profile in PROFILES.values()).encode()
_LEAST: Final = min(profile.length for profile in PROFILES.values())
_MARKED: Final = bytes(ord("x") if one in _SYMBOLS else ord(".") for one in range(256))
_ALIKE: Final = re.compile(
    rb"(?<![A-Za-z0-9])(?:%b)(?![A-Za-z0-9])"
    % b"|".join(
        b"(?:[%b][- \t\r\n\xc2\xa0]{0,4}){%d}" % (re.escape(one.alphabet.encode()), one.length) for one in PROFILES.values()
    )
)

_CHARSETS: Final = ("utf-8", "cp1251", "koi8-r", "cp866", "iso8859-5", "utf-16-le", "utf-16-be")
_STEMS: Final = [(stem.encode(charset), charset) for charset in _CHARSETS for stem in ("арол", "АРОЛ")] + [(b"assword", "ascii")]
_SPACE: Final = re.compile(r"[\s\xa0\xad\u200b-\u200f>|]+")
_SIGN: Final = r"(?![<&])(?=[!-~]{0,40}[A-Za-z0-9])[!-~]{4}"
_MIXED_SIGN: Final = r"(?=[!-~]{0,128}[0-9])(?=[!-~]{0,128}[A-Za-z])(?![!-~]{0,128}[@/])[!-~]{6}"
_ANNOUNCED: Final = re.compile(
    rf"[а-яёА-ЯЁ]{{0,3}}+ ?(?:\([^()]{{0,100}}+\) ?)?+(?:[:=] ?{_SIGN}|(?:[^:.!?]{{0,100}}+:)?+ ?[<\"'*_=-]{{0,3}}+ ?{_MIXED_SIGN})"
)


def is_in(content: bytes) -> bool:
    """Whether what looks like a password of ours can be read in these bytes."""
    return _finds(content, _shows)


def is_in_letter(content: bytes) -> bool:
    """The same below the headers of a letter, or whether a letter of ours is enclosed there: of that, the loop mark is enough."""
    start = _EMPTY_LINE.search(content)
    return _finds(content if start is None else content[start.end() :], lambda piece: _LOOP_MARK in piece.lower() or _shows(piece))


def silent(headers: bytes, *, but: Collection[bytes] = ()) -> bytes:
    """A header block; where a password shows in it, without what is no field and without the fields that show one.

    `but` are names of fields, in small letters, that stay whatever they show.
    """
    if not is_in(headers):
        return headers
    fields = (field for field in mime.FIELD.finditer(headers) if field[1].lower() in but or not is_in(field[0]))
    return b"".join(field[0] + b"\n" for field in fields)


def _finds(content: bytes, what: Callable[[bytes], bool]) -> bool:
    return any(
        number == _PIECES_MAX or what(piece) for one in _slices(content) for number, piece in enumerate(_undone(one, _DEPTH_MAX))
    )


def _slices(content: bytes) -> Iterator[bytes]:
    """The bytes in slices that overlap, each from a line's beginning on: memory is bounded by one of them."""
    start = 0
    while start < len(content):
        yield content[start : start + _SLICE + _OVERLAP]
        start += _SLICE
        start = max(start, content.find(b"\n", start, start + _OVERLAP // 2) + 1)


def _undone(content: bytes, depth: int) -> Iterator[bytes]:
    """These bytes, and whatever is encoded in them, decoded."""
    lines = content.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    plain = _QUOTE.sub(b"", lines) if b">" in lines else lines
    yield plain
    if b"&" in plain or b"<" in plain:
        yield _TAG.sub(b"", _ENTITY.sub(lambda entity: _as_utf8(entity[0]), plain))
    if depth == 0:
        return
    if _ESCAPED.search(plain):
        yield from _undone(binascii.a2b_qp(plain), depth - 1)
    if words := b"".join(map(_decoded, _ENCODED_WORD.finditer(plain))):
        yield words
    for run in _BASE64.finditer(plain):
        if len(run[1]) >= _BASE64_LEAST:
            yield from _undone(parts.from_base64(run[1]), depth - 1)
    for block in _UUENCODED.finditer(plain):
        yield from _undone(b"".join(map(_from_uu, block[1].splitlines())), depth - 1)


def _decoded(word: re.Match[bytes]) -> bytes:
    return binascii.a2b_qp(word[2], header=True) if word[1] in b"Qq" else parts.from_base64(word[2])


@lru_cache(maxsize=1000)
def _as_utf8(entity: bytes) -> bytes:
    return html.unescape(entity.decode("ascii")).encode("utf-8", "ignore")


def _from_uu(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:  # some other text
        return b""


def _shows(piece: bytes) -> bool:
    return _is_alike(piece) or any(_is_announced(piece, stem, charset) for stem, charset in _STEMS)


def _is_alike(piece: bytes) -> bool:
    """Looked for at length only where so many symbols of ours stand one after another."""
    if b"x" * _LEAST not in piece.translate(_MARKED, _PARTING):
        return False
    return _ALIKE.search(piece.replace(b"\0", b"")) is not None


def _is_announced(piece: bytes, stem: bytes, charset: str) -> bool:
    place = -1
    for _ in range(_WORDS_MAX):
        place = piece.find(stem, place + 1)
        if place < 0:
            return False
        start = place + len(stem)
        behind = piece[start : start + _WINDOW]
        texts = (one.decode(charset, "ignore") for one in (behind, _TAG.sub(b" ", behind)))
        if any(_ANNOUNCED.match(_SPACE.sub(" ", text)) for text in texts):
            return True
    return True
