"""What is due, as the index finds it, compared with a scan of all entries: batches, aborts, other owners."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from processors.exactly_once.partition_store import StoreBackend
from processors.exactly_once.state_store_backends import MemoryBackend
from processors.inbox.state_entries import (
    OpenedBefore,
    ReceivedStream,
    encode_message,
    encode_stream,
    make_message_key,
    make_stream_key,
)
from processors.sealing.sent_streams import SentStreams
from sharing.conversation.deliveries import Conversation
from sharing.conversation.events import Replied
from sharing.conversation.received_events import OfferReceived, OfferWithdrawn
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer
from sharing.conversation_state import due_index
from sharing.conversation_state.due_index import DueItem
from sharing.conversation_state.entries import KeptConversation, decode_received, encode_received
from sharing.conversation_state.item_keys import make_own_key, make_received_key, read_item_key
from sharing.errors import DecodeError
from sharing.model.vocabulary import Urgency
from sharing.seal.sequences import StreamId, StreamPosition
from tests.conversation.people import NOW
from tests.conversation_state.index_worker import LATER, Worker, fill, make_offer
from tests.conversation_state.kept_states import make_item
from tests.processors.exactly_once.state_store_fixtures import PARTITIONS

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
STALE_MIN = 3
ITEMS = st.sampled_from([make_item(number) for number in range(6)])
LENGTHS_MS = st.sampled_from([10, 50, 500, 4_000, 200_000])
LIMITS = st.sampled_from([1, 2, 100])


class IndexMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.stale_min, due_index.STALE_MIN = due_index.STALE_MIN, STALE_MIN  # type: ignore[misc]
        self.worker, self.now, self.number = Worker(self.open_backend()), NOW, 0
        self.worker.take_partitions(set(PARTITIONS))

    def teardown(self) -> None:
        if hasattr(self, "stale_min"):
            due_index.STALE_MIN = self.stale_min  # type: ignore[misc]

    def open_backend(self) -> StoreBackend:
        return MemoryBackend()

    def check_length(self) -> None:
        live = len(self.worker.scan())
        assert len(self.worker.index) <= 1.5 * live + STALE_MIN * len(PARTITIONS), "the index grows without bound"

    @property
    def is_idle(self) -> bool:
        return self.worker.view is None and self.worker.pending is None

    @rule()
    @precondition(lambda self: self.worker.view is None)
    def open_batch(self) -> None:
        self.worker.open_batch()
        self.check_length()
        self.check_counts()

    def check_counts(self) -> None:
        """A wrong count would build the heaps again too often, or never."""
        assert sum(heap.live for heap in self.worker.index._heaps.values()) == len(self.worker.scan())
        assert self.worker.view is not None
        for partition in self.worker.owned:
            entries = self.worker.view.items(partition)
            received = [decode_received(key, entry) for key, entry in entries]
            waiting = sum(each.count_open() + each.count_early() for each in received)
            assert self.worker.index.count_waiting(partition, "CH") == waiting, "a State has more or fewer than counted"

    @rule(item=ITEMS, partition=st.sampled_from(PARTITIONS), is_known=st.booleans())
    @precondition(lambda self: self.worker.view is not None)
    def withdraw(self, item: str, partition: int, is_known: bool) -> None:
        """Withdraw an offer; of one that has not come yet, the withdrawal waits."""
        entries = self.worker.entries
        assert entries is not None
        if partition in self.worker.owned:
            received = entries.find_received(partition, "CH", item) or ReceivedItem(item, "CH", "DE")
            ask = next(iter(received.asks), "unknown") if is_known else f"{self.number + 1}"
            entries.keep_received(partition, advance_received(received, OfferWithdrawn(ask), self.now)[0])

    @rule(item=ITEMS, partition=st.sampled_from(PARTITIONS), lasts_ms=LENGTHS_MS)
    @precondition(lambda self: self.worker.view is not None)
    def offer(self, item: str, partition: int, lasts_ms: int) -> None:
        entries = self.worker.entries
        assert entries is not None
        if partition in self.worker.owned:
            self.number += 1
            received = entries.find_received(partition, "CH", item) or ReceivedItem(item, "CH", "DE")
            event = OfferReceived(str(self.number), Revision(1), Urgency.ORDINARY, self.now + lasts_ms)
            entries.keep_received(partition, advance_received(received, event, self.now)[0])

    @rule(data=st.data())
    @precondition(lambda self: self.worker.view is not None)
    def withdraw_or_forget(self, data: st.DataObject) -> None:
        due, entries = self.worker.scan(), self.worker.entries
        assert entries is not None
        if not due:
            return
        item = data.draw(st.sampled_from(sorted(due)))
        received = entries.find_received(item.partition, "CH", read_item_key(item.key).item)
        assert received is not None
        if data.draw(st.integers(0, 3)) == 0:
            entries.forget(item)
            return
        asks = sorted(ask.id for ask in received.asks.values() if ask.is_open)
        if not asks:
            return  # it waits for the time at which it is forgotten
        ask = data.draw(st.sampled_from(asks))
        entries.keep_received(item.partition, advance_received(received, OfferWithdrawn(ask), self.now)[0])

    @rule(limit=LIMITS)
    @precondition(lambda self: self.worker.view is not None)
    def take_all_that_is_due(self, limit: int) -> None:
        expected = {item: instant for item, instant in self.worker.scan().items() if instant <= self.now}
        taken: list[DueItem] = []
        while (instant := self.worker.index.find_next_due()) is not None and instant <= self.now:
            some = self.worker.entries.take_due(self.now, limit)  # type: ignore[union-attr]
            assert len(some) <= limit
            taken += some
            for item in some:
                self.worker.advance(item, self.now)
        assert len(taken) == len(set(taken)), "an item is taken twice"
        assert set(taken) == set(expected)
        assert [expected[item] for item in taken] == sorted(expected.values()), "the earliest is not first"
        next_due = self.worker.index.find_next_due()
        later = [instant for instant in self.worker.scan().values() if instant > self.now]
        assert not later or (next_due is not None and next_due <= min(later)), "the loop would look too late"
        self.check_counts()

    @rule(limit=LIMITS)
    @precondition(lambda self: self.worker.view is not None)
    def take_some(self, limit: int) -> None:
        due = {item for item, instant in self.worker.scan().items() if instant <= self.now}
        some = self.worker.entries.take_due(self.now, limit)  # type: ignore[union-attr]
        assert set(some) <= due
        for item in some:
            self.worker.advance(item, self.now)

    @rule(milliseconds=st.sampled_from([1, 20, 300, 3_000, 100_000]))
    def let_time_pass(self, milliseconds: int) -> None:
        self.now += milliseconds

    @rule()
    @precondition(lambda self: self.worker.view is not None and self.worker.pending is None)
    def start_commit(self) -> None:
        self.worker.start_commit()

    @rule()
    @precondition(lambda self: self.worker.pending is not None)
    def commit(self) -> None:
        self.worker.commit()

    @rule()
    @precondition(lambda self: self.worker.pending is not None)
    def abort(self) -> None:
        self.worker.abort()

    @rule(partition=st.sampled_from(PARTITIONS))
    @precondition(lambda self: self.is_idle)
    def give_up(self, partition: int) -> None:
        self.worker.give_up_partitions({partition})

    @rule(partition=st.sampled_from(PARTITIONS))
    @precondition(lambda self: self.is_idle)
    def take_again(self, partition: int) -> None:
        self.worker.take_partitions({partition})

    @rule(item=ITEMS, partition=st.sampled_from(PARTITIONS), lasts_ms=LENGTHS_MS, ends=st.booleans())
    @precondition(lambda self: self.is_idle)
    def another_owner_writes(self, item: str, partition: int, lasts_ms: int, ends: bool) -> None:
        if partition not in self.worker.owned:
            self.number += 1
            entry = None if ends else encode_received(make_offer(item, self.number, lasts_ms, self.now))
            self.worker.changelog.write_transaction(partition, [(make_received_key("CH", item), entry)])


IndexMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=60, deadline=None)
TestIndex: Any = IndexMachine.TestCase


@pytest.fixture
def worker() -> Worker:
    worker = Worker()
    worker.take_partitions({0})
    return worker


def test_what_an_aborted_batch_took_is_due_again(worker: Worker) -> None:
    fill(worker)
    entries = worker.open_batch()
    (item,) = entries.take_due(LATER, 10)
    worker.advance(item, LATER)
    assert entries.take_due(LATER, 10) == []
    worker.start_commit()
    assert worker.open_batch().take_due(LATER, 10) == [], "the batch before may yet be committed"
    worker.abort()
    assert worker.open_batch().take_due(LATER, 10) == [item]


def test_what_an_aborted_batch_added_is_not_due(worker: Worker) -> None:
    entries = worker.open_batch()
    entries.keep_received(0, make_offer(make_item(1), 1, 1_000, NOW))
    worker.start_commit()
    worker.abort()
    assert worker.open_batch().take_due(LATER, 10) == []
    assert len(worker.index) == 0


def test_what_another_owner_did_counts(worker: Worker) -> None:
    fill(worker, 2)
    worker.give_up_partitions({0})
    worker.open_batch()
    assert len(worker.index) == 0
    worker.changelog.write_transaction(0, [(make_received_key("CH", make_item(0)), None)])
    worker.take_partitions({0})
    taken = worker.open_batch().take_due(LATER, 10)
    assert [read_item_key(item.key).item for item in taken] == [make_item(1)]


def test_a_limit_is_kept_and_what_is_left_comes_next(worker: Worker) -> None:
    fill(worker, 5)
    entries = worker.open_batch()
    taken = [*entries.take_due(LATER, 3), *entries.take_due(LATER, 3)]
    assert len(taken) == len(set(taken)) == 5
    assert entries.take_due(LATER - 1, 3) == []


def test_outdated_elements_are_dropped(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due_index, "STALE_MIN", 20)
    fill(worker)
    for number in range(200):
        entries = worker.open_batch()
        entries.keep_received(0, make_offer(make_item(0), 1, 1_000 + number, NOW))
        assert len(worker.index) <= 24
        worker.start_commit()
        worker.commit()


def damage(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    key, entry = make_received_key("CH", make_item(0)), encode_received(make_offer(make_item(0), 1, 1_000, NOW))
    return [change(key, entry)]


@pytest.mark.parametrize(
    "entries",
    [
        damage(lambda key, entry: (b"reply/" + key, entry)),
        damage(lambda key, entry: (key, entry[:12])),
        damage(lambda key, entry: (key, entry[:2] + bytes(8) + entry[10:])),
    ],
    ids=["kind", "length", "schema"],
)
def test_an_entry_that_is_not_understood_is_an_error(worker: Worker, entries: list[tuple[bytes, bytes]]) -> None:
    """It may have something due: to pass over it would be to leave a deadline unwatched."""
    worker.give_up_partitions({0})
    worker.changelog.write_transaction(0, entries)
    worker.take_partitions({0})
    with pytest.raises(DecodeError):
        worker.open_batch()


def test_the_entries_that_the_loop_keeps_for_itself_are_passed_over(worker: Worker) -> None:
    worker.give_up_partitions({0})
    own = {b"log/national.ch.rulings": b"a position", b"told/1": b"what is told"}
    own[make_message_key(make_item(1))] = encode_message(OpenedBefore(bytes(32), "ab"), NOW)
    stream = StreamId("DE", "gate", 0, "notices")
    own[make_stream_key(stream)] = encode_stream(ReceivedStream(StreamPosition(NOW, 1), NOW), NOW)
    worker.changelog.write_transaction(0, own.items())
    worker.take_partitions({0})
    assert worker.open_batch().take_due(LATER, 10) == []


def test_the_numbers_of_sent_messages_are_passed_over(worker: Worker) -> None:
    worker.open_batch()
    assert worker.view is not None
    sent = SentStreams(worker.view, NOW)
    sent.take_numbers(0, "DE", "replies", 3)
    assert list(sent.take_due_counts(1))
    sent.save()
    worker.start_commit()
    worker.commit()
    worker.give_up_partitions({0})
    worker.take_partitions({0})
    assert worker.open_batch().take_due(LATER, 10) == []
    assert {key for key, _ in worker.view.items(0)} == {b"sent", b"counted", b"sent/DE/replies"}


@pytest.mark.parametrize("key", [b"sending", b"counted/1", b"sent-later", b"logs/1", b"ids/1"])
def test_a_key_that_only_looks_like_one_of_the_loop_is_an_error(worker: Worker, key: bytes) -> None:
    worker.give_up_partitions({0})
    worker.changelog.write_transaction(0, [(key, b"")])
    worker.take_partitions({0})
    with pytest.raises(DecodeError, match="a kind that this release does not know"):
        worker.open_batch()


def test_replies_that_wait_are_counted_by_state(worker: Worker) -> None:
    early = (
        Replied("a", "DE", Answer.ACCEPTED, NOW), Replied("b", "DE", Answer.ACCEPTED, NOW),
        Replied("a", "FR", Answer.DECLINED, NOW),
    )  # fmt: skip
    kept = KeptConversation(Conversation(make_item(1), "CH", early=early))
    entries = worker.open_batch()
    entries.keep_conversation(0, kept)
    counted = [entries.count_waiting(0, state) for state in ("DE", "FR", "US")]
    assert counted == [2, 1, 0]
    worker.start_commit()
    worker.commit()
    worker.give_up_partitions({0})
    worker.take_partitions({0})
    entries = worker.open_batch()
    assert [entries.count_waiting(0, state) for state in ("DE", "FR", "US")] == counted
    entries.forget(DueItem(0, make_own_key(make_item(1))))
    assert entries.count_waiting(0, "DE") == 0
    worker.abort()
    assert worker.open_batch().count_waiting(0, "DE") == 2
