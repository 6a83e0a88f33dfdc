"""What a loop keeps to sign the checkpoints of its audit log: an entry of its state store for each partition.

The blocks of the log are split into three ranges: those in the last checkpoint, those that the next one adds, and those
after them. Only the roots of perfect subtrees are kept for each. The roots of the trees and the consistency proofs
follow from them without reading the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sharing.audit.compact_range import CompactRange
from sharing.audit.log_head import LogHead

_NOTHING: Final = CompactRange()


@dataclass(frozen=True, slots=True)
class CheckpointState:
    """The progress of the checkpoints of a log. All methods return a new object.

    Attributes:
        before: The blocks in the last checkpoint: [0, m).
        frozen: Those that the next checkpoint adds, once they are committed: [m, s). Empty if none is due.
        since: Those after them: [s, n).
        written_at: When the last checkpoint was signed, in UTC milliseconds; 0 if none was.
    """

    before: CompactRange = _NOTHING
    frozen: CompactRange = _NOTHING
    since: CompactRange = _NOTHING
    written_at: int = 0

    @classmethod
    def begin(cls, head: LogHead) -> CheckpointState:
        """Return the state of a log for which no checkpoint was signed."""
        return cls(since=head.tree)

    @property
    def blocks(self) -> int:
        """Number of all blocks of the log."""
        return self.since.end

    @property
    def has_news(self) -> bool:
        """Whether the log has blocks that are in no checkpoint."""
        return self.before.end < self.since.end

    @property
    def is_frozen(self) -> bool:
        """Whether it is already determined which blocks the next checkpoint adds."""
        return self.before.end < self.frozen.end

    def add_leaves(self, leaves: Iterable[bytes]) -> CheckpointState:
        """Return the state with further blocks.

        Args:
            leaves: Their leaf hashes.
        """
        return replace(self, since=self.since.extend(leaves))

    def freeze(self) -> CheckpointState:
        """Return the state in which the next checkpoint adds all blocks that exist now."""
        end = self.since.end
        return replace(self, frozen=self.frozen.merge(self.since), since=CompactRange(end, end))

    def note_written(self, now_ms: int) -> CheckpointState:
        """Return the state after the checkpoint with the frozen blocks was signed."""
        end = self.frozen.end
        return replace(self, before=self.before.merge(self.frozen), frozen=CompactRange(end, end), written_at=now_ms)

    def to_fields(self) -> dict[str, Any]:
        """Return the fields of its entry in a state store."""
        return {
            "written_at": self.written_at,
            "size": self.before.end,
            "before": self.before.to_bytes(),
            "frozen_size": self.frozen.end,
            "frozen": self.frozen.to_bytes(),
            "blocks": self.since.end,
            "since": self.since.to_bytes(),
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> CheckpointState:
        """Return the state in an entry.

        Raises:
            ValueError: It is not such an entry.
        """
        size, frozen_size, blocks = fields["size"], fields["frozen_size"], fields["blocks"]
        return cls(
            CompactRange.from_bytes(0, size, fields["before"]),
            CompactRange.from_bytes(size, frozen_size, fields["frozen"]),
            CompactRange.from_bytes(frozen_size, blocks, fields["since"]),
            fields["written_at"],
        )
