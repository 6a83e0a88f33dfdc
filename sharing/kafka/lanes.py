"""Reads several topics as one: urgent records first, and the others as long as nothing urgent is waiting."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sharing.kafka.group_consumer import GroupConsumer
    from sharing.kafka.polled_record import PolledRecord

POLL_SECONDS: Final = 0.05
_IDLE_SECONDS: Final = 0.01
"""How long an urgent record waits at most while nothing arrives on the other lanes."""

_SERVE_SECONDS: Final = 0.002
"""How often commits, rebalances and the urgent lane are served while fetched records are returned."""

_URGENT_SECONDS_MAX: Final = 5.0
"""How long other records wait for the end of the urgent topic: one of its partitions may be unavailable."""


class Lanes:
    """The lanes of one subscriber. One thread uses them.

    Args:
        urgent: Reads what is returned first.
        others: Read the rest.
    """

    def __init__(self, urgent: GroupConsumer, others: Sequence[GroupConsumer]) -> None:
        self._urgent = urgent
        self._others = tuple(others)
        self._serve_at = 0.0

    def poll(self) -> tuple[GroupConsumer, PolledRecord] | None:
        """Return the next record with the lane that it comes from, or None if none arrives soon.

        Raises:
            InfrastructureError: As `GroupConsumer.poll`.
        """
        now = time.monotonic()
        if now >= self._serve_at:
            self._serve()
        urgent = self._urgent
        record = None
        if urgent.has_fetched or not any(lane.has_fetched for lane in self._others):
            record = urgent.poll(0 if urgent.is_at_end() else POLL_SECONDS)
        if record is not None:
            return urgent, record
        if not urgent.is_at_end() and now <= urgent.last_response + _URGENT_SECONDS_MAX:
            return None
        wait = _IDLE_SECONDS if urgent.is_at_end() else POLL_SECONDS
        for lane in sorted(self._others, key=_is_empty):
            record = lane.poll(wait)
            if record is not None:
                return lane, record
        return None

    def is_at_end(self) -> bool:
        """Return whether every record up to the ends that the broker last reported was returned."""
        return self._urgent.is_at_end() and all(lane.is_at_end() for lane in self._others)

    def settle(self) -> None:
        """Wait until what was handled is committed.

        Raises:
            InfrastructureError: As `GroupConsumer.settle_commits`.
        """
        for lane in (self._urgent, *self._others):
            lane.settle_commits()

    @property
    def last_response(self) -> float:
        """When the broker last delivered anything, in seconds of the monotonic clock."""
        return max(lane.last_response for lane in (self._urgent, *self._others))

    def close(self) -> None:
        """Leave all groups."""
        lanes = [self._urgent, *self._others]
        while lanes:
            lane = lanes.pop(0)
            try:
                lane.close()
            except BaseException:
                for other in lanes:
                    other.close()
                raise

    def _serve(self) -> None:
        for lane in (self._urgent, *self._others):
            lane.serve()
        self._serve_at = time.monotonic() + _SERVE_SECONDS


def _is_empty(lane: GroupConsumer) -> bool:
    return not lane.has_fetched
