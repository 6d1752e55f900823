"""What stands in a bundle that proves itself without the database? (audit.md, Export; `bundle/verify_export.py` reads it.)

    records.jsonl      a line for each record from `first` to `last`: as hashed, or withheld: header and a hash of the rest
    checkpoint.note    the signed note of the checkpoint under which they stand
    manifest.json      what it is about, and the hashes that lead from the records to the checkpoint's root
    keys.json          where another key signed before: how each came after the one before it, as far as that can still be shown
    verify_export.py   the verifier;   README.txt   how to use it

Bytes that were hashed stand as JSON strings, so that a reader gets them back exactly.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailer.core import evidence
from mailer.core.evidence import Sealed
from mailer.core.merkle import Span

FORMAT: Final = "mailer-bundle-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What stands beside some records in a tree: the roots of the full subtrees before them, and number of leaves and root of those
    after them.
    """

    left: Sequence[bytes]
    right: Sequence[tuple[int, bytes]]


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


def handover(note: str) -> dict[str, object]:
    """A step of keys.json: the checkpoint in which a key named the next one."""
    return {"note": note}


def loss(*, note: str, last: str, last_proof: Proof, told: Sealed, told_proof: Proof) -> dict[str, object]:
    """A step over a lost key: the checkpoint that says so, the `last` one that the lost key signed, and the record that tells it.
    A proof is what leads from there to the checkpoint of the bundle.
    """
    header, details = evidence.texts(told)
    return {
        "note": note,
        "last": last,
        "last_left": _hexes(last_proof.left),
        "last_right": _spans(last_proof.right),
        "record": {"seq": told.seq, "header": header, "nonce": told.nonce.hex(), "details": details},
        "record_left": _hexes(told_proof.left),
        "record_right": _spans(told_proof.right),
    }


def keys(steps: Sequence[Mapping[str, object]]) -> bytes:
    return json.dumps(steps, ensure_ascii=False, indent=2).encode() + b"\n"


def _hexes(hashes: Sequence[bytes]) -> list[str]:
    return [one.hex() for one in hashes]


def _spans(roots: Sequence[tuple[int, bytes]]) -> list[dict[str, object]]:
    return [{"leaves": leaves, "root": root.hex()} for leaves, root in roots]


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
        "left": _hexes(left),
        "right": _spans(right),
        "asked": dict(asked),
        "shown": shown,
        "records_sha256": records_digest,
    }
    return json.dumps(written, ensure_ascii=False, indent=2).encode() + b"\n"
