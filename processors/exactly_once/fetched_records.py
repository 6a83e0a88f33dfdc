"""What the consumer of an exactly-once loop has received for the next batch, and whether it waits for more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, Message

from sharing.kafka.bad_batches import BadBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.exactly_once.loop_config import LoopConfig

_PATIENT_POLL_S = 0.01  # for how long at most a record that is not patient waits with those that are


class FetchedRecords:
    """The records and errors for the next batch, what of them is unreadable, and the ends that were reached.

    Args:
        config: Configuration of the loop.
        is_stopping: Whether the worker is stopping.

    Attributes:
        records_max: Maximum number of records in a batch.
    """

    def __init__(self, config: LoopConfig, is_stopping: Callable[[], bool]) -> None:
        self.records_max = config.batch_records_max
        self._bytes_max = config.batch_bytes_max
        self._record_bytes_max = config.record_bytes_max
        self._is_stopping = is_stopping
        self._messages: list[Any] = []
        self._bytes = 0
        self._unreadable: list[BadBatch] = []
        self._ends: dict[tuple[str, int], int] = {}
        self._patient_topics = config.patient_topics
        self._patience_s = config.patience_s
        self._patient_until = 0.0

    @property
    def is_full(self) -> bool:
        """Whether the records fill a batch."""
        return len(self._messages) >= self.records_max or self._bytes >= self._bytes_max

    @property
    def is_empty(self) -> bool:
        """Whether nothing was received yet; ends do not count."""
        return not self._messages and not self._unreadable

    @property
    def room(self) -> int:
        """How many more records the batch may have."""
        return self.records_max - len(self._messages)

    def add(self, received: list[Any]) -> None:
        """Keep what one call has received, which is not empty."""
        if any(map(Message.error, received)) and not (received := self._drop_ends(received)):
            return
        self._note_patience(received)
        size = sum(map(len, received))
        self._bytes += size
        if size > self._record_bytes_max:  # otherwise none of them alone is larger
            received = self._drop_large_records(received)
        self._messages += received

    def get_patience(self, wait_s: float) -> float:
        """Return for how many seconds to wait for more records before it is looked again."""
        if not wait_s or not self._patient_until or self._is_stopping():
            return 0.0
        return max(0.0, min(_PATIENT_POLL_S, self._patient_until - time.monotonic()))

    def take(self) -> tuple[list[Any], list[BadBatch]]:
        """Return the records and errors read so far and what is unreadable, and start with an empty batch."""
        taken, ends = (self._messages, self._unreadable), self._ends
        self.discard()
        self._ends = ends
        return taken

    def take_ends(self) -> dict[tuple[str, int], int]:
        """Return the ends that were reached since the last call: everything before them has been taken, or is now.

        The next offset to read, by (topic, partition).
        """
        ends, self._ends = self._ends, {}
        return ends

    def discard(self) -> None:
        """Start with an empty batch."""
        self._messages, self._bytes, self._unreadable, self._ends = [], 0, [], {}
        self._patient_until = 0.0

    def forget_ends(self) -> None:
        """Forget the ends that were reached: other partitions are assigned."""
        self._ends = {}

    def _note_patience(self, messages: list[Any]) -> None:
        """Note until when a batch may wait for more records: not at all, once it has one that is not patient."""
        if not self._patient_topics:
            return
        if not self._patient_topics.issuperset(map(Message.topic, messages)):
            self._patient_until = 0.0
        elif not self._messages:
            self._patient_until = time.monotonic() + self._patience_s

    def _drop_large_records(self, messages: list[Any]) -> list[Any]:
        """Return the messages without those that are too large, which are kept by reference only."""
        kept = []
        for message in messages:
            if message.error() is None and len(message) > self._record_bytes_max:
                offset = message.offset()
                self._unreadable.append(BadBatch(message.topic(), message.partition(), offset, offset, "OVERSIZED"))
            else:
                kept.append(message)
        return kept

    def _drop_ends(self, messages: list[Any]) -> list[Any]:
        """Return the messages without those that report the end of a partition, which are kept apart."""
        kept = []
        for message in messages:
            if is_end(message.error()):
                self._ends[message.topic(), message.partition()] = message.offset()
            else:
                kept.append(message)
        return kept


def is_end(error: KafkaError | None) -> bool:
    """Return whether an "error" only says that the consumer has read a partition to its end."""
    return error is not None and bool(error.code() == KafkaError._PARTITION_EOF)  # noqa: SLF001 librdkafka's own code
