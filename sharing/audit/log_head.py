"""The head of an audit log: all that must be known of a partition's blocks to add the next one.

It is kept in the state store of the loop that writes the log, and is updated in the transaction that writes the block.
So after a kill, a rebalance or an aborted transaction, the log continues from the last committed block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from sharing.audit.compact_range import CompactRange
from sharing.sign.merkle_tree import HASH_BYTES

NO_BLOCK: Final = bytes(HASH_BYTES)
"""Used in the first block instead of the leaf hash of the previous block."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """The current end of the log of one partition.

    Attributes:
        entries: Number of the entries of all blocks.
        previous: Leaf hash of the last block; `NO_BLOCK` if there is none.
        tree: The leaves of its tree, which are the leaf hashes of its blocks.
    """

    entries: int = 0
    previous: bytes = NO_BLOCK
    tree: CompactRange = field(default_factory=CompactRange)

    @property
    def blocks(self) -> int:
        """Number of its blocks, which is the size of its tree."""
        return self.tree.end

    def add_block(self, leaf: bytes, entries: int) -> LogHead:
        """Return the head after another block.

        Args:
            leaf: Leaf hash of the block.
            entries: Number of its entries.
        """
        return LogHead(self.entries + entries, leaf, self.tree.append(leaf))

    def to_fields(self) -> dict[str, Any]:
        """Return the fields of its entry in a state store."""
        return {
            "blocks": self.blocks,
            "entries": self.entries,
            "previous": self.previous,
            "subtrees": list(self.tree.hashes),
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> LogHead:
        """Return the head in an entry of a state store.

        Raises:
            ValueError: It is not a head: the number of subtrees does not match that of the blocks.
        """
        return cls(fields["entries"], fields["previous"], CompactRange(0, fields["blocks"], tuple(fields["subtrees"])))


EMPTY_LOG: Final = LogHead()
"""The head of a log without blocks."""
