"""Writing a State's indicators again: byte for byte, exactly once over a killed run, and never its own copies."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Message, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka import topic_range
from sharing.kafka.resend_positions import ResendPosition
from sharing.kafka.resending import Resending
from sharing.topology.topic_kinds import FOREIGN_BATCH_BYTES_MAX
from sharing.topology.topics import INDICATORS
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.topic_io import SECONDS, make_topics, plain_producer, read_records, write_records
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

RECORDS, BATCH = 60, 10
HEADERS: list[tuple[str, str | bytes | None]] = [("ce_id", b"id/1"), ("traceparent", b"\x00\xff"), ("empty", None)]

KILLED_RUN = """
import os, signal, sys
from sharing.kafka import resending, topic_range
topic_range._BATCH = 10
bootstrap, state, since, remaining = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
produce = resending._produce

def produce_or_die(producer, topic, message):
    global remaining
    if remaining == 0:
        producer.flush(10)  # the records of the open transaction are on the topic
        os.kill(os.getpid(), signal.SIGKILL)
    remaining -= 1
    return produce(producer, topic, message)

resending._produce = produce_or_die
run = resending.Resending(bootstrap, state, since)
run.begin()
run.write_again(lambda value: False, lambda done: None)
"""


def take_copy(message: Message) -> tuple[Any, ...]:
    return message.partition(), message.key(), message.value(), tuple(message.headers() or ())


def keep_all(_: bytes) -> bool:
    return False


def ignore(_: int) -> None:
    pass


def read_broker_time(message: Message) -> int:
    return int(message.timestamp()[1])


def let_the_clock_advance() -> None:
    """Return when a record that is written now has a later time than those before."""
    before = time.time()
    wait_until(lambda: time.time() > before + 0.002, "the next millisecond but one")


@pytest.fixture
def topic(kafka: KafkaBroker, state: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The topic of a State, with records on two partitions that arrived before the range, and in it."""
    monkeypatch.setattr(topic_range, "_BATCH", BATCH)
    make_topics(kafka, state)
    name = INDICATORS.topic(state)
    write_records(kafka, name, [b"too early"])
    let_the_clock_advance()
    producer = plain_producer(kafka)
    for number in range(RECORDS):
        producer.produce(name, b"value %d" % number, b"key %d" % number, number % 2, headers=HEADERS)
    assert producer.flush(SECONDS) == 0
    return name


@pytest.fixture
def since_ms(kafka: KafkaBroker, topic: str) -> int:
    times = [read_broker_time(message) for message in read_records(kafka, topic) if message.value() != b"too early"]
    return min(times)


@pytest.fixture
def open_run(kafka: KafkaBroker, state: str, since_ms: int) -> Iterator[Callable[..., Resending]]:
    runs = []

    def open_one(until_ms: int | None = None) -> Resending:
        runs.append(Resending(kafka.bootstrap, state, since_ms, until_ms))
        return runs[-1]

    yield open_one
    for run in runs:
        run.close()


def count_copies(kafka: KafkaBroker, topic: str) -> Counter[int]:
    """Return how often the records of the range are there, as a histogram: 2 means once and written again once."""
    copies = Counter(take_copy(message) for message in read_records(kafka, topic) if message.value() != b"too early")
    assert len(copies) == RECORDS, "keys, values, headers and partitions are the same"
    return Counter(copies.values())


def test_a_range_is_written_again_byte_for_byte_and_only_once(
    kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending]
) -> None:
    run = open_run()
    run.begin()
    assert (run.is_continued, run.total) == (False, RECORDS)
    progress: list[int] = []
    counts = run.write_again(keep_all, progress.append)
    assert counts.written == {topic: RECORDS}
    assert (progress[-1], len(progress) >= RECORDS / BATCH) == (RECORDS, True)
    assert count_copies(kafka, topic) == {2: RECORDS}
    again = open_run()
    again.begin()
    assert (again.is_continued, again.total) == (True, 0)
    assert not again.write_again(keep_all, ignore).written
    assert count_copies(kafka, topic) == {2: RECORDS}


def test_what_arrives_after_the_beginning_is_not_written_again(
    kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending]
) -> None:
    run = open_run()
    run.begin()
    write_records(kafka, topic, [b"later"])
    assert run.write_again(keep_all, ignore).written == {topic: RECORDS}
    values = Counter(message.value() for message in read_records(kafka, topic))
    assert (values[b"later"], values[b"too early"], values[b"value 0"]) == (1, 1, 2)


@pytest.mark.parametrize("killed_after", [0, 25])
def test_a_killed_run_is_continued_exactly_once(
    kafka: KafkaBroker,
    state: str,
    topic: str,
    since_ms: int,
    open_run: Callable[..., Resending],
    killed_after: int,
) -> None:
    """It dies with the records of an open transaction on the topic: 5 of them after two or more committed batches."""
    program = [sys.executable, "-c", KILLED_RUN, kafka.bootstrap, state, str(since_ms), str(killed_after)]
    killed = subprocess.run(program, check=False, timeout=120, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed
    write_records(kafka, topic, [b"too early"])  # behind the open transaction: it must not become part of the range
    run = open_run()
    run.begin()
    assert run.is_continued
    written = run.write_again(keep_all, ignore).written[topic]
    assert RECORDS - killed_after <= written <= RECORDS
    assert (written < RECORDS) == (killed_after > BATCH)
    assert count_copies(kafka, topic) == {2: RECORDS}


def test_a_later_run_takes_the_place_of_one_that_still_runs(
    kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending]
) -> None:
    first, second = open_run(), open_run()
    first.begin()
    second.begin()
    with pytest.raises(InfrastructureError, match="another run of this command"):
        first.write_again(keep_all, ignore)
    assert second.write_again(keep_all, ignore).written == {topic: RECORDS}
    assert count_copies(kafka, topic) == {2: RECORDS}


def test_a_dry_run_writes_and_keeps_nothing(kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending]) -> None:
    run = open_run()
    run.begin(dry_run=True)
    assert run.write_again(keep_all, ignore).written == {topic: RECORDS}
    assert count_copies(kafka, topic) == {1: RECORDS}
    following = open_run()
    following.begin()
    assert (following.is_continued, following.total) == (False, RECORDS)


def test_what_nobody_can_open_is_counted_and_left_out(
    kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending]
) -> None:
    run = open_run()
    run.begin()
    counts = run.write_again(lambda value: value.endswith(b"7"), ignore)
    assert (counts.written, counts.lost) == ({topic: RECORDS - 6}, {topic: 6})
    assert count_copies(kafka, topic) == {2: RECORDS - 6, 1: 6}


def test_what_the_gate_has_quarantined_unread_does_not_stop_the_run(
    kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending]
) -> None:
    """A record that is too large, and a batch that inflates to more than any client accepts."""
    large = plain_producer(kafka)
    large.produce(topic, bytes(FOREIGN_BATCH_BYTES_MAX + 1), b"large", 0)
    assert large.flush(SECONDS) == 0
    write_records(kafka, topic, [b"behind"])
    write_bomb(kafka, topic, 40, partition=1)
    run = open_run()
    run.begin()
    counts = run.write_again(keep_all, ignore)
    assert (counts.written, counts.oversized, counts.unreadable) == ({topic: RECORDS + 1}, 1, 1)
    again = open_run()
    again.begin()
    assert again.total == 0
    on_partition_0 = Counter(message.key() for message in read_records(kafka, topic, 1))
    assert (on_partition_0[b"large"], on_partition_0[b"key 0"]) == (1, 2)


def test_until_ends_the_range(kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending]) -> None:
    let_the_clock_advance()
    write_records(kafka, topic, [b"later"])
    (later,) = (message for message in read_records(kafka, topic) if message.value() == b"later")
    run = open_run(read_broker_time(later))
    run.begin()
    assert run.write_again(keep_all, ignore).written == {topic: RECORDS}
    run = open_run(read_broker_time(later) + 1)
    run.begin()
    assert run.write_again(keep_all, ignore).written == {topic: RECORDS + 1}, "the copies came later still"


def test_a_topic_that_was_created_again_is_not_continued(
    kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_run().begin()
    monkeypatch.setattr("sharing.kafka.resend_positions.query_topic_ids", lambda *_: {topic: "another-id"})
    with pytest.raises(InfrastructureError, match="deleted and created again"):
        open_run().begin()


def test_offsets_of_another_program_are_not_taken_for_positions(
    kafka: KafkaBroker, topic: str, open_run: Callable[..., Resending]
) -> None:
    run = open_run()
    commit_offset(run, ResendPosition(topic, 0, 0, 5, "").to_commit(3))
    run.begin()
    assert run.total == 2
    commit_offset(run, TopicPartition(topic, 0, 3, metadata="something else"))
    with pytest.raises(InfrastructureError, match="another program"):
        open_run().begin()


def commit_offset(run: Resending, position: TopicPartition) -> None:
    run._consumer.commit(offsets=[position], asynchronous=False)


def test_a_state_without_topics_is_told_how_to_create_them(kafka: KafkaBroker) -> None:
    with pytest.raises(InfrastructureError, match="sharing topics apply --states MT"):
        Resending(kafka.bootstrap, "MT", 0)
