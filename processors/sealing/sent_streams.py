"""The sequences of sent messages, in a loop's state store: one for each input partition, recipient and topic.

A recipient sees from the numbers whether a message was dropped or repeated. A sequence for a whole loop would reveal to
each recipient how much the others get. Each loop has its own sequences, in its own store.

A number is used again if the transaction in which it was used is aborted: the state is rolled back with it. So a
recipient may find a number twice, under two ids, in a log that was manipulated; it treats them as two messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.exactly_once.state_entries import decode_entry, encode_entry
from sharing.seal.sequences import StreamPosition, take_next_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.exactly_once.overlay import Overlay

_RECIPIENTS_KEY = b"sent"
_COUNTED_KEY = b"counted"


class SentStreams:
    """The sequences that one batch continues. The changes become visible to later batches when it is committed.

    Args:
        view: The batch's view of the state store.
        now_ms: The processing time of the batch, in UTC milliseconds.
    """

    def __init__(self, view: Overlay, now_ms: int) -> None:
        self._view = view
        self._now_ms = now_ms
        self._streams: dict[tuple[int, str, str], StreamPosition] = {}
        self._changed: set[tuple[int, str, str]] = set()

    def take_numbers(self, partition: int, recipient: str, topic: str, count: int) -> tuple[range, StreamPosition]:
        """Return the numbers of the next messages of a sequence, and the sequence with them.

        Args:
            partition: The input partition of the messages.
            recipient: Code of the recipient.
            topic: Last part of the topic's name: notices, urgent, offers or replies.
            count: The number of messages.
        """
        key = (partition, recipient, topic)
        stored = self._streams.get(key) or self._read_stream(key)
        if stored is None:
            self._add_recipient(partition, f"{recipient}/{topic}")
        numbers, position = take_next_numbers(stored, count, self._now_ms)
        self._streams[key] = position
        self._changed.add(key)
        return numbers, position

    def save(self) -> None:
        """Add the sequences to the changes of the batch."""
        for key in self._changed:
            partition, recipient, topic = key
            self._view.put(partition, _make_key(recipient, topic), encode_entry("stream", self._streams[key]._asdict()))
        self._changed.clear()

    def take_due_counts(self, interval_ms: int) -> Iterator[tuple[int, str, str, StreamPosition]]:
        """Yield the sequences of each partition whose counts are due to be stated, and note that they are now.

        Args:
            interval_ms: The time between two statements, in milliseconds.

        Yields:
            Input partition, recipient, topic, and the sequence.
        """
        for partition in sorted(self._view.partitions):
            encoded = self._view.get(partition, _COUNTED_KEY)
            counted_at = None if encoded is None else decode_entry(encoded, "counted_at")
            if counted_at is not None and 0 <= self._now_ms - counted_at < interval_ms:
                continue
            names = self._read_recipients(partition)
            if names:
                self._view.put(partition, _COUNTED_KEY, encode_entry("counted_at", self._now_ms))
                for name in names:
                    recipient, _, topic = name.partition("/")
                    key = (partition, recipient, topic)
                    position = self._streams.get(key) or self._read_stream(key)
                    if position is not None:
                        yield partition, recipient, topic, position

    def _read_stream(self, key: tuple[int, str, str]) -> StreamPosition | None:
        partition, recipient, topic = key
        encoded = self._view.get(partition, _make_key(recipient, topic))
        return None if encoded is None else StreamPosition(**decode_entry(encoded, "stream"))

    def _add_recipient(self, partition: int, name: str) -> None:
        names = [*self._read_recipients(partition), name]
        self._view.put(partition, _RECIPIENTS_KEY, encode_entry("recipients", names))

    def _read_recipients(self, partition: int) -> list[str]:
        encoded = self._view.get(partition, _RECIPIENTS_KEY)
        return [] if encoded is None else decode_entry(encoded, "recipients")


def _make_key(recipient: str, topic: str) -> bytes:
    return b"/".join((_RECIPIENTS_KEY, recipient.encode(), topic.encode()))
