"""Where a member of a consumer group starts to read: is this still the log that the group knew?

A committed offset is meaningful only in the log in which it was committed. Each commit therefore carries the id of
the topic (KIP-516), and each assignment compares it:

- no committed offset: the partition is new to the group, and is read from its beginning, or from a requested instant;
- a different topic id: the topic was deleted and created again; the new log is read from its beginning;
- an offset before the log's beginning: its records were deleted; reading starts at the first remaining one;
- an offset beyond the log's end: the log lost records that the group has read. Only a person can say what that means.

Offsets that have expired cannot be distinguished from a new group: `offsets.retention.minutes` must exceed the
retention of every topic. A broker without topic ids (the embedded one) is trusted to have kept the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.reset_command import ResetCommand
from sharing.kafka.time_offsets import query_offsets_at
from sharing.kafka.topic_ids import (
    NO_TOPIC_ID,
    format_offset_metadata,
    is_other_topic,
    parse_offset_metadata,
    query_topic_ids,
)

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

log = logging.getLogger(__name__)

ANSWER_SECONDS_MAX = 5.0
"""How long each request may take."""


class GroupOffsets:
    """Finds where a group's member starts to read the partitions of a topic.

    Args:
        topic: Name of the topic.
        group: Id of the consumer group.
        admin: An admin client; it needs permission to describe the topic.
        reset_command: Prints the command with which a person sets the group's offsets.
        since_ms: Where a partition that is new to the group begins: with what the broker received at this instant, in
            UTC milliseconds. None for its beginning.

    Attributes:
        topic_id: The topic's id when `find_starts` was last called; `NO_TOPIC_ID` if the broker has none.
    """

    def __init__(
        self, topic: str, group: str, admin: AdminClient, reset_command: ResetCommand, since_ms: int | None = None
    ) -> None:
        self.topic_id = NO_TOPIC_ID
        self._topic = topic
        self._group = group
        self._admin = admin
        self._reset_command = reset_command
        self._since_ms = since_ms

    def find_starts(self, consumer: Consumer, partitions: Iterable[int]) -> list[TopicPartition]:
        """Return the position at which to read each partition.

        Args:
            consumer: The member of the group.
            partitions: The partitions that are assigned to it.

        Raises:
            InfrastructureError: A committed offset is beyond the end of the log that the group knew.
            KafkaException: A request failed, or had no answer in time.
        """
        self.topic_id = self._query_topic_id()
        queries = [TopicPartition(self._topic, partition) for partition in sorted(partitions)]
        starts = []
        new: dict[int, tuple[int, int]] = {}
        for committed in consumer.committed(queries, timeout=ANSWER_SECONDS_MAX) if queries else ():
            if committed.error is not None:
                raise KafkaException(committed.error)
            first, end = consumer.get_watermark_offsets(
                TopicPartition(self._topic, committed.partition), timeout=ANSWER_SECONDS_MAX
            )
            if committed.offset < 0:
                new[committed.partition] = first, end
            else:
                start = self._choose_start(committed, first, end)
                starts.append(TopicPartition(self._topic, committed.partition, start))
        return starts + self._find_first_starts(consumer, new)

    def _find_first_starts(self, consumer: Consumer, new: dict[int, tuple[int, int]]) -> list[TopicPartition]:
        """Return where to begin the partitions that are new to the group, given their first and end offsets.

        If the broker has nothing from the instant or later, that is the end that was looked up before: what arrives in
        the meantime is read. The embedded broker does not know when it received what.
        """
        found = dict.fromkeys(new, 0)
        if self._since_ms is not None and self.topic_id != NO_TOPIC_ID and new:
            found = query_offsets_at(consumer, self._topic, new, self._since_ms, ANSWER_SECONDS_MAX)
        return [
            TopicPartition(self._topic, number, max(first, found.get(number, end)))
            for number, (first, end) in new.items()
        ]

    def is_same_topic(self) -> bool:
        """Return whether the topic still has the id that it had when `find_starts` was called.

        Raises:
            KafkaException: The broker does not answer, or the topic does not exist.
        """
        return self._query_topic_id() == self.topic_id

    def make_position(self, partition: int, offset: int) -> TopicPartition:
        """Return a position to commit, with the id of the topic."""
        return TopicPartition(self._topic, partition, offset, metadata=format_offset_metadata(self.topic_id))

    def _query_topic_id(self) -> str:
        ids = query_topic_ids(self._admin, [self._topic], ANSWER_SECONDS_MAX)
        if self._topic not in ids:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        return ids[self._topic]

    def _choose_start(self, committed: TopicPartition, first: int, end: int) -> int:
        """Return the offset at which to start a log with these first and end offsets."""
        name = f"{self._topic}/{committed.partition}"
        known_id = (parse_offset_metadata(committed.metadata) or (NO_TOPIC_ID,))[0]
        if is_other_topic(known_id, self.topic_id):
            log.warning(
                "%s: the topic was deleted and created again; group %s reads the new one from its beginning",
                name,
                self._group,
            )
            return first
        if committed.offset < first:
            log.warning(
                "%s: offsets %s to %s were deleted, and group %s had not read them; they may be transaction markers "
                "only, or messages; it continues at %s",
                name,
                committed.offset,
                first - 1,
                self._group,
                first,
            )
            return first
        if committed.offset > end:
            raise InfrastructureError(
                f"{name}: group {self._group} has read up to offset {committed.offset}, but the log ends at {end}: it "
                "lost records (an unclean leader election, or an older copy of the data was restored). Find out which; "
                "then stop every member of the group, and continue at the end, or at an offset of your choice, with "
                + self._reset_command.format(self._topic, committed.partition, "--to-latest")
                + self._reset_command.hint
            )
        return committed.offset
