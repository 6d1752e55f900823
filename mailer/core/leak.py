"""Does a password of ours stand in the clear in what somebody sends us? Asked of bytes before they are kept; nothing raises.

Who answers a letter quotes it, who passes it on encloses it, and servers send back what they could not deliver. Structure is not
relied on: whatever can be undone is undone, wherever it stands and within each other, and each result is searched.

    undone       marks of quotation before lines («> », «| », «ИИ> »), quoted-printable, base64, uuencode, encoded words, HTML tags
                 and entities, UTF-16
    found        what looks like a password of `secret.PROFILES`, also parted by spaces, hyphens and marks without width;
                 the word «пароль», in the usual charsets, with the sign of Latin letters and digits that it announces
    not found    what stands in archives, office documents, PDF, pictures and compressed text (TNEF), or is encrypted;
                 what was typed by hand in other letters; base64 in whose very line bytes were lost

It errs on the side of finding: «Пароль: A12345» is taken for one of ours, whoever made it; a date is not. Costs are linear.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache
from itertools import chain, pairwise
from typing import Final

from mailer.core import mime, parts
from mailer.core.secret import PROFILES
from mailer.model import LOOP_HEADER

_DEPTH_MAX: Final = 3  # encodings within each other
_SLICE: Final = 1024 * 1024
_OVERLAP: Final = 64 * 1024  # longer than an answer of ours in any form
_WORDS_MAX: Final = 500  # a piece that says «пароль» more often is taken to hold one
_WINDOW: Final = 4_000  # bytes after the word: HTML between a word and what it announces is long

_EMPTY_LINE: Final = re.compile(rb"\n\r*+\n|\r\r(?!\r*+\n)")
_QUOTE: Final = re.compile(rb"^(?:[ \t]*+(?:[A-Z\x80-\xff]{1,12}+>|[>|]))++[ \t]*+", re.MULTILINE)  # also with initials: «ИИ> »
_ESCAPED: Final = re.compile(rb"=(?:[0-9A-Fa-f]{2}|\n)")
_BASE64: Final = re.compile(rb"^[ \t]*+([A-Za-z0-9+/]{4,}+(?:\n[ \t]*+[A-Za-z0-9+/]++)*+)", re.MULTILINE)
_BASE64_LEAST: Final = 16
_ENCODED_WORD: Final = re.compile(rb"=\?[!->@-~]{1,40}\?([BbQq])\?([!->@-~]*+)\?=")
_UUENCODED: Final = re.compile(rb"^begin [0-7]{3,4} [^\n]*+\n((?:[!-M`][ -`]*+\n)*+)", re.MULTILINE)
_TAG: Final = re.compile(rb"</?[A-Za-z][^<>]{0,2000}+>|<!--")
_TAG_OF_TEXT: Final = re.compile(_TAG.pattern.decode())
_LINE_TAG: Final = re.compile(rb"<(?:br|/?(?:p|div|li|t[dhr]|h[1-6]|pre|blockquote))\b[^<>]{0,2000}+>", re.IGNORECASE)
_ENTITY: Final = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|(?:nb|en|em|thin)sp|shy|zwn?j|ZeroWidthSpace|lt|gt|quot|amp);")
_LOOP_MARK: Final = LOOP_HEADER.lower().encode() + b":"

_PARTING: Final = (
    b" -\t\r\n\x00"  # without NUL, ASCII in UTF-16 is ASCII again
    b"\xa0\xad\xc2\xe2\x80\x81\x82\x83\x89\x8b\x8c\x8d\x90\x91\xaf\xef\xbb\xbf"  # spaces, hyphens, marks without width
)
_SYMBOLS: Final = "".join(profile.alphabet for profile in PROFILES.values()).encode()
_LEAST: Final = min(profile.length for profile in PROFILES.values())
_MARKED: Final = bytes(ord("x") if one in _SYMBOLS else ord(".") for one in range(256))
_ALIKE: Final = re.compile(
    rb"(?<![A-Za-z0-9])(?:%b)(?![A-Za-z0-9])"
    % b"|".join(
        b"(?:[%b][%b]{0,6}){%d}" % (re.escape(one.alphabet.encode()), re.escape(_PARTING), one.length) for one in PROFILES.values()
    )
)

_CHARSETS: Final = ("utf-8", "cp1251", "koi8-r", "cp866", "iso8859-5", "utf-16-le", "utf-16-be")
_STEMS: Final = [(stem.encode(charset), charset) for charset in _CHARSETS for stem in ("арол", "АРОЛ")] + [(b"assword", "ascii")]
_UNSEEN: Final = re.compile("[\xad\u200b-\u200f\u2060\ufeff]+")
_SPACE: Final = re.compile(r"[\s>|]+")
_NO_DATE: Final = r"(?!\d\d?\.\d\d?\.(?:\d\d){1,2}(?![A-Za-z0-9]))"
_SIGN: Final = _NO_DATE + r"(?![<&])(?=[!-~]{0,40}[A-Za-z0-9])[!-~]{4}"
_MIXED_SIGN: Final = _NO_DATE + r"(?=[!-~]{0,128}[0-9])(?=[!-~]{0,128}[A-Za-z])(?![!-~]{0,128}[@/])[!-~]{6}"
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
    return any(what(piece) for one in _slices(content) for piece in _undone(one, _DEPTH_MAX))


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
    plain = _QUOTE.sub(b"", lines) if b">" in lines or b"|" in lines else lines
    yield plain
    if b"&" in plain or b"<" in plain:
        yield _TAG.sub(b"", _LINE_TAG.sub(b"\n", _ENTITY.sub(lambda entity: _as_utf8(entity[0]), plain)))
    if depth == 0:
        return
    if _ESCAPED.search(plain):
        yield from _undone(binascii.a2b_qp(plain), depth - 1)
    if b"=\n>" in lines:  # no quotation, if a tag was wrapped before its end
        yield from _undone(binascii.a2b_qp(lines), 0)
    if words := b"".join(map(_decoded, _ENCODED_WORD.finditer(plain))):
        yield words
    if runs := b"\n".join(piece for run in _BASE64.finditer(plain) for piece in _from_base64(run[1])):
        yield from _undone(runs, depth - 1)
    if b"begin " in plain:
        yield from _undone(
            b"".join(_from_uu(line) for block in _UUENCODED.finditer(plain) for line in block[1].splitlines()), depth - 1
        )


def _from_base64(run: bytes) -> Iterator[bytes]:
    """Its lines together; and again behind each that is not of whole groups, so that a word before them or a gap hides no more."""
    lines = run.split()
    odd = [number for number, line in enumerate(lines[:-1], 1) if len(line) % 4]
    apart = (b"".join(lines[start:end]) for start, end in pairwise([0, *odd, len(lines)] if odd else []))
    for piece in chain([run], apart):
        if len(piece) >= _BASE64_LEAST:
            yield parts.from_base64(piece)


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
        text = _UNSEEN.sub("", behind.decode(charset, "ignore"))
        if any(_ANNOUNCED.match(_SPACE.sub(" ", one)) for one in (text, _TAG_OF_TEXT.sub(" ", text))):
            return True
    return True
