"""What of a bounce may be kept? What its server says of the delivery, and not the answer that came back with its password.

It is written anew from the parts that `core.parts` sees, its own headers as they came but for those in which a password shows:

    delivery status                  as it stands
    text/plain                       the paragraphs that tell `core.bouncetext` of recipients, and the headers of a letter that is
                                     returned in the text; behind a delivery status these headers alone
    returned letter, or its headers  its headers
    anything else                    nothing

Where a password shows all the same, the part ends with the paragraph before. `core.bounce` reads in what is kept what it reads in
what came, unless that stood behind a password.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from mailer.core import bouncetext, leak, parts
from mailer.core.bounce import RETURNED, STATUS, TEXT, TEXTS_MAX
from mailer.core.parts import Part
from mailer.model import LOOP_HEADER

_EMPTY: Final = re.compile(rb"\n[> \t]*+(?=\n)")  # a line that is empty, quoted or not
_MARK: Final = re.compile(rb"^[> \t]*+" + re.escape(LOOP_HEADER.encode()) + rb":", re.IGNORECASE | re.MULTILINE)


def without_answer(content: bytes) -> bytes:
    """The bytes to keep of a bounce, lines ended by LF."""
    letter = parts.whole(content)
    boundary = letter.boundary
    if boundary is None:
        body = letter.encoded(_silent(_text(letter.content))) if letter.content_type.name in TEXT else b""
    else:
        delimiter = b"--" + boundary
        leaves = (b"%b\n%b\n%b\n" % (delimiter, leaf.head, leaf.encoded(_silent(said))) for leaf, said in _leaves(letter))
        body = b"%b%b--\n" % (b"".join(leaves), delimiter)
    return leak.silent(letter.head) + b"\n" + (b"" if leak.is_in(body) else body)


def _leaves(letter: Part) -> Iterator[tuple[Part, bytes]]:
    """Each part with what somebody reads of its content."""
    told, texts = False, 0
    for leaf in parts.leaves(letter):
        name, said = leaf.content_type.name, b""
        if name in STATUS:
            told, said = True, leaf.content
        elif name in RETURNED:
            said = leaf.content.lstrip().partition(b"\n\n")[0]
        elif name in TEXT and texts < TEXTS_MAX:
            texts, said = texts + 1, _returned(leaf.content) if told else _text(leaf.content)
        yield leaf, said


def _returned(content: bytes) -> bytes:
    """The headers of a letter that a text returns."""
    start, end = bouncetext.returned_headers(content)
    return content[start:end]


def _text(content: bytes) -> bytes:
    """The paragraphs of a text that tell all it has to say."""
    _, end = bouncetext.returned_headers(content)
    mark = _MARK.search(content, 0, end)
    over = None if mark is None else _EMPTY.search(content, mark.end(), end)
    text = content[: end if over is None else over.end()]
    said = bouncetext.read(text)
    ends = _paragraphs(text)
    return text[: ends[bisect_left(ends, True, key=lambda end: bouncetext.read(text[:end]) == said)]]


def _silent(content: bytes) -> bytes:
    """The paragraphs before the first in which a password shows."""
    ends = _paragraphs(content)
    return content[: ends[bisect_left(ends, True, key=lambda end: leak.is_in(content[:end])) - 1]]


def _paragraphs(content: bytes) -> list[int]:
    """Where each ends, and where the first begins."""
    return [0, *(empty.end() for empty in _EMPTY.finditer(content)), len(content)]
