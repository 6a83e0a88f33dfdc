"""Reads what is recorded about items: the gate's decisions, and the acts of the conversation.

Both stay on the item's partition, in blocks of the audit log. An act names the item, a decision the indicator. A
decision does not name the agency, so if agencies of one State share the id of an indicator, a decision on another
agency's item may be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from sharing.audit.block import read_block, read_entry_id
from sharing.errors import DecodeError
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches, add_unreadable, require_state
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.topology.topic_kinds import TopicKind


class HistoryRecord(NamedTuple):
    """What is recorded about an item: one decision or one act.

    Attributes:
        item: Id of the item.
        partition: Its partition.
        offset: The offset of its block there.
        at_ms: The broker's time of the block, in UTC milliseconds.
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


FindItem = Callable[[str], str | None]
"""Returns the item that an entry is about, from the id in the entry; None if it is not a wanted item."""


def read_history(
    bootstrap: str,
    topic: HistoryTopic,
    partition: int,
    find_item: FindItem,
    properties: Mapping[str, Any] | None = None,
    *,
    since_ms: int | None = None,
    unreadable: Unreadable | None = None,
) -> Iterator[HistoryRecord]:
    """Yield the records about some items on one partition, oldest first.

    Args:
        bootstrap: Kafka bootstrap servers.
        topic: The topic.
        partition: Partition of the items.
        find_item: Determines which records are wanted.
        properties: Further librdkafka properties, such as those of TLS.
        since_ms: Only what was written since then, in UTC milliseconds.
        unreadable: Called with what cannot be read; None if that is an error.

    Raises:
        DecodeError: A record cannot be decoded, and there is no list for it.
        InfrastructureError: No broker answers, or the topic cannot be read.
    """
    opened = TopicRange(bootstrap, topic.name, topic.group, since_ms, properties=properties, partitions=[partition])
    with closing(opened):
        for batch in opened.read_batches():
            for message in batch:
                yield from list_records(message, topic, find_item, unreadable)
        add_bad_batches(unreadable, opened.bad_batches)


def list_records(
    message: Any, topic: HistoryTopic, find_item: FindItem, unreadable: Unreadable | None = None
) -> list[HistoryRecord]:
    """Return what a consumed block records about the items that are wanted, decoded, in order.

    Args:
        message: The block.
        topic: Its topic.
        find_item: Determines which records are wanted.
        unreadable: Called with a block that cannot be read, and of which nothing is returned; None if that is an error.

    Raises:
        DecodeError: It cannot be decoded, and there is no list for it.
    """
    try:
        block = read_block(topic.framing.to_single_object(message.value()))
        require_state(block.state, topic.state)
        wanted = [(find_item(read_entry_id(entry, block.log)), entry) for entry in block.entries]
        codec = get_codec(block.log.entry_schema)
        found = [(item, codec.decode(entry)) for item, entry in wanted if item is not None]
    except DecodeError as error:
        add_unreadable(unreadable, message, error)
        return []
    partition, offset, at_ms = message.partition(), message.offset(), message.timestamp()[1]
    return [HistoryRecord(item, partition, offset, at_ms, fields) for item, fields in found]


def match_ids(items: Mapping[str, str]) -> FindItem:
    """Return a function that finds the records about some items.

    Args:
        items: The item of each id: that of the item itself in acts, of its indicator in decisions.
    """
    return items.get
