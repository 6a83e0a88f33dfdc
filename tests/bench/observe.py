"""Watches a topic fill from outside: how fast a process writes, without asking that process."""

from __future__ import annotations

import time

from confluent_kafka import TopicPartition

from sharing.kafka.clients import client_properties, make_consumer

POLL_S = 0.02


class Filling:
    """Counts committed records of a topic by the ends of its partitions (transaction markers included: one a batch)."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = make_consumer(client_properties(bootstrap, {"group.id": "bench.observer"}))
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._partitions = [TopicPartition(topic, number) for number in partitions]

    def count(self) -> int:
        """Return how many offsets are taken."""
        return sum(self._consumer.get_watermark_offsets(one, timeout=10)[1] for one in self._partitions)

    def rate(self, total: int, timeout_s: float = 300.0) -> float:
        """Return records a second from the first commit to the last.

        Raises:
            TimeoutError: The topic did not fill in time.
        """
        deadline = time.monotonic() + timeout_s
        first = (0, 0.0)
        while time.monotonic() < deadline:
            count, now = self.count(), time.monotonic()
            if count and not first[0]:
                first = (count, now)
            if count >= total:
                return (count - first[0]) / (now - first[1])
            time.sleep(POLL_S)
        raise TimeoutError(f"{self.count()} of {total} after {timeout_s:g} s")

    def close(self) -> None:
        """Stop watching."""
        self._consumer.close()
