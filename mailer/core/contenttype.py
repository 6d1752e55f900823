"""What does a Content-Type header say? Type and parameters (RFC 2045, 5.1); a word inside a quoted parameter is no parameter.

What cannot be read counts as text/plain (RFC 2045, 5.2). Nothing here raises; only the first 4,000 bytes are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_LOOKED_AT: Final = 4_000
_TYPE: Final = re.compile(rb"\s*+([!-.0-:<-~]+/[!-:<-~]+)")
_PARAMETER: Final = re.compile(rb';\s*+([!-:<>-~]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]++))', re.DOTALL)
_QUOTED_OR_COMMENT: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|\([^()]*+\)', re.DOTALL)
_QUOTED_PAIR: Final = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContentType:
    """`name` and the names of parameters are lower-cased; of a parameter that stands twice the first counts."""

    name: str
    parameters: Mapping[str, bytes]

    @property
    def report(self) -> str | None:
        """What a multipart/report reports, lower-cased (RFC 6522), "" if it does not say; None for anything else."""
        if self.name != "multipart/report":
            return None
        return self.parameters.get("report-type", b"").decode("ascii", "replace").lower()


def read(written: bytes) -> ContentType:
    """Read an unfolded header value."""
    written = _QUOTED_OR_COMMENT.sub(_without_comment, written[:_LOOKED_AT])
    named = _TYPE.match(written)
    parameters: dict[str, bytes] = {}
    for parameter in _PARAMETER.finditer(written):
        name, quoted, plain = parameter.groups()
        parameters.setdefault(name.decode("ascii").lower(), plain or _QUOTED_PAIR.sub(rb"\1", quoted or b""))
    return ContentType(name=named[1].decode("ascii").lower() if named else "text/plain", parameters=parameters)


def _without_comment(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0].startswith(b'"') else b" "
