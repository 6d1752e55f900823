"""What stands in a bundle that proves itself without the database? (audit.md, Export; `bundle/verify_export.py` reads it.)

    records.jsonl      a line for each record from `first` to `last`: as hashed, or withheld: header and a hash of the rest
    checkpoint.note    the signed note of the checkpoint under which they stand
    manifest.json      what it is about, and the hashes that lead from the records to the checkpoint's root
    verify_export.py   the verifier;   README.txt   how to use it

Bytes that were hashed stand as JSON strings, so that a reader gets them back exactly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mailer.core import evidence
from mailer.core.evidence import Sealed
from mailer.core.merkle import Span

FORMAT: Final = "mailer-bundle-1"


def record_line(sealed: Sealed, *, withheld: bool) -> bytes:
    header, details = evidence.texts(sealed)
    line: dict[str, object] = {"seq": sealed.seq, "header": header}
    if withheld:
        line["details_hash"] = hashlib.sha256(sealed.nonce + sealed.details).hexdigest()
    else:
        line |= {"nonce": sealed.nonce.hex(), "details": details}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def right_spans(last: int, size: int) -> Iterator[Span]:
    """The subtrees that follow the first `last` leaves in a tree of `size`, each as large as its place allows, from the left."""
    place = last
    while place < size:
        leaves = place & -place or 1 << (size.bit_length() - 1)
        while place + leaves > size:
            leaves >>= 1
        yield place, place + leaves
        place += leaves


def manifest(
    *,
    origin: str,
    public_key: str,
    made_at: str,
    first: int,
    last: int,
    size: int,
    left: Sequence[bytes],
    right: Sequence[tuple[int, bytes]],
    asked: Mapping[str, object],
    shown: int,
    records_digest: str,
) -> bytes:
    """`left`: the roots of the full subtrees before `first`; `right`: number of leaves and root of those after `last`."""
    written = {
        "format": FORMAT,
        "origin": origin,
        "public_key": public_key,
        "made_at": made_at,
        "first": first,
        "last": last,
        "size": size,
        "left": [one.hex() for one in left],
        "right": [{"leaves": leaves, "root": root.hex()} for leaves, root in right],
        "asked": dict(asked),
        "shown": shown,
        "records_sha256": records_digest,
    }
    return json.dumps(written, ensure_ascii=False, indent=2).encode() + b"\n"
