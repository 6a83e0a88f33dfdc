"""A worker never reads again what it knows to be committed, whatever the broker says of the group's offsets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once.committed_positions import CommittedPositions
from processors.exactly_once.producer import TransactionalProducer
from sharing.kafka.topic_ids import format_offset_metadata
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import make_copier, run_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.exactly_once.batch import Batch, OutputRecord
    from sharing.testing.broker.kafka import KafkaBroker


def position(partition: int, offset: int, metadata: str = "") -> TopicPartition:
    return TopicPartition("in", partition, offset, metadata)


def test_only_an_older_offset_is_corrected(caplog: pytest.LogCaptureFixture) -> None:
    known = CommittedPositions()
    known.record([position(0, 500, "id"), position(1, 300, "id"), position(2, 7, "id")])
    known.record([position(0, 600, "id2")])
    reported = [position(0, 500, "id"), position(1, 301), position(2, -1001), position(3, 5)]
    known.correct(reported)
    assert [(each.offset, each.metadata) for each in reported] == [(600, "id2"), (301, ""), (7, "id"), (5, "")]
    assert caplog.text.count("as committed, but") == 2
    known.forget()
    again = [position(0, 1)]
    known.correct(again)
    assert again[0].offset == 1


def test_what_is_known_follows_where_reading_begins() -> None:
    """Another worker has read on, a topic was created again, a person has set an offset."""
    mine, new, known = format_offset_metadata("id"), format_offset_metadata("new"), CommittedPositions()
    known.record([position(number, 10, mine) for number in range(4)])
    known.follow([position(0, 50, mine), position(1, 0, mine), position(2, 20), position(4, 5, mine)], {"in": "id"})
    found = {number: known.find_any([("in", number)]) for number in range(5)}
    assert {number: each.offset for number, each in found.items() if each} == {0: 50, 1: 0, 3: 10}
    known.follow([position(0, 0, mine), position(3, 4, new)], {"in": "new"})
    assert known.find_any([("in", 0)]) is None
    assert known.find_any([("in", 3)]) == position(3, 4, new)


def test_an_offset_of_another_topic_is_not_higher() -> None:
    known = CommittedPositions()
    known.record([position(0, 100, format_offset_metadata("old"))])
    reported = [position(0, 5, format_offset_metadata("new"))]
    known.correct(reported)
    assert reported[0].offset == 5


@pytest.mark.kafka
def test_a_committed_batch_is_not_processed_again_if_the_broker_reports_older_offsets(
    kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As seen after a restart of the broker, when the next transaction could not begin."""
    pipeline = CopyPipeline(kafka)
    pipeline.send_records(2_000)
    query, begin = consumer_module._query_offsets, TransactionalProducer.begin_transaction
    copy, batches, begun = make_copier(pipeline), 0, 0

    def handle(batch: Batch) -> Iterator[OutputRecord]:
        nonlocal batches
        batches += 1
        yield from copy(batch)

    def fail_once(self: TransactionalProducer, *arguments: Any) -> None:
        nonlocal begun
        begun += 1
        if begun == 6:
            raise KafkaException(KafkaError(KafkaError.NOT_COORDINATOR, "as after a restart"))
        begin(self, *arguments)

    def report_older(*arguments: Any) -> list[TopicPartition]:
        positions = query(*arguments)
        for each in positions:
            each.offset = each.offset - 30 if each.offset >= 30 else each.offset
        return positions

    monkeypatch.setattr(TransactionalProducer, "begin_transaction", fail_once)
    monkeypatch.setattr(consumer_module, "_query_offsets", report_older)
    assert run_loop(pipeline.loop_config(batch_records_max=100), handle, 2_000) is None
    assert begun > 6
    pipeline.check_copies()
