"""Reads what a State's worker has quarantined. Writes nothing, and commits no offset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from sharing.errors import DecodeError
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches, add_unreadable, require_state
from sharing.model.times import to_milliseconds
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.topology.topics import QUARANTINE


class QuarantinedRecord(NamedTuple):
    """A record that could not be processed, without its content.

    Attributes:
        id: Id of the quarantine record.
        at: When it was quarantined, in UTC milliseconds.
        stage: Where it was rejected: READ, OPEN, DECODE, CHECK or DECIDE.
        cause: Why, as a short code.
        message: What is wrong and what to do.
        topic: Name of its topic.
        partition: Number of its partition.
        offset: Its offset.
        indicator_id: Id of the indicator, or None where it is not known.
        record_bytes: Length of the record that was kept; None if it is kept by reference only.
    """

    id: str
    at: int
    stage: str
    cause: str
    message: str
    topic: str
    partition: int
    offset: int
    indicator_id: str | None
    record_bytes: int | None

    @property
    def place(self) -> str:
        """Topic, partition and offset."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


def read_quarantine(
    bootstrap: str, state: str, group: str, framing: Framing, unreadable: Unreadable, since_ms: int | None = None,
    properties: Mapping[str, Any] | None = None,
) -> Iterator[QuarantinedRecord]:  # fmt: skip
    """Yield the quarantined records that exist when the call begins, in the order of each partition.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: ISO 3166-1 alpha-2 code of the State.
        group: Consumer group that the broker uses for permissions.
        framing: How records are framed.
        unreadable: Called with what is on the topic but is not a quarantine record of the State.
        since_ms: The first instant, in UTC milliseconds; None for everything that is kept.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        InfrastructureError: No broker answers, or there is no such topic.
    """
    topic = QUARANTINE.topic(state)
    with closing(TopicRange(bootstrap, topic, group, since_ms, properties=properties)) as records:
        for batch in records.read_batches():
            for message in batch:
                try:
                    record = _decode(message, framing, state)
                except DecodeError as error:
                    add_unreadable(unreadable, message, error)
                else:
                    yield record
        add_bad_batches(unreadable, records.bad_batches)


def _decode(message: Any, framing: Framing, state: str) -> QuarantinedRecord:
    fields = get_codec("quarantine").decode(framing.to_single_object(message.value()))
    require_state(fields["state"], state)
    record = fields["record"]
    return QuarantinedRecord(
        fields["id"], to_milliseconds(fields["quarantined_at"]), fields["stage"], fields["cause"], fields["message"],
        fields["topic"], fields["partition"], fields["offset"], fields["indicator_id"],
        None if record is None else len(record),
    )  # fmt: skip
