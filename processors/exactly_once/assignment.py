"""What a loop does when partitions are assigned to it or revoked: it restores state, and finds out where to start."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from processors.exactly_once.input_logs import LogsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from confluent_kafka import TopicPartition

    from processors.exactly_once.committed_positions import CommittedPositions
    from processors.exactly_once.input_logs import InputLogs
    from processors.exactly_once.reached_ends import ReachedEnds
    from processors.exactly_once.read_horizon import ReadHorizon
    from processors.exactly_once.state_store import StateStore


log = logging.getLogger(__name__)


class Assignment:
    """Prepares assigned partitions before any of their records is read, and gives up revoked ones.

    Args:
        input_logs: The topics that are read.
        state_store: The state store; None on a loop without state.
        await_pending_commit: Waits until nothing is being committed.
        committed: What this process has committed itself.
        ends: The ends of partitions that are to be committed.
        horizon: What has been read; None on a loop without it.
    """

    def __init__(
        self,
        input_logs: InputLogs,
        state_store: StateStore | None,
        await_pending_commit: Callable[[], None],
        committed: CommittedPositions,
        ends: ReachedEnds,
        horizon: ReadHorizon | None = None,
    ) -> None:
        self._ends = ends
        self._horizon = horizon
        self._committed = committed
        self._input_logs = input_logs
        self._state_store = state_store
        self._await_pending_commit = await_pending_commit

    def prepare_partitions(self, positions: list[TopicPartition]) -> bool:
        """Restore the state of the partitions, and replace their committed offsets by those to start at.

        Returns:
            Whether they can be read. False if the worker is stopping, if the broker does not answer in time, or if
            workers of the group read different topics.

        Raises:
            InfrastructureError: A person must decide where to start, or the broker rejects a request.
        """
        self._forget_read()
        if not positions:
            return True
        if find_uneven_topics([(each.topic, each.partition) for each in positions], self._input_logs.topics):
            log.warning(
                "the assigned partitions of the input topics have different numbers, so another worker has part of the "
                "state: nothing is read until the members of the group agree on the topics"
            )
            return False
        self._committed.correct(positions)
        store = self._state_store
        if store is not None and not store.restore_partitions({position.partition for position in positions}):
            return False
        try:
            self._input_logs.choose_start_offsets(positions, store)
        except LogsUnavailableError as error:
            log.warning("%s: the partitions are not read yet", error)
            return False
        self._committed.follow(positions, self._input_logs.topic_ids)
        self._ends.begin(positions)
        return True

    def give_up_partitions(self, partitions: set[int]) -> None:
        """Wait until what was read of these partitions is committed or aborted, and drop their state."""
        self._await_pending_commit()
        self._forget_read()
        if self._state_store is not None:
            self._state_store.close_partitions(partitions)

    def _forget_read(self) -> None:
        self._ends.begin(())
        if self._horizon is not None:
            self._horizon.forget()


def find_uneven_topics(assigned: Iterable[tuple[str, int]], topics: Iterable[str]) -> dict[str, list[int]]:
    """Return the partition numbers assigned of each topic; {} if they are the same of all topics.

    Args:
        assigned: Topic and number of each assigned partition.
        topics: All topics that the worker reads.
    """
    numbers: dict[str, list[int]] = {topic: [] for topic in topics}
    for topic, number in sorted(assigned):
        numbers.setdefault(topic, []).append(number)
    return numbers if len({tuple(each) for each in numbers.values()}) > 1 else {}
