"""Merkle trees: published vectors, a naive recursive oracle, and paths that are no paths."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.sign.merkle_tree import (
    HASH_BYTES,
    compute_paths,
    compute_root,
    compute_root_from_path,
    hash_children,
    hash_leaf,
    is_included,
)

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "60"))
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)

# The reference tests of Certificate Transparency (google/certificate-transparency, merkletree/merkle_tree_test.cc).
REFERENCE_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
REFERENCE_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
REFERENCE_PATHS = {  # (leaf from 0, leaves): path
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def hash_naively(entries: Sequence[bytes]) -> bytes:
    """Return MTH(D[n]) as RFC 9162, section 2.1.1, defines it."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\x01" + hash_naively(entries[:split]) + hash_naively(entries[split:])).digest()


def find_path_naively(index: int, entries: Sequence[bytes]) -> bytes:
    """Return PATH(m, D[n]) as RFC 9162, section 2.1.3.1, defines it."""
    if len(entries) == 1:
        return b""
    split = 1
    while split * 2 < len(entries):
        split *= 2
    if index < split:
        return find_path_naively(index, entries[:split]) + hash_naively(entries[split:])
    return find_path_naively(index - split, entries[split:]) + hash_naively(entries[:split])


def hash_leaves(entries: Sequence[bytes]) -> list[bytes]:
    return [hash_leaf(entry) for entry in entries]


@pytest.mark.parametrize("count", range(1, 9))
def test_the_roots_are_the_published_ones(count: int) -> None:
    assert compute_root(hash_leaves(REFERENCE_LEAVES[:count])).hex() == REFERENCE_ROOTS[count - 1]


@pytest.mark.parametrize(("index", "count"), REFERENCE_PATHS)
def test_the_paths_are_the_published_ones(index: int, count: int) -> None:
    expected = bytes.fromhex("".join(REFERENCE_PATHS[index, count]))
    leaves = hash_leaves(REFERENCE_LEAVES[:count])
    root, paths = compute_paths(leaves)
    assert paths[index] == expected
    assert is_included(leaves[index], index, count, expected, root)


def test_a_node_is_the_hash_of_its_children() -> None:
    left, right = hash_leaves([b"l", b"r"])
    assert hash_children(left, right) == compute_root([left, right])
    assert hash_leaf(left + right) != compute_root([left, right]), "a leaf can be presented as a node"


@SETTINGS
@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70))
def test_trees_and_paths_are_those_of_the_definition(entries: list[bytes]) -> None:
    leaves = hash_leaves(entries)
    root, paths = compute_paths(leaves)
    assert root == compute_root(leaves) == hash_naively(entries)
    assert paths == [find_path_naively(index, entries) for index in range(len(entries))]
    for index, path in enumerate(paths):
        assert compute_root_from_path(leaves[index], index, len(entries), path) == root


@pytest.mark.parametrize("count", range(1, 34))
def test_no_other_index_leads_to_the_root(count: int) -> None:
    leaves = hash_leaves([bytes([number]) for number in range(count)])
    root, paths = compute_paths(leaves)
    for index, path in enumerate(paths):
        for other in range(-2, 2 * count + 2):
            assert is_included(leaves[index], other, count, path, root) is (other == index)


@SETTINGS
@given(st.integers(1, 70), st.data())
def test_an_altered_path_or_leaf_is_refused(count: int, data: st.DataObject) -> None:
    leaves = hash_leaves([bytes([number]) for number in range(count)])
    root, paths = compute_paths(leaves)
    index = data.draw(st.integers(0, count - 1))
    leaf, path = leaves[index], paths[index]
    assert not is_included(flip(leaf, data.draw(st.integers(0, 255))), index, count, path, root)
    if path:
        bit = data.draw(st.integers(0, 8 * len(path) - 1))
        assert not is_included(leaf, index, count, flip(path, bit), root)
        assert not is_included(leaf, index, count, path[HASH_BYTES:], root)
    cut = data.draw(st.integers(1, HASH_BYTES))
    assert not is_included(leaf, index, count, path[:-cut] if path else b"x" * cut, root)
    assert not is_included(leaf, index, count, path + bytes(cut), root)


def test_a_count_of_another_height_is_refused() -> None:
    """A path binds the count only as far as its length goes: what signs a root binds the count (`batch_tree`)."""
    leaves = hash_leaves([bytes([number]) for number in range(5)])
    root, paths = compute_paths(leaves)
    assert [count for count in range(1, 20) if is_included(leaves[0], 0, count, paths[0], root)] == [5, 6, 7, 8]
    assert [count for count in range(1, 20) if is_included(leaves[4], 4, count, paths[4], root)] == [5]


def test_a_tree_has_leaves_and_a_path_an_end() -> None:
    with pytest.raises(ValueError, match="leaf"):
        compute_root([])
    leaf = hash_leaf(b"")
    assert compute_root_from_path(leaf, 0, 2**60, bytes(60 * HASH_BYTES)) is None
    assert compute_root_from_path(leaf, 0, 0, b"") is None


def flip(data: bytes, bit: int) -> bytes:
    altered = bytearray(data)
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)
