"""Status of a loop's consumer: broker connection, assigned partitions, and the lag of each partition.

All of it comes from librdkafka's statistics of the consumer, once a second, so it costs nothing in between.
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from sharing.telemetry import metrics

RESPONSE_AGE_S_MAX = 10.0
"""Age of the last response at which brokers count as unreachable. An idle consumer gets one every few milliseconds."""

PartitionKey = tuple[str, int]


class ConsumerStatus:
    """Status of one loop's consumer.

    Attributes:
        assigned: Topics and partitions that this worker reads; None while the consumer group has not stabilised.
        connected: Whether a connection to a broker was up in the last statistics.
        last_response: When a broker last responded (`time.monotonic`), or None.
    """

    def __init__(self) -> None:
        self.assigned: frozenset[PartitionKey] | None = None
        self.connected = False
        self.last_response: float | None = None
        self._committed: dict[PartitionKey, int] = {}
        self._ends: dict[PartitionKey, int] = {}
        self._published: set[PartitionKey] = set()

    def is_broker_reachable(self) -> bool:
        """Return whether a broker is connected and has responded recently."""
        if not self.connected or self.last_response is None:
            return False
        return time.monotonic() - self.last_response < RESPONSE_AGE_S_MAX

    def record_committed(self, offsets: dict[PartitionKey, int]) -> None:
        """Record the offsets that a transaction committed."""
        self._committed.update(offsets)

    def update(self, text: str) -> None:
        """Update the status from librdkafka's statistics, as JSON. Called in the loop's worker thread."""
        statistics = orjson.loads(text)
        self._update_broker(statistics["brokers"].values())
        group = statistics.get("cgrp", {})
        partitions = {
            (name, partition["partition"]): partition
            for name, topic in statistics["topics"].items()
            for partition in topic["partitions"].values()
            if partition["desired"] and partition["partition"] >= 0
        }
        self.assigned = frozenset(partitions) if group.get("join_state") == "steady" else None
        metrics.PARTITIONS_ASSIGNED.set(len(partitions))
        self._committed = {key: offset for key, offset in self._committed.items() if key in partitions}
        self._ends = {key: self._get_end(key, partition) for key, partition in partitions.items()}
        self._publish_lags(
            {key: max(0, self._ends[key] - self._get_position(key, partition)) for key, partition in partitions.items()}
        )

    def _update_broker(self, brokers: Any) -> None:
        # `rxidle` is -1 for a connection that is down. Logical brokers are aliases of others.
        idle = [broker["rxidle"] for broker in brokers if broker["state"] == "UP" and broker["rxidle"] >= 0]
        self.connected = bool(idle)
        if idle:
            ago_s = min(idle) / 1_000_000
            self.last_response = time.monotonic() - ago_s
            metrics.BROKER_LAST_RESPONSE.set(time.time() - ago_s)

    def _get_end(self, key: PartitionKey, partition: Any) -> int:
        """Return the end offset of a partition. While its broker is unreachable, this is the last known one."""
        end = partition["ls_offset"]  # the last stable offset, because an agency may write in transactions
        return int(end) if end >= 0 else self._ends.get(key, 0)

    def _get_position(self, key: PartitionKey, partition: Any) -> int:
        """Return the offset that this worker has committed. Before its first commit, this is where it reads from."""
        consumed = partition["app_offset"]
        return self._committed.get(key, int(consumed if consumed >= 0 else partition["next_offset"]))

    def _publish_lags(self, lags: dict[PartitionKey, int]) -> None:
        for topic, partition in self._published - lags.keys():
            metrics.CONSUMER_LAG.remove(topic, str(partition))
        for (topic, partition), lag in lags.items():
            metrics.CONSUMER_LAG.labels(topic, str(partition)).set(lag)
        self._published = set(lags)
