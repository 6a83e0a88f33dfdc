"""Opens what items say, for officers who may see it. Each view is recorded before anything is shown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sharing.clients.inbox_reader import InboxReader
from sharing.console.answer_checks import require_answerable
from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.console.inbox_items import InboxItem, UnreadableItem
from sharing.console.item_timeline import ItemPlace
from sharing.console.received_items import ReceivedPlace
from sharing.conversation.asks import Ask, Publisher
from sharing.conversation.deliveries import Conversation
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import NO_REVISION
from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.contents.access import HiddenReason, ReceivedStatus, find_own_bar, find_received_bar
from sharing.desk.contents.inbox_index import InboxIndex, IndexedMessage
from sharing.desk.contents.inbox_watch import InboxWatch
from sharing.desk.contents.item_content import ItemContent
from sharing.desk.contents.own_drafts import DraftSource, OpenedDraft
from sharing.desk.contents.received_terms import ReceivedTerms
from sharing.desk.contents.view_recorder import ViewRecorder, make_view_recorder
from sharing.desk.desk_figures import DeskFigures
from sharing.errors import InputError
from sharing.kafka.use_log import Use
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.notice import Notice
from sharing.officers.entry import OfficerEntry

log = logging.getLogger(__name__)

DRAFT: Final = "DRAFT"
"""The kind of a view of an own item, in its record."""


@dataclass(frozen=True, slots=True)
class ContentView:
    """What an officer sees of an item.

    Attributes:
        content: What the item says; None if it is hidden from the officer.
        reason: Why it is hidden; None if it is not.
        terms: Of a received item, what its notice or offer says apart from the content; None if there is none here.
        notice: Of a received item, the notice from which the content is; None if it is hidden.
        draft: Of an own item, the copy from which the content is; None if it is hidden.
    """

    content: ItemContent | None = field(default=None, repr=False)
    reason: HiddenReason | None = None
    terms: ReceivedTerms | None = None
    notice: Notice | None = field(default=None, repr=False)
    draft: OpenedDraft | None = field(default=None, repr=False)


class Drafts(Protocol):
    """Opens the copies of the State's own items."""

    def open(self, place: ItemPlace) -> OpenedDraft | HiddenReason:
        """Return the newest copy of an item; or why there is none."""


class Inbox(Protocol):
    """The State's inbox."""

    index: InboxIndex

    @property
    def is_configured(self) -> bool:
        """Whether there is a reader's key."""

    @property
    def reader_key(self) -> str:
        """Id of the reader's key."""

    def start(self) -> None:
        """Begin to follow it."""

    def close(self) -> None:
        """Stop following."""

    def get_reader(self) -> InboxReader | None:
        """Return what opens it."""

    def open(self, place: Any, message_id: str) -> InboxItem | UnreadableItem | None:
        """Return one message, opened."""


class DeskContents:
    """Opens own drafts and received items. Thread-safe; its methods block.

    Args:
        console: The connection.
        read_clock: Returns the time in UTC milliseconds.
        drafts: Opens the copies of own items.
        inbox: The State's inbox.
        recorder: Records each view.
    """

    def __init__(
        self,
        console: ConsoleConnection,
        read_clock: Callable[[], int],
        drafts: Drafts,
        inbox: Inbox,
        recorder: ViewRecorder,
    ) -> None:
        self._console = console
        self._read_clock = read_clock
        self._drafts = drafts
        self._inbox = inbox
        self._recorder = recorder

    @classmethod
    def open(
        cls,
        console: ConsoleConnection,
        read_clock: Callable[[], int],
        keys: OnlineKeys | None = None,
        broker: BrokerState | None = None,
        changes: ChangeFeed | None = None,
        figures: DeskFigures | None = None,
    ) -> DeskContents:
        """Return what opens the contents of a State.

        Args:
            console: The connection; its settings name the reader's key.
            read_clock: Returns the time in UTC milliseconds.
            keys: The State's own keys, for its own items; None if the desk has none.
            broker: Is told when the inbox cannot be followed.
            changes: Is told when something has come into the inbox.
            figures: Is told when a view cannot be recorded.
        """
        watch = InboxWatch(console, read_clock, broker or BrokerState(), changes or ChangeFeed())
        drafts = DraftSource(console, keys, read_clock)
        note_failure = (figures or DeskFigures()).note_unrecorded
        return cls(console, read_clock, drafts, watch, make_view_recorder(console, read_clock, note_failure))

    @property
    def inbox(self) -> InboxIndex:
        """What is in the inbox, without content."""
        return self._inbox.index

    @property
    def has_reader_key(self) -> bool:
        """Whether the desk can open the inbox."""
        return self._inbox.is_configured

    def start(self) -> None:
        """Begin to follow the inbox. Returns at once.

        Raises:
            SharingError: The reader's key of the settings cannot be used.
        """
        self._inbox.start()

    def close(self) -> None:
        """Stop."""
        self._inbox.close()

    def get_inbox_reader(self) -> InboxReader | None:
        """Return what opens the inbox; None if the settings name no reader's key.

        Raises:
            SharingError: It cannot be opened now.
        """
        return self._inbox.get_reader()

    def show_own(self, officer: OfficerEntry, place: ItemPlace) -> ContentView:
        """Return what an officer may see of an item of the State's own.

        Args:
            officer: The officer, as the register has him or her now.
            place: The item.

        Raises:
            InfrastructureError: No broker answers, or the topic of drafts cannot be read.
        """
        now, conversation = self._read_clock(), place.conversation
        if conversation is not None:  # else only the copy itself tells who has published it
            bar = self._find_own_bar(officer, conversation.publisher, conversation, now)
            if bar is not None:
                return ContentView(reason=bar)
        opened = self._drafts.open(place)
        if isinstance(opened, HiddenReason):
            return ContentView(reason=opened)
        bar = self._find_own_bar(officer, opened.publisher, conversation, now)
        if bar is not None:
            return ContentView(reason=bar)
        content = ItemContent.from_indicator(opened.record)
        if content.retain_until is not None and content.retain_until <= now:
            return ContentView(reason=HiddenReason.EXPIRED)
        if not self._recorder.record(officer.id, "", Use(opened.item, opened.item, self._console.state, DRAFT, now)):
            return ContentView(reason=HiddenReason.NOT_RECORDED)
        return ContentView(content, draft=opened)

    def show_received(
        self, officer: OfficerEntry, provider: str, item: str, place: ReceivedPlace | None
    ) -> ContentView:  # fmt: skip
        """Return what an officer may see of an item of another State.

        Args:
            officer: The officer, as the register has him or her now.
            provider: The State that provides it.
            item: Id of the item.
            place: What is kept about it; None if nothing is.

        Raises:
            SharingError: No broker answers, or the inbox cannot be read.
        """
        if not self._inbox.is_configured:
            return ContentView(reason=HiddenReason.NO_READER_KEY)
        now, index = self._read_clock(), self._inbox.index
        received = None if place is None else place.received
        indexed = index.find_newest(provider, item, is_offer=False)
        bar = find_received_bar(officer, self._console.state, _read_status(index, provider, item, received), now)
        if bar in {HiddenReason.NOT_AN_OFFICER, HiddenReason.NOT_READ_YET}:
            return ContentView(reason=bar)
        if indexed is None:
            offer = index.find_newest(provider, item, is_offer=True)
            return ContentView(reason=bar, terms=None if offer is None else self._read_offer(offer))
        opened = self._inbox.open(indexed.place, indexed.row.id)
        if not isinstance(opened, InboxItem):  # deleted meanwhile, or altered
            return ContentView(reason=HiddenReason.SHREDDED if opened is None else HiddenReason.NOT_OPENED)
        notice = opened.to_notice()
        terms = ReceivedTerms.from_notice(notice)
        if bar is None and not _is_message_of(opened.fields, provider, item):
            bar = HiddenReason.NOT_OPENED
        if bar is None and terms.retain_until is not None and terms.retain_until <= now:
            bar = HiddenReason.EXPIRED
        if bar is None:
            use = Use(opened.id, item, provider, terms.kind, now)
            if not self._recorder.record(officer.id, self._inbox.reader_key, use):
                bar = HiddenReason.NOT_RECORDED
        if bar is not None:
            return ContentView(reason=bar, terms=terms)
        return ContentView(ItemContent.from_notice(notice), terms=terms, notice=notice)

    def find_addressed(self, officer: OfficerEntry, conversation: Conversation) -> tuple[Ask, ...]:
        """Return the open Asks about an item of the State's own that address an officer."""
        now = self._read_clock()
        return tuple(ask for ask in conversation.asks.values() if self._addresses(officer, conversation, ask, now))

    def _find_own_bar(
        self, officer: OfficerEntry, publisher: Publisher, conversation: Conversation | None, now: int
    ) -> HiddenReason | None:
        is_addressed = conversation is not None and any(
            self._addresses(officer, conversation, ask, now) for ask in conversation.asks.values()
        )
        return find_own_bar(officer, self._console.state, publisher, now, is_addressed=is_addressed)

    def _addresses(self, officer: OfficerEntry, conversation: Conversation, ask: Ask, now: int) -> bool:
        """Return whether an Ask waits for an officer: for the role, and for the kind of authority if it names one."""
        found = FoundAsk(ask, conversation.item, conversation.state, 0, b"", b"", frozenset())
        try:
            require_answerable(self._console, found, officer.id, officer.to_officer(), now)
        except InputError:
            return False
        return ask.authority is None or ask.authority == officer.authority

    def _read_offer(self, offer: IndexedMessage) -> ReceivedTerms | None:
        opened = self._inbox.open(offer.place, offer.row.id)
        return ReceivedTerms.from_offer(opened.fields) if isinstance(opened, InboxItem) else None


def _read_status(index: InboxIndex, provider: str, item: str, received: ReceivedItem | None) -> ReceivedStatus:
    indexed = index.find_newest(provider, item, is_offer=False)
    recalled = index.find_recalled(provider, item)
    newest, retain_until, was_there = NO_REVISION, None, False
    if indexed is not None:
        newest, retain_until = indexed.revision, indexed.row.until
    if received is not None:
        recalled, newest = max(recalled, received.recalled), max(newest, received.revision)
        retain_until = received.retain_until if received.retain_until is not None else retain_until
        was_there = received.revision > NO_REVISION
    return ReceivedStatus(
        is_indexed=index.is_read,
        is_in_inbox=indexed is not None,
        is_newest=indexed is not None and (received is None or received.revision <= indexed.revision),
        was_in_inbox=was_there,
        is_recalled=recalled > NO_REVISION and newest <= recalled,
        retain_until=retain_until,
    )


def _is_message_of(fields: Mapping[str, Any], provider: str, item: str) -> bool:
    return (fields["from_state"], fields["item_id"]) == (provider, item)
