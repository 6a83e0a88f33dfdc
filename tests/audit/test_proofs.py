"""Proofs of inclusion and consistency: published vectors, a naive oracle, and what is no proof."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.audit.compact_range import EMPTY_ROOT, CompactRange, compute_consistency_proof
from sharing.audit.proofs import compute_inclusion_proof, extract_range, is_consistent, prove_consistency
from sharing.sign.merkle_tree import compute_paths, compute_root, hash_children, hash_leaf, is_included
from tests.audit.audit_fixtures import EXAMPLES
from tests.sign.test_merkle_tree import REFERENCE_LEAVES, REFERENCE_ROOTS, hash_naively

SETTINGS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
ENTRIES = [number.to_bytes(2, "big") for number in range(130)]
LEAVES = [hash_leaf(entry) for entry in ENTRIES]

# The reference tests of Certificate Transparency (google/certificate-transparency, merkletree/merkle_tree_test.cc).
REFERENCE_PROOFS = {  # (smaller, larger): proof
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def prove_naively(size: int, entries: Sequence[bytes], *, is_whole: bool = True) -> list[bytes]:
    """Return SUBPROOF(m, D[n], b) as RFC 9162, section 2.1.4.1, defines it."""
    if size == len(entries):
        return [] if is_whole else [hash_naively(entries)]
    split = 1
    while split * 2 < len(entries):
        split *= 2
    if size <= split:
        return [*prove_naively(size, entries[:split], is_whole=is_whole), hash_naively(entries[split:])]
    return [*prove_naively(size - split, entries[split:], is_whole=False), hash_naively(entries[:split])]


@pytest.mark.parametrize("sizes", REFERENCE_PROOFS)
def test_published_proofs_of_consistency(sizes: tuple[int, int]) -> None:
    size, larger = sizes
    leaves = [hash_leaf(entry) for entry in REFERENCE_LEAVES[:larger]]
    expected = bytes.fromhex("".join(REFERENCE_PROOFS[sizes]))
    assert prove_consistency(leaves, size) == expected
    roots = [bytes.fromhex(REFERENCE_ROOTS[number - 1]) for number in sizes]
    assert is_consistent(size, roots[0], larger, roots[1], expected)


def test_the_examples_of_the_rfc() -> None:
    """RFC 9162, section 2.1.5: the tree of seven leaves, with the names of its nodes."""
    a, b, c, d, e, f, j = LEAVES[:7]
    g, h, i = hash_children(a, b), hash_children(c, d), hash_children(e, f)
    k, l = hash_children(g, h), hash_children(i, j)  # noqa: E741 the name in the RFC
    leaves = LEAVES[:7]
    assert compute_root(leaves) == hash_children(k, l)
    assert compute_inclusion_proof(leaves, 0) == b + h + l
    assert compute_inclusion_proof(leaves, 3) == c + g + l
    assert compute_inclusion_proof(leaves, 4) == f + j + k
    assert compute_inclusion_proof(leaves, 6) == i + k
    assert prove_consistency(leaves, 3) == c + d + g + l
    assert prove_consistency(leaves, 4) == l
    assert prove_consistency(leaves, 6) == i + j + k


@SETTINGS
@given(st.integers(1, 130), st.data())
def test_paths_are_those_of_the_whole_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, paths = compute_paths(LEAVES[:size])
    path = compute_inclusion_proof(LEAVES[:size], index)
    assert path == paths[index]
    assert is_included(LEAVES[index], index, size, path, root)
    with pytest.raises(IndexError):
        compute_inclusion_proof(LEAVES[:size], size)


@SETTINGS
@given(st.integers(1, 130), st.data())
def test_proofs_are_those_of_the_definition_and_hold(larger: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, larger))
    proof = prove_consistency(LEAVES[:larger], size)
    assert proof == b"".join(prove_naively(size, ENTRIES[:larger]))
    root, larger_root = compute_root(LEAVES[:size]), compute_root(LEAVES[:larger])
    assert is_consistent(size, root, larger, larger_root, proof)
    left, right = CompactRange().extend(LEAVES[:size]), CompactRange(size, size).extend(LEAVES[size:larger])
    assert compute_consistency_proof(left, right) == proof
    if size < larger:
        assert extract_range(size, root, larger, proof) == left


@SETTINGS
@given(st.integers(2, 130), st.data())
def test_what_was_altered_is_no_proof(larger: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, larger - 1))
    root, larger_root = compute_root(LEAVES[:size]), compute_root(LEAVES[:larger])
    proof = prove_consistency(LEAVES[:larger], size)
    place = data.draw(st.integers(0, len(proof) - 1))
    altered = bytearray(proof)
    altered[place] ^= data.draw(st.integers(1, 255))
    assert not is_consistent(size, root, larger, larger_root, bytes(altered))
    assert not is_consistent(size, root, larger, larger_root, proof[:-32])
    assert not is_consistent(size, root, larger, larger_root, proof + bytes(32))
    assert not is_consistent(size, root, larger, larger_root, proof[:-1])
    assert not is_consistent(size, bytes(32), larger, larger_root, proof)
    assert not is_consistent(size, root, larger, bytes(32), proof)
    other = data.draw(st.integers(1, 130).filter(lambda number: number != size))
    other_root = compute_root(LEAVES[:other])
    assert not is_consistent(size, other_root, larger, larger_root, proof)


def test_the_limits() -> None:
    root = compute_root(LEAVES[:5])
    assert is_consistent(0, EMPTY_ROOT, 5, root, b"")
    assert not is_consistent(0, bytes(32), 5, root, b"")
    assert not is_consistent(0, EMPTY_ROOT, 0, root, b"")
    assert is_consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, b"")
    assert is_consistent(5, root, 5, root, b"")
    assert not is_consistent(5, root, 5, bytes(32), b"")
    assert not is_consistent(5, root, 5, root, bytes(32))
    assert not is_consistent(6, root, 5, root, b"")
    assert not is_consistent(-1, root, 5, root, b"")
    assert not is_consistent(1, root, 5, root, bytes(32 * 81))
    assert extract_range(0, EMPTY_ROOT, 5, b"") is None or extract_range(0, EMPTY_ROOT, 5, b"") == CompactRange()
    assert extract_range(3, compute_root(LEAVES[:3]), 5, bytes(64)) is None
    with pytest.raises(ValueError, match="cannot begin with a larger tree"):
        prove_consistency(LEAVES[:3], 4)
