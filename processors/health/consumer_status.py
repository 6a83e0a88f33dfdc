"""Status of a loop's consumer: broker connection, assigned partitions, their lag, and the records that it may not read.

All of it comes from librdkafka's statistics of the consumer, once a second, so it costs nothing in between. They are
not updated while partitions are assigned, that is while the worker waits for offsets or restores its state.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from processors.exactly_once.assignment import find_uneven_topics
from processors.health.drained_topics import DrainWatch, Progress
from sharing.telemetry import worker_metrics
from sharing.telemetry.open_transactions import HiddenRecords, OpenTransactionWatch, PartitionKey, select_assigned

RESPONSE_AGE_S_MAX = 10.0
"""Age of the last response from which brokers count as unreachable. An idle consumer gets one every few
milliseconds."""

_FRESH_S_MAX = 2.0
"""Age up to which a partition's end in the statistics counts as current."""

_AGE_SLACK_S = 10.0
"""Added to the largest possible age of a record, for the age of the statistics and the drift of clocks."""


class ConsumerStatus:
    """Status of one loop's consumer.

    Args:
        is_main: Whether the loop is the worker's main one, whose number of partitions is a metric of the worker.
        optional_topics: Topics that the loop reads until they are deleted; the log says when they are drained.

    Attributes:
        assigned: Topics and partitions that this worker reads; None while the consumer group has not stabilised.
        connected: Whether a connection to a broker was up in the last statistics.
        last_response: When a broker last responded (`time.monotonic`), or None; see `find_last_response`.
    """

    def __init__(self, *, is_main: bool = True, optional_topics: Collection[str] = ()) -> None:
        self._is_main = is_main
        self._drain_watch = DrainWatch(optional_topics)
        self.assigned: frozenset[PartitionKey] | None = None
        self.connected = False
        self.last_response: float | None = None
        self._updated_at = float("-inf")
        self._started: dict[PartitionKey, int] = {}
        self._committed: dict[PartitionKey, int] = {}
        self._ends: dict[PartitionKey, int] = {}
        self._current_ends: dict[PartitionKey, tuple[int, float]] = {}
        self._open_transactions = OpenTransactionWatch()
        self._published: set[PartitionKey] = set()

    def is_broker_reachable(self, answered_at: float | None = None) -> bool:
        """Return whether a broker is connected and has responded recently.

        Args:
            answered_at: When a broker last answered another client of the worker (`time.monotonic`); None if never.
                It counts if the consumer's statistics are older.
        """
        last_response = self.find_last_response(answered_at)
        if last_response is None or not (self.connected or self._is_newer(answered_at)):
            return False
        return time.monotonic() - last_response < RESPONSE_AGE_S_MAX

    def find_last_response(self, answered_at: float | None = None) -> float | None:
        """Return when a broker last responded (`time.monotonic`), or None. `answered_at`: as `is_broker_reachable`."""
        return answered_at if self._is_newer(answered_at) else self.last_response

    def _is_newer(self, answered_at: float | None) -> bool:
        return answered_at is not None and answered_at > self._updated_at

    def record_started(self, offsets: Mapping[PartitionKey, int]) -> None:
        """Record the next offsets to read after a batch whose processing starts."""
        self._started.update(offsets)

    def record_committed(self, offsets: Mapping[PartitionKey, int]) -> None:
        """Record the offsets that a transaction committed."""
        self._committed.update(offsets)

    def find_hidden_longest(self) -> tuple[PartitionKey, HiddenRecords] | None:
        """Return the partition whose records have waited longest behind an open transaction, or None if none wait."""
        return self._open_transactions.find_longest()

    def find_uneven_topics(self, topics: Collection[str]) -> dict[str, list[int]]:
        """Return the assigned partition numbers of each topic; {} if they are the same for all topics.

        Args:
            topics: All topics that the worker reads.
        """
        return find_uneven_topics(self.assigned or (), topics)

    def get_record_age_max(self, key: PartitionKey, offset: int) -> float | None:
        """Return the most seconds ago that a record can have been appended, independent of the clock; None if unknown.

        A record at or after an earlier end of its partition was appended after that end was seen.
        """
        current_end = self._current_ends.get(key)
        if current_end is None or offset < current_end[0]:
            return None
        return read_uptime() - current_end[1] + _AGE_SLACK_S

    def update(self, text: str) -> None:
        """Update the status from librdkafka's statistics, as JSON. Called in the loop's worker thread."""
        statistics = orjson.loads(text)
        self._update_broker(statistics["brokers"].values())
        group = statistics.get("cgrp", {})
        partitions = select_assigned(statistics)
        self.assigned = frozenset(partitions) if group.get("join_state") == "steady" else None
        if self._is_main:
            worker_metrics.PARTITIONS_ASSIGNED.set(len(partitions))
        for offsets in (self._started, self._committed):
            for key in list(offsets):  # a copy: batches start in another thread
                if key not in partitions:
                    del offsets[key]
        self._ends = {key: self._get_end(key, partition) for key, partition in partitions.items()}
        self._current_ends = self._find_current_ends(statistics, partitions)
        self._open_transactions.update(partitions, time.monotonic())
        self._publish(partitions)
        progress = {key: self._measure_progress(key, partition) for key, partition in partitions.items()}
        self._drain_watch.update(progress, time.monotonic())

    def _measure_progress(self, key: PartitionKey, partition: Any) -> Progress:
        end = int(partition["hi_offset"])
        is_committed = self._started.get(key, 0) <= self._committed.get(key, 0)
        return Progress(end if end >= 0 else None, is_committed and self._get_position(key, partition) >= end)

    def _update_broker(self, brokers: Any) -> None:
        # `rxidle` is -1 for a connection that is down. Logical brokers are aliases of others.
        self._updated_at = time.monotonic()
        idle = [broker["rxidle"] for broker in brokers if broker["state"] == "UP" and broker["rxidle"] >= 0]
        self.connected = bool(idle)
        if idle:
            ago_s = min(idle) / 1_000_000
            self.last_response = time.monotonic() - ago_s
            worker_metrics.BROKER_LAST_RESPONSE.set(time.time() - ago_s)

    def _find_current_ends(
        self, statistics: Mapping[str, Any], partitions: Mapping[PartitionKey, Any]
    ) -> dict[PartitionKey, tuple[int, float]]:
        """Return the last end of each partition that is known to have been current, and when (`read_uptime`)."""
        known = {key: end for key, end in self._current_ends.items() if key in partitions}
        if abs(time.time() - statistics["time"]) > _FRESH_S_MAX:
            return known  # the statistics were waiting for this thread, or the clock was changed
        leaders = {broker["nodeid"]: broker for broker in statistics["brokers"].values() if broker["state"] == "UP"}
        uptime = read_uptime()
        for key, partition in partitions.items():
            leader = leaders.get(partition["leader"], {"rxidle": -1})
            is_current = 0 <= leader["rxidle"] < _FRESH_S_MAX * 1_000_000
            # With records in the queue, fetching may be paused, and the end may be that of the last fetch.
            is_fetching = partition["fetch_state"] == "active" and partition["fetchq_cnt"] == 0
            if is_current and is_fetching and partition["hi_offset"] >= 0:
                known[key] = (int(partition["hi_offset"]), uptime)
        return known

    def _get_end(self, key: PartitionKey, partition: Any) -> int:
        """Return the end of a partition. While its broker is unreachable, this is the last known one."""
        end = partition["hi_offset"]
        return int(end) if end >= 0 else self._ends.get(key, 0)

    def _get_position(self, key: PartitionKey, partition: Any) -> int:
        """Return the offset up to which this worker has finished. Before its first commit, this is where it reads from.

        If all records that it received are committed, it has also finished the transaction markers and aborted records
        after the last of them.
        """
        consumed = int(partition["app_offset"] if partition["app_offset"] >= 0 else partition["next_offset"])
        committed = self._committed.get(key)
        if committed is None:
            return consumed
        return committed if self._started.get(key, committed) > committed else max(committed, consumed)

    def _publish(self, partitions: Mapping[PartitionKey, Any]) -> None:
        for topic, partition in self._published - partitions.keys():
            for gauge in (worker_metrics.CONSUMER_LAG, worker_metrics.HIDDEN_RECORDS, worker_metrics.HIDDEN_SECONDS):
                gauge.remove(topic, str(partition))
        now, hidden_records = time.monotonic(), self._open_transactions.hidden
        for key, partition in partitions.items():
            labels = (key[0], str(key[1]))
            worker_metrics.CONSUMER_LAG.labels(*labels).set(
                max(0, self._ends[key] - self._get_position(key, partition))
            )
            hidden = hidden_records.get(key)
            worker_metrics.HIDDEN_RECORDS.labels(*labels).set(hidden.count if hidden else 0)
            worker_metrics.HIDDEN_SECONDS.labels(*labels).set(now - hidden.since if hidden else 0)
        self._published = set(partitions)


def read_uptime() -> float:
    """Return seconds of a clock that is never set and, if the system has one, continues while the machine sleeps."""
    clock_id = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock_id is None else time.clock_gettime(clock_id)
