"""The tree of a batch: every leaf is proved, and a recipient learns nothing of what others got."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.sign.batch_tree import (
    BLIND_BYTES,
    RecipientTree,
    build_batch_tree,
    compute_batch_root,
    compute_recipient_root,
    hash_recipient,
)
from sharing.sign.merkle_tree import HASH_BYTES, compute_root, hash_leaf

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "40"))
SETTINGS = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)


def make_leaves(counts: list[int]) -> list[list[bytes]]:
    return [[hash_leaf(b"%d/%d" % (number, leaf)) for leaf in range(count)] for number, count in enumerate(counts)]


def build(counts: list[int], recipients_max: int = 192, seed: int = 1) -> tuple[bytes, list[RecipientTree]]:
    return build_batch_tree(make_leaves(counts), random.Random(seed).randbytes, recipients_max=recipients_max)


def compute_root_of(leaf: bytes, index: int, count: int, tree: RecipientTree) -> bytes | None:
    """Return the root of the batch, as a recipient computes it."""
    root = compute_recipient_root(leaf, index, count, tree.paths[index])
    assert root is not None
    return compute_batch_root(hash_recipient(root, count, tree.blind), tree.index, tree.count, tree.path)


@SETTINGS
@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(12, 200), st.integers())
def test_every_leaf_leads_to_the_root(counts: list[int], recipients_max: int, seed: int) -> None:
    root, trees = build(counts, recipients_max, seed)
    leaves = make_leaves(counts)
    assert len({tree.index for tree in trees}) == len(trees)
    for own, tree in zip(leaves, trees, strict=True):
        for index, leaf in enumerate(own):
            assert compute_root_of(leaf, index, len(own), tree) == root


def test_the_count_of_the_own_leaves_is_bound() -> None:
    """Paths in trees of 5 and of 8 leaves have the same length: the number of leaves is hashed with the root."""
    root, trees = build([5, 3])
    leaves = make_leaves([5, 3])
    for count in (4, 6, 7, 8):
        own_root = compute_recipient_root(leaves[0][0], 0, count, trees[0].paths[0])
        if own_root is not None:
            recipient = hash_recipient(own_root, count, trees[0].blind)
            assert compute_batch_root(recipient, trees[0].index, trees[0].count, trees[0].path) != root


def test_position_count_and_path_of_the_recipient_are_bound() -> None:
    root, trees = build([2, 3])
    tree = trees[0]
    recipient = hash_recipient(compute_root(make_leaves([2, 3])[0]), 2, tree.blind)
    assert compute_batch_root(recipient, tree.index, tree.count, tree.path) == root
    for index in range(-1, 2 * tree.count):
        if index != tree.index:
            assert compute_batch_root(recipient, index, tree.count, tree.path) != root
    for count in (1, 2, 128, 255, 257, 512, 2**17):
        assert compute_batch_root(recipient, tree.index, count, tree.path) is None
    for path in (tree.path[1:], tree.path[HASH_BYTES:], tree.path + bytes(HASH_BYTES), b""):
        assert compute_batch_root(recipient, tree.index, tree.count, path) is None
    assert compute_recipient_root(recipient, 0, 2**40, b"") is None


def test_a_recipient_learns_nothing_of_others() -> None:
    """Its proofs have the same size, its position is random, and what is beside its way cannot be recomputed."""
    alone, among = build([3])[1][0], build([3] + [9] * 191)[1][0]
    assert (alone.count, len(alone.path)) == (among.count, len(among.path)) == (256, 8 * HASH_BYTES)
    assert [len(path) for path in alone.paths] == [len(path) for path in among.paths]
    positions = Counter(build([1, 1], recipients_max=4, seed=seed)[1][0].index for seed in range(400))
    assert sorted(positions) == [0, 1, 2, 3]
    assert min(positions.values()) > 60, "the order of recipients is not random"
    # The one who knows all leaves of the other recipient cannot confirm it without that recipient's random bytes.
    _, (first, second) = build([1, 1], recipients_max=2)
    other = make_leaves([1, 1])[1][0]
    assert first.path == hash_recipient(other, 1, second.blind)
    assert first.path not in (other, hash_leaf(other), hash_recipient(other, 1, bytes(BLIND_BYTES)))


def test_two_batches_of_the_same_messages_have_nothing_in_common() -> None:
    (root, trees), (other_root, other_trees) = build([2, 2], seed=1), build([2, 2], seed=2)
    assert root != other_root
    assert trees[0].blind != other_trees[0].blind
    assert trees[0].paths == other_trees[0].paths  # the own leaves, which the recipient has anyway
    hashes = [trees[0].path[start : start + HASH_BYTES] for start in range(0, len(trees[0].path), HASH_BYTES)]
    assert not [part for part in hashes if part in other_trees[0].path]


def test_the_tree_above_is_as_high_for_one_recipient_as_for_all() -> None:
    for recipients_max, count in ((1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (192, 256), (256, 256), (257, 512)):
        for recipients in {1, recipients_max}:
            trees = build([1] * recipients, recipients_max)[1]
            assert {(tree.count, len(tree.path)) for tree in trees} == {(count, (count.bit_length() - 1) * HASH_BYTES)}


@pytest.mark.parametrize(("recipients", "recipients_max"), [(3, 2), (1, 0), (1, -1), (1, 2**16 + 1)])
def test_a_batch_has_a_limit(recipients: int, recipients_max: int) -> None:
    with pytest.raises(ValueError, match="recipients"):
        build([1] * recipients, recipients_max)


def test_a_recipient_has_messages() -> None:
    with pytest.raises(ValueError, match="leaf"):
        build([1, 0])
    assert build([1], recipients_max=1)[1][0].path == b""
