"""Follows the State's inbox in a thread: the index is always there, and a single message is read when it is needed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, Final

from sharing.clients.inbox_reader import InboxReader, read_reader_key
from sharing.console.connection import ConsoleConnection
from sharing.console.inbox_items import InboxItem, UnreadableItem, open_message
from sharing.console.readers import open_reader, require_reader_files
from sharing.desk.broker_state import BrokerContact, BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.contents.inbox_index import InboxIndex, InboxPlace
from sharing.desk.following_thread import FollowingThread
from sharing.desk.topic_check import TopicCheck
from sharing.errors import InfrastructureError
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.topic_follower import Place, TopicFollower
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches
from sharing.topology.topics import INBOX, INBOX_URGENT

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.5


class InboxWatch:
    """The State's inbox, opened with the reader's key of the settings. Thread-safe.

    Attributes:
        index: What is in it: another object each time that it was read from its beginning.

    Args:
        console: The connection.
        read_clock: Returns the time in UTC milliseconds.
        broker: Is told when the inbox cannot be followed, and when it can.
        changes: Is told when anything has changed.
    """

    def __init__(
        self, console: ConsoleConnection, read_clock: Callable[[], int], broker: BrokerState, changes: ChangeFeed
    ) -> None:
        self.index = self._filled = InboxIndex()
        self._console = console
        self._contact = BrokerContact(broker, "inbox", read_clock)
        self._changes = changes
        self._reader: InboxReader | None = None
        self._opening = threading.Lock()
        self._following = FollowingThread("desk inbox", "the inbox", self._follow, self._note_away)

    @property
    def is_configured(self) -> bool:
        """Whether the settings name a reader's key."""
        return self._console.settings.reader_key is not None

    def start(self) -> None:
        """Begin to follow, if there is a reader's key. Returns at once.

        Raises:
            InputError: The key or its passphrase is wrong.
            SettingsError: Only some of the settings for it are set.
        """
        if self.is_configured:
            key_file, passphrase_file, _ = require_reader_files(self._console.settings)
            read_reader_key(key_file, passphrase_file, self._console.state)  # a wrong one is no fault of the broker
            self._contact.expect()
            self._following.start()

    def close(self) -> None:
        """Stop following."""
        self._following.close()
        with self._opening:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def get_reader(self) -> InboxReader | None:
        """Return what opens the inbox; None if the settings name no reader's key.

        Raises:
            SharingError: The key, or the State's own keys that it needs, cannot be read now.
        """
        if not self.is_configured:
            return None
        with self._opening:
            if self._reader is None and not self._following.is_closing:
                console = self._console
                settings = console.settings.model_copy(update={"record_uses": True})
                self._reader = open_reader(settings, console.servers, console.state, console.properties, "desk")
            return self._reader

    @property
    def reader_key(self) -> str:
        """Id of the reader's key, for the record of views; "" before it was opened."""
        reader = self._reader
        return "" if reader is None or reader.uses is None else reader.uses.context.reader_key

    def open(self, place: InboxPlace, message_id: str) -> InboxItem | UnreadableItem | None:
        """Return one message, opened; None if it is not there any more.

        Raises:
            SharingError: No broker answers, the topic cannot be read, or no item can be judged.
        """
        reader, console = self.get_reader(), self._console
        if reader is None:
            return None
        group = name_console_group(console.state, "inbox")
        ranges = {place.partition: (place.offset, place.offset + 1)}
        opened = TopicRange(console.servers, place.topic, group, properties=console.properties, ranges=ranges)
        with closing(opened):
            for batch in opened.read_batches():
                for message in batch:
                    if _read_key(message) == message_id and message.value():
                        return open_message(console, reader, message_id, message)
        return None

    def _follow(self) -> None:
        """Read the inbox, and follow it until it cannot be read.

        Raises:
            SharingError: It cannot be read.
        """
        reader = self.get_reader()
        if reader is None:
            raise InfrastructureError("the reader's key was taken away from the settings; start the desk again")
        console = self._console
        topics = [kind.topic(console.state) for kind in (INBOX, INBOX_URGENT)]
        checked = TopicCheck(console.servers, console.properties, topics, self._note_heard)
        self.index.mark_unread()  # what was read before stays on the list: after an outage it is not shown as empty
        self._filled = InboxIndex()
        positions = self._read_all(reader)
        self._filled.mark_read()
        self.index = self._filled
        self._note_heard()
        self._changes.announce()
        group = name_console_group(self._console.state, "inbox")
        bad: Unreadable = []
        follower = TopicFollower(self._console.servers, group, positions, self._console.properties, unreadable=bad)
        with closing(follower):
            while not self._following.is_closing:
                messages = follower.poll(POLL_SECONDS)
                if messages or bad:
                    self._take(reader, messages)
                    self._filled.take_bad_batches(bad)
                    bad.clear()
                    self._changes.announce()
                checked.check(follower.positions)

    def _read_all(self, reader: InboxReader) -> dict[Place, int]:
        """Read what is there, and return where following goes on."""
        console, positions = self._console, dict[Place, int]()
        bad: Unreadable = []
        for kind in (INBOX, INBOX_URGENT):
            topic, group = kind.topic(console.state), name_console_group(console.state, "inbox")
            with closing(TopicRange(console.servers, topic, group, properties=console.properties)) as opened:
                positions |= {(topic, number): 0 for number in range(opened.partitions)}
                positions |= {(topic, number): end for number, (_, end) in opened.ranges.items()}
                for batch in opened.read_batches():
                    self._take(reader, batch)
                    self._note_heard()
                    if self._following.is_closing:
                        break
                add_bad_batches(bad, opened.bad_batches)
        self._filled.take_bad_batches(bad)
        return positions

    def _take(self, reader: InboxReader, messages: Iterable[Any]) -> None:
        for message in messages:
            key = _read_key(message)
            opened = open_message(self._console, reader, key, message) if message.value() else None
            self._filled.take(key, InboxPlace(message.topic(), message.partition(), message.offset()), opened)

    def _note_away(self, reason: str) -> None:
        if self._contact.note_away(reason):
            log.warning("the inbox is not followed: %s", reason)
            self._changes.announce()

    def _note_heard(self) -> None:
        if self._contact.note_heard():
            self._changes.announce()


def _read_key(message: Any) -> str:
    return (message.key() or b"").decode(errors="replace")
