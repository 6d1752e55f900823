"""Was the record signed as it was, again and again? The checkpoints of a campaign, reckoned once more past the program.

Those in the file and those in the table, each note with its empty line: signatures by the words of C2SP signed-note, roots by those
of RFC 6962.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_NOTE: Final = re.compile(r"(?P<text>\S+\n(?P<size>\d+)\n(?P<root>\S+)\n(?:[^\n]+\n)+)\n— \S+ (?P<signature>\S+)\n\n")
_KEY_ID_BYTES: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """`published`: the file; `noted`: the table's notes, oldest first; `leaves`: of all records; `deaths`: of whoever may sign."""

    published: str
    noted: Sequence[str]
    leaves: Sequence[bytes]
    public_key: str  # as it stands in checkpoint.pub
    deaths: int


def faults(signed: Signed) -> Iterator[str]:
    """What must not be: a note that is none, a wrong signature, another root than the records have, a file that lacks one."""
    found = list(_NOTE.finditer(signed.published))
    if not found or "".join(one[0] for one in found) != signed.published:
        yield "the file of checkpoints holds something that is none"
    roots = _roots(signed.leaves)
    for one in found:
        if not _is_signed(one, signed.public_key):
            yield f"the checkpoint of {one['size']} records is not signed"
        if int(one["size"]) >= len(roots) or base64.b64decode(one["root"]) != roots[int(one["size"])]:
            yield f"the checkpoint of {one['size']} records is none of this record"
    sizes = [int(one["size"]) for one in found]
    if sizes != sorted(sizes):
        yield "a later checkpoint signed fewer records"
    yield from _apart([one[0] for one in found], [f"{note}\n" for note in signed.noted], signed.deaths)


def _apart(published: Sequence[str], noted: Sequence[str], deaths: int) -> Iterator[str]:
    """The file comes first: it alone may have what somebody died before noting."""
    if [one for one in published if one in set(noted)] != list(noted):
        yield "the table has a checkpoint that was not published, or in another order"
    alone = len(published) - len(noted)
    if alone > deaths:
        yield f"{alone} checkpoints were published and not noted, and only {deaths} times somebody died"
    if published[-1:] != noted[-1:]:
        yield "the last checkpoint of the file is not that of the table"


def _is_signed(one: re.Match[str], public_key: str) -> bool:
    key = base64.b64decode(public_key.split("+", 2)[2])[1:]
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(one["signature"])[_KEY_ID_BYTES:], one["text"].encode())
    except InvalidSignature:
        return False
    return True


def _roots(leaves: Sequence[bytes]) -> list[bytes]:
    """The root of the first none, one, two … leaves."""
    roots = [hashlib.sha256().digest()]
    edge: list[tuple[int, bytes]] = []  # full subtrees, largest first: how many leaves, and their hash
    for leaf in leaves:
        edge.append((1, leaf))
        while len(edge) > 1 and edge[-1][0] == edge[-2][0]:
            (count, right), (_, left) = edge.pop(), edge.pop()
            edge.append((2 * count, _node(left, right)))
        root = edge[-1][1]
        for _, left in reversed(edge[:-1]):
            root = _node(left, root)
        roots.append(root)
    return roots


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()
