"""A bus of the test States on real brokers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from sharing.clients.publisher import Publisher
from sharing.kafka.clients import look_up_topics
from sharing.kafka.directory_topic import announce_entry, parse_entries
from sharing.kafka.errors import error_code
from sharing.kafka.topic_admin import apply_topics
from sharing.model.indicator import Indicator
from sharing.serialization.codec import get_codec
from sharing.testing.broker import Broker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.samples import smoke_test_directory, smoke_test_packs
from sharing.testing.smoke_test import PROVIDER, make_test_item
from sharing.topology.topics import DECISIONS, INDICATORS, NOTICES, QUARANTINE, list_topics
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import committed_offset, read_records, write_records
from tests.support.audit_entries import list_entries
from tests.support.waiting import wait_until

PARTITIONS = 2
GROUP = "national.xa.gate"
PARTITION_BY_KEY = -1
TIMEOUT_S = 240.0
TEMPORARY_TOPICS = frozenset({"copy", "again", "moved"})
"""Additional topics that these tests create."""


class SmokeTestBus:
    """One cluster with the topics of the test States, on which gates of XA can be started."""

    def __init__(self, broker: Broker, folder: Path, partitions: int = PARTITIONS) -> None:
        self.broker = broker
        self.partitions = partitions
        self._folder = folder

    def set_up(self, *, announced: bool = True) -> None:
        """Create the topics, and announce both States."""
        apply_topics(self.broker.bootstrap, list_topics(["XA", "XB"], self.partitions), replication=1)
        for entry in parse_entries(smoke_test_directory().read_text(), "directory.yaml") if announced else []:
            announce_entry(self.broker.bootstrap, entry)

    def delete_topics(self) -> None:
        """Delete the topics of the test States, and wait until the gate's group has no offsets for them."""
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        present = look_up_topics(self.broker.bootstrap)
        topics = [name for name in present if name.split(".")[1:2] in (["xa"], ["xb"]) or name in TEMPORARY_TOPICS]
        if topics:
            for future in admin.delete_topics(topics).values():
                future.result(TIMEOUT_S)
        for topic in topics:
            self.await_topic_deletion(topic)
        deadline = time.monotonic() + TIMEOUT_S
        input_partitions = [(INDICATORS.topic(PROVIDER), number) for number in range(2 * PARTITIONS)]
        while any(committed_offset(self.broker, GROUP, *partition) >= 0 for partition in input_partitions):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def make_gate(self, name: str, **settings: Any) -> GateProcess:
        """Return a gate that has not been started."""
        return GateProcess(
            self.broker.bootstrap,
            PROVIDER,
            self._folder,
            name=name,
            packs=str(smoke_test_packs()),
            session_timeout_ms="6000",
            **settings,
        )

    def publish(self, count: int) -> list[str]:
        """Publish indicators; return their ids."""
        with Publisher(self.broker.bootstrap, PROVIDER, "smoke-test") as publisher:
            return [publisher.publish(make_test_item()) for _ in range(count)]

    def write_record(self, indicator_id: str, record: bytes) -> tuple[str, bytes]:
        """Write an encoded record to the indicator topic; return its arguments."""
        write_records(
            self.broker, INDICATORS.topic(PROVIDER), [record], key=indicator_id.encode(), partition=PARTITION_BY_KEY
        )
        return indicator_id, record

    def count_decisions(self) -> Counter[str]:
        """Return the number of decisions by indicator id."""
        records = read_records(self.broker, DECISIONS.topic(PROVIDER), self._partition_count(DECISIONS.topic(PROVIDER)))
        return Counter(str(decision["indicator_id"]) for decision in list_entries(records))

    def count_notices(self) -> Counter[str]:
        """Return the number of notices on XB's topic by notice id."""
        records = read_records(self.broker, NOTICES.topic("XB"), self._partition_count(NOTICES.topic("XB")))
        return Counter(str(get_codec("notice").decode(message.value())["id"]) for message in records)

    def count_quarantined(self) -> Counter[str]:
        """Return the number of quarantined records by cause."""
        records = read_records(
            self.broker, QUARANTINE.topic(PROVIDER), self._partition_count(QUARANTINE.topic(PROVIDER))
        )
        return Counter(str(get_codec("quarantine").decode(message.value())["cause"]) for message in records)

    def run_gate_until(self, name: str, total: int) -> None:
        """Run a gate until the topic has the given total of decisions, and stop it with SIGTERM.

        What it has committed can then be read on all topics.
        """
        with self.make_gate(name) as gate:
            gate.wait_until(lambda: self.count_decisions().total() >= total, TIMEOUT_S, 0.3)
            assert gate.stop() == 0, gate.read_log_tail()
        for topic, properties in list_topics(["XA", "XB"], self.partitions).items():
            read_records(self.broker, topic, properties.partitions)  # the markers of a commit follow its answer

    def set_offsets(self, group: str, topic: str, offset: int) -> None:
        """Set the group's offset of each partition, as `kafka-consumer-groups.sh --reset-offsets` does."""
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        positions = [TopicPartition(topic, number, offset) for number in range(self._partition_count(topic))]
        request = ConsumerGroupTopicPartitions(group, positions)

        def is_set() -> bool:
            future = admin.alter_consumer_group_offsets([request])[group]
            if future.exception(TIMEOUT_S) is not None:
                return False
            return all(position.error is None for position in future.result().topic_partitions)

        wait_until(is_set, f"the offsets of group {group} are set", TIMEOUT_S)

    def delete_group(self, group: str) -> None:
        """Delete a consumer group, as soon as the session of its last worker has expired."""
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                admin.delete_consumer_groups([group])[group].result(TIMEOUT_S)
            except KafkaException as error:
                if error_code(error) != KafkaError.NON_EMPTY_GROUP or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def await_topic_deletion(self, topic: str) -> None:
        """Wait until a deleted topic no longer exists on the broker."""
        deadline = time.monotonic() + TIMEOUT_S
        while topic in look_up_topics(self.broker.bootstrap):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _partition_count(self, topic: str) -> int:
        return list_topics(["XA", "XB"], self.partitions)[topic].partitions


def to_record(item: dict[str, Any]) -> dict[str, Any]:
    """Return an indicator in JSON form as a record of the indicator schema."""
    source = {"state": PROVIDER, "agency": "smoke-test", **item["source"]}
    return Indicator.parse({**item, "source": source}).to_record()


@pytest.fixture
def bus(kafka: KafkaBroker, tmp_path: Path) -> Iterator[SmokeTestBus]:
    """A bus without indicators, on the suite's broker, where no other test uses the test States' topics."""
    clean_bus = SmokeTestBus(kafka, tmp_path)
    clean_bus.delete_topics()
    clean_bus.set_up()
    yield clean_bus
    clean_bus.delete_topics()


@pytest.fixture
def spare_bus(bus: SmokeTestBus, tmp_path: Path) -> Iterator[SmokeTestBus]:
    """A second cluster with empty topics, the directory included."""
    with KafkaBroker(tmp_path / "spare") as broker:
        second_bus = SmokeTestBus(broker, tmp_path)
        second_bus.set_up(announced=False)
        yield second_bus
