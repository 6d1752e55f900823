"""What of a bounce may be kept? Not the answer that came back in it: a password would stand there in the clear.

Every letter of ours carries its loop mark in the headers, and a bounce that returns the letter returns these first. What is kept
ends with them: `core.bounce` reads the report before them and the ids in them, nobody needs more. A returned letter that was
encoded once more is kept up to the end of its headers if it is base64, else it goes whole. One that is quoted without its headers
is not recognised.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from mailer.core import parts
from mailer.model import LOOP_HEADER

_END: Final = re.compile(rb"(?>\r\n|\n|\r)[> \t]*+(?>\r\n|\n|\r)")  # a line that is empty, quoted or not
_QUARTER: Final = re.compile(rb"(?:\s*+[A-Za-z0-9+/]){4}")
_MARK: Final = re.compile(rb"(?:\A|[\r\n])[> \t]*+" + re.escape(LOOP_HEADER.encode()) + rb":", re.IGNORECASE)


def without_answer(content: bytes) -> bytes:
    """The bytes of a bounce without what follows the headers of a returned letter of ours."""
    own = _END.search(content)
    if own is None:
        return content
    mark = _MARK.search(content, own.end() - 1)
    if mark is not None:
        end = _END.search(content, mark.end())
        return content if end is None else content[: end.end()]
    for leaf in parts.leaves(parts.whole(content)):
        mark = _MARK.search(leaf.content) if leaf.content != leaf.body else None
        if mark is not None:
            first = leaf.body.lstrip().partition(b"\n")[0]
            start = content.index(first, own.end())
            end = _END.search(leaf.content, mark.end())
            return content[: start + _encoded(content[start:], len(leaf.content) if end is None else end.end(), leaf.content)]
    return content


def _encoded(written: bytes, size: int, decoded: bytes) -> int:
    """How many of these bytes, if they are base64, stand for at most the first `size` of the decoded ones; 0 if they are not."""
    ends = [0, *(found.end() for found in _QUARTER.finditer(written))]
    kept = ends[min(size // 3, len(ends) - 1)]
    try:
        return kept if decoded.startswith(binascii.a2b_base64(written[:kept])) else 0
    except binascii.Error:
        return 0
