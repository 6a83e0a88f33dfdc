"""A bus of the test States on real brokers, with traffic."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from sharing._publisher import Publisher
from sharing.kafka.clients import error_code, look_up_topics
from sharing.kafka.directory_topic import announce, read_entries
from sharing.kafka.topic_admin import apply_topics
from sharing.model.indicator import Indicator
from sharing.serialization.codec import codec_of
from sharing.testing.broker import Broker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.samples import smoke_directory, smoke_packs
from sharing.testing.smoke_test import PROVIDER, marked_item
from sharing.topology.topics import DECISIONS, INDICATORS, NOTICES, QUARANTINE, topics_for
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import committed, read, write

PARTITIONS = 2
GROUP = "national.xa.gate"
LIMIT_S = 90.0
SCRATCH = frozenset({"copy", "again", "moved"})
"""Topics that tests here make besides."""


class Bus:
    """One cluster with the topics of the test States, and a gate of XA that can be started there."""

    def __init__(self, broker: Broker, folder: Path, partitions: int = PARTITIONS) -> None:
        self.broker = broker
        self.partitions = partitions
        self._folder = folder

    def lay_out(self, *, announced: bool = True) -> None:
        """Make the topics, and announce both States."""
        apply_topics(self.broker.bootstrap, topics_for(["XA", "XB"], self.partitions), replication=1)
        for entry in read_entries(smoke_directory().read_text(), "directory.yaml") if announced else []:
            announce(self.broker.bootstrap, entry)

    def clear(self) -> None:
        """Delete the topics of the test States, and wait until the gate's group has forgotten its place on them."""
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        present = look_up_topics(self.broker.bootstrap)
        topics = [name for name in present if name.split(".")[1:2] in (["xa"], ["xb"]) or name in SCRATCH]
        if topics:
            for future in admin.delete_topics(topics).values():
                future.result(30)
        for topic in topics:
            self.await_gone(topic)
        deadline = time.monotonic() + LIMIT_S
        places = [(INDICATORS.topic(PROVIDER), number) for number in range(2 * PARTITIONS)]
        while any(committed(self.broker, GROUP, *place) >= 0 for place in places):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def gate(self, name: str, **more: Any) -> GateProcess:
        """Return a gate that is not started yet."""
        return GateProcess(
            self.broker.bootstrap,
            PROVIDER,
            self._folder,
            name=name,
            packs=str(smoke_packs()),
            session_timeout_ms="6000",
            **more,
        )

    def publish(self, count: int) -> list[str]:
        """Publish items; return their ids."""
        with Publisher(self.broker.bootstrap, PROVIDER, "smoke-test") as publisher:
            return [publisher.publish(marked_item()) for _ in range(count)]

    def write(self, identity: str, record: bytes) -> tuple[str, bytes]:
        """Write a record to the topic of indicators as it is; return it."""
        write(self.broker, INDICATORS.topic(PROVIDER), [record], key=identity.encode())
        return identity, record

    def decisions(self) -> Counter[str]:
        """Return how often each item was decided."""
        records = read(self.broker, DECISIONS.topic(PROVIDER), self._count(DECISIONS.topic(PROVIDER)))
        return Counter(str(codec_of("decision").decode(message.value())["indicator_id"]) for message in records)

    def notices(self) -> Counter[str]:
        """Return how often each notice stands on XB's topic, by its id."""
        records = read(self.broker, NOTICES.topic("XB"), self._count(NOTICES.topic("XB")))
        return Counter(str(codec_of("notice").decode(message.value())["id"]) for message in records)

    def quarantined(self) -> Counter[str]:
        """Return how many records were quarantined, by cause."""
        records = read(self.broker, QUARANTINE.topic(PROVIDER), self._count(QUARANTINE.topic(PROVIDER)))
        return Counter(str(codec_of("quarantine").decode(message.value())["cause"]) for message in records)

    def decide(self, name: str, total: int) -> None:
        """Run a gate until so many decisions stand there, and end it as its supervisor would."""
        with self.gate(name) as gate:
            gate.wait_until(lambda: self.decisions().total() >= total, LIMIT_S, 0.3)
            assert gate.stop() == 0, gate.text()

    def forget(self, group: str) -> None:
        """Delete a group, as soon as its last worker's session has ended."""
        admin = AdminClient({"bootstrap.servers": self.broker.bootstrap})
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                admin.delete_consumer_groups([group])[group].result(30)
            except KafkaException as error:
                if error_code(error) != KafkaError.NON_EMPTY_GROUP or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def await_gone(self, topic: str) -> None:
        """Wait until the broker has forgotten a topic that was deleted."""
        deadline = time.monotonic() + LIMIT_S
        while topic in look_up_topics(self.broker.bootstrap):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _count(self, topic: str) -> int:
        return topics_for(["XA", "XB"], self.partitions)[topic].partitions


def wire(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item in JSON form as the record of its schema."""
    source = {"state": PROVIDER, "agency": "smoke-test", **item["source"]}
    return Indicator.read({**item, "source": source}).to_wire()


@pytest.fixture
def bus(kafka: KafkaBroker, tmp_path: Path) -> Iterator[Bus]:
    """A bus with nothing published: the suite's broker, on which nobody else has the test States' topics."""
    found = Bus(kafka, tmp_path)
    found.clear()
    found.lay_out()
    yield found
    found.clear()


@pytest.fixture
def spare(bus: Bus, tmp_path: Path) -> Iterator[Bus]:
    """Another cluster, with topics and nothing on them, not even a directory."""
    with KafkaBroker(tmp_path / "spare") as broker:
        found = Bus(broker, tmp_path)
        found.lay_out(announced=False)
        yield found
