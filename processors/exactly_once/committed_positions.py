"""What this process has committed itself: it never reads again what it knows to be committed.

After a restart of the broker, a group coordinator has been seen to answer with offsets that are older than the last
transaction whose commit it had confirmed, by one batch: that batch was processed twice. The broker confirms a commit
once its decision is stored, and completes the offsets afterwards (KIP-98), so an answer in between can be too old in
spite of KIP-447. A confirmed commit is final, and a group's offsets are not reset while it has members; so the higher
offset is right.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from confluent_kafka import TopicPartition

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
            if known is not None and known.offset > position.offset:
                log.warning(
                    "%s[%s]: the broker reports offset %s as committed, but %s is; reading continues there",
                    position.topic, position.partition, position.offset, known.offset,
                )  # fmt: skip
                positions[index] = TopicPartition(known.topic, known.partition, known.offset, known.metadata)

    def align(self, starts: Iterable[TopicPartition], reported: Mapping[tuple[str, int], int]) -> None:
        """Take over where reading starts, so that a later commit of a known position moves no offset.

        Another worker may have moved the group's offset on while it had the partition; and what was committed for a
        topic that was created again since then says nothing about the new one.

        Args:
            starts: The assigned partitions, each with the offset at which reading starts.
            reported: The offset of each that `correct` has left; negative where the group has none.
        """
        for start in starts:
            partition = start.topic, start.partition
            if partition in self._positions:
                if start.offset == reported[partition]:
                    self._positions[partition] = start
                else:
                    del self._positions[partition]

    def find_any(self, partitions: Iterable[tuple[str, int]]) -> TopicPartition | None:
        """Return the position of one of these partitions; None if this process has committed none of them."""
        return next((self._positions[each] for each in partitions if each in self._positions), None)

    def forget(self) -> None:
        """Forget everything: a topic was created again, and its offsets are others."""
        self._positions.clear()
