"""Reads the entries of a State's conversations, for consoles: what was last committed. Writes nothing.

Everything about an item stays on one partition, in each topic of the State, so the partition of an entry says where the
item's decisions and acts are, and where a ruling about it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from sharing.conversation_state.covers import Covers, decode_covers
from sharing.conversation_state.item_keys import COVERS_PREFIX, is_log_key
from sharing.conversation_state.open_asks import may_have_open_asks
from sharing.errors import DecodeError, InfrastructureError
from sharing.kafka.topic_follower import Place, TopicFollower
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches, add_unreadable
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import CONVERSATIONS

Shown = TypeVar("Shown")

Reduce = Callable[[bytes, bytes], Shown | None]
"""Returns what is remembered of an entry, from its key and value; None to remember nothing."""


class KeptEntry(NamedTuple, Generic[Shown]):
    """What is remembered of an entry.

    Attributes:
        partition: Partition of the item.
        value: What was derived from the entry.
    """

    partition: int
    value: Shown


class EntryTable(Generic[Shown]):
    """What is remembered of the newest entry of each item.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: ISO 3166-1 alpha-2 code of the State.
        reduce: Determines what is remembered. This should be small, because there is an entry for each item about which
            people were ever asked.
        properties: Further librdkafka properties, such as those of TLS.
        skip_unreadable: Whether to continue after what cannot be read. Otherwise it is an error.

    Attributes:
        topic: Name of the topic.
        entries: What is remembered, by the key of the entry.
        covers: The answers that cover later Asks, by partition.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        reduce: Reduce[Shown],
        properties: Mapping[str, Any] | None = None,
        *,
        skip_unreadable: bool = False,
    ) -> None:
        self.entries: dict[bytes, KeptEntry[Shown]] = {}
        self.covers: dict[int, Covers] = {}
        self._bootstrap = bootstrap
        self.topic = CONVERSATIONS.topic(state)
        self._group = name_console_group(state, "asks")
        self._reduce = reduce
        self._properties = properties
        self._positions: dict[Place, int] = {}
        self._follower: TopicFollower | None = None
        self._bad_batches: Unreadable | None = [] if skip_unreadable else None
        self._unreadable: dict[tuple[int, bytes], Unreadable] = {}

    def read(self, partition: int | None = None) -> None:
        """Read the topic, or one partition of it, to the end that it has when the call begins.

        Raises:
            DecodeError: A record is not an entry, or has a schema that this release does not know, and is not skipped.
            InfrastructureError: No broker answers, or a part of the topic cannot be read: the list would not be
                complete.
        """
        chosen = None if partition is None else [partition]
        topic_range = TopicRange(
            self._bootstrap, self.topic, self._group, properties=self._properties, partitions=chosen
        )
        try:
            numbers = range(topic_range.partitions) if chosen is None else chosen
            self._positions = {(self.topic, number): 0 for number in numbers}
            for batch in topic_range.read_batches():
                for message in batch:
                    self._take(message)
        finally:
            topic_range.close()
        if topic_range.bad_batches and self._bad_batches is None:
            raise InfrastructureError(
                f"{self.topic}: {len(topic_range.bad_batches)} batches cannot be read, so Asks may be missing; "
                "restore the topic from a backup"
            )
        add_bad_batches(self._bad_batches, topic_range.bad_batches)
        for bad in topic_range.bad_batches:
            place = self.topic, bad.partition
            self._positions[place] = max(self._positions[place], bad.next_offset)

    def follow(self, seconds: float) -> bool:
        """Read what has arrived since. Return whether anything that is remembered may have changed.

        Args:
            seconds: How long to wait for a record.

        Raises:
            DecodeError: As `read`.
            InfrastructureError: The broker rejects the request, or records cannot be read.
        """
        if self._follower is None:
            self._follower = TopicFollower(
                self._bootstrap, self._group, self._positions, self._properties, unreadable=self._bad_batches
            )
        changes = [self._take(message) for message in self._follower.poll(seconds)]
        return any(changes)

    @property
    def positions(self) -> Mapping[Place, int]:
        """The offset of the next record, by partition."""
        return self._positions if self._follower is None else self._follower.positions

    def list_unreadable(self) -> Unreadable:
        """Return what could not be read, if that is skipped. Entries that were written again since are not included."""
        return [*self.list_bad_batches(), *(each for found in self._unreadable.values() for each in found)]

    def list_bad_batches(self) -> Unreadable:
        """Return the batches that could not be read: what is remembered may be older than the entries in them."""
        return list(self._bad_batches or ())

    def close(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.close()

    def _take(self, message: Any) -> bool:
        """Remember what a record says. Return whether it is, or was, about anything that is remembered."""
        key, entry, partition = message.key() or b"", message.value(), message.partition()
        self._positions[self.topic, partition] = message.offset() + 1
        is_covers = key.startswith(COVERS_PREFIX)
        if is_log_key(key) and not is_covers:
            return False
        self._unreadable.pop((partition, key), None)
        try:
            if is_covers:
                self.covers[partition] = decode_covers(entry)
                return True
            value = None if entry is None else self._reduce(key, entry)
        except DecodeError as error:
            self._skip(message, key, error)
            # What was remembered before is no longer the newest.
            return (self.covers.pop(partition, None) if is_covers else self.entries.pop(key, None)) is not None
        if value is None:
            return self.entries.pop(key, None) is not None
        self.entries[key] = KeptEntry(partition, value)
        return True

    def _skip(self, message: Any, key: bytes, error: DecodeError) -> None:
        """Note a record that cannot be read.

        Raises:
            DecodeError: Records may not be skipped.
        """
        found: Unreadable | None = None if self._bad_batches is None else []
        add_unreadable(found, message, error)
        self._unreadable[message.partition(), key] = found or []


def keep_open_entry(key: bytes, entry: bytes) -> bytes | None:
    """Return an entry if it may have open Asks."""
    return entry if may_have_open_asks(key, entry) else None


def name_console_group(state: str, purpose: str) -> str:
    """Return the consumer group of a program of the State's officers: the one prefix that their certificate may use."""
    return f"{Principal(Role.CONSOLE, state).group_prefix}.{purpose}"
