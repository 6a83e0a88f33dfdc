"""A State's topics on another cluster: its gate goes on where it stood, and what a restore may repeat is known."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient

from sharing._subscriber import Subscriber
from sharing.errors import InputError
from sharing.tools.topic_copy import LogPosition, copy_topic, main
from sharing.topology.topics import INDICATORS, topics_for
from tests.kafka.topic_io import SECONDS, committed, plain_producer
from tests.operations.conftest import GROUP, PARTITIONS, Bus

pytestmark = pytest.mark.kafka

INTAKE = INDICATORS.topic("XA")


def copy_all(source: Bus, target: Bus) -> None:
    """Copy every topic of the test States and the directory, as the page says."""
    for topic in topics_for(["XA", "XB"], PARTITIONS):
        arguments = ["--source", source.broker.bootstrap, "--target", target.broker.bootstrap, topic]
        assert main([*(["--group", GROUP] if topic == INTAKE else []), *arguments]) == 0


def abort(bus: Bus, count: int) -> None:
    """Leave records of an aborted transaction in each partition of the indicators' topic."""
    producer = plain_producer(bus.broker, **{"transactional.id": "aborted"})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    for number in range(PARTITIONS):
        for _ in range(count):
            producer.produce(INTAKE, b"never committed", b"key", number)
    assert producer.flush(SECONDS) == 0
    producer.abort_transaction(SECONDS)


def test_a_restored_gate_neither_loses_nor_doubles(bus: Bus, spare: Bus) -> None:
    abort(bus, 3)  # so that offsets are others on the copy
    handled = bus.publish(40)
    bus.decide("before", 40)
    waiting = bus.publish(20)  # nobody decides these: the cluster is lost now
    copy_all(bus, spare)
    assert spare.decisions() == dict.fromkeys(handled, 1)
    assert sum(committed(spare.broker, GROUP, INTAKE, number) for number in range(PARTITIONS)) == 40
    spare.decide("after", 60)
    assert spare.decisions() == dict.fromkeys([*handled, *waiting], 1)
    assert len(spare.notices()) == spare.notices().total() == 60
    # A restore that forgets the group's place: everything is decided again, and no State gets anything twice.
    spare.forget(GROUP)
    spare.decide("forgetful", 120)
    assert spare.decisions() == dict.fromkeys([*handled, *waiting], 2)
    assert spare.notices() == dict.fromkeys(spare.notices(), 2)
    with Subscriber(spare.broker.bootstrap, "XB", stop_at_end=True) as subscriber:
        assert len([notice.indicator_id for notice in subscriber]) == 60


def test_a_copy_goes_into_an_empty_topic_only(bus: Bus, capsys: pytest.CaptureFixture[str]) -> None:
    bus.publish(3)
    bus.broker.create_topics(["copy", "again"], PARTITIONS)
    here, there = (LogPosition(bus.broker.bootstrap, topic) for topic in (INTAKE, "copy"))
    copied = copy_topic(here, there)
    assert (copied.records, copied.offsets) == (3, {})
    with pytest.raises(InputError, match="is not empty"):
        copy_topic(here, there)
    arguments = ["--source", bus.broker.bootstrap, "--target", bus.broker.bootstrap]
    assert main([*arguments, f"{INTAKE}=copy"]) == 2
    assert main([*arguments, "national.xa.nothing"]) == 3
    assert "national.xa.nothing" in capsys.readouterr().err
    assert main([*arguments, f"{INTAKE}=again"]) == 0
    assert capsys.readouterr().out == "national.xa.indicators: 3 records\n"


def test_a_gates_topic_with_more_partitions(bus: Bus) -> None:
    """It is copied to a topic that has them, made anew, and copied back; the gate goes on at its end."""
    handled = bus.publish(30)
    bus.decide("before", 30)
    late = bus.publish(1)
    bus.broker.create_topics(["moved"], 2 * PARTITIONS)
    here, there = LogPosition(bus.broker.bootstrap, INTAKE), LogPosition(bus.broker.bootstrap, "moved")
    with pytest.raises(InputError, match=r"1 records of national\.xa\.indicators before it"):
        copy_topic(here, there, GROUP)
    bus.decide("drained", 31)
    assert copy_topic(here, there, GROUP).records == 31
    admin = AdminClient({"bootstrap.servers": bus.broker.bootstrap})
    admin.delete_topics([INTAKE])[INTAKE].result(30)
    bus.await_gone(INTAKE)
    bus.broker.create_topics([INTAKE], 2 * PARTITIONS)
    copied = copy_topic(there, here, GROUP)
    assert (copied.records, sum(copied.offsets.values()), len(copied.offsets)) == (31, 31, 2 * PARTITIONS)
    new = bus.publish(30)
    bus.decide("after", 61)
    assert bus.decisions() == dict.fromkeys([*handled, *late, *new], 1)
    assert bus.quarantined().total() == 0
