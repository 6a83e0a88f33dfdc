"""How far a run of `sharing keys resend` has come: committed offsets, each with the end at which its partition stops.

All of it is kept in the offsets of the run's consumer group, and nowhere else. The ends are fixed when the run begins:
so it never reads what it writes itself, nor does a later run that continues it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from sharing.errors import InfrastructureError
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.topic_ids import is_other_topic, query_topic_ids

ANSWER_SECONDS_MAX: Final = 10.0

_PREFIX: Final = "resend:"


@dataclass(frozen=True, slots=True)
class ResendPosition:
    """What is left of one partition.

    Attributes:
        topic: The topic.
        partition: Number of the partition.
        offset: The next offset to write again.
        end: The offset at which the run stops.
        topic_id: The id of the topic, "" if its broker has none.
    """

    topic: str
    partition: int
    offset: int
    end: int
    topic_id: str

    def to_commit(self, offset: int) -> TopicPartition:
        """Return this position advanced to an offset, as it is committed."""
        return TopicPartition(self.topic, self.partition, offset, metadata=f"{_PREFIX}{self.topic_id},{self.end}")


def read_positions(consumer: Consumer, admin: AdminClient, topics: Mapping[str, int]) -> list[ResendPosition]:
    """Return how far an earlier run with the same arguments has come; nothing if there was none.

    A partition that is newer than that run is not part of it.

    Args:
        consumer: A consumer of the run's group.
        admin: An admin client.
        topics: The topics, each with its number of partitions.

    Raises:
        InfrastructureError: A topic was deleted and created again since, another program uses the group, or the broker
            does not answer.
    """
    queries = [TopicPartition(topic, number) for topic, count in topics.items() for number in range(count)]
    try:
        answers = consumer.committed(queries, timeout=ANSWER_SECONDS_MAX)
        for answer in answers:
            if answer.error is not None:
                raise KafkaException(answer.error)
    except KafkaException as error:
        raise InfrastructureError(
            f"how far an earlier run has come cannot be read ({describe_kafka_error(error)}); run this again"
        ) from None
    found = [answer for answer in answers if answer.offset >= 0]
    ids = read_topic_ids(admin, {answer.topic for answer in found})
    return [_parse_position(answer, ids[answer.topic]) for answer in found]


def read_topic_ids(admin: AdminClient, topics: Iterable[str]) -> Mapping[str, str]:
    """Return the id of each topic, "" where the broker has none.

    Raises:
        InfrastructureError: A topic no longer exists, or the broker does not answer.
    """
    wanted = sorted(topics)
    try:
        ids = query_topic_ids(admin, wanted, ANSWER_SECONDS_MAX)
    except KafkaException as error:
        raise InfrastructureError(
            f"{', '.join(wanted)}: cannot be described ({describe_kafka_error(error)}); run this again"
        ) from None
    missing = [topic for topic in wanted if topic not in ids]
    if missing:
        raise InfrastructureError(f"{', '.join(missing)}: was deleted in the meantime; run this again")
    return ids


def _parse_position(committed: TopicPartition, topic_id: str) -> ResendPosition:
    known_id, _, end = (committed.metadata or "").removeprefix(_PREFIX).partition(",")
    if not (committed.metadata or "").startswith(_PREFIX) or not end.isdecimal():
        raise InfrastructureError(
            f"{committed.topic}: another program has committed offsets in the group of this run; give another --since, "
            "a millisecond earlier"
        )
    if is_other_topic(known_id, topic_id):
        raise InfrastructureError(
            f"{committed.topic}: was deleted and created again since this run began, and what it had is gone; give "
            "another --since, at or after which the new one was created"
        )
    return ResendPosition(committed.topic, committed.partition, committed.offset, int(end), topic_id)
