"""Logs when a topic that is read only until its deletion is drained, so that an operator may delete it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sharing.telemetry.open_transactions import PartitionKey

log = logging.getLogger(__name__)

QUIET_S = 60.0
"""How long nothing must have arrived before a topic counts as drained. A publisher that is still running writes
again."""


class Progress(NamedTuple):
    """How far a partition has been processed.

    Attributes:
        end: Its end, as the broker has just reported it; None if it is not known.
        is_done: Whether everything before the end is committed.
    """

    end: int | None
    is_done: bool


class DrainWatch:
    """Watches the optional topics that a worker reads.

    Args:
        topics: Their names.
    """

    def __init__(self, topics: Collection[str] = ()) -> None:
        self._topics = frozenset(topics)
        self._ends: dict[str, dict[int, int | None]] = {}
        self._quiet_since: dict[str, float] = {}
        self._reported: set[str] = set()

    def update(self, partitions: Mapping[PartitionKey, Progress], now_s: float) -> None:
        """Log each topic that has just become drained, as far as this worker reads it, once until something arrives.

        Args:
            partitions: The partitions of all topics that are assigned to the worker.
            now_s: The time, in seconds of a monotonic clock.
        """
        for topic in self._topics:
            progress = {number: each for (name, number), each in partitions.items() if name == topic}
            ends = {number: each.end for number, each in sorted(progress.items())}
            is_done = bool(progress) and all(each.is_done and each.end is not None for each in progress.values())
            if not is_done or ends != self._ends.get(topic):
                self._ends[topic] = ends
                self._quiet_since[topic] = now_s
                self._reported.discard(topic)
            elif topic not in self._reported and now_s - self._quiet_since[topic] >= QUIET_S:
                self._reported.add(topic)
                log.info(
                    "%s is drained: all of partitions %s is processed, and nothing has arrived for %g s; it is read "
                    "until it is deleted",
                    topic,
                    ", ".join(map(str, ends)),
                    QUIET_S,
                )
