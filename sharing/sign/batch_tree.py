"""The tree of a batch: one tree for each recipient, and above them a tree that tells a recipient nothing about others.

If all messages of a batch were leaves of one tree, the inclusion path of each would tell its recipient how many there
are in the batch. So each recipient has a tree of its own. The tree above has as leaves the roots of these trees, each
hashed with the number of its leaves and 32 random bytes (the *blind*). It is filled with random hashes up to a power of
two that depends only on how many recipients there may be, and its leaves are in random order. A recipient learns how
many messages of a batch it received itself, but nothing about the number, order or content of the messages of other
recipients.

The number of leaves of a recipient's tree is hashed with its root, and the tree above is complete, so its number of
leaves follows from the length of a path. So neither count can be altered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sharing.sign.merkle_tree import HASH_BYTES, compute_paths, compute_root_from_path, hash_leaf

BLIND_BYTES: Final = 32
LEAVES_MAX: Final = 2**32
"""The tree of a recipient has fewer leaves than this."""

RECIPIENTS_MAX: Final = 2**16

_DOMAIN: Final = b"sharing/recipient-tree/v1\x00"
_TAG_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class RecipientTree:
    """One recipient's tree within a batch.

    Attributes:
        paths: The inclusion path of each of its leaves, in their order.
        blind: The random bytes with which its root was hashed.
        index: Its position in the tree of the batch.
        count: The number of leaves of the tree of the batch.
        path: Its inclusion path in the tree of the batch.
    """

    paths: list[bytes]
    blind: bytes
    index: int
    count: int
    path: bytes


def build_batch_tree(
    leaves: Sequence[Sequence[bytes]], random: Callable[[int], bytes], *, recipients_max: int
) -> tuple[bytes, list[RecipientTree]]:
    """Return the root of a batch, and the tree of each recipient.

    Args:
        leaves: For each recipient, the hashes of its leaves.
        random: Returns this many random bytes.
        recipients_max: How many recipients a batch may have. The size of the tree follows from it alone, so it must not
            depend on the batch.

    Raises:
        ValueError: There are more recipients than that, or one without leaves.
    """
    recipients = len(leaves)
    if not 1 <= recipients_max <= RECIPIENTS_MAX or recipients > recipients_max:
        raise ValueError(f"a batch has between 1 and {RECIPIENTS_MAX} recipients, and no more than `recipients_max`")
    count = 1 << (recipients_max - 1).bit_length()
    noise = random((HASH_BYTES + _TAG_BYTES) * count)
    nodes = [noise[start : start + HASH_BYTES] for start in range(0, HASH_BYTES * count, HASH_BYTES)]
    tags = [noise[start : start + _TAG_BYTES] for start in range(HASH_BYTES * count, len(noise), _TAG_BYTES)]
    blinds = nodes[:recipients]
    inner = [compute_paths(own) for own in leaves]
    nodes[:recipients] = [
        hash_recipient(root, len(paths), blind) for (root, paths), blind in zip(inner, blinds, strict=True)
    ]
    order = sorted(range(count), key=tags.__getitem__)
    root, outer_paths = compute_paths([nodes[number] for number in order])
    positions = {number: position for position, number in enumerate(order) if number < recipients}
    trees = [
        RecipientTree(paths, blinds[number], positions[number], count, outer_paths[positions[number]])
        for number, (_, paths) in enumerate(inner)
    ]
    return root, trees


def hash_recipient(root: bytes, count: int, blind: bytes) -> bytes:
    """Return the leaf that represents a recipient's tree in the tree of the batch.

    Args:
        root: Root of the recipient's tree.
        count: Number of its leaves.
        blind: 32 random bytes.
    """
    return hash_leaf(_DOMAIN + blind + root + count.to_bytes(8, "big"))


def compute_recipient_root(leaf: bytes, index: int, count: int, path: bytes) -> bytes | None:
    """Return the root of the recipient's tree to which a path leads, or None if it cannot be a path.

    Args:
        leaf: Hash of the leaf.
        index: Its position, from 0.
        count: Number of leaves of the recipient's tree.
        path: Inclusion path.
    """
    return compute_root_from_path(leaf, index, count, path) if count < LEAVES_MAX else None


def compute_batch_root(recipient: bytes, index: int, count: int, path: bytes) -> bytes | None:
    """Return the root of the batch to which a path leads, or None if it cannot be a path.

    Args:
        recipient: What `hash_recipient` returned.
        index: Its position, from 0.
        count: Number of leaves of the tree of the batch.
        path: Inclusion path.
    """
    if count != 1 << (len(path) // HASH_BYTES) or count > RECIPIENTS_MAX:
        return None
    return compute_root_from_path(recipient, index, count, path)
