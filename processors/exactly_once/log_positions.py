"""Positions of input partitions, as entries of the state store: written in the transaction of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.exactly_once.start_offsets import LogPosition
from processors.exactly_once.state_entries import decode_entry, encode_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processors.exactly_once.overlay import Overlay

_KEY_PREFIX = b"log/"


def read_position(entries: Overlay, topic: str, partition: int) -> LogPosition | None:
    """Return how far a partition has been processed, or None if it never was.

    Args:
        entries: A view of the restored state store.
        topic: The input topic.
        partition: Number of the partition.
    """
    encoded = entries.get(partition, _make_key(topic))
    if encoded is None:
        return None
    position = decode_entry(encoded, "log")
    return LogPosition(position["topic_id"], position["next_offset"])


def write_positions(overlay: Overlay, offsets: Mapping[tuple[str, int], int], topic_ids: Mapping[str, str]) -> None:
    """Add the positions after a batch to its state changes.

    Args:
        overlay: The state changes of the batch.
        offsets: The next offset to read, by (topic, partition).
        topic_ids: The ids of the topics.
    """
    for (topic, partition), offset in offsets.items():
        position = {"topic_id": topic_ids.get(topic, ""), "next_offset": offset}
        overlay.put(partition, _make_key(topic), encode_entry("log", position))


def is_log_position(key: bytes) -> bool:
    """Return whether an entry of the state store is a position of an input partition."""
    return key.startswith(_KEY_PREFIX)


def _make_key(topic: str) -> bytes:
    return _KEY_PREFIX + topic.encode()
