"""Measures from outside how fast a process writes to a topic."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from confluent_kafka import KafkaException, TopicPartition

from sharing.kafka.clients import client_properties, make_consumer
from sharing.kafka.group_queries import open_group, query_committed

POLL_S = 0.02
LEADERS_S = 120.0
WARM_SHARE = 0.2
"""Share of the records before the clock starts: processes start, join, compile, and fill their caches."""


class Observer(ABC):
    """Measures how many records a process has finished."""

    @abstractmethod
    def count_records(self) -> int:
        """Return the number of records since the observer was created."""

    def measure_rate(
        self, total: int, on_count: Callable[[int], None], warm_share: float = WARM_SHARE, timeout_s: float = 900.0
    ) -> float:
        """Return records per second, from the first count after the warm-up to the last.

        Args:
            total: Number of records to wait for.
            on_count: Called with each count; raises an exception to end the wait.
            warm_share: Share of the records before the clock starts.
            timeout_s: Longest wait.

        Raises:
            TimeoutError: The records were not committed in time.
        """
        deadline = time.monotonic() + timeout_s
        warm = total * warm_share
        first: tuple[int, float] | None = None
        while time.monotonic() < deadline:
            count, now = self.count_records(), time.monotonic()
            on_count(count)
            if first is None and count >= max(1, warm):
                first = (count, now)
            elif first is not None and count >= total:
                return (count - first[0]) / (now - first[1])
            time.sleep(POLL_S)
        raise TimeoutError(f"{self.count_records()} of {total} records were committed within {timeout_s:g} s")

    def _count_when_ready(self) -> int:
        """Count records once a new broker can answer: the partitions have leaders, and the group has a coordinator."""
        deadline = time.monotonic() + LEADERS_S
        while True:
            try:
                return self.count_records()
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""


class TopicObserver(Observer):
    """Counts the records that are committed to a topic, by the end offsets of its partitions.

    Transaction markers are included (one per batch). Records from before the observer was created do not count.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = make_consumer(client_properties(bootstrap, {"group.id": "bench.observer"}))
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._partitions = [TopicPartition(topic, number) for number in partitions]
        self._base = 0
        self._base = self._count_when_ready()

    def count_records(self) -> int:
        """Return by how much the end offsets have grown since the observer was created."""
        ends = (self._consumer.get_watermark_offsets(partition, timeout=10)[1] for partition in self._partitions)
        return sum(ends) - self._base

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


class GroupObserver(Observer):
    """Counts the records of a topic that a consumer group has processed, by its committed offsets.

    A gate commits them in the transaction of what follows from the records, of which no topic has one record for each.
    """

    def __init__(self, bootstrap: str, group: str, topic: str) -> None:
        self._consumer = open_group(bootstrap, group)
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._places = [TopicPartition(topic, number) for number in partitions]
        self._base = 0
        self._base = self._count_when_ready()

    def count_records(self) -> int:
        """Return by how much the committed offsets have grown since the observer was created."""
        return sum(query_committed(self._consumer, self._places, 10).values()) - self._base

    def close(self) -> None:
        """Disconnect from the broker."""
        self._consumer.close()
