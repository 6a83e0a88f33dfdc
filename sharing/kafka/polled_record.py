"""What a member of a consumer group reads: a record, or a batch of records that cannot be read, and where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from confluent_kafka import Message

    from sharing.model.bad_batch import BadBatch


class PolledRecord(NamedTuple):
    """What `poll` returns: a record, or a batch that cannot be read.

    Attributes:
        topic: Name of the topic.
        partition: Number of the partition.
        offset: Offset of the record, or of the first record of the batch.
        next_offset: The offset that is committed when it has been handled.
        assignment: Number of the assignment in which it was read. It cannot be committed in another one.
        message: The record; None for a batch that cannot be read.
        bad_batch: That batch; None for a record.
    """

    topic: str
    partition: int
    offset: int
    next_offset: int
    assignment: int
    message: Message | None = None
    bad_batch: BadBatch | None = None

    def without_content(self) -> PolledRecord:
        """Return where the record is, without holding it in memory."""
        return PolledRecord(self.topic, self.partition, self.offset, self.next_offset, self.assignment)
