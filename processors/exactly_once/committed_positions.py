"""What this process has committed itself: it never reads again what it knows to be committed.

After a restart of the broker, a group coordinator has been seen to answer with offsets that are older than the last
transaction whose commit it had confirmed, by one batch: that batch was processed twice. The broker confirms a commit
once its decision is stored, and completes the offsets afterwards (KIP-98), so an answer in between can be too old in
spite of KIP-447. A confirmed commit is final, and a group's offsets are not reset while it has members; so the higher
offset is right, if both are of the same topic.

Another worker may have moved a partition on before it comes back, and a topic may have been created again. So what is
known of a partition is compared with where its reading begins.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

from sharing.kafka.topic_ids import is_other_topic, parse_offset_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

log = logging.getLogger(__name__)


class CommittedPositions:
    """The next offset of each partition in the transactions of this process whose commit was confirmed."""

    def __init__(self) -> None:
        self._positions: dict[tuple[str, int], TopicPartition] = {}

    def record(self, positions: Iterable[TopicPartition]) -> None:
        """Record the offsets of a transaction whose commit is confirmed."""
        self._positions.update({(each.topic, each.partition): each for each in positions})

    def correct(self, positions: list[TopicPartition]) -> None:
        """Replace each position that the broker reports if this process committed a higher one.

        Args:
            positions: The partitions with the group's offsets and their metadata; negative where it has none.
        """
        for index, position in enumerate(positions):
            known = self._positions.get((position.topic, position.partition))
            if known is None or is_other_topic(_get_topic_id(known), _get_topic_id(position)):
                continue
            if known.offset > position.offset:
                log.warning(
                    "%s[%s]: the broker reports offset %s as committed, but %s is; reading continues there",
                    position.topic, position.partition, position.offset, known.offset,
                )  # fmt: skip
                positions[index] = TopicPartition(known.topic, known.partition, known.offset, known.metadata)

    def follow(self, starts: Iterable[TopicPartition], topic_ids: Mapping[str, str]) -> None:
        """Replace what is known of assigned partitions by where their reading begins, or forget it.

        It is forgotten where the group has no offset that a worker has committed for this topic: the offset is of a
        topic that was deleted, or a person has set it.

        Args:
            starts: The offsets at which reading begins, with the metadata of the group's offsets.
            topic_ids: The ids of the topics.
        """
        for start in starts:
            topic_id = _get_topic_id(start)
            known = self._positions.pop((start.topic, start.partition), None)
            if known is None or topic_id is None or is_other_topic(topic_id, topic_ids.get(start.topic)):
                continue
            self.record([TopicPartition(start.topic, start.partition, start.offset, start.metadata)])

    def find_any(self, partitions: Iterable[tuple[str, int]]) -> TopicPartition | None:
        """Return the position of one of these partitions; None if this process has committed none of them."""
        return next((self._positions[each] for each in partitions if each in self._positions), None)

    def forget(self) -> None:
        """Forget everything: a topic was created again, and its offsets are others."""
        self._positions.clear()


def _get_topic_id(position: TopicPartition) -> str | None:
    """Return the id of the topic that a worker has committed an offset for; None if no worker has."""
    ids = parse_offset_metadata(position.metadata)
    return None if ids is None else ids[0]
