"""What a loop does at limits of the broker: batches that cannot be read, and topics that accept less than usual."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from processors.exactly_once.batch import OutputLimits
from processors.exactly_once.loop import OutputRecord
from processors.exactly_once.output_limits import query_output_limits
from processors.exactly_once.retry import CallWatch
from sharing.kafka.clients import make_admin
from sharing.testing.broker import admin
from tests.kafka.compressed_batches import write_bomb
from tests.processors.exactly_once.copy_pipeline import PARTITIONS, TIMEOUT_S, CopyPipeline
from tests.processors.exactly_once.loop_fixtures import make_copier, run_loop

if TYPE_CHECKING:
    from processors.exactly_once.batch import Batch
    from sharing.kafka.bad_batches import BadBatch

pytestmark = pytest.mark.kafka

SMALL_LIMIT = 20_000


def test_a_batch_that_cannot_be_decompressed_is_reported_and_passed(kafka_pipeline: CopyPipeline) -> None:
    pipeline = kafka_pipeline
    unreadable: list[BadBatch] = []
    copy = make_copier(pipeline)

    def handle(batch: Batch) -> list[OutputRecord]:
        unreadable.extend(batch.unreadable)
        return copy(batch)

    pipeline.send_records(30)
    for partition in range(PARTITIONS):
        write_bomb(pipeline.broker, pipeline.source, 120, partition=partition)
    pipeline.send_records(30)
    assert run_loop(pipeline.loop_config(), handle, 60) is None
    assert sorted(bad.partition for bad in unreadable) == list(range(PARTITIONS))
    assert {bad.cause for bad in unreadable} == {"_BAD_COMPRESSION"}
    pipeline.check_copies()
    pipeline.send_records(3)
    assert run_loop(pipeline.loop_config(), handle, 3) is None
    assert len(unreadable) == PARTITIONS, "a restart does not report them again"


def test_a_record_that_is_too_large_is_reported_by_reference(kafka_pipeline: CopyPipeline) -> None:
    pipeline = kafka_pipeline
    unreadable: list[BadBatch] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        unreadable.extend(batch.unreadable)
        return []

    pipeline.send_records(9, lambda number: bytes(5_000 if number == 4 else 10))
    assert run_loop(pipeline.loop_config(record_bytes_max=1_000), handle, 8) is None
    assert [(bad.cause, bad.first_offset == bad.last_offset) for bad in unreadable] == [("OVERSIZED", True)]
    assert pipeline.count_acknowledged() == 9


def test_a_topic_that_accepts_less_does_not_stop_small_records(kafka_pipeline: CopyPipeline) -> None:
    """Librdkafka sends them in one batch, which the topic would refuse as a whole."""
    pipeline = kafka_pipeline
    limits: list[OutputLimits] = []
    copy = make_copier(pipeline)
    client = make_admin(pipeline.broker.bootstrap)
    client.delete_topics([pipeline.target], operation_timeout=TIMEOUT_S)[pipeline.target].result(TIMEOUT_S)
    config = {"max.message.bytes": str(SMALL_LIMIT), "compression.type": "uncompressed"}
    admin.create_topics(pipeline.broker.bootstrap, [pipeline.target], PARTITIONS, config)

    def handle(batch: Batch) -> list[OutputRecord]:
        limits.append(batch.output_limits)
        return copy(batch)

    pipeline.send_records(3_000, lambda number: b"%0500d" % number)
    expected = OutputLimits({pipeline.target: 100_000, "other": 200_000})
    config_of_loop = pipeline.loop_config(output_limits=expected)
    assert run_loop(config_of_loop, handle, 3_000) is None
    pipeline.check_copies()
    assert limits[0] == OutputLimits({pipeline.target: SMALL_LIMIT, "other": 200_000})
    assert limits[0].get_value_bytes_max(pipeline.target) == SMALL_LIMIT // 2
    assert limits[0].get_value_bytes_max("exchange.de.other") == 190_000


@pytest.mark.parametrize("compresses", [True, False])
def test_record_batches_rely_on_compression_until_one_is_refused(
    kafka_pipeline: CopyPipeline, caplog: pytest.LogCaptureFixture, *, compresses: bool
) -> None:
    """One `batch.size` holds for all topics, so a record batch may be larger than its topic accepts."""
    pipeline = kafka_pipeline
    client = make_admin(pipeline.broker.bootstrap)
    client.delete_topics([pipeline.target], operation_timeout=TIMEOUT_S)[pipeline.target].result(TIMEOUT_S)
    config = {"max.message.bytes": str(SMALL_LIMIT)}
    admin.create_topics(pipeline.broker.bootstrap, [pipeline.target], PARTITIONS, config)
    pipeline.send_records(3_000, (lambda number: b"%0500d" % number) if compresses else lambda _: os.urandom(500))
    expected = OutputLimits({pipeline.target: SMALL_LIMIT, "other": 1_000_000})
    config_of_loop = pipeline.loop_config(output_limits=expected, relies_on_compression=True)
    assert run_loop(config_of_loop, make_copier(pipeline), 3_000) is None
    pipeline.check_copies()
    refusals = [record for record in caplog.records if "larger than its topic accepts" in record.message]
    assert len(refusals) == (0 if compresses else 1)
    assert all(f"topic {pipeline.target}: MSG_SIZE_TOO_LARGE" in record.message for record in refusals)


def test_a_topic_that_cannot_be_described_loses_only_its_own_limit(
    kafka_pipeline: CopyPipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One is deleted between the list of topics and their description, as one that may not be described."""
    pipeline = kafka_pipeline
    bootstrap = pipeline.broker.bootstrap
    names = {kind: f"{pipeline.suffix}.{kind}" for kind in ("gone", "low", "high")}
    config = {"gone": "30000", "low": "20000", "high": "90000000"}
    for kind, topic in names.items():
        admin.create_topics(bootstrap, [topic], 1, {"max.message.bytes": config[kind]})
    client = make_admin(bootstrap)
    listed = client.list_topics(timeout=TIMEOUT_S)
    client.delete_topics([names["gone"]], operation_timeout=TIMEOUT_S)[names["gone"]].result(TIMEOUT_S)
    monkeypatch.setattr(client, "list_topics", lambda **_: listed)
    expected = OutputLimits({"gone": 100_000, "low": 100_000, "high": 100_000}, (f"{pipeline.suffix}.",))
    limits = query_output_limits(client, expected, CallWatch())
    assert limits.batch_bytes == {"gone": 100_000, "low": 20_000, "high": 100_000}
    assert f"{names['gone']}: max.message.bytes cannot be read (UNKNOWN_TOPIC_OR_PART" in caplog.text


def test_the_real_cause_of_a_refused_output_is_reported(kafka_pipeline: CopyPipeline) -> None:
    pipeline = kafka_pipeline
    small = f"small-{pipeline.suffix}"
    admin.create_topics(pipeline.broker.bootstrap, [small], PARTITIONS, {"max.message.bytes": "2000"})

    def handle(batch: Batch) -> list[OutputRecord]:
        many = [OutputRecord(pipeline.target, b"%d" % number, bytes(1_000)) for number in range(5_000)]
        return [*many, OutputRecord(small, b"key", os.urandom(10_000)), *many]

    pipeline.send_records(1)
    failure = run_loop(pipeline.loop_config(), handle, 1)
    assert f"topic {small}: MSG_SIZE_TOO_LARGE" in str(failure)
