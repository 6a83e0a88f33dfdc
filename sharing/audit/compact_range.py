"""Compact ranges: what remains of a range of leaves when only roots of complete subtrees are kept.

A range [begin, end) of leaves of a tree of RFC 9162 is the disjoint union of the largest complete subtrees that lie in
it. Their hashes, from left to right, are at most two for each level, so about 40 for a million leaves. The root of the
tree of n leaves follows from the range [0, n), without the leaves; the proof that the second tree begins with the first
one follows from the ranges [0, m) and [m, n). So a writer that keeps the range [0, n) can append forever and sign each
root, in constant space.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Self

from sharing.sign.merkle_tree import HASH_BYTES, hash_children

LEAVES_MAX: Final = 2**40
"""A log has at most this many leaves."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 9162, section 2.1.1)."""


@dataclass(frozen=True, slots=True)
class CompactRange:
    """The leaves from `begin` to `end`, as the roots of complete subtrees. Appending and merging return a new range.

    Attributes:
        begin: Index of the first leaf.
        end: Index after the last leaf. If `begin` is 0, it is the size of the tree.
        hashes: Roots of the complete subtrees, from left to right.

    Raises:
        ValueError: The number of hashes does not match these limits, or one is not a hash.
    """

    begin: int = 0
    end: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.begin <= self.end <= LEAVES_MAX:
            raise ValueError(f"a range of leaves lies between 0 and {LEAVES_MAX}, and does not end before it begins")
        if len(self.hashes) != sum(1 for _ in split_range(self.begin, self.end)):
            raise ValueError(f"{len(self.hashes)} hashes cannot represent the leaves from {self.begin} to {self.end}")
        if any(len(node) != HASH_BYTES for node in self.hashes):
            raise ValueError(f"a hash has {HASH_BYTES} bytes")

    @classmethod
    def from_bytes(cls, begin: int, end: int, data: bytes) -> Self:
        """Return the range for which `to_bytes` returned these bytes.

        Raises:
            ValueError: These are not the hashes of such a range.
        """
        if len(data) % HASH_BYTES:
            raise ValueError(f"{len(data)} bytes are not a whole number of hashes")
        starts = range(0, len(data), HASH_BYTES)
        return cls(begin, end, tuple(data[start : start + HASH_BYTES] for start in starts))

    def to_bytes(self) -> bytes:
        """Return the hashes, one after the other."""
        return b"".join(self.hashes)

    def append(self, leaf: bytes) -> CompactRange:
        """Return the range with one more leaf.

        Args:
            leaf: Hash of the leaf.
        """
        return self.merge(CompactRange(self.end, self.end + 1, (leaf,)))

    def extend(self, leaves: Iterable[bytes]) -> CompactRange:
        """Return the range with more leaves.

        Args:
            leaves: Hashes of the leaves.
        """
        stack, end = list(self._list_nodes()), self.end
        for leaf in leaves:
            _push(stack, end, 1, leaf)
            end += 1
        return CompactRange(self.begin, end, tuple(node for _, _, node in stack))

    def merge(self, right: CompactRange) -> CompactRange:
        """Return this range and the one that follows it as one.

        Raises:
            ValueError: The other one does not begin where this one ends.
        """
        if right.begin != self.end:
            raise ValueError(f"the leaves from {right.begin} do not follow those until {self.end}")
        stack = list(self._list_nodes())
        for start, size, node in right._list_nodes():
            _push(stack, start, size, node)
        return CompactRange(self.begin, right.end, tuple(node for _, _, node in stack))

    def compute_root(self) -> bytes:
        """Return the root of the tree of `end` leaves.

        Raises:
            ValueError: The range does not begin at leaf 0.
        """
        if self.begin:
            raise ValueError("only a range that begins at leaf 0 has a root")
        return self.compute_subtree_root(0, self.end) if self.end else EMPTY_ROOT

    def compute_subtree_root(self, begin: int, end: int) -> bytes:
        """Return the root of the tree over some of the leaves, whose limits are limits of complete subtrees.

        Raises:
            ValueError: A limit is within one of the complete subtrees, or outside the range.
        """
        inside = [(start, size, node) for start, size, node in self._list_nodes() if begin <= start < end]
        if not inside or inside[0][0] != begin or sum(size for _, size, _ in inside) != end - begin:
            raise ValueError(f"the leaves from {begin} to {end} are not complete subtrees of this range")
        root = inside[-1][2]
        for _, _, node in reversed(inside[:-1]):
            root = hash_children(node, root)
        return root

    def _list_nodes(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield first leaf, number of leaves and hash of each complete subtree."""
        for (start, size), node in zip(split_range(self.begin, self.end), self.hashes, strict=True):
            yield start, size, node


def split_range(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield first leaf and size of the largest complete subtrees that lie in a range, from left to right."""
    start = begin
    while start < end:
        size = 1 << ((end - start).bit_length() - 1)
        if start:
            size = min(size, start & -start)
        yield start, size
        start += size


def compute_consistency_proof(left: CompactRange, right: CompactRange) -> bytes:
    """Return the proof that a tree begins with the leaves of a smaller one (RFC 9162, section 2.1.4.1).

    Args:
        left: The leaves of the smaller tree, [0, m).
        right: Those that were appended, [m, n).

    Returns:
        The hashes one after the other; nothing if one of the two ranges is empty.

    Raises:
        ValueError: The first range does not begin at leaf 0, or the second one not where the first one ends.
    """
    if left.begin or right.begin != left.end:
        raise ValueError("a proof of consistency needs the ranges [0, m) and [m, n)")
    size, base, end = left.end, 0, right.end
    if not 0 < size < end:
        return b""
    proof: list[bytes] = []
    while end != size:
        half = base + (1 << ((end - base - 1).bit_length() - 1))
        if size <= half:
            proof.append(right.compute_subtree_root(half, end))
            end = half
        else:
            proof.append(left.compute_subtree_root(base, half))
            base = half
    if base:
        proof.append(left.compute_subtree_root(base, end))
    return b"".join(reversed(proof))


def _push(stack: list[tuple[int, int, bytes]], start: int, size: int, node: bytes) -> None:
    """Append a complete subtree, and merge it with those on its left that are its siblings."""
    while stack and stack[-1][1] == size and stack[-1][0] % (2 * size) == 0:
        start, _, sibling = stack.pop()
        node = hash_children(sibling, node)
        size *= 2
    stack.append((start, size, node))
