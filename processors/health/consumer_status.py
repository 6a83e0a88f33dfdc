"""Where a lane stands: whether a broker is heard, which partitions it has, and how many records wait in them.

All of it from what librdkafka says of the consumer once a second, so it costs nothing in between.
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from sharing.telemetry import metrics

HEARD_SECONDS_MAX = 10.0
"""After so long without a word a broker counts as gone: an idle consumer hears one every few milliseconds."""

PartitionKey = tuple[str, int]


class ConsumerStatus:
    """What is known of one lane's consumer.

    Attributes:
        assigned: Topic and partition of what this worker reads; None while the group has not settled.
        connected: Whether a connection to a broker was up when there was last something to say.
        heard: When a broker was last heard (`time.monotonic`), or None.
    """

    def __init__(self) -> None:
        self.assigned: frozenset[PartitionKey] | None = None
        self.connected = False
        self.heard: float | None = None
        self._committed: dict[PartitionKey, int] = {}
        self._ends: dict[PartitionKey, int] = {}
        self._shown: set[PartitionKey] = set()

    def hears_broker(self) -> bool:
        """Return whether a broker is there."""
        return self.connected and self.heard is not None and time.monotonic() - self.heard < HEARD_SECONDS_MAX

    def note_committed(self, offsets: dict[PartitionKey, int]) -> None:
        """Take the offsets that a committed transaction set."""
        self._committed.update(offsets)

    def take(self, text: str) -> None:
        """Take what librdkafka says of the consumer, as JSON; called in the lane's thread."""
        said = orjson.loads(text)
        self._hear(said["brokers"].values())
        group = said.get("cgrp", {})
        parts = {
            (topic, part["partition"]): part
            for topic, of in said["topics"].items()
            for part in of["partitions"].values()
            if part["desired"] and part["partition"] >= 0
        }
        self.assigned = frozenset(parts) if group.get("join_state") == "steady" else None
        metrics.PARTITIONS.set(len(parts))
        self._committed = {place: offset for place, offset in self._committed.items() if place in parts}
        self._ends = {place: self._end(place, part) for place, part in parts.items()}
        self._show({place: max(0, self._ends[place] - self._position(place, part)) for place, part in parts.items()})

    def _hear(self, brokers: Any) -> None:
        # Of a connection that is down, -1; `logical` ones are names for others.
        idle = [one["rxidle"] for one in brokers if one["state"] == "UP" and one["rxidle"] >= 0]
        self.connected = bool(idle)
        if idle:
            ago_s = min(idle) / 1_000_000
            self.heard = time.monotonic() - ago_s
            metrics.BROKER_HEARD.set(time.time() - ago_s)

    def _end(self, place: PartitionKey, part: Any) -> int:
        """Return where the partition ends; what was known before, while its broker is away."""
        end = part["ls_offset"]  # of what is committed: an agency may write in transactions
        return int(end) if end >= 0 else self._ends.get(place, 0)

    def _position(self, place: PartitionKey, part: Any) -> int:
        """Return up to where this worker has committed; before its first commit, from where it reads."""
        taken = part["app_offset"]
        return self._committed.get(place, int(taken if taken >= 0 else part["next_offset"]))

    def _show(self, lags: dict[PartitionKey, int]) -> None:
        for topic, partition in self._shown - lags.keys():
            metrics.LAG.remove(topic, str(partition))
        for (topic, partition), lag in lags.items():
            metrics.LAG.labels(topic, str(partition)).set(lag)
        self._shown = set(lags)
