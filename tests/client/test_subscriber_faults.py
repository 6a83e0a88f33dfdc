"""What a partner State can rely on when something fails: a slow handler, a network, a broker, a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from confluent_kafka import TopicPartition

from sharing._subscriber import Subscriber
from sharing.errors import InfrastructureError
from sharing.kafka import feed
from sharing.kafka.clients import make_consumer
from sharing.model.notice import Notice
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import NOTICES, URGENT
from tests.kafka.topic_io import (
    SECONDS,
    committed,
    make_topics,
    notice_bytes,
    plain_producer,
    read,
    write,
)
from tests.support.never_joins import NeverJoins
from tests.support.waiting import wait_until


def values(subscriber: Subscriber) -> list[str]:
    return [notice.content["value"] for notice in subscriber]


def test_a_slow_handler_is_no_failure(state: str, embedded: EmbeddedBroker) -> None:
    """The group gives the partitions to others; the subscriber joins again, and hands nothing out twice."""
    make_topics(embedded, state)
    write(embedded, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(3)])
    properties = {"session.timeout.ms": 1000, "heartbeat.interval.ms": 200, "max.poll.interval.ms": 1000}
    handled = []

    def handle(notice: Notice) -> None:
        handled.append(notice.content["value"])
        if len(handled) == 1:
            time.sleep(2.5)  # longer than max.poll.interval.ms: that is what is tested

    with Subscriber(embedded.bootstrap, state, stop_at_end=True, properties=properties) as subscriber:
        subscriber.run(handle)
    assert handled == ["0.example", "1.example", "2.example"]


@pytest.mark.parametrize("fails_at", [2, 5])
def test_the_network_may_fail_in_the_middle(state: str, fails_at: int) -> None:
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        write(broker, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(5)])
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
        # Also the last one's position was committed: it was tried until the network was back.
        assert committed(broker, f"exchange.{state.lower()}.subscriber", NOTICES.topic(state)) == 5


def test_silence_ends_a_read_to_the_end(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing._subscriber.SILENCE_SECONDS_MAX", 0.5)
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        subscriber = Subscriber(broker.bootstrap, state, stop_at_end=True)
        broker.interrupt()
        with pytest.raises(InfrastructureError, match="could not be read to their end"):
            values(subscriber)
        subscriber.close()


def test_a_position_that_cannot_be_committed_is_an_error(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "COMMIT_SECONDS_MAX", 0.5)
    with EmbeddedBroker() as broker:
        make_topics(broker, state)
        write(broker, NOTICES.topic(state), [notice_bytes(state)])
        with Subscriber(broker.bootstrap, state, stop_at_end=True) as subscriber:
            with pytest.raises(InfrastructureError, match="the last notice will come again"):
                subscriber.run(lambda _: broker.interrupt())
            broker.resume()


def test_a_subscriber_that_its_group_does_not_hear_joins_anew(
    state: str, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_topics(embedded, state)
    write(embedded, NOTICES.topic(state), [notice_bytes(state, "a.example")])
    with monkeypatch.context() as patch:
        patch.setattr(feed, "make_consumer", lambda properties: NeverJoins(make_consumer(properties)))
        subscriber = Subscriber(embedded.bootstrap, state)
    with subscriber:
        feeds = subscriber._urgent, subscriber._ordinary
        deaf = [each._consumer for each in feeds]
        assert [each.poll(0) for each in feeds] == [None, None]
        assert [each._consumer for each in feeds] == deaf
        for each in feeds:
            each._alone_since -= each._patience_s
        assert next(iter(subscriber)).content["value"] == "a.example"
        assert not {id(each._consumer) for each in feeds} & {id(each) for each in deaf}
        for each, old in zip(feeds, deaf, strict=True):  # what it still says is of no one
            before = set(each._assigned)
            each._on_assign(old, [TopicPartition(each.topic, 99)])
            each._on_revoke(old, [TopicPartition(each.topic, partition) for partition in before])
            assert each._assigned == before


@pytest.mark.kafka
def test_an_aborted_transaction_is_invisible(kafka: KafkaBroker, state: str) -> None:
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
    # The last records of the partition are an aborted notice and markers: the end is found all the same.
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert values(subscriber) == ["0.example", "1.example"]
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert values(subscriber) == []


@pytest.mark.kafka
def test_an_open_transaction_is_not_waited_for(kafka: KafkaBroker, state: str) -> None:
    make_topics(kafka, state)
    topic = NOTICES.topic(state)
    write(kafka, topic, [notice_bytes(state, "0.example")])
    producer = plain_producer(kafka, **{"transactional.id": f"open-{state}"})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce(topic, notice_bytes(state, "open.example"), b"key", 0)
    producer.flush(SECONDS)
    write(kafka, topic, [notice_bytes(state, "behind.example")])
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert values(subscriber) == ["0.example"]
    producer.commit_transaction(SECONDS)
    wait_until(
        lambda: len(read(kafka, topic)) == 3, "all are shown", SECONDS
    )  # a commit shows a moment after its answer
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert values(subscriber) == ["open.example", "behind.example"]


@pytest.mark.kafka
def test_two_of_one_group_share(kafka: KafkaBroker, state: str) -> None:
    make_topics(kafka, state, partitions=2)
    found: list[list[str]] = [[], []]
    pair = [Subscriber(kafka.bootstrap, state) for _ in found]
    readers = [
        threading.Thread(target=one.run, args=(lambda notice, own=own: own.append(notice.content["value"]),))
        for one, own in zip(pair, found, strict=True)
    ]
    for reader in readers:
        reader.start()
    try:
        wait_until(lambda: all(len(one._ordinary._assigned) == 1 for one in pair), "each has a partition", SECONDS)
        for partition in range(2):
            notices = [notice_bytes(state, f"{partition}-{number}.example") for number in range(50)]
            write(kafka, NOTICES.topic(state), notices, partition=partition)
        wait_until(lambda: len(found[0]) + len(found[1]) >= 100, "all are found", SECONDS)
    finally:
        for one in pair:
            one.close()
        for reader in readers:
            reader.join(SECONDS)
    assert len(set(found[0]) | set(found[1])) == 100
    assert [len(own) for own in found] == [50, 50]


CHILD = """
import os, sys
from sharing._subscriber import Subscriber
bootstrap, state, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Subscriber(bootstrap, state, properties={"session.timeout.ms": 6000}) as subscriber:
    for count, notice in enumerate(subscriber):
        print(notice.content["value"], flush=True)
        if count == limit:
            os.read(0, 1)  # in the handler, for ever
"""


@pytest.mark.kafka
def test_a_process_killed_in_its_handler_skips_nothing(kafka: KafkaBroker, state: str) -> None:
    make_topics(kafka, state, partitions=1)
    write(kafka, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(6)])
    arguments = [sys.executable, "-c", CHILD, kafka.bootstrap, state, "3"]
    child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        seen = [child.stdout.readline().strip() for _ in range(4)]
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate(timeout=SECONDS)
    assert seen == [f"{number}.example" for number in range(4)]
    with Subscriber(kafka.bootstrap, state, stop_at_end=True) as subscriber:
        assert values(subscriber) == ["3.example", "4.example", "5.example"]


@pytest.mark.kafka
def test_a_broker_that_dies_and_comes_back_is_waited_for(mortal: KafkaBroker, state: str) -> None:
    make_topics(mortal, state)
    write(mortal, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(4)])
    handled = []

    def handle(notice: Notice) -> None:
        handled.append(notice.content["value"])
        if len(handled) == 2:
            mortal.kill()
            threading.Thread(target=mortal.start).start()
        if len(handled) == 4:
            write(mortal, URGENT.topic(state), [notice_bytes(state, "after.example")])
        if len(handled) == 5:
            subscriber.close()

    subscriber = Subscriber(mortal.bootstrap, state)
    subscriber.run(handle)
    assert handled == [*(f"{number}.example" for number in range(4)), "after.example"]
    with Subscriber(mortal.bootstrap, state, stop_at_end=True) as again:
        assert values(again) == []
