"""A loop with a state store and an index of what is due, without a broker."""

from __future__ import annotations

from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import StoreBackend
from processors.exactly_once.state_store import StateStore
from processors.exactly_once.state_store_backends import MemoryBackend
from sharing.conversation.events import TimePassed
from sharing.conversation.received_events import OfferReceived
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received, due_received
from sharing.conversation.revision import Revision
from sharing.conversation_state.batch_entries import BatchEntries
from sharing.conversation_state.due_index import DueIndex, DueItem
from sharing.conversation_state.entries import decode_received
from sharing.conversation_state.item_keys import read_item_key
from sharing.model.vocabulary import Urgency
from tests.conversation.people import NOW
from tests.conversation_state.kept_states import make_item
from tests.processors.exactly_once.state_store_fixtures import FakeChangelog

LATER = NOW + 500
"""When the first escalation of these offers is due."""


def make_offer(item: str, number: int, lasts_ms: int, now: int) -> ReceivedItem:
    event = OfferReceived(f"{item} {number}", Revision(number), Urgency.ORDINARY, now + lasts_ms)
    return advance_received(ReceivedItem(item, "CH", "DE"), event, now)[0]


class Worker:
    """A loop with a state store, without a broker. `pending` and `view` are the two batches in progress."""

    def __init__(self, backend: StoreBackend | None = None, changelog: FakeChangelog | None = None) -> None:
        self.changelog = changelog or FakeChangelog()
        self.store = StateStore(self.changelog, backend or MemoryBackend(), lambda: self.changelog.now_ms)
        self.index = DueIndex()
        self.owned: set[int] = set()
        self.pending: Overlay | None = None
        self.view: Overlay | None = None
        self.entries: BatchEntries | None = None

    def take_partitions(self, partitions: set[int]) -> None:
        assert self.store.restore_partitions(partitions)
        self.owned |= partitions

    def give_up_partitions(self, partitions: set[int]) -> None:
        self.store.close_partitions(partitions)
        self.owned -= partitions

    def open_batch(self) -> BatchEntries:
        self.view = self.store.create_overlay(self.pending)
        self.entries = BatchEntries(self.index, self.view)
        return self.entries

    def start_commit(self) -> None:
        assert self.view is not None
        self.view.freeze()
        self.pending, self.view, self.entries = self.view, None, None

    def commit(self) -> None:
        if self.pending is not None:
            ends = {
                partition: self.changelog.write_transaction(partition, changes.items())
                for partition, changes in self.pending.changes.items()
            }
            self.store.apply_overlay(self.pending, ends)
        self.pending = None

    def abort(self) -> None:
        """Discard both batches, close all copies and open them again, as `Transactor` does."""
        self.pending = self.view = self.entries = None
        owned = set(self.owned)
        self.give_up_partitions(owned)
        self.take_partitions(owned)

    def scan(self) -> dict[DueItem, int]:
        """Return when each item is due, read from all entries."""
        assert self.view is not None
        found = {}
        for partition in self.owned:
            for key, entry in self.view.items(partition):
                instant = due_received(decode_received(key, entry))
                if instant is not None:
                    found[DueItem(partition, key)] = instant
        return found

    def advance(self, item: DueItem, now: int) -> None:
        assert self.entries is not None
        identity, from_state = read_item_key(item.key)
        received = self.entries.find_received(item.partition, str(from_state), identity)
        assert received is not None
        self.entries.keep_received(item.partition, advance_received(received, TimePassed(), now)[0])


def fill(worker: Worker, items: int = 1, *, apart_ms: int = 0) -> None:
    entries = worker.open_batch()
    for number in range(items):
        entries.keep_received(0, make_offer(make_item(number), 1, 1_000, NOW + number * apart_ms))
    worker.start_commit()
    worker.commit()
