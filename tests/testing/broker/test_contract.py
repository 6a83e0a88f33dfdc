"""What the bus needs from a broker, tested on both: known gaps of the embedded broker are marked."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.testing.broker import Broker

TIMEOUT_S = 90.0


@pytest.fixture
def topic(broker: Broker) -> str:
    name = f"contract.{uuid.uuid4()}"
    broker.create_topics([name], partitions=2)
    return name


def expect_gap(request: pytest.FixtureRequest, broker: Broker, reason: str) -> None:
    """Mark a known gap of the embedded broker. If the gap is closed one day, the test fails and the mark can go."""
    if broker.kind == "embedded":
        gap = pytest.mark.xfail(strict=True, reason=reason, raises=(AssertionError, pytest.fail.Exception))
        request.applymarker(gap)


def make_producer(broker: Broker, **config: Any) -> Producer:
    return Producer({"bootstrap.servers": broker.bootstrap, "partitioner": "murmur2_random"} | config)


def make_transactional(broker: Broker, transactional_id: str) -> Producer:
    producer = make_producer(broker, **{"transactional.id": transactional_id, "retry.backoff.ms": 2})
    producer.init_transactions(TIMEOUT_S)
    return producer


@contextlib.contextmanager
def subscribed(broker: Broker, topic: str, group: str, **config: Any) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 200,
        }
        | config
    )
    consumer.subscribe([topic])
    try:
        yield consumer
    finally:
        consumer.close()


def read(consumer: Consumer, count: int) -> list[Message]:
    """Read this number of messages, or fail."""
    messages: list[Message] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(messages) < count:
        assert time.monotonic() < deadline, f"{len(messages)} of {count} messages"
        for message in consumer.consume(count - len(messages), timeout=0.1):
            assert message.error() is None
            messages.append(message)
    return messages


def await_assignment(*consumers: Consumer, partitions: int) -> list[set[int]]:
    """Poll until the consumers have all partitions; return the partitions of each consumer."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        for consumer in consumers:
            consumer.poll(0.05)
        assigned = [{position.partition for position in consumer.assignment()} for consumer in consumers]
        if sum(map(len, assigned)) == partitions and all(assigned):
            return assigned
    raise AssertionError(f"not all partitions are assigned: {assigned}")


def test_topics_have_the_requested_partitions_and_creating_them_again_has_no_effect(broker: Broker, topic: str) -> None:
    broker.create_topics([topic], partitions=7)
    broker.create_topics([f"{topic}.default"])
    topics = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=TIMEOUT_S).topics
    assert len(topics[topic].partitions) == 2
    assert len(topics[f"{topic}.default"].partitions) == 4


def test_each_message_is_read_once_in_the_order_of_its_key_with_its_headers(broker: Broker, topic: str) -> None:
    producer = make_producer(broker, **{"enable.idempotence": True})
    for number in range(200):
        producer.produce(topic, str(number), key=f"key-{number % 7}", headers={"n": str(number)})
    assert producer.flush(TIMEOUT_S) == 0
    with subscribed(broker, topic, topic) as consumer:
        messages = read(consumer, 200)
    by_key: dict[bytes, list[int]] = {}
    for message in messages:
        by_key.setdefault(message.key() or b"", []).append(int(message.value() or b""))
        assert message.headers() == [("n", message.value())]
    assert by_key == {f"key-{remainder}".encode(): list(range(remainder, 200, 7)) for remainder in range(7)}


def test_a_group_resumes_after_its_committed_offset(broker: Broker, topic: str) -> None:
    producer = make_producer(broker)
    for number in range(10):
        producer.produce(topic, str(number), partition=0)
    assert producer.flush(TIMEOUT_S) == 0
    with subscribed(broker, topic, topic) as consumer:
        fourth = read(consumer, 4)[-1]
        consumer.commit(message=fourth, asynchronous=False)
    with subscribed(broker, topic, topic) as consumer:
        assert [message.value() for message in read(consumer, 6)] == [b"4", b"5", b"6", b"7", b"8", b"9"]


def test_the_messages_of_a_committed_transaction_are_visible(broker: Broker, topic: str) -> None:
    producer = make_transactional(broker, topic)
    producer.begin_transaction()
    for number in range(3):
        producer.produce(topic, str(number), partition=number % 2)
    producer.commit_transaction(TIMEOUT_S)
    with subscribed(broker, topic, topic) as consumer:
        assert {message.value() for message in read(consumer, 3)} == {b"0", b"1", b"2"}


def test_a_committed_transaction_moves_the_offsets_of_the_group(
    broker: Broker, topic: str, request: pytest.FixtureRequest
) -> None:
    expect_gap(request, broker, "librdkafka's mock cluster loses the offsets of a transaction")
    input_producer = make_producer(broker)
    for number in range(6):
        input_producer.produce(topic, str(number), partition=0)
    assert input_producer.flush(TIMEOUT_S) == 0
    producer = make_transactional(broker, topic)
    with subscribed(broker, topic, topic) as consumer:
        read(consumer, 3)
        producer.begin_transaction()
        producer.send_offsets_to_transaction(
            [TopicPartition(topic, 0, 3)], consumer.consumer_group_metadata(), TIMEOUT_S
        )
        producer.commit_transaction(TIMEOUT_S)
    with subscribed(broker, topic, topic) as consumer:
        assert [message.value() for message in read(consumer, 3)] == [b"3", b"4", b"5"]


def test_the_messages_of_an_aborted_transaction_are_not_visible(
    broker: Broker, topic: str, request: pytest.FixtureRequest
) -> None:
    expect_gap(request, broker, "librdkafka's mock cluster does not isolate aborted messages")
    producer = make_transactional(broker, topic)
    producer.begin_transaction()
    producer.produce(topic, "aborted", partition=0)
    assert producer.flush(TIMEOUT_S) == 0
    producer.abort_transaction(TIMEOUT_S)
    producer.begin_transaction()
    producer.produce(topic, "committed", partition=0)
    producer.commit_transaction(TIMEOUT_S)
    with subscribed(broker, topic, topic) as consumer:
        assert read(consumer, 1)[0].value() == b"committed"


def test_a_newer_producer_of_the_same_transactional_id_fences_the_older(
    broker: Broker, topic: str, request: pytest.FixtureRequest
) -> None:
    expect_gap(request, broker, "librdkafka's mock cluster lets zombies commit")
    zombie = make_transactional(broker, topic)
    zombie.begin_transaction()
    zombie.produce(topic, "zombie", partition=0)
    make_transactional(broker, topic)
    with pytest.raises(KafkaException) as raised:
        zombie.commit_transaction(TIMEOUT_S)
    assert raised.value.args[0].fatal()


def test_a_returning_static_member_gets_its_partitions_without_a_rebalance(
    broker: Broker, topic: str, request: pytest.FixtureRequest
) -> None:
    expect_gap(request, broker, "librdkafka's mock cluster rebalances, and waits out session timeouts")
    # Long, so that an absent member is not removed; short on the embedded broker, which waits this long.
    session_ms = 1500 if broker.kind == "embedded" else 30000
    revoked: list[TopicPartition] = []

    def member(name: str) -> contextlib.AbstractContextManager[Consumer]:
        return subscribed(broker, topic, topic, **{"group.instance.id": name, "session.timeout.ms": session_ms})

    with member("staying") as staying:
        staying.subscribe([topic], on_revoke=lambda _, partitions: revoked.extend(partitions))
        with member("returning") as first:
            before = await_assignment(first, staying, partitions=2)
        revoked.clear()
        with member("returning") as second:
            assert await_assignment(second, staying, partitions=2) == before
        assert not revoked
