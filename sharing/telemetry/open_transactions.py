"""Records that wait behind open transactions, as a consumer of committed records sees them in librdkafka's statistics.

A reader of committed records gets no record at or after a partition's last stable offset: the start of the first
transaction that is still open. While that transaction stays open, all later records wait, no matter who wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PartitionKey = tuple[str, int]
"""Topic and number of a partition."""


@dataclass(frozen=True, slots=True)
class HiddenRecords:
    """The records of one partition that cannot be read yet.

    Attributes:
        count: Number of offsets between the last stable offset and the end of the partition.
        last_stable_offset: The last stable offset, where reading stops.
        since: When the last stable offset was first seen at this value with records behind it (`time.monotonic`).
    """

    count: int
    last_stable_offset: int
    since: float


class OpenTransactionWatch:
    """Tracks how long the last stable offset of each partition has not moved although records wait behind it.

    A partition whose writers use short transactions nearly always has hidden records, but its last stable offset moves.

    Attributes:
        hidden: The hidden records of each partition that has any; replaced, never changed, by `update`.
    """

    def __init__(self) -> None:
        self.hidden: Mapping[PartitionKey, HiddenRecords] = {}

    def update(self, partitions: Mapping[PartitionKey, Mapping[str, Any]], now: float) -> None:
        """Take the current statistics.

        Args:
            partitions: librdkafka's statistics of each assigned partition. Without an offset of the broker (-1), what
                was known before stays.
            now: The current time (`time.monotonic`).
        """
        hidden = {}
        for key, partition in partitions.items():
            stable, end = int(partition["ls_offset"]), int(partition["hi_offset"])
            before = self.hidden.get(key)
            if stable < 0 or end < 0:
                if before is not None:
                    hidden[key] = before
            elif end > stable:
                is_stuck = before is not None and before.last_stable_offset == stable
                hidden[key] = HiddenRecords(end - stable, stable, before.since if before and is_stuck else now)
        self.hidden = hidden

    def find_longest(self) -> tuple[PartitionKey, HiddenRecords] | None:
        """Return the partition whose records have waited longest, or None if none wait."""
        return min(self.hidden.items(), key=lambda item: item[1].since, default=None)


def select_assigned(statistics: Mapping[str, Any]) -> dict[PartitionKey, Mapping[str, Any]]:
    """Return the statistics of the partitions that are assigned to a consumer, by topic and number."""
    return {
        (name, partition["partition"]): partition
        for name, topic in statistics["topics"].items()
        for partition in topic["partitions"].values()
        if partition["desired"] and partition["partition"] >= 0
    }
