"""The guarantees of `Subscriber` when a handler is slow, or the network, the broker or the process fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection

import pytest
from confluent_kafka import KafkaError, TopicPartition

from sharing.clients.subscriber import Subscriber
from sharing.errors import InfrastructureError
from sharing.kafka import group_commits, group_consumer
from sharing.kafka.clients import make_consumer
from sharing.kafka.group_consumer import GroupConsumer
from sharing.kafka.polled_record import PolledRecord
from sharing.model.notice import Notice
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import NOTICES, URGENT
from tests.kafka.topic_io import (
    SECONDS,
    committed_offset,
    make_topics,
    notice_bytes,
    plain_producer,
    read_records,
    write_records,
)
from tests.support.never_joins import NeverJoins
from tests.support.waiting import wait_until


def read_values(subscriber: Subscriber) -> list[str]:
    return [notice.content["value"] for notice in subscriber]


def test_a_slow_handler_is_not_an_error(state: str, embedded: EmbeddedBroker) -> None:
    """The group revokes its partitions. The subscriber joins again, and delivers no notice twice."""
    make_topics(embedded, state)
    write_records(embedded, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    properties = {"session.timeout.ms": 1000, "heartbeat.interval.ms": 200, "max.poll.interval.ms": 1000}
    handled = []

    def handle(notice: Notice) -> None:
        handled.append(notice.content["value"])
        if len(handled) == 1:
            time.sleep(2.5)  # the test is about a handler that exceeds max.poll.interval.ms

    with Subscriber(embedded.bootstrap, state, stop_at_end=True, properties=properties) as subscriber:
        subscriber.run(handle)
    assert handled == ["0.example", "1.example", "2.example"]


@pytest.mark.parametrize("fails_at", [2, 5])
def test_a_network_failure_loses_and_repeats_no_notice(state: str, fails_at: int) -> None:
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        write_records(broker, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(5)])
        handled = []

        def handle(notice: Notice) -> None:
            handled.append(notice.content["value"])
            if len(handled) == fails_at:
                broker.interrupt()
                threading.Timer(1.0, broker.resume).start()

        properties = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 200}
        with Subscriber(broker.bootstrap, state, stop_at_end=True, properties=properties) as subscriber:
            subscriber.run(handle)
        assert handled == [f"{number}.example" for number in range(5)]
        # The last offset was committed too: the commit was retried until the network was back.
        assert committed_offset(broker, f"exchange.{state.lower()}.subscriber", NOTICES.topic(state)) == 5


def test_stop_at_end_fails_if_the_broker_delivers_nothing(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.clients.subscriber.SILENCE_SECONDS_MAX", 0.5)
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        subscriber = Subscriber(broker.bootstrap, state, stop_at_end=True)
        broker.interrupt()
        with pytest.raises(InfrastructureError, match="could not be read to their end"):
            read_values(subscriber)
        subscriber.close()


def test_an_offset_that_cannot_be_committed_is_an_error(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commits, "COMMIT_SECONDS_MAX", 0.5)
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        write_records(broker, NOTICES.topic(state), [notice_bytes(state)])
        with Subscriber(broker.bootstrap, state, stop_at_end=True) as subscriber:
            with pytest.raises(InfrastructureError, match="the last notices will be delivered again"):
                subscriber.run(lambda _: broker.interrupt())
            broker.resume()


def test_a_subscriber_without_an_assignment_joins_with_a_new_consumer(
    state: str, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topics(embedded, state)
    write_records(embedded, NOTICES.topic(state), [notice_bytes(state, "a.example")])
    with monkeypatch.context() as patch:
        patch.setattr(group_consumer, "make_consumer", lambda properties: NeverJoins(make_consumer(properties)))
        subscriber = Subscriber(embedded.bootstrap, state)
    with subscriber:
        consumers = subscriber._urgent, subscriber._ordinary
        stale = [consumer._consumer for consumer in consumers]
        assert [consumer.poll(0) for consumer in consumers] == [None, None]
        assert [consumer._consumer for consumer in consumers] == stale
        for consumer in consumers:
            consumer._unassigned_since -= consumer._rejoin_after_s
        assert next(iter(subscriber)).content["value"] == "a.example"
        assert not {id(consumer._consumer) for consumer in consumers} & {id(old) for old in stale}
        for consumer, old in zip(consumers, stale, strict=True):  # callbacks of a replaced consumer are ignored
            before = set(consumer._assigned)
            consumer._on_assign(old, [TopicPartition(consumer.topic, 99)])
            consumer._on_revoke(old, [TopicPartition(consumer.topic, partition) for partition in before])
            assert consumer._assigned == before


def test_a_commit_is_not_repeated_after_the_partition_moved_and_came_back_while_it_waited(
    state: str, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The member that had the partition in between has committed more."""
    monkeypatch.setattr(group_commits, "COMMIT_SECONDS_MAX", 30.0)
    topic = NOTICES.topic(state)
    make_topics(embedded, state, partitions=1)
    write_records(embedded, topic, [notice_bytes(state)])
    consumer = GroupConsumer(embedded.bootstrap, topic, f"group-{state}")
    records: list[PolledRecord] = []

    def is_read() -> bool:
        record = consumer.poll(0.1)
        records.extend([] if record is None else [record])
        return bool(records)

    wait_until(is_read, "the record is delivered", SECONDS)
    attempts = []

    def move_away_and_back(sent: Collection[PolledRecord]) -> None:
        (record,) = sent
        attempts.append(record.next_offset)
        position = TopicPartition(topic, record.partition, record.next_offset)
        consumer._on_revoke(consumer._consumer, [position])
        consumer._on_assign(consumer._consumer, [position])
        consumer._commits.take_outcome(KafkaError(KafkaError._TIMED_OUT), [position])

    monkeypatch.setattr(consumer, "send_commits", move_away_and_back)
    consumer.note_handled(records[0])
    consumer.settle_commits()
    consumer.close()
    assert attempts == [1]


@pytest.mark.kafka
def test_notices_of_an_aborted_transaction_are_not_delivered(kafka: KafkaBroker, state: str) -> None:
    make_topics(kafka, state)
    topic = NOTICES.topic(state)
    producer = plain_producer(kafka, **{"transactional.id": f"test-{state}"})
    producer.init_transactions(SECONDS)
    for value, commits in (
        ("0.example", True),
        ("aborted.example", False),
        ("1.example", True),
        ("end.example", False),
    ):
        producer.begin_transaction()
        producer.produce(topic, notice_bytes(state, value), b"key", 0)
        producer.flush(SECONDS)
        if commits:
            producer.commit_transaction(SECONDS)
        else:
            producer.abort_transaction(SECONDS)
    # The partition ends with an aborted notice and markers. Its end is detected nevertheless.
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert read_values(subscriber) == ["0.example", "1.example"]
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert read_values(subscriber) == []


@pytest.mark.kafka
def test_stop_at_end_does_not_wait_for_an_open_transaction(kafka: KafkaBroker, state: str) -> None:
    make_topics(kafka, state)
    topic = NOTICES.topic(state)
    write_records(kafka, topic, [notice_bytes(state, "0.example")])
    producer = plain_producer(kafka, **{"transactional.id": f"open-{state}"})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce(topic, notice_bytes(state, "open.example"), b"key", 0)
    producer.flush(SECONDS)
    write_records(kafka, topic, [notice_bytes(state, "behind.example")])
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert read_values(subscriber) == ["0.example"]
    producer.commit_transaction(SECONDS)
    wait_until(
        lambda: len(read_records(kafka, topic)) == 3, "all records are visible", SECONDS
    )  # a commit is visible a moment after its confirmation
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert read_values(subscriber) == ["open.example", "behind.example"]


@pytest.mark.kafka
def test_two_subscribers_of_one_group_share_the_notices(kafka: KafkaBroker, state: str) -> None:
    make_topics(kafka, state, partitions=2)
    received: list[list[str]] = [[], []]
    pair = [Subscriber(kafka.bootstrap, state) for _ in received]
    readers = [
        threading.Thread(
            target=subscriber.run, args=(lambda notice, values=values: values.append(notice.content["value"]),)
        )
        for subscriber, values in zip(pair, received, strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        wait_until(
            lambda: all(len(subscriber._ordinary._assigned) == 1 for subscriber in pair),
            "each subscriber has a partition",
            SECONDS,
        )
        for partition in range(2):
            notices = [notice_bytes(state, f"{partition}-{number}.example") for number in range(50)]
            write_records(kafka, NOTICES.topic(state), notices, partition=partition)
        wait_until(lambda: len(received[0]) + len(received[1]) >= 100, "all notices were received", SECONDS)
    finally:
        for subscriber in pair:
            subscriber.close()
        for reader in readers:
            reader.join(SECONDS)
    assert len(set(received[0]) | set(received[1])) == 100
    assert [len(values) for values in received] == [50, 50]


CHILD = """
import os, sys
from sharing.clients.subscriber import Subscriber
bootstrap, state, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Subscriber(bootstrap, state, properties={"session.timeout.ms": 6000}) as subscriber:
    for count, notice in enumerate(subscriber):
        print(notice.content["value"], flush=True)
        if count == limit:
            os.read(0, 1)  # blocks in the handler
"""


@pytest.mark.kafka
def test_a_process_killed_in_its_handler_skips_no_notice(kafka: KafkaBroker, state: str) -> None:
    make_topics(kafka, state, partitions=1)
    write_records(kafka, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(6)])
    arguments = [sys.executable, "-c", CHILD, kafka.bootstrap, state, "3"]
    child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        seen = [child.stdout.readline().strip() for _ in range(4)]
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=SECONDS)
    values = [f"{number}.example" for number in range(6)]
    assert seen == values[:4]
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        received = read_values(subscriber)
    assert len(received) >= 3  # more if the last commits were on their way
    assert received == values[-len(received) :]


@pytest.mark.kafka
def test_a_subscriber_waits_for_a_broker_that_restarts(restartable_kafka: KafkaBroker, state: str) -> None:
    make_topics(restartable_kafka, state)
    write_records(
        restartable_kafka, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(4)]
    )
    handled = []

    def handle(notice: Notice) -> None:
        handled.append(notice.content["value"])
        if len(handled) == 2:
            restartable_kafka.kill()
            threading.Thread(target=restartable_kafka.start).start()
        if len(handled) == 4:
            write_records(restartable_kafka, URGENT.topic(state), [notice_bytes(state, "after.example")])
        if len(handled) == 5:
            subscriber.close()

    subscriber = Subscriber(restartable_kafka.bootstrap, state)
    subscriber.run(handle)
    assert handled == [*(f"{number}.example" for number in range(4)), "after.example"]
    with Subscriber(restartable_kafka.bootstrap, state, stop_at_end=True) as again:
        repeated = read_values(again)
    # None but what was handled when the broker went: its commit was on its way, and the group may have rebalanced.
    assert repeated == handled[4 - len(repeated) : 4]
