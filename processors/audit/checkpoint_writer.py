"""Signs the checkpoints of a loop's audit log: at most one for each partition and minute, in a transaction of the loop.

**Only what is committed is signed.** A checkpoint is proof against the State: if the batch whose blocks it covers were
aborted, the repeated batch would have a different root, and the State would have signed two histories. So a checkpoint
covers blocks of earlier batches, which are known to be committed. If a batch finds all earlier ones committed, it signs
at once. Under load the previous batch is still being committed; then it is determined which blocks the next checkpoint
adds, and a later batch signs it.

**It is written in a transaction**, so a worker that was replaced cannot write any, and they come in the order of the
log. A checkpoint of an aborted transaction covers what was committed before, and does not contradict any that follows.
A worker that is killed at any point continues from the last transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from processors.audit.checkpoint_state import CheckpointState
from processors.audit.log_writer import LOG_KEY_PREFIX, read_head
from processors.exactly_once.batch import OutputRecord
from processors.exactly_once.state_entries import decode_entry, encode_entry
from sharing.audit.block import LogPlace
from sharing.audit.checkpoint_record import SCHEMA, make_checkpoint_record
from sharing.audit.log_head import LogHead
from sharing.errors import DecodeError
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.codec import HEADER_LENGTH
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import CHECKPOINTS

if TYPE_CHECKING:
    from processors.exactly_once.batch import Batch
    from processors.exactly_once.overlay import Overlay
    from sharing.trust.signatures import SigningKey

CHECKPOINT_INTERVAL_MS: Final = 60_000
"""At most one checkpoint of a partition is signed in this time, except at a stop."""

_FIELD: Final = "audit_checkpoint"


class CheckpointWriter:
    """Writes the checkpoints of one loop's log. What it remembers between batches can be derived from the state store.

    Args:
        state: The State.
        log: The log.
        framing: How records are framed.

    Attributes:
        log: The log.
        uncovered_since: Since when a block has been waiting for its checkpoint, in UTC milliseconds, as of the last
            batch; 0 if none is.
    """

    def __init__(self, state: str, log: AuditLogName, framing: Framing = SINGLE_OBJECT_FRAMING) -> None:
        self.log = log
        self.uncovered_since = 0
        self._uncovered: dict[int, int] = {}
        self._state = state
        self._log = log
        self._topic = CHECKPOINTS.topic(state)
        self._header = framing.get_header(SCHEMA)
        self._key = LOG_KEY_PREFIX + b"checkpoint/" + log.lower().encode()
        self._decoded: dict[int, tuple[bytes, CheckpointState]] = {}

    def write_due(self, batch: Batch, key: SigningKey, *, is_last: bool = False) -> Iterator[OutputRecord]:
        """Yield the checkpoints that are due. Must be called before the batch adds blocks.

        Args:
            batch: The batch.
            key: The State's gate key.
            is_last: Whether the loop stops after it: then a checkpoint does not wait for the end of its minute.

        Raises:
            DecodeError: The state store's entry about the log cannot be read.
        """
        view = batch.store_view
        if view is None:
            return
        uncovered = {}
        for partition in sorted(view.partitions):
            known = self._read(view, partition)
            if known is None or not known.has_news:
                continue
            uncovered[partition] = self._uncovered.get(partition, batch.now_ms)
            is_early = 0 <= batch.now_ms - known.written_at < CHECKPOINT_INTERVAL_MS
            if is_early and not is_last:
                continue
            if view.get_committed(partition, self._key) == view.get(partition, self._key):
                del uncovered[partition]
                yield self._sign(view, partition, known.freeze(), batch.now_ms, key)
            elif known.is_frozen and self._is_committed(view, partition, known):
                del uncovered[partition]
                yield self._sign(view, partition, known, batch.now_ms, key)
            elif not known.is_frozen:
                self._keep(view, partition, known.freeze())
        self._uncovered = uncovered
        self.uncovered_since = min(uncovered.values(), default=0)

    def add_leaves(self, view: Overlay, partition: int, leaves: Sequence[bytes], before: LogHead) -> None:
        """Note the blocks that the batch adds to the log of a partition.

        Args:
            view: The batch's view of the state store.
            partition: The partition.
            leaves: The leaf hashes of the blocks.
            before: The head of the log before them.

        Raises:
            DecodeError: The state store's entry about the log cannot be read.
        """
        known = self._read(view, partition)
        if known is None or known.blocks != before.blocks:
            # The log is older than the State's keys: its first checkpoint covers all of it, and proves nothing about
            # how it grew.
            known = CheckpointState.begin(before)
        self._keep(view, partition, known.add_leaves(leaves))

    def _sign(
        self, view: Overlay, partition: int, known: CheckpointState, now_ms: int, key: SigningKey
    ) -> OutputRecord:
        place = LogPlace(self._state, self._log, partition)
        record = make_checkpoint_record(place, known.before, known.frozen, now_ms, key)
        self._keep(view, partition, known.note_written(now_ms))
        value = self._header + record.encode()[HEADER_LENGTH:]
        return OutputRecord(self._topic, record.checkpoint.origin.encode(), value, None, partition)

    def _is_committed(self, view: Overlay, partition: int, known: CheckpointState) -> bool:
        """Return whether the blocks that the next checkpoint adds are committed."""
        encoded = view.get_committed(partition, self._key)
        return encoded is not None and _decode(encoded).blocks >= known.frozen.end

    def _read(self, view: Overlay, partition: int) -> CheckpointState | None:
        """Return the state of a partition's checkpoints; None if the log has no block.

        An entry that was already decoded is not decoded again: there are many batches in a minute.
        """
        encoded = view.get(partition, self._key)
        if encoded is None:
            head = read_head(view, partition, self._log)
            return None if head is None else CheckpointState.begin(head)
        known = self._decoded.get(partition)
        if known is None or known[0] != encoded:
            known = self._decoded[partition] = (encoded, _decode(encoded))
        return known[1]

    def _keep(self, view: Overlay, partition: int, known: CheckpointState) -> None:
        encoded = encode_entry(_FIELD, known.to_fields())
        self._decoded[partition] = (encoded, known)
        view.put(partition, self._key, encoded)


def _decode(encoded: bytes) -> CheckpointState:
    try:
        return CheckpointState.from_fields(decode_entry(encoded, _FIELD))
    except ValueError:
        raise DecodeError("the entry of an audit log's checkpoints is inconsistent", cause="MALFORMED") from None
