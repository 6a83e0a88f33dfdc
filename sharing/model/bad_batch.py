"""A record batch that no client can read, by reference."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BadBatch:
    """A record batch that cannot be read, by reference. Its content is unknown.

    Attributes:
        topic: Name of the topic.
        partition: Number of the partition.
        first_offset: Offset of its first record.
        last_offset: Offset of its last record.
        cause: Kafka's name of the error, such as `_BAD_COMPRESSION`.
    """

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    cause: str

    @property
    def next_offset(self) -> int:
        """The offset after the batch, at which reading continues."""
        return self.last_offset + 1

    def __str__(self) -> str:
        """Return `topic/partition@first-last`, or `topic/partition@first` for a single record."""
        end = f"-{self.last_offset}" if self.last_offset > self.first_offset else ""
        return f"{self.topic}/{self.partition}@{self.first_offset}{end}"
