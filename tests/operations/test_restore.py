"""Copies a State's topics to another cluster: its gate continues where it stopped, with only documented repetitions."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient

from sharing.clients.subscriber import Subscriber
from sharing.errors import InputError
from sharing.testing.broker import admin
from sharing.tools.topic_copy import TopicLocation, copy_topic, main
from sharing.topology.topics import INDICATORS, list_topics
from tests.kafka.compressed_batches import write_bomb
from tests.kafka.topic_io import SECONDS, committed_offset, plain_producer, read_records, write_records
from tests.operations.conftest import GROUP, PARTITIONS, SmokeTestBus

pytestmark = pytest.mark.kafka

INDICATORS_TOPIC = INDICATORS.topic("XA")
EXIT_INFRASTRUCTURE = 3


def copy_all(source: SmokeTestBus, target: SmokeTestBus) -> None:
    """Copy every topic of the test States and the directory, as docs/maintain.md describes."""
    for topic in list_topics(["XA", "XB"], PARTITIONS):
        arguments = ["--source", source.broker.bootstrap, "--target", target.broker.bootstrap, topic]
        assert main([*(["--group", GROUP] if topic == INDICATORS_TOPIC else []), *arguments]) == 0


def write_aborted_records(bus: SmokeTestBus, count: int) -> None:
    """Leave records of an aborted transaction in every partition of the indicator topic."""
    producer = plain_producer(bus.broker, **{"transactional.id": "aborted"})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    for number in range(PARTITIONS):
        for _ in range(count):
            producer.produce(INDICATORS_TOPIC, b"never committed", b"key", number)
    assert producer.flush(SECONDS) == 0
    producer.abort_transaction(SECONDS)


def test_a_restored_gate_loses_and_duplicates_nothing(bus: SmokeTestBus, spare_bus: SmokeTestBus) -> None:
    write_aborted_records(bus, 3)  # so that offsets differ on the copy
    decided = bus.publish(40)
    bus.run_gate_until("before", 40)
    waiting = bus.publish(20)  # these are not processed: the cluster is lost now
    copy_all(bus, spare_bus)
    assert spare_bus.count_decisions() == dict.fromkeys(decided, 1)
    assert (
        sum(committed_offset(spare_bus.broker, GROUP, INDICATORS_TOPIC, number) for number in range(PARTITIONS)) == 40
    )
    spare_bus.run_gate_until("after", 60)
    assert spare_bus.count_decisions() == dict.fromkeys([*decided, *waiting], 1)
    assert len(spare_bus.count_notices()) == spare_bus.count_notices().total() == 60
    # A restore without the group's offsets: the gate refuses to guess. It is told to process everything again, and no
    # State receives anything twice.
    spare_bus.delete_group(GROUP)
    with spare_bus.make_gate("without-offsets") as gate:
        assert gate.process is not None
        assert gate.process.wait(SECONDS) == EXIT_INFRASTRUCTURE
        assert "has no offset for national.xa.indicators[0] any more" in gate.log.read_text()
    spare_bus.set_offsets(GROUP, INDICATORS_TOPIC, 0)
    spare_bus.run_gate_until("told-to-repeat", 120)
    assert spare_bus.count_decisions() == dict.fromkeys([*decided, *waiting], 2)
    assert spare_bus.count_notices() == dict.fromkeys(spare_bus.count_notices(), 2)
    with Subscriber(spare_bus.broker.bootstrap, "XB", stop_at_end=True) as subscriber:
        assert len([notice.indicator_id for notice in subscriber]) == 60


def test_a_topic_can_only_be_copied_to_an_empty_topic(bus: SmokeTestBus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.publish(3)
    bus.broker.create_topics(["copy", "again"], PARTITIONS)
    source, target = (TopicLocation(bus.broker.bootstrap, topic) for topic in (INDICATORS_TOPIC, "copy"))
    copied = copy_topic(source, target)
    assert (copied.records, copied.offsets) == (3, {})
    with pytest.raises(InputError, match="is not empty"):
        copy_topic(source, target)
    arguments = ["--source", bus.broker.bootstrap, "--target", bus.broker.bootstrap]
    assert main([*arguments, f"{INDICATORS_TOPIC}=copy"]) == 2
    assert main([*arguments, "national.xa.nothing"]) == 3
    assert "national.xa.nothing" in capsys.readouterr().err
    assert main([*arguments, f"{INDICATORS_TOPIC}=again"]) == 0
    assert capsys.readouterr().out == "national.xa.indicators: 3 records\n"


def test_no_batch_of_a_copy_is_larger_than_the_topic_accepts(bus: SmokeTestBus) -> None:
    copy = INDICATORS.topic("XX")  # a State that is on no cluster
    bus.broker.create_topics(["many"], 1)
    admin.create_topics(bus.broker.bootstrap, [copy], 1, {"max.message.bytes": str(INDICATORS.max_message_bytes)})
    write_records(bus.broker, "many", [b"%d" % number + bytes(10_000) for number in range(100)])
    source, target = (TopicLocation(bus.broker.bootstrap, topic) for topic in ("many", copy))
    assert copy_topic(source, target).records == 100


def test_what_cannot_be_read_is_reported_and_the_rest_is_copied(
    bus: SmokeTestBus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.broker.create_topics(["bombed", "rescued"], 1)
    write_records(bus.broker, "bombed", [b"before"])
    write_bomb(bus.broker, "bombed", 40)
    write_records(bus.broker, "bombed", [b"after"])
    assert main(["--source", bus.broker.bootstrap, "--target", bus.broker.bootstrap, "bombed=rescued"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "bombed: 2 records\n"
    assert "not copied: bombed/0@1" in captured.err
    assert [message.value() for message in read_records(bus.broker, "rescued", 1)] == [b"before", b"after"]


def test_a_gate_does_not_start_on_a_topic_with_more_partitions(bus: SmokeTestBus) -> None:
    """Its state is kept by partition number: the versions of an item would be on two of them."""
    bus.publish(30)
    bus.run_gate_until("before", 30)
    late = bus.publish(1)
    bus.broker.create_topics(["moved"], 2 * PARTITIONS)
    source, target = TopicLocation(bus.broker.bootstrap, INDICATORS_TOPIC), TopicLocation(bus.broker.bootstrap, "moved")
    with pytest.raises(InputError, match=r"has not handled 1 records of national\.xa\.indicators"):
        copy_topic(source, target, GROUP)
    bus.run_gate_until("drained", 31)
    assert copy_topic(source, target, GROUP).records == 31
    client = AdminClient({"bootstrap.servers": bus.broker.bootstrap})
    client.delete_topics([INDICATORS_TOPIC])[INDICATORS_TOPIC].result(SECONDS)
    bus.await_topic_deletion(INDICATORS_TOPIC)
    bus.broker.create_topics([INDICATORS_TOPIC], 2 * PARTITIONS)
    with bus.make_gate("after") as gate:
        assert gate.process is not None
        assert gate.process.wait(SECONDS) == EXIT_INFRASTRUCTURE
        assert "both must exist with the same number of partitions" in gate.log.read_text()
    assert bus.count_decisions()[late[0]] == 1
