"""A loop with state on the real broker: state, outputs and offsets are committed together or not at all."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once.changelog import KafkaChangelog
from processors.exactly_once.input_logs import InputLogs
from processors.exactly_once.log_positions import is_log_position
from processors.exactly_once.loop import OutputRecord
from processors.exactly_once.retry import CallWatch
from processors.exactly_once.transactor import Transactor
from processors.health import consumer_status
from processors.health.consumer_status import ConsumerStatus
from sharing.errors import InfrastructureError
from sharing.kafka.clients import make_consumer
from tests.processors.exactly_once.copy_pipeline import PARTITIONS, TIMEOUT_S, CopyPipeline
from tests.processors.exactly_once.loop_fixtures import make_counter, run_loop, running_worker
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.exactly_once.batch import Batch
    from processors.exactly_once.state_store import OffsetRange
    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def pipeline(kafka: KafkaBroker) -> CopyPipeline:
    pipeline = CopyPipeline(kafka, key_count=10)
    pipeline.create_changelog()
    return pipeline


def count_remaining(pipeline: CopyPipeline, **options: Any) -> BaseException | None:
    """Count the records that are not acknowledged yet; return the failure of the loop."""
    config = pipeline.loop_config(changelog_topic=pipeline.changelog, **options)
    return run_loop(config, make_counter(pipeline), pipeline.sent - pipeline.count_acknowledged(exact=True))


@pytest.mark.parametrize("on_disk", [False, True])
def test_counting_resumes_where_the_last_run_ended(
    pipeline: CopyPipeline, tmp_path: Path, on_disk: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State in memory is restored in full; a copy on disk resumes at its checkpoint, which is the end of the topic."""
    ranges_read: list[dict[int, OffsetRange]] = []
    read_records = KafkaChangelog.read_records

    def record_ranges(self: KafkaChangelog, ranges: dict[int, OffsetRange], on_records: Any) -> bool:
        ranges_read.append(ranges)
        return read_records(self, ranges, on_records)

    monkeypatch.setattr(KafkaChangelog, "read_records", record_ranges)
    for _ in range(3):
        pipeline.send_records(500)
        assert (
            count_remaining(pipeline, batch_records_max=60, state_folder=tmp_path / "state" if on_disk else None)
            is None
        )
    pipeline.check_counts()
    for start, end in ranges_read[-1].values():
        assert end > 0
        assert start >= end - 1 if on_disk else start == 0  # only the marker of the last transaction is unread


def test_a_failed_batch_leaves_no_state(pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline.send_records(100)
    with running_worker(pipeline, tmp_path / "log", fail="midway") as worker:
        assert worker.stop() == 1
    assert pipeline.read_committed(pipeline.changelog) == []
    assert count_remaining(pipeline) is None
    pipeline.check_counts()


def test_an_empty_value_is_kept_and_a_deleted_key_is_a_tombstone(pipeline: CopyPipeline) -> None:
    pipeline.send_records(1)

    def first(batch: Batch) -> list[OutputRecord]:
        assert batch.store_view is not None
        batch.store_view.put(1, b"", b"")
        batch.store_view.put(1, b"gone", b"x")
        return []

    def second(batch: Batch) -> list[OutputRecord]:
        assert batch.store_view is not None
        assert dict(batch.store_view.items(1)) == {b"": b"", b"gone": b"x"}
        batch.store_view.delete(1, b"gone")
        return []

    def third(batch: Batch) -> list[OutputRecord]:
        assert batch.store_view is not None
        assert dict(batch.store_view.items(1)) == {b"": b""}
        return []

    for handle in (first, second, third):
        assert run_loop(pipeline.loop_config(changelog_topic=pipeline.changelog), handle, 1) is None
        pipeline.send_records(1)
    assert (1, b"gone", None) in [record[:3] for record in pipeline.read_committed(pipeline.changelog)]


@pytest.mark.parametrize("written_first", ["offsets", "entry"])
def test_a_loop_waits_for_the_open_transaction_of_an_earlier_owner(
    pipeline: CopyPipeline, written_first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop finds only the transaction's offsets, and the state entry follows; or it finds only the entry."""
    pipeline.send_records(10)
    bootstrap = {"bootstrap.servers": pipeline.broker.bootstrap}
    owner = Producer({**bootstrap, "transactional.id": f"{pipeline.group}-earlier"})
    owner.init_transactions(TIMEOUT_S)
    owner.begin_transaction()
    if written_first == "offsets":
        member = Consumer({**bootstrap, "group.id": pipeline.group})
        offsets = [TopicPartition(pipeline.source, number, 0) for number in range(PARTITIONS)]
        owner.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), TIMEOUT_S)
        member.close()
    else:
        owner.produce(pipeline.changelog, b"late", b"key", 0)
        owner.flush(TIMEOUT_S)
    seen: list[dict[bytes, bytes]] = []
    offsets_queried, ranges_returned = threading.Event(), threading.Event()
    query_offsets, query_ranges = consumer_module._query_offsets, KafkaChangelog.query_offset_ranges

    def observe_offsets(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        offsets_queried.set()
        return query_offsets(consumer, partitions)

    def observe_ranges(self: KafkaChangelog, partitions: Any) -> Any:
        ranges = query_ranges(self, partitions)
        ranges_returned.set()
        return ranges

    def handle(batch: Batch) -> list[OutputRecord]:
        assert batch.store_view is not None
        entries = batch.store_view.items(0)
        seen.append({key: value for key, value in entries if not is_log_position(key)})
        return []

    def commit_transaction() -> None:
        assert (offsets_queried if written_first == "offsets" else ranges_returned).wait(TIMEOUT_S)
        time.sleep(0.5)  # for a loop that does not wait to continue; a shorter time would prove less, not fail
        if written_first == "offsets":
            owner.produce(pipeline.changelog, b"late", b"key", 0)
        owner.commit_transaction(TIMEOUT_S)

    monkeypatch.setattr(consumer_module, "_query_offsets", observe_offsets)
    monkeypatch.setattr(KafkaChangelog, "query_offset_ranges", observe_ranges)
    thread = threading.Thread(target=commit_transaction)
    thread.start()
    assert run_loop(pipeline.loop_config(changelog_topic=pipeline.changelog), handle, 10) is None
    thread.join()
    assert seen[0] == {b"key": b"late"}


@pytest.mark.parametrize(
    ("topic", "message"), [("missing", "has 0; both must exist"), ("narrow", "has 1; both must exist")]
)
def test_a_missing_or_narrow_changelog_topic_stops_the_process(
    pipeline: CopyPipeline, topic: str, message: str
) -> None:
    pipeline.send_records(1)
    if topic == "narrow":
        topic = f"narrow-{pipeline.suffix}"
        pipeline.broker.create_topics([topic], partitions=1)
    reason = run_loop(pipeline.loop_config(changelog_topic=topic), lambda _: [], 1)
    assert isinstance(reason, InfrastructureError)
    assert message in str(reason)


def test_an_aborted_transaction_is_not_counted(pipeline: CopyPipeline, caplog: pytest.LogCaptureFixture) -> None:
    """The second batch, computed on the state of the first, is discarded with it."""
    pipeline.send_records(400)
    aborts = [True]

    def handle(batch: Batch) -> Iterator[OutputRecord]:
        yield from make_counter(pipeline)(batch)
        if aborts.pop() if aborts else False:
            yield OutputRecord("not-there", b"key", b"value")

    config = pipeline.loop_config(
        changelog_topic=pipeline.changelog,
        batch_records_max=50,
        client_properties={"topic.metadata.propagation.max.ms": 100},
    )
    assert run_loop(config, handle, 400) is None
    assert "a transaction is aborted and its batch is processed again" in caplog.text
    pipeline.check_counts()


def test_a_stopping_worker_does_not_wait_for_its_state(pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline.send_records(10)
    owner = Producer({"bootstrap.servers": pipeline.broker.bootstrap, "transactional.id": f"{pipeline.group}-earlier"})
    owner.init_transactions(TIMEOUT_S)
    owner.begin_transaction()
    owner.produce(pipeline.changelog, b"open", b"key", 0)
    owner.flush(TIMEOUT_S)
    with running_worker(pipeline, tmp_path / "log") as worker:
        wait_until(worker.has_partitions, "the worker has partitions")
        assert worker.stop(signal.SIGTERM) == 0
    assert pipeline.count_acknowledged() == 0
    owner.abort_transaction(TIMEOUT_S)
    assert count_remaining(pipeline) is None
    pipeline.check_counts()


class FakeClock:
    """The clock of what a worker knows of its broker: time passes only where the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(consumer_status, "time", SimpleNamespace(monotonic=lambda: self.now, time=time.time))
        monkeypatch.setattr(CallWatch, "record_answer", lambda calls: setattr(calls, "answered_at", self.now))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


def consume_slowly(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    """Let each read of the changelog take a while."""

    class SlowConsumer:
        def __init__(self, consumer: Any) -> None:
            self._consumer = consumer

        def __getattr__(self, name: str) -> Any:
            return getattr(self._consumer, name)

        def consume(self, *arguments: Any) -> Any:
            clock.pass_time(0.1)
            return self._consumer.consume(*arguments)

    monkeypatch.setattr(
        "processors.exactly_once.changelog.make_consumer", lambda properties: SlowConsumer(make_consumer(properties))
    )


@pytest.mark.parametrize("slow_part", ["state", "offsets"])
def test_a_broker_that_answers_counts_as_reachable_during_a_slow_assignment(
    pipeline: CopyPipeline, monkeypatch: pytest.MonkeyPatch, slow_part: str
) -> None:
    """The callback of an assignment restores state and looks up offsets. No statistics arrive meanwhile."""
    monkeypatch.setattr(consumer_status, "RESPONSE_AGE_S_MAX", 1.0)
    clock = FakeClock(monkeypatch)
    pipeline.send_records(500)
    assert count_remaining(pipeline) is None
    pipeline.send_records(50)
    status, reachable, observed_at = ConsumerStatus(), list[bool](), list[float]()
    loops: list[Transactor] = []
    open_transactor = Transactor.open

    def remember(self: Transactor) -> None:
        loops.append(self)
        open_transactor(self)

    def observe() -> None:
        observed_at.append(clock.now)
        reachable.append(status.is_broker_reachable(loops[0].answered_at))

    def restore_slowly(self: KafkaChangelog, ranges: dict[int, OffsetRange], on_records: Any) -> bool:
        def apply_slowly(*arguments: Any) -> None:
            clock.pass_time(0.2)
            observe()
            on_records(*arguments)

        monkeypatch.setattr("processors.exactly_once.changelog.BULK_RECORDS", 10)
        return read_records(self, ranges, apply_slowly)

    def query_slowly(self: InputLogs, *arguments: Any) -> None:
        for _ in range(30):
            clock.pass_time(0.1)
            self._query(self._query_ids)
            observe()
        choose_start_offsets(self, *arguments)

    read_records, choose_start_offsets = KafkaChangelog.read_records, InputLogs.choose_start_offsets
    monkeypatch.setattr(Transactor, "open", remember)
    if slow_part == "state":
        monkeypatch.setattr(KafkaChangelog, "read_records", restore_slowly)
        consume_slowly(monkeypatch, clock)
    else:
        monkeypatch.setattr(InputLogs, "choose_start_offsets", query_slowly)
    assert count_remaining(pipeline, on_statistics=status.update) is None
    assert all(reachable)
    assert observed_at[-1] - observed_at[0] > consumer_status.RESPONSE_AGE_S_MAX  # the statistics have become too old
    pipeline.check_counts()


def test_an_idle_loop_gets_batches_without_records_whose_outputs_and_state_are_committed(
    pipeline: CopyPipeline,
) -> None:
    """Each of them sees what the one before has put into the state, and no offset is committed."""
    transactor = Transactor(pipeline.loop_config(changelog_topic=pipeline.changelog, idle_batch_s=0.2), lambda: 0)
    transactor.open()
    settled: list[bool] = []
    try:
        for number in range(3):
            deadline = time.monotonic() + TIMEOUT_S
            while (batch := transactor.read_batch()) is None:
                assert time.monotonic() < deadline, "no idle batch"
            assert not batch.messages
            assert not batch.offsets
            assert batch.store_view is not None
            assert batch.store_view.partitions
            partition = min(batch.store_view.partitions)
            assert batch.store_view.get(partition, b"number") == (b"%d" % (number - 1) if number else None)
            batch.store_view.put(partition, b"number", b"%d" % number)
            transactor.commit_batch(batch, [OutputRecord(pipeline.target, b"key", b"%d" % number)], settled.append)
        assert transactor.finish_pending_commit()
    finally:
        transactor.close()
    assert settled == [True, True, True]
    assert sorted(value or b"" for _, _, value, _ in pipeline.read_committed(pipeline.target)) == [b"0", b"1", b"2"]
