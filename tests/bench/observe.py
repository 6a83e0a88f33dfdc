"""Watches a topic fill from outside: how fast a process writes, without asking that process."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaException, TopicPartition

from sharing.kafka.clients import client_properties, make_consumer

POLL_S = 0.02
LEADERS_S = 10.0
WARM_SHARE = 0.2
"""Of the records that pass before the clock starts: processes start, join, compile, and fill their memos."""


class Filling:
    """Counts committed records of a topic by the ends of its partitions (transaction markers included: one a batch).

    What is there when it is made does not count.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = make_consumer(client_properties(bootstrap, {"group.id": "bench.observer"}))
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._partitions = [TopicPartition(topic, number) for number in partitions]
        self._base = 0
        self._base = self._count_first()

    def count(self) -> int:
        """Return how many offsets were taken since it was made."""
        ends = (self._consumer.get_watermark_offsets(one, timeout=10)[1] for one in self._partitions)
        return sum(ends) - self._base

    def _count_first(self) -> int:
        """Count as soon as the partitions of a new topic have their leaders."""
        deadline = time.monotonic() + LEADERS_S
        while True:
            try:
                return self.count()
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)

    def rate(
        self, total: int, look: Callable[[int], None], warm_share: float = WARM_SHARE, timeout_s: float = 900.0
    ) -> float:
        """Return records a second, from the first count beyond the warm-up to the last.

        Args:
            total: Records to wait for.
            look: Called with the count at each look; raises when there is nothing more to wait for.
            warm_share: Of the records that pass before the clock starts.
            timeout_s: The longest wait.

        Raises:
            TimeoutError: The topic did not fill in time.
        """
        deadline = time.monotonic() + timeout_s
        warm = total * warm_share
        first: tuple[int, float] | None = None
        while time.monotonic() < deadline:
            count, now = self.count(), time.monotonic()
            look(count)
            if first is None and count >= max(1, warm):
                first = (count, now)
            elif first is not None and count >= total:
                return (count - first[0]) / (now - first[1])
            time.sleep(POLL_S)
        raise TimeoutError(f"{self.count()} of {total} after {timeout_s:g} s")

    def close(self) -> None:
        """Stop watching."""
        self._consumer.close()
