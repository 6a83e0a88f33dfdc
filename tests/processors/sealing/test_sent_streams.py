"""Sequences continue across batches, and are as they were after an aborted batch."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from processors.exactly_once.overlay import Overlay
from processors.exactly_once.partition_store import Checkpoint, StoreIdentity
from processors.exactly_once.state_store_backends import MemoryBackend
from processors.sealing.sent_streams import SentStreams

if TYPE_CHECKING:
    from processors.exactly_once.partition_store import PartitionStore

MESSAGES = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["DE", "FR"]), st.sampled_from(["notices", "urgent"])))


def open_stores() -> dict[int, PartitionStore]:
    backend = MemoryBackend()
    return {number: backend.open_store(StoreIdentity("c", "t", "id", number)) for number in range(3)}


def commit(stores: dict[int, PartitionStore], overlay: Overlay) -> None:
    for partition, changes in overlay.freeze().items():
        stores[partition].apply_changes(changes.items(), Checkpoint(0, 0))


@given(st.lists(st.tuples(MESSAGES, st.booleans())))
def test_numbers_have_no_gap_and_no_repetition_among_committed_batches(
    batches: list[tuple[list[tuple[int, str, str]], bool]],
) -> None:
    stores = open_stores()
    committed: Counter[tuple[int, str, str]] = Counter()
    began: dict[tuple[int, str, str], int] = {}
    for now_ms, (messages, is_committed) in enumerate(batches, 1):
        overlay = Overlay(stores)
        streams = SentStreams(overlay, now_ms)
        sent = committed.copy()
        for message in messages:
            count = 1 + sent[message] % 3
            numbers, stream = streams.take_numbers(*message, count)
            assert list(numbers) == [sent[message] + number for number in range(1, count + 1)]
            sent[message] += count
            assert stream.last == sent[message]
            assert stream.began_at == began.get(message, now_ms)
        streams.save()
        if is_committed:
            commit(stores, overlay)
            for message in sent.keys() - committed.keys():
                began[message] = now_ms
            committed = sent
    listed = {(partition, recipient, topic): stream for partition, recipient, topic, stream in
              SentStreams(Overlay(stores), 0).take_due_counts(1)}  # fmt: skip
    assert {key: stream.last for key, stream in listed.items()} == dict(committed)
    assert {key: stream.began_at for key, stream in listed.items()} == began


def test_a_batch_continues_the_batch_that_is_being_committed() -> None:
    stores = open_stores()
    first = Overlay(stores)
    streams = SentStreams(first, 1)
    assert streams.take_numbers(1, "DE", "notices", 2) == (range(1, 3), (1, 2))
    streams.save()
    following = SentStreams(Overlay(stores, first), 2)
    assert following.take_numbers(1, "DE", "notices", 1) == (range(3, 4), (1, 3))
    assert following.take_numbers(1, "DE", "offers", 1) == (range(1, 2), (2, 1))
    assert [entry[:3] for entry in following.take_due_counts(1)] == [(1, "DE", "notices"), (1, "DE", "offers")]


def test_counts_are_due_once_in_an_interval_and_after_an_aborted_batch() -> None:
    stores = open_stores()
    overlay = Overlay(stores)
    assert list(SentStreams(overlay, 1_000).take_due_counts(100)) == []  # nothing was sent
    streams = SentStreams(overlay, 1_000)
    streams.take_numbers(1, "DE", "notices", 1)
    streams.save()
    commit(stores, overlay)
    aborted = SentStreams(Overlay(stores), 1_100)
    assert list(aborted.take_due_counts(100)) == [(1, "DE", "notices", (1_000, 1))]
    assert list(aborted.take_due_counts(100)) == []
    for now_ms, is_due in ((1_100, True), (1_199, False), (1_200, True), (1_150, True), (1_151, False)):
        overlay = Overlay(stores)
        assert bool(list(SentStreams(overlay, now_ms).take_due_counts(100))) is is_due, now_ms
        commit(stores, overlay)
