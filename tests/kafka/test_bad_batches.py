"""Consumers get past batches that cannot be read: exactly those records are skipped, and none behind them."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from sharing.errors import DecodeError, InfrastructureError
from sharing.kafka import bad_batches
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS, BOUNDED_FETCH, BadBatch, BadBatchFinder, BatchEndSearch
from sharing.kafka.clients import client_properties, make_consumer
from sharing.kafka.topic_follower import TopicFollower
from sharing.kafka.unreadable_records import UnreadableRecord, add_bad_batches
from tests.kafka.compressed_batches import damage_batch, write_batch, write_bomb
from tests.kafka.topic_io import SECONDS, write_records
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.kafka.unreadable_records import Unreadable
    from sharing.testing.broker import Broker
    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search take its time where a test is not about that: this machine may be busy."""
    monkeypatch.setattr(bad_batches, "_FIND_SECONDS_MAX", 60.0)
    monkeypatch.setattr(bad_batches, "_ANSWER_SECONDS_MAX", 60.0)


@pytest.fixture
def topic(kafka: KafkaBroker) -> str:
    name = f"bad-batches-{uuid.uuid4()}"
    kafka.create_topics([name], 1, config={"max.message.bytes": "1000000"})
    return name


def read_past(broker: Broker, topic: str) -> list[bytes | BadBatch | None]:
    """Return the values of all records, and each bad batch in its place."""
    properties = client_properties(
        broker.bootstrap,
        {**BOUNDED_FETCH, "group.id": "past", "enable.partition.eof": True, "auto.offset.reset": "error"},
    )
    finder = BadBatchFinder(properties)
    consumer = make_consumer(properties)
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[bytes | BadBatch | None] = []
    try:
        while True:
            message = consumer.poll(SECONDS)
            assert message is not None, "the end was not reached"
            error = message.error()
            if error is None:
                found.append(message.value())
            elif error.code() == KafkaError._PARTITION_EOF:
                return found
            else:
                batch = finder.find_batch(message)
                assert batch is not None, error
                found.append(batch)
                consumer.seek(TopicPartition(topic, 0, batch.next_offset))
    finally:
        consumer.close()


def test_a_batch_that_inflates_to_too_much_is_skipped(kafka: KafkaBroker, topic: str) -> None:
    write_records(kafka, topic, [b"0", b"1"])
    write_bomb(kafka, topic, 40)
    write_records(kafka, topic, [b"3"])
    bomb = BadBatch(topic, 0, 2, 2, "_BAD_COMPRESSION")
    assert read_past(kafka, topic) == [b"0", b"1", bomb, b"3"]
    assert (bomb.next_offset, str(bomb)) == (3, f"{topic}/0@2")


@pytest.mark.parametrize("codec", ["gzip", "lz4", "snappy", "zstd"])
def test_a_damaged_batch_is_skipped_whatever_its_codec(kafka: KafkaBroker, topic: str, codec: str) -> None:
    write_records(kafka, topic, [b"0"])
    write_batch(kafka, topic, codec, [b"a record that compresses well " * 20] * 7)
    write_records(kafka, topic, [b"8"])
    damage_batch(kafka, topic, 1)
    found = read_past(kafka, topic)
    assert found == [b"0", BadBatch(topic, 0, 1, 7, "_BAD_COMPRESSION"), b"8"]
    assert str(found[1]) == f"{topic}/0@1-7"


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_the_end_is_found_for_any_size_also_at_the_end_of_the_log_and_before_another_bad_batch(
    kafka: KafkaBroker, topic: str, size: int
) -> None:
    for _ in range(2):
        write_batch(kafka, topic, "zstd", [bytes(40_000_000 // size)] * size)
    assert read_past(kafka, topic) == [
        BadBatch(topic, 0, 0, size - 1, "_BAD_COMPRESSION"),
        BadBatch(topic, 0, size, 2 * size - 1, "_BAD_COMPRESSION"),
    ]


@pytest.mark.parametrize("codec", ["gzip", "lz4"])
def test_a_codec_without_a_limit_is_read(kafka: KafkaBroker, topic: str, codec: str) -> None:
    """Librdkafka limits only zstd. Readers refuse the record for its length."""
    write_bomb(kafka, topic, 40, codec)
    write_records(kafka, topic, [b"1"])
    assert [value and len(value) for value in read_past(kafka, topic) if not isinstance(value, BadBatch)] == [
        40_000_000,
        1,
    ]


def test_a_follower_goes_past_it_only_where_it_can_say_so(kafka: KafkaBroker, topic: str) -> None:
    write_records(kafka, topic, [b"0"])
    write_bomb(kafka, topic, 40)
    write_bomb(kafka, topic, 40)
    write_records(kafka, topic, [b"3"])
    unreadable: Unreadable = []
    with closing(TopicFollower(kafka.bootstrap, "group", {(topic, 0): 0}, unreadable=unreadable)) as follower:
        assert [message.value() for batch in follower.read_to_end() for message in batch] == [b"0", b"3"]
        assert follower.positions == {(topic, 0): 4}
    assert [each.place for each in unreadable] == [f"{topic}[0]@1", f"{topic}[0]@2"]
    with (
        closing(TopicFollower(kafka.bootstrap, "group", {(topic, 0): 0})) as strict,
        pytest.raises(InfrastructureError, match="cannot be read"),
    ):
        list(strict.read_to_end())


def test_a_follower_that_begins_within_a_bad_batch_goes_past_it(kafka: KafkaBroker, topic: str) -> None:
    """The error names the first record of the batch, which is before where reading began."""
    write_batch(kafka, topic, "lz4", [b"a record that compresses well " * 20] * 7)
    write_records(kafka, topic, [b"7"])
    damage_batch(kafka, topic, 0)
    unreadable: Unreadable = []
    with closing(TopicFollower(kafka.bootstrap, "group", {(topic, 0): 4}, unreadable=unreadable)) as follower:
        assert [message.value() for batch in follower.read_to_end() for message in batch] == [b"7"]
    assert [each.place for each in unreadable] == [f"{topic}[0]@0-6"]


class _Report:
    """A message with an error."""

    def __init__(self, topic: str, code: int, partition: int = 0, offset: int = 0) -> None:
        self._topic, self._code, self._partition, self._offset = topic, code, partition, offset

    def error(self) -> KafkaError:
        return KafkaError(self._code)

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset


def test_other_errors_are_not_bad_batches(kafka: KafkaBroker, topic: str) -> None:
    finder = BadBatchFinder(client_properties(kafka.bootstrap))
    for code in (KafkaError._PARTITION_EOF, KafkaError._TRANSPORT, KafkaError.UNKNOWN_TOPIC_OR_PART):
        assert code not in BAD_BATCH_ERRORS
        assert finder.find_batch(_Report(topic, code)) is None  # type: ignore[arg-type]


def test_a_readable_record_is_not_skipped_after_a_passing_error(kafka: KafkaBroker, topic: str) -> None:
    write_batch(kafka, topic, "none", [b"readable"])
    finder = BadBatchFinder(client_properties(kafka.bootstrap))
    assert finder.find_batch(_Report(topic, KafkaError._BAD_MSG)) is None  # type: ignore[arg-type]


@given(st.integers(1, 5_000), st.integers(0, 5_000), st.integers(0, 10**9))
def test_the_search_ends_at_the_last_offset_in_few_steps(size: int, records_behind: int, first: int) -> None:
    search = BatchEndSearch(first, first, first + size + records_behind)
    steps = 0
    while not search.is_finished:
        offset = search.choose_offset()
        assert search.inside < offset < search.beyond
        search.note(offset, is_inside=offset < first + size)
        steps += 1
    assert search.inside == first + size - 1
    assert steps <= 2 * size.bit_length() + 1


def count_fetches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that receives the offset of each fetch."""
    fetched: list[int] = []
    is_in_batch = bad_batches._is_in_batch

    def count(consumer: Any, first: TopicPartition, offset: int) -> bool:
        fetched.append(offset)
        return is_in_batch(consumer, first, offset)

    monkeypatch.setattr(bad_batches, "_is_in_batch", count)
    return fetched


def test_a_search_that_takes_too_long_for_one_call_continues_with_the_next(
    kafka: KafkaBroker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow broker: each call has time for one step. A search that began again each time would never end."""
    monkeypatch.setattr(bad_batches, "_FIND_SECONDS_MAX", 0.0)
    fetched = count_fetches(monkeypatch)
    write_batch(kafka, topic, "zstd", [bytes(40_000)] * 1_000)
    write_records(kafka, topic, [b"readable"])
    finder = BadBatchFinder(client_properties(kafka.bootstrap))
    found: list[BadBatch] = []

    def has_found() -> bool:
        before = len(fetched)
        found.extend(finder.find_batches([_Report(topic, KafkaError._BAD_COMPRESSION)]))  # type: ignore[list-item]
        assert len(fetched) - before <= 2
        assert len(fetched) < 100, "it began again"
        return bool(found)

    wait_until(has_found, "the end is found", SECONDS)
    assert found == [BadBatch(topic, 0, 0, 999, "_BAD_COMPRESSION")]


def test_a_search_begins_again_in_a_topic_that_was_created_again(
    kafka: KafkaBroker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch there has the same first offset, but fewer records. None of those behind it may be skipped."""
    monkeypatch.setattr(bad_batches, "_FIND_SECONDS_MAX", 0.0)
    write_batch(kafka, topic, "zstd", [bytes(20_000_000)] * 2)
    write_records(kafka, topic, [b"readable"] * 20)
    finder = BadBatchFinder(client_properties(kafka.bootstrap))
    finder._searches[topic, 0] = BatchEndSearch(0, 15, 20)
    reports: Any = [_Report(topic, KafkaError._BAD_COMPRESSION)]
    found: list[BadBatch] = []

    def has_found() -> bool:
        found.extend(finder.find_batches(reports))
        return bool(found)

    wait_until(has_found, "the end is found", SECONDS)
    assert found == [BadBatch(topic, 0, 0, 1, "_BAD_COMPRESSION")]


def test_a_call_takes_bounded_time_and_partitions_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker answers. The other records of the caller wait meanwhile."""
    monkeypatch.setattr(bad_batches, "_FIND_SECONDS_MAX", 0.0)
    monkeypatch.setattr(bad_batches, "_ANSWER_SECONDS_MAX", 0.1)
    finder = BadBatchFinder(client_properties("127.0.0.1:1"))
    tried: list[int] = []

    def give_up(_: object, start: TopicPartition, __: float) -> None:
        tried.append(start.partition)
        raise TimeoutError

    monkeypatch.setattr(finder, "_continue_search", give_up)
    reports: Any = [_Report("topic", KafkaError._BAD_COMPRESSION, number) for number in (0, 1, 1, 2)]
    calls = 0
    while len(tried) < 6:
        before = len(tried)
        assert finder.find_batches(reports) == []
        assert len(tried) - before <= 1
        calls += 1
    assert tried == [0, 1, 2, 0, 1, 2]
    assert calls > len(tried), "between two searches the caller has time for other records"


def test_without_an_answer_the_search_is_left_to_the_next_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.kafka.bad_batches._ANSWER_SECONDS_MAX", 0.2)
    finder = BadBatchFinder(client_properties("127.0.0.1:1"))
    report = _Report("topic", KafkaError._BAD_COMPRESSION)
    assert finder.find_batch(report) is None  # type: ignore[arg-type]


def test_a_reader_without_a_list_does_not_pass_over_a_batch_in_silence() -> None:
    batch, found = BadBatch("topic", 0, 7, 9, "_BAD_COMPRESSION"), list[UnreadableRecord]()
    add_bad_batches(found, [batch])
    assert [each.place for each in found] == ["topic[0]@7-9"]
    add_bad_batches(None, [])
    with pytest.raises(DecodeError, match=r"topic\[0\]@7-9"):
        add_bad_batches(None, [batch])
