"""What of a bounce may be kept? Not the answer that came back in it: a password would stand there in the clear.

Every letter of ours carries its loop mark in the headers, and a bounce that returns the letter returns these first. What is kept
ends with them: `core.bounce` reads the report before them and the ids in them, nobody needs more. A returned letter that was
encoded once more goes with its headers. One that is quoted without its headers is not recognised.
"""

from __future__ import annotations

import re
from typing import Final

from mailer.core import parts
from mailer.model import LOOP_HEADER

_END: Final = re.compile(rb"(?>\r\n|\n|\r)[> \t]*+(?>\r\n|\n|\r)")  # a line that is empty, quoted or not
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
        if leaf.content != leaf.body and _MARK.search(leaf.content):
            first = leaf.body.lstrip().partition(b"\n")[0]
            return content[: content.index(first, own.end())]
    return content
