"""Unreadable records of a topic, identified by their positions: a reader with a list reports them and continues.

A reader with a list of these adds what it cannot read and continues. Without a list it fails closed: it raises an
error, because its result would not be complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from sharing.errors import DecodeError
from sharing.model.bad_batch import BadBatch

if TYPE_CHECKING:
    from confluent_kafka import Message

    from sharing.errors import SharingError


class UnreadableRecord(NamedTuple):
    """A record that cannot be read, or a batch of them, without its content.

    Attributes:
        topic: Name of the topic.
        partition: Number of the partition.
        first_offset: Offset of the record, or of the first one of the batch; None if it is no longer known.
        last_offset: Offset of the last one.
        reason: Why, and what to do. Contains nothing of the content.
    """

    topic: str
    partition: int
    first_offset: int | None
    last_offset: int | None
    reason: str

    @property
    def place(self) -> str:
        """Topic, partition and offsets."""
        place = f"{self.topic}[{self.partition}]"
        if self.first_offset is None:
            return place
        last = "" if self.last_offset in {None, self.first_offset} else f"-{self.last_offset}"
        return f"{place}@{self.first_offset}{last}"


Unreadable = list[UnreadableRecord]
"""Called with what a reader cannot read."""


def describe_bad_batch(batch: BadBatch) -> UnreadableRecord:
    """Return a batch that no client can read."""
    reason = f"the records cannot be decompressed, or become larger than is accepted ({batch.cause.removeprefix('_')})"
    return UnreadableRecord(batch.topic, batch.partition, batch.first_offset, batch.last_offset, reason)


def add_bad_batches(unreadable: Unreadable | None, batches: Iterable[BadBatch]) -> None:
    """Add batches that no client can read.

    Raises:
        DecodeError: There is such a batch but no list.
    """
    found = list(map(describe_bad_batch, batches))
    if unreadable is not None:
        unreadable += found
    elif found:
        raise DecodeError(f"{found[0].place}: {found[0].reason}", cause="MALFORMED")


def add_unreadable(unreadable: Unreadable | None, message: Message, error: SharingError) -> None:
    """Add a record that cannot be decoded.

    Args:
        unreadable: Called with it.
        message: The record.
        error: Why it cannot be decoded.

    Raises:
        DecodeError: There is no list.
    """
    add_unreadable_at(unreadable, message.topic() or "", message.partition() or 0, message.offset() or 0, error)


def add_unreadable_at(
    unreadable: Unreadable | None, topic: str, partition: int, offset: int, error: SharingError
) -> None:
    """Add a record that cannot be decoded, or has unknown contents, by its position.

    Args:
        unreadable: Called with it.
        topic: Name of its topic.
        partition: Number of its partition.
        offset: Its offset.
        error: Why it cannot be decoded.

    Raises:
        DecodeError: There is no list.
    """
    if unreadable is None:
        cause = error.cause if isinstance(error, DecodeError) else "MALFORMED"
        raise DecodeError(f"{topic}[{partition}] at offset {offset}: {error}", cause=cause)
    unreadable.append(UnreadableRecord(topic, partition, offset, offset, str(error)))


def require_state(state: object, expected: str) -> None:
    """Check that a record belongs to the State whose topic it is on.

    Raises:
        DecodeError: It belongs to another State. The message does not repeat what the record says.
    """
    if state != expected:
        raise DecodeError(
            f"the record names another State than {expected}, whose topic this is; find out who has written it",
            cause="WRONG_STATE",
        )
