"""Merkle trees as RFC 9162 defines them (sections 2.1.1 and 2.1.3), with SHA-256.

A node is the SHA-256 of 0x01 and its two children; a leaf is the SHA-256 of 0x00 and the leaf's data. So no leaf can be
presented as a node. A tree of n leaves has on its left side the largest complete tree with fewer than n leaves; in
other words, from each level to the next, neighbours are paired, and a last node without a neighbour moves up unchanged.

An inclusion path is the concatenation of the sibling hashes on the way from a leaf to the root, the lowest first. Count
and path together do not prove how many leaves a tree has: trees of 5 and of 8 leaves give paths of the same length. A
signer of a root must sign the count with it, or bind it otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32
PATH_HASHES_MAX: Final = 40
"""Longer paths are refused: no tree has that many leaves."""

_LEAF, _NODE = b"\x00", b"\x01"
_sha256 = hashlib.sha256


def hash_leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return _sha256(_LEAF + data).digest()


def hash_leaves(leaves: Iterable[bytes]) -> list[bytes]:
    """Return the hashes of leaves."""
    return [_sha256(_LEAF + data).digest() for data in leaves]


def hash_prefixed_leaves(prefixes: Iterable[bytes], leaves: Iterable[bytes]) -> list[bytes]:
    """Return the hashes of leaves whose data consists of a prefix and the rest.

    Raises:
        ValueError: The numbers of prefixes and leaves differ.
    """
    return [_sha256(_LEAF + prefix + data).digest() for prefix, data in zip(prefixes, leaves, strict=True)]


def hash_children(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with these two children."""
    return _sha256(_NODE + left + right).digest()


def compute_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree over these hashes of leaves, of which there must be at least one.

    Raises:
        ValueError: There are no leaves.
    """
    return _compute_levels(leaves)[-1][0]


def compute_paths(leaves: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """Return the root of the tree over these hashes of leaves, and the inclusion path of each leaf.

    Raises:
        ValueError: There are no leaves.
    """
    levels = _compute_levels(leaves)
    paths = [b""]
    for level in reversed(levels[:-1]):
        below: list[bytes] = []
        for index in range(0, len(level) - 1, 2):
            above = paths[index >> 1]
            below += (level[index + 1] + above, level[index] + above)
        if len(level) & 1:
            below.append(paths[-1])
        paths = below
    return levels[-1][0], paths


def compute_root_from_path(leaf: bytes, index: int, count: int, path: bytes) -> bytes | None:
    """Return the root to which an inclusion path leads (RFC 9162, section 2.1.3.2), or None if it cannot be a path.

    Args:
        leaf: Hash of the leaf.
        index: Position of the leaf, from 0.
        count: Number of leaves of the tree.
        path: The inclusion path.
    """
    length = len(path)
    if not 0 <= index < count or length % HASH_BYTES or length > PATH_HASHES_MAX * HASH_BYTES:
        return None
    node, last = leaf, count - 1
    for start in range(0, length, HASH_BYTES):
        if last == 0:
            return None
        sibling = path[start : start + HASH_BYTES]
        if index & 1:
            node = _sha256(_NODE + sibling + node).digest()
        elif index != last:
            node = _sha256(_NODE + node + sibling).digest()
        else:  # the last node of this level, and perhaps of some above, moves up unchanged
            while not index & 1:
                index >>= 1
                last >>= 1
            node = _sha256(_NODE + sibling + node).digest()
        index >>= 1
        last >>= 1
    return node if last == 0 else None


def is_included(leaf: bytes, index: int, count: int, path: bytes, root: bytes) -> bool:
    """Return whether an inclusion path leads from a hash of a leaf to this root."""
    return compute_root_from_path(leaf, index, count, path) == root


def _compute_levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return the nodes of each level, from the leaves to the root."""
    if not leaves:
        raise ValueError("a tree must have a leaf")
    levels = [leaves]
    level = leaves
    while len(level) > 1:
        above = [_sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) & 1:
            above.append(level[-1])
        level = above
        levels.append(level)
    return levels
