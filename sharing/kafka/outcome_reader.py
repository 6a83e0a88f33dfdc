"""Reads what the worker of a State reports to an agency about its items. Writes nothing, and commits no offset.

Each agency that has a topic for its indicators has one for the outcomes too, which only that agency may read. Other
agencies share a topic, and each block says which agency an item belongs to.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaException, Message

from sharing.errors import DecodeError, InfrastructureError
from sharing.kafka.clients import client_properties, look_up_topics, make_admin, make_consumer, require_topics
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.temporary_errors import retry_temporary
from sharing.kafka.time_offsets import query_offsets_at
from sharing.kafka.topic_follower import TopicFollower, find_ends
from sharing.kafka.topic_ids import is_other_topic, query_topic_ids
from sharing.kafka.unreadable_records import Unreadable, add_unreadable, require_state
from sharing.outcomes.block_reading import read_block
from sharing.outcomes.outcome import ItemOutcome
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.group_names import make_load_prefix
from sharing.topology.name_patterns import AGENCY_PATTERN
from sharing.topology.topics import OUTCOMES

LOOK_UP_SECONDS_MAX: Final = 10.0
CHECK_SECONDS: Final = 5.0
"""How often a reader that follows the topic checks whether it is still the same one."""


@dataclass(frozen=True, slots=True)
class OutcomeTopic:
    """The topic from which an agency learns what became of its items.

    Attributes:
        name: Its name.
        state: The State of the agency.
        agency: The agency.
        partitions: Number of its partitions.
        group: Consumer group that the broker uses for permissions and logs.
    """

    name: str
    state: str
    agency: str
    partitions: int
    group: str


def find_outcome_topic(
    bootstrap: str, state: str, agency: str, properties: Mapping[str, Any] | None = None
) -> OutcomeTopic:
    """Return the topic of an agency: its own, or the one that the agencies of its State share.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: ISO 3166-1 alpha-2 code of the State.
        agency: Name or id of the agency.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        InfrastructureError: No broker answers, or no such topic is visible here.
    """
    present = look_up_topics(bootstrap, properties)
    own = OUTCOMES.topic(state, agency) if re.match(AGENCY_PATTERN, agency) else ""
    if own in present:
        return OutcomeTopic(own, state, agency, present[own], f"{make_load_prefix(state, agency)}outcomes")
    shared = OUTCOMES.topic(state)
    others = sorted(name.removeprefix(f"{shared}.") for name in present if name.startswith(f"{shared}."))
    if shared not in present and others:
        raise InfrastructureError(
            f"agency {agency!r} has no topic of outcomes in {state}, or no permission to see it; the agencies visible "
            f"here are {', '.join(others)}: give the agency's id, or add it to the partners file and run "
            "`sharing topics apply`"
        )
    require_topics(present, [shared], state)
    return OutcomeTopic(shared, state, agency, present[shared], f"{make_load_prefix(state)}outcomes")


def find_end_positions(
    bootstrap: str, topic: OutcomeTopic, properties: Mapping[str, Any] | None = None
) -> Mapping[int, int]:
    """Return the offset after the last record of each partition: what is published from now on is reported after it.

    Raises:
        InfrastructureError: No broker answers, or the offsets cannot be looked up.
    """
    ends = find_ends(bootstrap, topic.group, {topic.name: list(range(topic.partitions))}, properties)
    return {partition: offset for (_, partition), offset in ends.items()}


def find_positions_since(
    bootstrap: str, topic: OutcomeTopic, since_ms: int, properties: Mapping[str, Any] | None = None
) -> Mapping[int, int]:
    """Return the offset of the first record of each partition that was written at an instant or later.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: The topic.
        since_ms: The instant, in UTC milliseconds.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        InfrastructureError: No broker answers, or the offsets cannot be looked up.
    """
    ends = find_end_positions(bootstrap, topic, properties)
    consumer = make_consumer(client_properties(bootstrap, {**(properties or {}), "group.id": topic.group}))
    try:
        found = retry_temporary(
            lambda: query_offsets_at(consumer, topic.name, ends, since_ms, LOOK_UP_SECONDS_MAX), LOOK_UP_SECONDS_MAX
        )
    except KafkaException as error:
        raise InfrastructureError(
            f"{topic.name}: its offsets cannot be looked up ({describe_kafka_error(error)}); run this again"
        ) from None
    finally:
        consumer.close()
    return {partition: found.get(partition, end) for partition, end in ends.items()}


class OutcomeReader:
    """Reads the outcomes of an agency's items, those of each partition in order.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: The topic.
        positions: The offset at which reading begins, by partition; only these partitions are read.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        unreadable: Called with what cannot be read, after which reading continues; None if that is an error.

    Raises:
        InfrastructureError: No broker answers.
        SettingsError: A property is unknown or wrong.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: OutcomeTopic,
        positions: Mapping[int, int],
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        *,
        unreadable: Unreadable | None = None,
    ) -> None:
        self._topic = topic
        self._framing = framing
        self._unreadable = unreadable
        self._admin = make_admin(bootstrap, properties)
        self._id = self._query_id()
        self._check_at = time.monotonic() + CHECK_SECONDS
        places = {(topic.name, partition): offset for partition, offset in positions.items()}
        self._follower = TopicFollower(bootstrap, topic.group, places, properties, unreadable=unreadable)

    def poll(self, seconds: float) -> list[ItemOutcome]:
        """Return the next outcomes; none if none comes within this time.

        Raises:
            DecodeError: A block cannot be read, or is one of a release that this one does not know.
            InfrastructureError: The topic cannot be read, or was deleted and created again.
        """
        self._require_same_topic()
        return self._read(self._follower.poll(seconds))

    def read_to_end(self) -> Iterator[list[ItemOutcome]]:
        """Yield outcomes in lists, until everything that is committed has been read.

        Raises:
            DecodeError: As `poll`.
            InfrastructureError: As `poll`, or the broker delivers nothing for a minute.
        """
        return map(self._read, self._follower.read_to_end())

    def close(self) -> None:
        """Disconnect from the broker."""
        self._follower.close()

    def _read(self, messages: Iterable[Message]) -> list[ItemOutcome]:
        return [item for message in messages for item in self._decode(message) if item.is_of(self._topic.agency)]

    def _decode(self, message: Message) -> Sequence[ItemOutcome]:
        try:
            block = read_block(message.value(), self._framing)
            require_state(block.state, self._topic.state)
        except DecodeError as error:
            add_unreadable(self._unreadable, message, error)
            return ()
        return block.items

    def _require_same_topic(self) -> None:
        """Check from time to time that the topic is still the same.

        Raises:
            InfrastructureError: It was deleted and created again.
        """
        if time.monotonic() < self._check_at:
            return
        self._check_at = time.monotonic() + CHECK_SECONDS
        current = self._query_id()
        self._id = self._id or current  # the broker may have been down when reading began
        if is_other_topic(self._id, current):
            raise InfrastructureError(
                f"{self._topic.name} was deleted and created again, so that what it has said is lost; run the command "
                "again: what is reported from now on is there, and the State's officers know the rest"
            )

    def _query_id(self) -> str | None:
        """Return the id of the topic; None if it is currently unknown. A broker that is down will come back."""
        try:
            return query_topic_ids(self._admin, [self._topic.name], LOOK_UP_SECONDS_MAX).get(self._topic.name)
        except KafkaException:
            return None


def choose_partitions(topic: OutcomeTopic, partitions: Collection[int] | None = None) -> Mapping[int, int]:
    """Return the positions from which everything stored is read, for all partitions or for some."""
    return dict.fromkeys(range(topic.partitions) if partitions is None else sorted(partitions), 0)
