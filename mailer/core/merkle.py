"""What one hash stands for a whole record, and how is it proved that a leaf is in it, or that it grew out of an older one?

The tree of RFC 6962, section 2.1 (RFC 9162 keeps it), with SHA-256:

    root of nothing     SHA-256()
    leaf                SHA-256(0x00 || entry)
    node                SHA-256(0x01 || left || right)       left: the largest power of two leaves that is less than all

The right edge of a tree, its *compact range*, is enough to append to it: the roots of the full subtrees, largest first, one for
each bit of the size. Proofs are lists of subtree roots; `inclusion_spans` and `consistency_spans` say of which leaves, so that
whoever has the leaves in a database reads them once, in order. Hashes are 32 bytes; leaves are given as their hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Span = tuple[int, int]
"""Leaves from the first (counted from 0) up to, and without, the second."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """The right edge of a tree of `size` leaves: `hashes` holds the roots of its full subtrees, largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count() or any(len(one) != HASH_BYTES for one in self.hashes):
            raise ValueError("these hashes are no right edge of a tree of that size")

    def grown(self, leaves: Iterable[bytes]) -> Range:
        """The range after these leaves were appended."""
        sha256, size, edge = hashlib.sha256, self.size, list(self.hashes)
        for leaf in leaves:
            full = size
            while full & 1:
                leaf = sha256(b"\x01" + edge.pop() + leaf).digest()  # noqa: PLW2901  the leaf becomes the subtree that it fills
                full >>= 1
            edge.append(leaf)
            size += 1
        return Range(size=size, hashes=tuple(edge))

    def root(self) -> bytes:
        """The tree's hash: the subtrees joined from the right."""
        if not self.hashes:
            return EMPTY_ROOT
        *larger, root = self.hashes
        for left in reversed(larger):
            root = node_hash(left, root)
        return root

    def to_bytes(self) -> bytes:
        """The hashes without anything between them; the size says how many they are."""
        return b"".join(self.hashes)


def from_bytes(size: int, written: bytes) -> Range:
    """What `Range.to_bytes` wrote; ValueError when it does not fit the size."""
    if len(written) % HASH_BYTES:
        raise ValueError("these bytes are no hashes")
    return Range(size=size, hashes=tuple(written[at : at + HASH_BYTES] for at in range(0, len(written), HASH_BYTES)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    return Range().grown(leaves).root()


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The subtrees whose roots prove that leaf `index` (from 0) is in a tree of `size`: the audit path, nearest first."""
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in a tree of that size")
    spans: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_leaves(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """The subtrees whose roots prove that a tree of `old` leaves is the beginning of one of `new` (RFC 6962, 2.1.2).

    Nothing is needed where either tree is empty or both are the same.
    """
    if not 0 <= old <= new:
        raise ValueError("a tree does not shrink")
    if old in {0, new}:
        return []
    spans: list[Span] = []
    start, end, whole = 0, new, True  # whole: the old root itself is this subtree, and known
    while old != end:
        middle = start + _left_leaves(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start, whole = middle, False
    return ([] if whole else [(start, end)]) + spans[::-1]


def prove(leaves: Sequence[bytes], spans: Iterable[Span]) -> list[bytes]:
    """The proof: the root of each span of these leaves."""
    return [root_of(leaves[start:end]) for start, end in spans]


def proves_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether this proof leads from the leaf at `index` (from 0) to the root of a tree of `size`."""
    if not 0 <= index < size:
        return False
    spans = inclusion_spans(index, size)
    if len(spans) != len(proof):
        return False
    found = leaf
    for (start, _), beside in zip(spans, proof, strict=True):
        found = node_hash(beside, found) if start < index else node_hash(found, beside)
    return found == root


def proves_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether this proof shows that the tree of `old` leaves is the beginning of that of `new`."""
    if not 0 <= old <= new:
        return False
    spans = consistency_spans(old, new)
    if len(spans) != len(proof):
        return False
    if old == 0:
        return old_root == EMPTY_ROOT
    if old == new:
        return old_root == new_root
    beside = list(zip(spans, proof, strict=True))
    if spans[0][1] == old:
        (start, _), then = beside.pop(0)
    else:
        start, then = 0, old_root
    now = then
    for (first, _), other in beside:
        if first < start:
            then, now, start = node_hash(other, then), node_hash(other, now), first
        else:
            now = node_hash(now, other)
    return then == old_root and now == new_root


def _left_leaves(size: int) -> int:
    """The largest power of two that is less than `size` (2 or more)."""
    return 1 << ((size - 1).bit_length() - 1)
