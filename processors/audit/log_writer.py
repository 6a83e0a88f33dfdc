"""Adds to the audit log of a loop: what a batch has decided or done becomes one block for each input partition.

The head of each partition's log is in the loop's state store. It is changed with the batch's other changes, in the
transaction that writes the block. So the log continues where the last committed transaction left it, no matter what was
killed or aborted in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from processors.exactly_once.batch import OutputRecord
from processors.exactly_once.state_entries import decode_entry, encode_entry
from sharing.audit.block import BLOCK_BYTES_MAX, SCHEMA, Commit, LogPlace, add_blocks
from sharing.audit.log_head import EMPTY_LOG, LogHead
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import ACTS, DECISIONS

if TYPE_CHECKING:
    from processors.exactly_once.batch import Batch
    from processors.exactly_once.overlay import Overlay

LOG_KEY_PREFIX: Final = b"audit/"
"""Prefix of the keys of the heads of audit logs in a state store."""

_FIELD: Final = "audit_log"

AddLeaves = Callable[["Overlay", int, Sequence[bytes], LogHead], None]
"""Called with the view of the state store, the number of the partition, the leaf hashes, and the head before them."""


class BatchLog:
    """What one batch adds to the audit log of its loop.

    Args:
        state: The State.
        log: The log.
        batch: The batch. Without a state store each batch begins a log of its own, which is useful only in tests.
        framing: How records are framed.
        add_leaves: Receives the leaf hashes of the blocks of a partition, and the head of its log before them.
    """

    def __init__(
        self,
        state: str,
        log: AuditLogName,
        batch: Batch,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        add_leaves: AddLeaves | None = None,
    ) -> None:
        self._add_leaves = add_leaves
        self._state = state
        self._log = log
        self._topic = (DECISIONS if log is AuditLogName.DECISIONS else ACTS).topic(state)
        self._view = batch.store_view
        self._now_ms = batch.now_ms
        self._header = framing.get_header(SCHEMA)
        self._bytes_max = min(BLOCK_BYTES_MAX, batch.output_limits.get_value_bytes_max(self._topic))
        self._key = make_head_key(log)
        self._heads: dict[int, LogHead] = {}

    def add_entries(
        self,
        entries: Mapping[int, Sequence[bytes]],
        message_roots: Sequence[bytes] = (),
        commit: Commit | None = None,
    ) -> Iterator[OutputRecord]:
        """Yield the blocks that a part of the batch adds, and move the heads of the logs.

        Args:
            entries: The decisions or acts of each input partition, in order, in single-object encoding.
            message_roots: The signed roots of the messages that are written with them.
            commit: Commits to their contents; None to make no commitments.

        Raises:
            DecodeError: The state store's entry about the log cannot be read.
        """
        bytes_max = self._bytes_max
        for partition, own in entries.items():
            if not own:
                continue
            head = before = self._heads.get(partition) or self._read_head(partition)
            leaves = []
            place = LogPlace(self._state, self._log, partition)
            blocks = add_blocks(head, place, own, message_roots, self._now_ms, commit=commit, bytes_max=bytes_max)
            for block, after in blocks:
                head = after
                leaves.append(after.previous)
                yield OutputRecord(self._topic, None, self._header + block.encode_unframed(), None, partition)
            self._keep_head(partition, head)
            if self._add_leaves is not None and self._view is not None:
                self._add_leaves(self._view, partition, leaves, before)

    def _read_head(self, partition: int) -> LogHead:
        head = None if self._view is None else read_head(self._view, partition, self._log)
        return EMPTY_LOG if head is None else head

    def _keep_head(self, partition: int, head: LogHead) -> None:
        self._heads[partition] = head
        if self._view is not None:
            self._view.put(partition, self._key, encode_entry(_FIELD, head.to_fields()))


def make_head_key(log: AuditLogName) -> bytes:
    """Return the key of the entry with the head of a log."""
    return LOG_KEY_PREFIX + log.lower().encode()


def read_head(view: Overlay, partition: int, log: AuditLogName) -> LogHead | None:
    """Return the head of a partition's log, as a batch sees it; None if the log is empty.

    Raises:
        DecodeError: The entry cannot be read.
        ValueError: The entry is inconsistent.
    """
    encoded = view.get(partition, make_head_key(log))
    return None if encoded is None else LogHead.from_fields(decode_entry(encoded, _FIELD))
