"""Reads what is recorded about items: the gate's decisions, and the acts of the conversation.

Both stay on the item's partition. An act has the id of the item as its key, a decision that of the indicator. A
decision does not name the agency, so where agencies of one State share the id of an indicator, what is found may be a
decision on the item of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from sharing.errors import DecodeError
from sharing.kafka.topic_range import TopicRange
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.topology.topics import TopicKind


class HistoryRecord(NamedTuple):
    """A record about an item.

    Attributes:
        item: Id of the item.
        partition: Its partition.
        offset: Its offset there.
        at_ms: The broker's time of the record, in UTC milliseconds.
        fields: The decoded record.
    """

    item: str
    partition: int
    offset: int
    at_ms: int
    fields: Mapping[str, Any]


class HistoryTopic(NamedTuple):
    """A topic whose records are read.

    Attributes:
        kind: The kind of topic.
        state: The State.
        group: Consumer group that the broker uses for permissions and logs.
        framing: How records are framed.
    """

    kind: TopicKind
    state: str
    group: str
    framing: Framing

    @property
    def name(self) -> str:
        """Its name."""
        return self.kind.topic(self.state)


FindItem = Callable[[bytes], str | None]
"""Returns, from the key of a record, the item that it is about; None if it is about none that is wanted."""


def read_history(
    bootstrap: str,
    topic: HistoryTopic,
    partition: int,
    find_item: FindItem,
    properties: Mapping[str, Any] | None = None,
    *,
    since_ms: int | None = None,
) -> Iterator[HistoryRecord]:
    """Yield the records about some items on one partition, oldest first.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: The topic.
        partition: Partition of the items.
        find_item: Says which records are wanted.
        properties: Further librdkafka properties, such as those of TLS.
        since_ms: Only what was written since then, in UTC milliseconds.

    Raises:
        DecodeError: A record cannot be decoded.
        InfrastructureError: No broker answers, or the topic cannot be read.
    """
    opened = TopicRange(bootstrap, topic.name, topic.group, since_ms, properties=properties, partitions=[partition])
    with closing(opened):
        for batch in opened.read_batches():
            for message in batch:
                record = take_record(message, topic, find_item)
                if record is not None:
                    yield record


def take_record(message: Any, topic: HistoryTopic, find_item: FindItem) -> HistoryRecord | None:
    """Return a consumed record, decoded; None if it is about no item that is wanted.

    Raises:
        DecodeError: It cannot be decoded.
    """
    item = find_item(message.key() or b"")
    if item is None:
        return None
    try:
        fields = get_codec(topic.kind.schema).decode(topic.framing.to_single_object(message.value()))
    except DecodeError as error:
        raise DecodeError(
            f"{topic.name}[{message.partition()}] at offset {message.offset()}: {error}", cause=error.cause
        ) from None
    return HistoryRecord(item, message.partition(), message.offset(), message.timestamp()[1], fields)


def match_keys(items: Mapping[str, str]) -> FindItem:
    """Return what finds the records with some keys.

    Args:
        items: The item of each key: id of the item itself in acts, of its indicator in decisions.
    """
    return {key.encode(): item for key, item in items.items()}.get
