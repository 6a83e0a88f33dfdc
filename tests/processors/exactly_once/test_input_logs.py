"""On the real broker: offsets that are gone, logs that were cut, and topics that were created again."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_admin
from sharing.kafka.topic_ids import parse_offset_metadata
from sharing.testing.broker import admin
from tests.processors.exactly_once.copy_pipeline import PARTITIONS, TIMEOUT_S, CopyPipeline
from tests.processors.exactly_once.loop_fixtures import make_copier, make_counter, run_loop, running_worker
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def pipeline(kafka: KafkaBroker) -> CopyPipeline:
    pipeline = CopyPipeline(kafka, key_count=10)
    pipeline.create_changelog()
    return pipeline


def count(pipeline: CopyPipeline, records: int, **options: Any) -> BaseException | None:
    """Count this many records; return the failure of the loop."""
    config = pipeline.loop_config(changelog_topic=pipeline.changelog, **options)
    return run_loop(config, make_counter(pipeline), records)


def delete_group(pipeline: CopyPipeline) -> None:
    """Delete the group with its offsets, as a broker does after `offsets.retention.minutes`."""
    client = make_admin(pipeline.broker.bootstrap)

    def delete() -> bool:
        future = client.delete_consumer_groups([pipeline.group], request_timeout=TIMEOUT_S)[pipeline.group]
        return future.exception(TIMEOUT_S) is None

    wait_until(delete, "the group's last member is gone")


def read_ends(pipeline: CopyPipeline) -> dict[int, int]:
    """Return the end offset of each partition."""
    consumer = Consumer({"bootstrap.servers": pipeline.broker.bootstrap, "group.id": "ends"})
    ends = {
        number: consumer.get_watermark_offsets(TopicPartition(pipeline.source, number), TIMEOUT_S)[1]
        for number in range(PARTITIONS)
    }
    consumer.close()
    return ends


def set_offsets(pipeline: CopyPipeline, offsets: Mapping[int, int]) -> None:
    """Set the group's offset of each partition, as `kafka-consumer-groups.sh --reset-offsets` does."""
    positions = [TopicPartition(pipeline.source, number, offset) for number, offset in offsets.items()]
    request = ConsumerGroupTopicPartitions(pipeline.group, positions)
    client = make_admin(pipeline.broker.bootstrap)

    def alter() -> bool:
        future = client.alter_consumer_group_offsets([request])[pipeline.group]
        if future.exception(TIMEOUT_S) is not None:
            return False
        return all(position.error is None for position in future.result().topic_partitions)

    wait_until(alter, "the group's last member is gone")


def create_again(pipeline: CopyPipeline, topic: str, config: dict[str, str] | None = None) -> None:
    """Delete a topic, and create it with the same name."""
    client = make_admin(pipeline.broker.bootstrap)
    client.delete_topics([topic], operation_timeout=TIMEOUT_S)[topic].result(TIMEOUT_S)
    wait_until(lambda: topic not in client.list_topics(timeout=TIMEOUT_S).topics, "the topic is deleted")
    admin.create_topics(pipeline.broker.bootstrap, [topic], PARTITIONS, config or {})


def test_a_group_that_was_forgotten_is_not_served_again_until_told(pipeline: CopyPipeline) -> None:
    pipeline.send_records(30)
    assert count(pipeline, 30, session_timeout_s=6) is None
    ends = read_ends(pipeline)
    delete_group(pipeline)
    pipeline.send_records(6)
    failure = count(pipeline, 36, session_timeout_s=6)
    assert isinstance(failure, InfrastructureError)
    resets = re.findall(r"--topic (\S+):(\d+) --reset-offsets --to-offset (\d+)", str(failure))
    assert {(topic, int(number)): int(offset) for topic, number, offset in resets} == {
        (pipeline.source, number): end for number, end in ends.items()
    }
    assert len(pipeline.read_copies()) == 30
    set_offsets(pipeline, ends)
    assert count(pipeline, 6) is None
    pipeline.check_counts()


def test_a_log_that_ends_before_the_groups_offset_is_not_read(
    pipeline: CopyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processors.exactly_once.input_logs.SHRUNK_LOG_WAIT_S", 0.5)
    pipeline.send_records(30)
    assert count(pipeline, 30, session_timeout_s=6) is None
    set_offsets(pipeline, dict.fromkeys(range(PARTITIONS), 1_000))
    failure = count(pipeline, 1)
    assert isinstance(failure, InfrastructureError)
    assert "before the offset 1000 up to which" in str(failure)
    assert len(pipeline.read_copies()) == 30


def test_records_that_were_deleted_unread_are_reported(pipeline: CopyPipeline) -> None:
    pipeline.send_records(30)
    deleted = [TopicPartition(pipeline.source, number, 5) for number in range(PARTITIONS)]
    client = make_admin(pipeline.broker.bootstrap)
    for future in client.delete_records(deleted).values():
        future.result(TIMEOUT_S)
    set_offsets(pipeline, dict.fromkeys(range(PARTITIONS), 3))
    failure = count(pipeline, 1)
    assert isinstance(failure, InfrastructureError)
    assert "begins at offset 5, after the offset 3" in str(failure)
    assert pipeline.read_copies() == []


@pytest.mark.parametrize("with_state", [True, False])
def test_a_topic_created_again_while_a_worker_is_frozen_is_read_from_its_beginning(
    pipeline: CopyPipeline, tmp_path: Path, with_state: bool
) -> None:
    pipeline.key_count = 10 if with_state else None
    pipeline.send_records(60)
    with running_worker(pipeline, tmp_path / "worker.log", session_timeout_s=30) as worker:
        wait_until(lambda: pipeline.count_acknowledged() == 60, "the first records are processed")
        worker.send_signal(signal.SIGSTOP)
        create_again(pipeline, pipeline.source)
        pipeline.send_records(100)
        worker.send_signal(signal.SIGCONT)
        wait_until(lambda: pipeline.count_acknowledged() == 100, "the records of the new topic are processed")
        copies = pipeline.read_copies()
        assert len(copies) == 160
        assert "created again" in worker.read_log()
        assert worker.stop(signal.SIGTERM) == 0
    pipeline.send_records(3)
    with running_worker(pipeline, tmp_path / "again.log") as worker:
        wait_until(lambda: pipeline.count_acknowledged() == 103, "a restart continues")
        assert len(pipeline.read_copies()) == 163
        assert worker.stop(signal.SIGTERM) == 0


def test_a_changelog_created_again_stops_the_worker_until_told(pipeline: CopyPipeline) -> None:
    pipeline.send_records(30)
    assert count(pipeline, 30, session_timeout_s=6) is None
    ends = read_ends(pipeline)
    create_again(pipeline, pipeline.changelog, {"cleanup.policy": "compact"})
    pipeline.send_records(3)
    failure = count(pipeline, 3, session_timeout_s=6)
    assert isinstance(failure, InfrastructureError)
    assert "the state store does not fit to" in str(failure)
    set_offsets(pipeline, ends)
    assert count(pipeline, 3) is None
    assert len(pipeline.read_copies()) == 33


def test_a_changelog_deleted_while_a_worker_runs_stops_it(pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline.send_records(30)
    with running_worker(pipeline, tmp_path / "worker.log") as worker:
        wait_until(lambda: pipeline.count_acknowledged() == 30, "the first records are processed")
        worker.send_signal(signal.SIGSTOP)
        create_again(pipeline, pipeline.changelog, {"cleanup.policy": "compact"})
        pipeline.send_records(3)
        worker.send_signal(signal.SIGCONT)
        assert worker.stop() == 3
        assert f"changelog topic {pipeline.changelog} was deleted while this worker ran" in worker.read_log()
    assert len(pipeline.read_copies()) == 30


def test_offsets_are_committed_with_the_id_of_their_topic(pipeline: CopyPipeline) -> None:
    pipeline.send_records(3)
    assert count(pipeline, 3) is None
    request = ConsumerGroupTopicPartitions(pipeline.group)
    client = make_admin(pipeline.broker.bootstrap)
    future = client.list_consumer_group_offsets([request])[pipeline.group]
    for position in future.result(TIMEOUT_S).topic_partitions:
        ids = parse_offset_metadata(position.metadata)
        assert ids is not None
        assert len(set(ids) - {""}) == 2


def test_an_optional_topic_is_read_while_it_exists(pipeline: CopyPipeline) -> None:
    other = CopyPipeline(pipeline.broker)
    pipeline.key_count = None
    pipeline.send_records(30)
    other.send_records(12)
    config = pipeline.loop_config(optional_topics=[other.source, "not-there"])
    assert run_loop(config, make_copier(pipeline), 42) is None
    assert len(pipeline.read_copies()) == 42


def test_a_worker_says_that_it_takes_the_place_of_another(pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline.send_records(30)
    with running_worker(pipeline, tmp_path / "first.log") as first:
        wait_until(lambda: pipeline.count_acknowledged() == 30, "the first worker is a member")
        assert "takes the place" not in first.read_log()
        with running_worker(pipeline, tmp_path / "second.log") as second:
            wait_until(lambda: "takes the place of member 0" in second.read_log(), "the second worker says so")
            pipeline.send_records(30)
            assert first.stop() == 3
            assert "fenced: another process runs as" in first.read_log()
            wait_until(lambda: pipeline.count_acknowledged() == 60, "the second worker processes the rest")
