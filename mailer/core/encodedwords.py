"""What text do the bytes of a header stand for? Encoded words (RFC 2047) and raw 8-bit, as people's mailers really write them.

    =?utf-8?B?...?= =?UTF8?Q?...?=   one text: adjacent words of one charset are joined as bytes before they are decoded, because
                                     mailers split characters; the white space between them does not count
    =?win-1251?B?...?=               odd spellings of a charset are known; a charset that is not in the list is unreadable
    raw bytes                        strict UTF-8; else windows-1251 or koi8-r, whichever alone makes the phrase readable

What has no readable characters becomes U+FFFD and is never guessed at further: a wrong name is worse than a second letter
(letters.md, section 1). Nothing here raises, and nothing is decoded twice.
"""

from __future__ import annotations

import binascii
import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mailer.model import Repair

UNREADABLE: Final = "\ufffd"

_WORD: Final = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")
_STRAY_EQUALS: Final = re.compile(rb"=(?![0-9A-Fa-f]{2})")  # in a Q word of a careless mailer it stands for itself
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")
_NOT_A_LABEL: Final = re.compile(r"[^a-z0-9]")
_WHITE: Final = b" \t\r\n"
_STEM: Final = 6  # letters of a word of the phrase that inflection and most slips leave alone
_LOOKED_AT: Final = 4_000  # characters
_GUESSES: Final = ("cp1251", "koi8_r")
_UNNAMED: Final = ""  # the charset of raw bytes: nobody named it
_NO_TEXT: Final = ("utf_8", b"\xff")  # decodes to U+FFFD and nothing else

_LABELS: Final = {
    "utf_8": "utf8 unicodeutf8 csutf8 utf",
    "cp1251": "windows1251 win1251 cp1251 xcp1251 windowscp1251 ansi1251 mswin1251 w1251 1251 microsoftcp1251",
    "koi8_r": "koi8r koi8 koi xkoi8r cskoi8r",
    "koi8_u": "koi8u koi8ru",
    "iso8859_5": "iso88595 88595 cyrillic isoir144 csisolatincyrillic",
    "cp866": "cp866 ibm866 dos866 866 xcp866 csibm866",
    "cp855": "cp855 ibm855",
    "mac_cyrillic": "xmaccyrillic maccyrillic xmacukrainian",
    "utf_16": "utf16",
    "utf_16_le": "utf16le",
    "utf_16_be": "utf16be",
    "utf_32": "utf32",
    "utf_32_le": "utf32le",
    "utf_32_be": "utf32be",
    "gb18030": "gb18030 gb2312 gbk",
    "big5": "big5",
    "shift_jis": "shiftjis sjis xsjis",
    "euc_jp": "eucjp",
    "iso2022_jp": "iso2022jp",
    "euc_kr": "euckr ksc56011987",
    _UNNAMED: "usascii ascii ansix341968 unknown8bit xunknown unknown 8bit binary",
}
_CODECS: Final = (
    {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
    | {f"iso8859{part}": f"iso8859_{part}" for part in range(1, 17) if part not in {5, 12}}
    | {f"{maker}{page}": f"cp{page}" for maker in ("windows", "cp", "win") for page in range(1250, 1259) if page != 1251}
)
"""Charset as written, without its punctuation -> Python's codec: text charsets only, so `punycode` and `rot13` name nothing."""

_ORDER_MARKS: Final = {"utf_16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf_32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}

# Latin letters that look Cyrillic, as people type them into a Russian phrase.
_TWINS: Final = str.maketrans("ёabcehkmoptxy", "еавсенкмортху")

_Piece = tuple[str, list[bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """The text of a header; U+FFFD stands where no characters could be read."""

    text: str
    repairs: tuple[Repair, ...] = ()

    @property
    def undecodable(self) -> bool:
        return UNREADABLE in self.text


def decode(raw: bytes, phrase: str) -> Decoded:
    """The text of an unfolded header value. The phrase tells in which of two charsets raw bytes make sense; "" guesses nothing."""
    if b"=?" not in raw and raw.isascii():
        return Decoded(text=raw.decode("ascii"))
    pieces = _pieces(raw)
    unnamed = b"".join(part for codec, parts in pieces if codec == _UNNAMED for part in parts)
    try:
        unnamed.decode("utf_8")
    except UnicodeDecodeError:
        return _guess(pieces, phrase)
    return Decoded(text=_text(pieces, "utf_8"))


def likeness(text: str, phrase: str) -> int:
    """How many words of the phrase can be made out in a text, look-alikes and inflections allowed: a cheap first look."""
    folded = text[:_LOOKED_AT].casefold().translate(_TWINS)
    return sum(stem in folded for stem in _stems(phrase))


@lru_cache(maxsize=8)
def _stems(phrase: str) -> tuple[str, ...]:
    return tuple(word[:_STEM] for word in phrase.casefold().translate(_TWINS).split())


def _guess(pieces: list[_Piece], phrase: str) -> Decoded:
    """Two charsets that make as much of the phrase readable would be two readings of the name: then neither counts."""
    texts = [_text(pieces, codec) for codec in _GUESSES]
    scores = [likeness(text, phrase) for text in texts]
    if scores.count(max(scores)) > 1:
        return Decoded(text=_text(pieces, "utf_8"))
    return Decoded(text=texts[scores.index(max(scores))], repairs=(Repair.CHARSET,))


def _text(pieces: list[_Piece], codec_of_unnamed: str) -> str:
    return "".join(_characters(b"".join(parts), codec or codec_of_unnamed) for codec, parts in pieces)


def _characters(content: bytes, codec: str) -> str:
    """RFC 2781, 4.3: without a byte order mark the first byte is the higher one, whatever this machine prefers."""
    marks = _ORDER_MARKS.get(codec)
    return content.decode(codec if marks is None or content.startswith(marks) else f"{codec}_be", "replace")


def _pieces(raw: bytes) -> list[_Piece]:
    """Runs of bytes of one charset, in order."""
    pieces: list[_Piece] = []
    end = 0
    for word in _WORD.finditer(raw):
        between = raw[end : word.start()]
        if between and not (end and between.isspace()):
            pieces.append((_UNNAMED, [between]))
        codec, content = _word(word)
        if pieces and pieces[-1][0] == codec and (end and (not between or between.isspace())):
            pieces[-1][1].append(content)
        else:
            pieces.append((codec, [content]))
        end = word.end()
    if end < len(raw):
        pieces.append((_UNNAMED, [raw[end:]]))
    return pieces


def _word(word: re.Match[bytes]) -> tuple[str, bytes]:
    """Codec and bytes of one encoded word. RFC 2231 may put a language behind the charset: `utf-8*ru`."""
    label, encoding, payload = word.groups()
    codec = _codec(label)
    if codec is None:
        return _NO_TEXT
    if encoding in b"Qq":
        return codec, binascii.a2b_qp(_STRAY_EQUALS.sub(b"=3D", payload), header=True)
    content = _base64(payload)
    return _NO_TEXT if content is None else (codec, content)


def _base64(payload: bytes) -> bytes | None:
    """Padding may be missing; anything else that is wrong may have lost characters, so nothing of it is read."""
    digits = payload.translate(None, _WHITE).rstrip(b"=")
    if len(digits) % 4 == 1 or _NOT_BASE64.search(digits):
        return None
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


@lru_cache(maxsize=256)
def _codec(label: bytes) -> str | None:
    charset = label.partition(b"*")[0].decode("ascii", "replace").lower()
    return _CODECS.get(_NOT_A_LABEL.sub("", charset))
