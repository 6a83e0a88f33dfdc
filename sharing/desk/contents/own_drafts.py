"""Finds and opens the copies of the State's own items: in the entries of the conversations, and on the topic of drafts.

An entry has the copy of what waits or is with a State. The topic has every draft of the last year, also of items about
which nobody was asked; where nothing is sealed, it is the only place.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretBytes

from sharing.console.connection import ConsoleConnection
from sharing.console.item_timeline import ItemPlace
from sharing.conversation.asks import Publisher
from sharing.conversation.deliveries import Conversation
from sharing.conversation.revision import Revision
from sharing.desk.contents.access import HiddenReason
from sharing.errors import DecodeError, SharingError
from sharing.ids import make_draft_key, make_item_id
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.indicator_record import WireRecord
from sharing.seal.own_records import SCHEMA_NAME, open_own_record
from sharing.serialization.codec import get_codec
from sharing.topology.topics import DRAFTS
from sharing.trust.public_keys import KeyId

log = logging.getLogger(__name__)

_Found = tuple[bytes, bytes]
"""The key of a draft, and the draft in single-object encoding."""


@dataclass(frozen=True, slots=True)
class OpenedDraft:
    """A copy of an item of the State's own. Its `repr` shows nothing of the content.

    Attributes:
        item: Id of the item.
        revision: Its revision.
        publisher: Who published it.
        record: The indicator, as the Avro schema `Indicator` describes it.
    """

    item: str
    revision: Revision
    publisher: Publisher
    record: WireRecord = field(repr=False)


class DraftSource:
    """Finds and opens the copies of the State's own items.

    Args:
        console: The connection.
        keys: The State's own keys; None if the desk has none.
        read_clock: Returns the time in UTC milliseconds.
    """

    def __init__(self, console: ConsoleConnection, keys: OnlineKeys | None, read_clock: Callable[[], int]) -> None:
        self._console = console
        self._keys = keys
        self._read_clock = read_clock

    def open(self, place: ItemPlace) -> OpenedDraft | HiddenReason:
        """Return the newest copy of an item, opened; or why there is none.

        Raises:
            InfrastructureError: No broker answers, or the topic of drafts cannot be read.
        """
        kept = None if place.conversation is None else self.find_kept(place.conversation, place.drafts)
        unreadable: Unreadable = []
        found = kept or self._find_on_topic(place, unreadable)
        if unreadable:
            log.warning("item %s: its copy is not shown: %s cannot be read", place.item, unreadable[0].place)
            return HiddenReason.NOT_OPENED
        if found is None:
            return HiddenReason.NOT_KEPT
        return self.open_copy(place.item, *found)

    def open_copy(self, item: str, key: bytes, value: bytes) -> OpenedDraft | HiddenReason:
        """Return a copy of an item, opened; or why it cannot be.

        Args:
            item: Id of the item, for the log.
            key: Its key as a draft, which names the item and the revision.
            value: The copy, in single-object encoding.
        """
        if value.startswith(get_codec(SCHEMA_NAME).header):
            if self._keys is None:
                return HiddenReason.NO_KEYS
        elif self._keys is not None:
            return HiddenReason.UNSEALED
        try:
            return self._open(key, value)
        except SharingError as error:
            log.warning("item %s: its copy is not shown: %s", item, error)
            return HiddenReason.NOT_OPENED

    def find_kept(self, conversation: Conversation, drafts: Mapping[Revision, bytes]) -> _Found | None:
        """Return the copy of the newest revision that the entry of a conversation has, with its key as a draft."""
        revision = conversation.revision
        draft = drafts.get(revision)
        value = None if draft is None else self._console.framing.to_single_object(draft)
        return None if value is None else (make_draft_key(conversation.item, *revision), value)

    def _find_on_topic(self, place: ItemPlace, unreadable: Unreadable) -> _Found | None:
        """Return the last draft of an item that its partition of the topic has; None if that was deleted."""
        found: _Found | None = None
        revision = None if place.conversation is None else place.conversation.revision
        expected = None if revision is None else make_draft_key(place.item, revision.version, revision.amendment)
        for key, value in self.read_topic(place.partition, unreadable):
            if value is None:
                if found is not None and key == found[0]:
                    found = None  # the broker removes it only when it compacts the topic
            elif key == expected if expected is not None else _is_of(place, key, value):
                found = key, value
        return found

    def read_topic(
        self, partition: int, unreadable: Unreadable, since_ms: int | None = None
    ) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the drafts on a partition, with their keys; None where one was deleted.

        Args:
            partition: The partition.
            unreadable: Is given damaged batches: a draft in one is missing, or one that it deletes is not deleted.
            since_ms: Only what was written since then, in UTC milliseconds.

        Raises:
            InfrastructureError: No broker answers, or the topic of drafts cannot be read.
        """
        console = self._console
        group = name_console_group(console.state, "drafts")
        topic = DRAFTS.topic(console.state)
        opened = TopicRange(
            console.servers, topic, group, since_ms, properties=console.properties, partitions=[partition]
        )
        with closing(opened):
            for batch in opened.read_batches():
                for message in batch:
                    yield message.key() or b"", console.framing.to_single_object(message.value()) or None
        add_bad_batches(unreadable, opened.bad_batches)

    def _open(self, key: bytes, value: bytes) -> OpenedDraft:
        """Return what a draft says. Its key names the item and the revision that are wanted.

        Raises:
            SharingError: It does not open, is another item's, or says of the item what the item itself does not.
        """
        state, framing, keys = self._console.state, self._console.framing, self._keys
        clear = value
        if keys is not None:
            now = self._read_clock()
            opened = open_own_record(
                value, key, DRAFTS.schema, state, lambda key_id: keys.find_wrapping_key(key_id, now)
            )
            clear = framing.to_single_object(opened) or b""
        fields = get_codec(DRAFTS.schema).decode(clear)
        record: dict[str, Any] = get_codec("indicator").decode(framing.to_single_object(fields["content"]))
        source = record["source"]
        stated = fields["indicator_id"], fields["version"], fields["action"], fields["officer"], fields["state"]
        expected = record["id"], record["version"], record["action"], source["officer"], state
        item = make_item_id(state, source["agency"], record["id"])
        if stated != expected or key != make_draft_key(item, fields["version"], fields["amendment"]):
            raise DecodeError("the draft does not match the item in it, or its key", cause="INCONSISTENT")
        revision = Revision(fields["version"], fields["amendment"])
        return OpenedDraft(item, revision, Publisher(source["agency"], source["officer"]), record)


def _find_wrapping_key(keys: OnlineKeys, now: int, key_id: KeyId) -> SecretBytes | None:
    return keys.find_wrapping_key(key_id, now)


def _is_of(place: ItemPlace, key: bytes, value: bytes) -> bool:
    """Return whether a draft is that of an item about which there is no conversation.

    The item is named by its own id, which is in the key, or by that of its indicator, which a draft in clear begins
    with.
    """
    name = place.item.encode()
    header = get_codec(DRAFTS.schema).header
    is_named = value.startswith(header) and value[len(header) + 1 : len(header) + 1 + len(name)] == name
    return key.startswith(name + b"/") or is_named
