"""A gate with its state store on the real broker: what was withdrawn stays withdrawn, also after a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import Batch, OutputRecord
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from sharing.audit.block import read_block, read_entry_id
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from tests.columnar.test_partitioner import find_partition
from tests.processors.exactly_once.copy_pipeline import PARTITIONS, TIMEOUT_S, CopyPipeline
from tests.processors.exactly_once.loop_fixtures import run_loop
from tests.processors.gate.gate_fixtures import DIRECTORY, LAW, NEVER_COLUMNAR, NOW_MS, Message, make_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka

FIRST = make_message(1)
WITHDRAWAL = make_message(1, action="WITHDRAW", version=3, reason="mistaken")


class GateOnKafka:
    """A gate on an input topic. It writes all outputs to one topic, each with the name of its topic as a header."""

    def __init__(self, broker: KafkaBroker, columnar_min: int) -> None:
        self.pipeline = CopyPipeline(broker)
        self.pipeline.create_changelog()
        self._columnar_min = columnar_min

    def send(self, *messages: Message, misplaced: bool = False) -> None:
        """Publish records, on the partition of their key or on another one."""
        producer = Producer({"bootstrap.servers": self.pipeline.broker.bootstrap})
        for message in messages:
            key = message.key() or b""
            partition = (find_partition(key, PARTITIONS) + misplaced) % PARTITIONS
            producer.produce(self.pipeline.source, message.value(), key, partition)
        assert producer.flush(TIMEOUT_S) == 0
        self.pipeline.sent += len(messages)

    def run(self) -> None:
        """Start a worker that knows nothing yet; stop it when it has processed all records."""
        gate = Gate(LAW, load_shipped_treaties(), columnar_min=self._columnar_min)

        def decide(batch: Batch) -> Iterator[OutputRecord]:
            assert batch.store_view is not None
            batch = replace(batch, now_ms=NOW_MS, partition_count=PARTITIONS)
            for output in decide_batch(gate, batch, DIRECTORY, BatchResult()):
                yield output._replace(topic=self.pipeline.target, headers=[("topic", output.topic)])

        remaining = self.pipeline.sent - self.pipeline.count_acknowledged(exact=True)
        assert run_loop(self.pipeline.loop_config(changelog_topic=self.pipeline.changelog), decide, remaining) is None

    def count_outputs(self) -> dict[str, int]:
        """Return the number of committed outputs by topic, after checking their partitions."""
        counts: dict[str, int] = {}
        for partition, key, value, headers in self.pipeline.read_committed(self.pipeline.target):
            topic = dict(headers)["topic"].decode()
            if not topic.endswith("quarantine"):
                # A draft's key is not that of its indicator, on whose partition it is.
                is_draft = topic.endswith("drafts")
                indicator = get_codec("draft").decode(value)["indicator_id"].encode() if is_draft else key
                indicators = [indicator]
                if topic.endswith("decisions"):
                    block = read_block(value)
                    indicators = [read_entry_id(entry, block.log).encode() for entry in block.entries]
                assert {partition} == {find_partition(each, PARTITIONS) for each in indicators}
            counts[topic] = counts.get(topic, 0) + (len(indicators) if topic.endswith("decisions") else 1)
        return counts

    def read_quarantine_causes(self) -> list[str]:
        """Return the causes of the quarantined records."""
        return [
            get_codec("quarantine").decode(value)["cause"]
            for _, _, value, headers in self.pipeline.read_committed(self.pipeline.target)
            if dict(headers)["topic"].endswith(b"quarantine")
        ]


@pytest.fixture(params=[1, NEVER_COLUMNAR], ids=["columnar", "record by record"])
def worker(kafka: KafkaBroker, request: pytest.FixtureRequest) -> GateOnKafka:
    return GateOnKafka(kafka, request.param)


def test_a_withdrawn_item_stays_withdrawn_after_a_restart(worker: GateOnKafka) -> None:
    others = [make_message(number) for number in range(10, 30)]
    worker.send(FIRST, *others)
    worker.run()
    worker.send(WITHDRAWAL)
    worker.run()
    before = worker.count_outputs()
    assert before["exchange.us.notices"] == 21
    worker.send(FIRST, make_message(1, action="SUPERSEDE", version=2), make_message(1, summary="other"))
    worker.run()
    assert worker.count_outputs() == {**before, "national.ch.decisions": before["national.ch.decisions"] + 3}
    worker.send(make_message(1, action="SUPERSEDE", version=4))
    worker.run()
    assert worker.count_outputs()["exchange.us.notices"] == 22


def test_conflicting_and_misplaced_records_are_quarantined(worker: GateOnKafka) -> None:
    worker.send(WITHDRAWAL)
    worker.run()
    worker.send(make_message(1, action="WITHDRAW", version=3, reason="another reason"))
    worker.send(FIRST, *(make_message(number) for number in range(10, 30)), misplaced=True)
    worker.run()
    assert sorted(worker.read_quarantine_causes()) == ["CONTENT_CONFLICT", *["WRONG_PARTITION"] * 21]
    assert set(worker.count_outputs()) == {"national.ch.decisions", "national.ch.drafts", "national.ch.quarantine"}
