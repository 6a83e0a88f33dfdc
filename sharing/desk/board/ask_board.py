"""Follows the open Asks in a thread: pages read the newest view, and are notified when there is another one.

While the broker is away, the last view stays, and it is said since when. What comes back is followed again by itself. A
topic that was deleted and created again is read from its beginning: nothing of the old one is shown.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Final

from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.console.found_covers import list_covers
from sharing.desk.board.ask_index import AskIndex
from sharing.desk.board.board_view import BoardView, make_view
from sharing.desk.broker_state import BrokerContact, BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.following_thread import FollowingThread
from sharing.desk.topic_check import TopicCheck
from sharing.kafka.conversation_reader import EntryTable
from sharing.topology.topics import CONVERSATIONS

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2


class AskBoard:
    """The open Asks of a State. Thread-safe.

    Args:
        console: The connection.
        read_clock: Returns the time in UTC milliseconds.
        broker: Is told when the broker is away, and when it is back.
        changes: Is told when anything has changed.
    """

    def __init__(
        self,
        console: ConsoleConnection,
        read_clock: Callable[[], int],
        broker: BrokerState | None = None,
        changes: ChangeFeed | None = None,
    ) -> None:
        self._console = console
        self._read_clock = read_clock
        self._broker = broker or BrokerState()
        self._contact = BrokerContact(self._broker, "board", read_clock)
        self._changes = changes or ChangeFeed()
        self._topic = CONVERSATIONS.topic(console.state)
        self._view = BoardView()
        self._lock = threading.Lock()
        self._notified: list[Callable[[], None]] = []
        self._following = FollowingThread("desk board", self._topic, self._follow, self._note_away)

    @property
    def revision(self) -> int:
        """Grows whenever what a page shows of the Asks has changed."""
        return self._view.revision

    @property
    def emergencies(self) -> int:
        """How many emergencies people of this State are asked about."""
        return self._view.emergencies

    @property
    def away_since(self) -> int | None:
        """Since when the broker is away, in UTC milliseconds; None while it is there."""
        return self._broker.away_since

    def view(self) -> BoardView:
        """Return the open Asks as they are now."""
        return self._view

    def find(self, ask_id: str) -> FoundAsk | None:
        """Return the open Ask with an id; None if there is none."""
        return self._view.by_id.get(ask_id)

    def subscribe(self, notify: Callable[[], None]) -> Callable[[], None]:
        """Have a function called, in the board's thread, whenever there is another view. Return what ends that."""
        with self._lock:
            self._notified.append(notify)

        def unsubscribe() -> None:
            with self._lock:
                if notify in self._notified:
                    self._notified.remove(notify)

        return unsubscribe

    def touch(self) -> None:
        """Say that something else which is shown beside the Asks has changed, such as the law behind them."""
        with self._lock:
            self._view = replace(self._view, revision=self._view.revision + 1)
        self._tell()

    def start(self) -> None:
        """Begin to follow. Returns at once; until the topic was read, `view().is_read` is False."""
        self._contact.expect()
        self._following.start()

    def close(self) -> None:
        """Stop following."""
        self._following.close()

    def _follow(self) -> None:
        """Read the topic, and follow it until it is another one or cannot be read.

        Raises:
            SharingError: It cannot be read, or is another one.
            KafkaException: The broker does not answer.
        """
        console, index = self._console, AskIndex()
        checked = TopicCheck(console.servers, console.properties, [self._topic], self._note_heard)
        table: EntryTable[bytes] = EntryTable(console.servers, console.state, index.keep, console.properties)
        with closing(table):
            table.read()
            index.refresh(table.entries)
            self._publish(index, table)
            self._note_heard()
            while not self._following.is_closing:
                covers = dict(table.covers)
                if table.follow(POLL_SECONDS) and (index.refresh(table.entries) or covers != table.covers):
                    self._publish(index, table)
                checked.check(table.positions)

    def _publish(self, index: AskIndex, table: EntryTable[bytes]) -> None:
        covers = list_covers(table.covers, self._read_clock())
        made = make_view(self._console.state, 0, index.list_open(), covers, len(index.unreadable))
        with self._lock:
            revision = self._view.revision + 1
            self._view = replace(made, revision=revision, asks_revision=revision)
        self._tell()

    def _note_away(self, reason: str) -> None:
        if self._contact.note_away(reason):
            log.warning("the open Asks cannot be followed: %s", reason)
            self._tell()

    def _note_heard(self) -> None:
        """Note that the broker is there."""
        if self._contact.note_heard():
            self._tell()

    def _tell(self) -> None:
        self._changes.announce()
        with self._lock:
            notified = list(self._notified)
        for notify in notified:
            notify()
