"""Compact ranges: the same roots and proofs as from all leaves, for every way to split a log."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.audit.compact_range import (
    EMPTY_ROOT,
    LEAVES_MAX,
    CompactRange,
    compute_consistency_proof,
    split_range,
)
from sharing.sign.merkle_tree import hash_leaf
from tests.audit.audit_fixtures import EXAMPLES
from tests.sign.test_merkle_tree import REFERENCE_LEAVES, REFERENCE_ROOTS, hash_naively

SETTINGS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
ENTRIES = [number.to_bytes(2, "big") for number in range(300)]
LEAVES = [hash_leaf(entry) for entry in ENTRIES]


def make_range(begin: int, end: int) -> CompactRange:
    return CompactRange(begin, begin).extend(LEAVES[begin:end])


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots(size: int) -> None:
    log = CompactRange()
    for entry in REFERENCE_LEAVES[:size]:
        log = log.append(hash_leaf(entry))
    assert log.compute_root().hex() == REFERENCE_ROOTS[size - 1]
    assert log.end == size


def test_the_empty_tree_has_the_hash_of_nothing_as_root() -> None:
    assert CompactRange().compute_root() == EMPTY_ROOT == hashlib.sha256().digest()


@SETTINGS
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_ranges_merge_to_the_range_that_is_built_at_once(one: int, two: int, three: int) -> None:
    begin, middle, end = sorted((one, two, three))
    assert make_range(begin, middle).merge(make_range(middle, end)) == make_range(begin, end)


@SETTINGS
@given(st.integers(1, 300))
def test_appending_one_by_one_gives_the_root_of_all_leaves(size: int) -> None:
    log = CompactRange()
    for leaf in LEAVES[:size]:
        log = log.append(leaf)
    assert log == make_range(0, size)
    assert log.compute_root() == hash_naively(ENTRIES[:size])
    assert len(log.hashes) == size.bit_count()


@SETTINGS
@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_range_is_split_into_the_largest_aligned_subtrees(one: int, two: int) -> None:
    begin, end = sorted((one, two))
    parts = list(split_range(begin, end))
    position = begin
    for start, size in parts:
        assert start == position
        assert size.bit_count() == 1
        assert start % size == 0
        grows = start % (2 * size) == 0 and start + 2 * size <= end
        assert not grows
        position += size
    assert position == end
    assert len(parts) <= 80


@SETTINGS
@given(st.integers(0, 300), st.integers(0, 300))
def test_a_range_survives_its_bytes(one: int, two: int) -> None:
    begin, end = sorted((one, two))
    made = make_range(begin, end)
    assert CompactRange.from_bytes(begin, end, made.to_bytes()) == made
    if begin < end:
        with pytest.raises(ValueError, match="cannot represent"):
            CompactRange.from_bytes(begin, end, made.to_bytes()[:-32])


def test_what_is_no_range_is_refused() -> None:
    node = bytes(32)
    with pytest.raises(ValueError, match="does not end before"):
        CompactRange(2, 1, ())
    with pytest.raises(ValueError, match="between 0 and"):
        CompactRange(0, LEAVES_MAX + 1, (node,))
    with pytest.raises(ValueError, match="32 bytes"):
        CompactRange(0, 1, (b"short",))
    with pytest.raises(ValueError, match="not a whole number of hashes"):
        CompactRange.from_bytes(0, 1, b"short")
    with pytest.raises(ValueError, match="do not follow"):
        make_range(0, 3).merge(make_range(4, 5))
    with pytest.raises(ValueError, match="leaf 0"):
        make_range(1, 3).compute_root()
    with pytest.raises(ValueError, match="not complete subtrees"):
        make_range(0, 8).compute_subtree_root(0, 3)
    with pytest.raises(ValueError, match="needs the ranges"):
        compute_consistency_proof(make_range(1, 3), make_range(3, 5))
    with pytest.raises(ValueError, match="needs the ranges"):
        compute_consistency_proof(make_range(0, 3), make_range(4, 5))
