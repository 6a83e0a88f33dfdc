"""Proofs about trees of RFC 9162: that a leaf is in one (section 2.1.3), and that one begins with another (2.1.4).

A proof is the concatenation of its hashes. `sharing.sign.merkle_tree` verifies the paths of leaves, and
`compact_range.compute_consistency_proof` makes proofs without the leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

from sharing.audit.compact_range import EMPTY_ROOT, CompactRange, compute_consistency_proof, split_range
from sharing.sign.merkle_tree import HASH_BYTES, PATH_HASHES_MAX, compute_root, hash_children

CONSISTENCY_HASHES_MAX = 2 * PATH_HASHES_MAX
"""Longer proofs of consistency are refused."""


def compute_inclusion_proof(leaves: Sequence[bytes], index: int) -> bytes:
    """Return the path from a leaf to the root of the tree over these leaves.

    Args:
        leaves: Hashes of the leaves.
        index: Position of the leaf, from 0.

    Raises:
        IndexError: There is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError("the tree has no such leaf")
    path: list[bytes] = []
    begin, end = 0, len(leaves)
    while end - begin > 1:
        half = begin + (1 << ((end - begin - 1).bit_length() - 1))
        if index < half:
            path.append(compute_root(leaves[half:end]))
            end = half
        else:
            path.append(compute_root(leaves[begin:half]))
            begin = half
    return b"".join(reversed(path))


def prove_consistency(leaves: Sequence[bytes], size: int) -> bytes:
    """Return the proof that the tree over these leaves begins with the tree over the first `size` of them.

    Raises:
        ValueError: There are fewer leaves than that.
    """
    if not 0 <= size <= len(leaves):
        raise ValueError("a tree cannot begin with a larger tree")
    left, right = CompactRange().extend(leaves[:size]), CompactRange(size, size).extend(leaves[size:])
    return compute_consistency_proof(left, right)


def is_consistent(size: int, root: bytes, larger: int, larger_root: bytes, proof: bytes) -> bool:
    """Return whether a proof shows that a tree begins with a smaller one (RFC 9162, section 2.1.4.2).

    Args:
        size: Number of leaves of the smaller tree.
        root: Its root.
        larger: Number of leaves of the larger tree.
        larger_root: Its root.
        proof: The proof.
    """
    if not 0 <= size <= larger or len(proof) % HASH_BYTES or len(proof) > CONSISTENCY_HASHES_MAX * HASH_BYTES:
        return False
    if size in {0, larger}:
        expected = root if size else EMPTY_ROOT
        return not proof and root == expected and (size != larger or root == larger_root)
    hashes = [proof[start : start + HASH_BYTES] for start in range(0, len(proof), HASH_BYTES)]
    if not size & (size - 1):
        hashes.insert(0, root)
    if not hashes:
        return False
    node, last = size - 1, larger - 1
    while node & 1:
        node >>= 1
        last >>= 1
    small = large = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            small, large = hash_children(sibling, small), hash_children(sibling, large)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            large = hash_children(large, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and small == root and large == larger_root


def extract_range(size: int, root: bytes, larger: int, proof: bytes) -> CompactRange | None:
    """Return the leaves of a tree as a compact range, from the proof that a larger tree begins with it.

    So anyone who knows a checkpoint and the next one can continue from there without the earlier leaves.

    Args:
        size: Number of leaves of the smaller tree.
        root: Its root.
        larger: Number of leaves of the larger tree.
        proof: A proof of consistency for which `is_consistent` returned True.

    Returns:
        The range; None if the proof does not contain it.
    """
    count = sum(1 for _ in split_range(0, size))
    if count <= 1:
        found = CompactRange(0, size, (root,) if count else ())
        return found if count or root == EMPTY_ROOT else None
    hashes = [proof[start : start + HASH_BYTES] for start in range(0, len(proof), HASH_BYTES)]
    nodes: list[bytes] = []
    begin, end, place = 0, larger, len(hashes)
    while end != size and place > 0:  # the hashes of a proof are in the order from the lowest to the highest level
        place -= 1
        half = begin + (1 << ((end - begin - 1).bit_length() - 1))
        if size <= half:
            end = half
        else:
            nodes.append(hashes[place])
            begin = half
    if end != size or place != 1:
        return None
    found = CompactRange(0, size, (*nodes, hashes[0]))
    return found if found.compute_root() == root else None
