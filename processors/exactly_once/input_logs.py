"""The input topics of an exactly-once loop: which exist, whether they are still the same logs, and where to start.

A topic that is deleted and created again while a worker runs looks, by its name and offsets, like the one before. So
the ids of the topics are compared after the records of each batch are read and before they are committed, and once a
second while there are none. After a change the clients are opened again, and `processors.exactly_once.start_offsets`
finds out where to start.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from confluent_kafka import KafkaException, TopicPartition

from processors.exactly_once.kafka_errors import is_retriable_query
from processors.exactly_once.log_positions import read_position
from processors.exactly_once.loop_config import restore_properties
from processors.exactly_once.retry import CallWatch, retry_query
from processors.exactly_once.start_offsets import (
    CommittedOffset,
    LogMismatchError,
    LogPosition,
    PartitionLog,
    choose_start_offset,
    join_mismatches,
)
from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_consumer
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.reset_command import ResetCommand
from sharing.kafka.topic_ids import parse_offset_metadata, query_topic_ids, request_topic_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from confluent_kafka import Consumer
    from confluent_kafka.admin import AdminClient

    from processors.exactly_once.loop_config import LoopConfig
    from processors.exactly_once.overlay import Overlay
    from processors.exactly_once.state_store import StateStore

log = logging.getLogger(__name__)

CHECK_INTERVAL_S = 1.0
REQUEST_TIMEOUT_S = 5.0
SHRUNK_LOG_WAIT_S = 10.0
"""How long a log may end before a committed offset: a new leader may know the end of its log a moment later."""

MISSING_TOPIC_WAIT_S = 3.0
"""How long a topic must be missing before it counts as deleted."""

CHOOSE_SECONDS_MAX = 60.0
"""How long the other members of the group may have to wait while this one finds out where to start."""

_PAUSE_S = 0.2

T = TypeVar("T")


class LogChangedError(Exception):
    """An input topic was deleted or created again: what was read since may belong to another log."""


class LogsUnavailableError(InfrastructureError):
    """The broker does not say what it knows about the input topics: the time is up, or the worker is stopping."""


class InputLogs:
    """The input topics of one loop.

    Args:
        config: Configuration of the loop.
        admin: An admin client.
        is_stopping: Whether the worker is stopping.
        calls: Is told of each call that may block.

    Attributes:
        topics: Names of the topics that are read.
        topic_ids: Their ids, as of the last assignment.
        partition_count: Number of partitions of each topic that is read; 0 before the first assignment.
    """

    def __init__(
        self, config: LoopConfig, admin: AdminClient, is_stopping: Callable[[], bool], calls: CallWatch
    ) -> None:
        self.topics = tuple(config.topics)
        self.topic_ids: Mapping[str, str] = {}
        self.partition_count = 0
        self._config = config
        self._is_stopping = is_stopping
        self._calls = calls
        self._admin = admin
        self._checked_at = 0.0
        self._deadline = float("inf")

    def select_topics(self) -> tuple[str, ...]:
        """Find out which of the optional topics exist, and return the topics to read.

        Raises:
            InfrastructureError: The broker rejects the request, or does not answer before the worker stops.
        """
        config = self._config
        if config.optional_topics:
            present = self._query(lambda: self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics)
            existing = tuple(topic for topic in config.optional_topics if topic in present)
            self.topics = (*config.topics, *existing)
            for topic in existing:
                log.info("%s is read too, as long as it exists", topic)
        return self.topics

    def forget_ids(self) -> None:
        """Forget the ids of the topics: the next assignment reads them again, and nothing is checked until then."""
        self.topic_ids = {}

    def choose_start_offsets(self, positions: list[TopicPartition], state_store: StateStore | None) -> None:
        """Replace the committed offsets of the assigned partitions by the offsets to start at.

        Args:
            positions: The partitions with the group's offsets (negative for none) and their metadata.
            state_store: The state store, restored for these partitions; None on a loop without state.

        Raises:
            InfrastructureError: A person must decide where to start, or the broker rejects a request.
            LogsUnavailableError: The broker cannot say it within `CHOOSE_SECONDS_MAX`.
        """
        self._deadline = time.monotonic() + CHOOSE_SECONDS_MAX
        try:
            self._choose_start_offsets(positions, state_store)
        finally:
            self._deadline = float("inf")

    def _choose_start_offsets(self, positions: list[TopicPartition], state_store: StateStore | None) -> None:
        topics = self._query(lambda: self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics)
        self._check_partition_counts({topic: len(topics[topic].partitions) for topic in self.topics if topic in topics})
        ids = self._query_settled_ids()
        missing = [topic for topic in self._required_topics if topic not in ids]
        if missing:
            raise InfrastructureError(f"missing: {', '.join(missing)}; create them with `sharing topics apply`")
        self.topic_ids = ids
        self._checked_at = time.monotonic()
        entries = state_store.create_overlay() if state_store is not None else None
        mismatches = []
        for partition, position in zip(self._describe_partitions(positions, entries), positions, strict=True):
            try:
                position.offset = choose_start_offset(partition, self._config.group)
            except LogMismatchError as mismatch:
                mismatches.append(mismatch)
                continue
            if position.topic in self._config.optional_topics:
                unread = partition.end - position.offset
                log.info("%s: %s", partition, f"{unread} offsets to read" if unread else "read to its end")
        if mismatches:
            config = self._config
            command = ResetCommand(config.bootstrap, config.client_properties, config.group)
            raise join_mismatches(mismatches, command)

    def check_when_idle(self) -> None:
        """Check as `begin_check` does, at most once a second."""
        if time.monotonic() - self._checked_at >= CHECK_INTERVAL_S:
            self.begin_check()()

    def begin_check(self) -> Callable[[], None]:
        """Ask the broker whether a topic was deleted or created again since the last assignment.

        Returns:
            A function that waits for the answer, also while the broker is down, and raises LogChangedError if an input
            topic was. It raises InfrastructureError if the changelog topic was (the local copy of the state is all that
            is left), if the broker rejects the request, or if the worker stops before it answers.

        Raises:
            InfrastructureError: The broker rejects the request, or does not answer before the worker stops.
        """
        receive = self._query(lambda: request_topic_ids(self._admin, self._watched_topics, REQUEST_TIMEOUT_S))
        return lambda: self._finish_check(receive)

    def _finish_check(self, receive: Callable[[], Mapping[str, str]]) -> None:
        try:
            with self._calls.track():
                ids = receive()
        except KafkaException:
            ids = self._query(self._query_ids)
        if any(self._list_changes(ids)):
            ids = self._query_settled_ids()
        changed = list(self._list_changes(ids))
        if self._config.changelog_topic in changed:
            raise InfrastructureError(
                f"changelog topic {self._config.changelog_topic} was deleted while this worker ran; restore it from "
                "a copy, or decide at the next start where to continue without it"
            )
        if changed:
            raise LogChangedError(", ".join(changed))
        self._checked_at = time.monotonic()

    def _list_changes(self, ids: Mapping[str, str]) -> Iterator[str]:
        return (topic for topic in self._watched_topics if ids.get(topic) != self.topic_ids.get(topic))

    def _query_ids(self) -> Mapping[str, str]:
        return query_topic_ids(self._admin, self._watched_topics, REQUEST_TIMEOUT_S)

    def _query_settled_ids(self) -> Mapping[str, str]:
        """Return the ids. A missing topic is asked for again: a broker may know it a moment later."""
        until = time.monotonic() + MISSING_TOPIC_WAIT_S
        while True:
            ids = self._query(self._query_ids)
            if all(topic in ids for topic in self._required_topics):
                return ids
            if time.monotonic() > until or self._should_give_up():
                return ids
            time.sleep(_PAUSE_S)

    @property
    def _required_topics(self) -> tuple[str, ...]:
        changelog = self._config.changelog_topic
        return (*self.topics, changelog) if changelog else self.topics

    @property
    def _watched_topics(self) -> tuple[str, ...]:
        """The topics that are read, the changelog, and the optional topics, which may be created or deleted."""
        return tuple(dict.fromkeys((*self._required_topics, *self._config.optional_topics)))

    def _check_partition_counts(self, counts: Mapping[str, int]) -> None:
        if len(set(counts.values())) > 1:
            described = ", ".join(f"{topic} has {count}" for topic, count in sorted(counts.items()))
            raise InfrastructureError(
                f"the input topics must have the same number of partitions, but {described}; create them with "
                "`sharing topics apply`"
            )
        self.partition_count = max(counts.values(), default=0)

    def _describe_partitions(self, positions: list[TopicPartition], entries: Overlay | None) -> Iterator[PartitionLog]:
        """Yield what is known about each partition, in order."""
        # A consumer of its own: `read_committed` ends at the last stable offset, before records of open transactions.
        consumer = make_consumer({**restore_properties(self._config), "isolation.level": "read_uncommitted"})
        until = time.monotonic() + SHRUNK_LOG_WAIT_S
        try:
            for position in positions:
                recorded = None
                if entries is not None:
                    recorded = read_position(entries, position.topic, position.partition)
                yield self._describe_partition(consumer, position, recorded, until)
        finally:
            consumer.close()

    def _describe_partition(
        self, consumer: Consumer, position: TopicPartition, recorded: LogPosition | None, until: float
    ) -> PartitionLog:
        topic, number = position.topic, position.partition
        committed = _parse_committed(position)
        known = {each.topic_id for each in (committed, recorded) if each is not None} - {None, ""}
        is_same_log = known <= {self.topic_ids[topic]}
        expected_end = max(position.offset, recorded.next_offset if recorded is not None else 0)
        while True:
            first, end = self._query(
                lambda: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=REQUEST_TIMEOUT_S)
            )
            if end >= expected_end or not is_same_log or time.monotonic() > until or self._should_give_up():
                break
            time.sleep(_PAUSE_S)
        changelog = self._config.changelog_topic
        return PartitionLog(
            topic,
            number,
            self.topic_ids[topic],
            int(first),
            int(end),
            committed,
            recorded,
            has_store=bool(changelog),
            changelog_id=self.topic_ids[changelog] if changelog else "",
        )

    def _should_give_up(self) -> bool:
        return self._is_stopping() or time.monotonic() > self._deadline

    def _query(self, query: Callable[[], T]) -> T:
        names = ", ".join(self.topics)
        try:
            return retry_query(query, f"the broker of {names}", self._should_give_up, self._calls)
        except KafkaException as failure:
            error: Any = failure.args[0]
            if not is_retriable_query(error):
                raise InfrastructureError(f"{names}: cannot be examined ({describe_kafka_error(error)})") from None
            raise LogsUnavailableError(f"no broker answers for {names} ({describe_kafka_error(error)})") from None


def _parse_committed(position: TopicPartition) -> CommittedOffset | None:
    """Return the group's offset of a partition, or None if it has none."""
    if position.offset < 0:
        return None
    ids = parse_offset_metadata(position.metadata)
    return CommittedOffset(position.offset, None) if ids is None else CommittedOffset(position.offset, *ids[:2])
