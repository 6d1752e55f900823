"""The record's tree: the published vectors of Certificate Transparency, and the RFC's recursion written down as it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.core import merkle
from mailer.core.merkle import Range

# Certificate Transparency's reference vectors (merkletree tests of google/certificate-transparency and Trillian).
ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]


@pytest.mark.parametrize("size", range(9))
def test_the_published_roots(size: int) -> None:
    assert merkle.root_of(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [
        (
            0,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ],
)
def test_the_published_audit_paths(index: int, size: int, proof: list[str]) -> None:
    assert [one.hex() for one in merkle.prove(LEAVES, merkle.inclusion_spans(index, size))] == proof


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [
        (
            1,
            8,
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            [
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ],
)
def test_the_published_consistency_proofs(old: int, new: int, proof: list[str]) -> None:
    assert [one.hex() for one in merkle.prove(LEAVES, merkle.consistency_spans(old, new))] == proof


# RFC 6962, 2.1, 2.1.1 and 2.1.2, written down as they stand: slow and plainly right.


def mth(leaves: list[bytes]) -> bytes:
    if not leaves:
        return bytes.fromhex(ROOTS[0])
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return merkle.node_hash(mth(leaves[:k]), mth(leaves[k:]))


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    return [*path(m, leaves[:k]), mth(leaves[k:])] if m < k else [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def leaves_of(size: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


sizes = st.integers(min_value=0, max_value=200)


@given(sizes, sizes)
def test_a_range_grows_to_the_root_of_the_recursion(first: int, more: int) -> None:
    leaves = leaves_of(first + more)
    half = Range().grown(leaves[:first])
    grown = half.grown(leaves[first:])
    assert half.root() == mth(leaves[:first])
    assert grown.root() == mth(leaves)
    assert grown == Range().grown(leaves)
    assert merkle.from_bytes(grown.size, grown.to_bytes()) == grown


@given(st.integers(min_value=1, max_value=120), st.data())
def test_audit_paths_are_those_of_the_recursion_and_prove_nothing_else(size: int, data: st.DataObject) -> None:
    leaves, index = leaves_of(size), data.draw(st.integers(min_value=0, max_value=size - 1))
    proof, root = merkle.prove(leaves, merkle.inclusion_spans(index, size)), mth(leaves)
    assert proof == path(index, leaves)
    assert merkle.proves_inclusion(leaves[index], index, size, proof, root)
    other = data.draw(st.integers(min_value=0, max_value=size))
    assert merkle.proves_inclusion(leaves[index], other, size, proof, root) == (other == index)
    assert not merkle.proves_inclusion(merkle.leaf_hash(b"another"), index, size, proof, root)
    assert not merkle.proves_inclusion(leaves[index], index, size, [*proof, root], root)
    for at in range(len(proof)):
        assert not merkle.proves_inclusion(leaves[index], index, size, [*proof[:at], bytes(32), *proof[at + 1 :]], root)


@given(sizes, st.data())
def test_consistency_proofs_are_those_of_the_recursion_and_prove_nothing_else(new: int, data: st.DataObject) -> None:
    leaves, old = leaves_of(new), data.draw(st.integers(min_value=0, max_value=new))
    proof = merkle.prove(leaves, merkle.consistency_spans(old, new))
    before, after = mth(leaves[:old]), mth(leaves)
    if old:
        assert proof == subproof(old, leaves, whole=True)
    assert merkle.proves_consistency(old, before, new, after, proof)
    assert not merkle.proves_consistency(old, bytes(32), new, after, proof)
    assert not merkle.proves_consistency(old, before, new, after, [*proof, bytes(32)])
    if old:
        assert not merkle.proves_consistency(old, before, new, bytes(32), proof)
        forked = [*leaves[: old - 1], merkle.leaf_hash(b"another"), *leaves[old:]]
        other = merkle.prove(forked, merkle.consistency_spans(old, new))
        assert not merkle.proves_consistency(old, before, new, mth(forked), other)
    for at in range(len(proof)):
        assert not merkle.proves_consistency(old, before, new, after, [*proof[:at], bytes(32), *proof[at + 1 :]])


@pytest.mark.parametrize(
    ("size", "hashes"),
    [
        pytest.param(3, b"x" * 32, id="too few"),
        pytest.param(4, b"x" * 64, id="too many"),
        pytest.param(1, b"x" * 31, id="too short"),
        pytest.param(-1, b"x" * 32, id="less than nothing"),
    ],
)
def test_what_is_no_range_is_refused(size: int, hashes: bytes) -> None:
    with pytest.raises(ValueError, match="hashes"):
        merkle.from_bytes(size, hashes)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.inclusion_spans(index, size)
    assert not merkle.proves_inclusion(bytes(32), index, size, [], bytes(32))


def test_a_tree_does_not_shrink() -> None:
    with pytest.raises(ValueError, match="shrink"):
        merkle.consistency_spans(3, 2)
    assert not merkle.proves_consistency(3, bytes(32), 2, bytes(32), [])
