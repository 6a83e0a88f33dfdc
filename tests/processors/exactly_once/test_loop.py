"""The exactly-once loop copies each record exactly once, whatever happens to the worker or the broker."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once import recovery as recovery_module
from processors.exactly_once.batch import Batch
from processors.exactly_once.loop import AgentError, ExactlyOnceLoop, OutputRecord
from processors.exactly_once.loop_config import consumer_properties, producer_properties
from processors.exactly_once.transactor import Transactor
from processors.faust_app import create_app
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import (
    OFFLINE_CONFIG,
    SECRET,
    copy_remaining,
    make_copier,
    run_loop,
    running_worker,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator
    from pathlib import Path

    from processors.exactly_once.batch import Output
    from sharing.testing.broker import Broker
    from sharing.testing.broker.embedded import EmbeddedBroker

TIMEOUT_S = 150.0
QUICK_METADATA = {"topic.metadata.propagation.max.ms": 100}


@pytest.fixture
def pipeline(broker: Broker) -> CopyPipeline:
    return CopyPipeline(broker)


def test_copies_every_record_once_and_in_order(pipeline: CopyPipeline) -> None:
    pipeline.send_records(3_000)
    assert run_loop(pipeline.loop_config(), make_copier(pipeline), 3_000) is None
    pipeline.check_copies()


@pytest.mark.kafka
def test_a_run_resumes_where_the_last_run_ended(kafka_pipeline: CopyPipeline) -> None:
    for _ in range(2):
        kafka_pipeline.send_records(50)
        copy_remaining(kafka_pipeline)


def test_a_batch_has_a_maximum_size_and_is_not_delayed_until_it_is_full(pipeline: CopyPipeline) -> None:
    sizes: list[int] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        sizes.append(len(batch.messages))
        if sum(sizes) == 30:
            pipeline.send_records(1)
        return []

    pipeline.send_records(30)
    assert run_loop(pipeline.loop_config(batch_records_max=7), handle, 31) is None
    assert max(sizes) == 7
    assert sizes[-1] == 1


def test_a_batch_ends_at_its_maximum_bytes(pipeline: CopyPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "POLL_CHUNK_RECORDS", 10)
    sizes: list[int] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        sizes.append(len(batch.messages))
        return []

    pipeline.send_records(200, lambda _: bytes(1_000))
    assert run_loop(pipeline.loop_config(batch_bytes_max=15_000), handle, 200) is None
    assert max(sizes) <= 25  # 15, and up to 10 more that are read before the next size check


def test_a_batch_carries_one_processing_time_and_the_next_offsets(pipeline: CopyPipeline) -> None:
    batches: list[Batch] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        batches.append(batch)
        return []

    pipeline.send_records(40)
    clock = iter(range(1_700_000_000_000, 1_800_000_000_000))
    assert run_loop(pipeline.loop_config(batch_records_max=9), handle, 40, lambda: next(clock)) is None
    assert [batch.now_ms for batch in batches] == list(range(1_700_000_000_000, 1_700_000_000_000 + len(batches)))
    for batch in batches:
        last = {(message.topic(), message.partition()): message.offset() for message in batch.messages}
        assert batch.offsets == {partition: offset + 1 for partition, offset in last.items()}


@pytest.mark.parametrize("fail", ["handler", "midway", "unguarded"])
def test_a_failing_handler_stops_the_process_and_acknowledges_nothing(
    pipeline: CopyPipeline, tmp_path: Path, fail: str
) -> None:
    pipeline.send_records(100)
    with running_worker(pipeline, tmp_path / "log", fail=fail) as worker:
        assert worker.stop() == 1
    if fail != "unguarded":
        assert "a batch failed with KeyError at copy_worker.py" in worker.read_log()
        assert SECRET not in worker.read_log()
    if pipeline.broker.kind == "kafka":  # the embedded broker shows aborted records, and loses offsets
        assert pipeline.abort_open_transaction() == 0
        assert pipeline.read_copies() == []


class Panic(BaseException):
    """Like a panic in a library in Rust, which is no `Exception`."""


@pytest.mark.parametrize("error", [KeyError(SECRET), OSError(SECRET), RecursionError(SECRET), Panic(SECRET)])
def test_the_guard_stops_the_process_whatever_is_raised(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    async def fail_in_guard() -> BaseException | None:
        loop = ExactlyOnceLoop(create_app("test").channel(), OFFLINE_CONFIG, lambda: 0)
        async with loop.guard_batch(Batch([], 0, {("in", 0): 7})):
            raise error
        return loop.crash_reason

    reason = asyncio.run(fail_in_guard())
    assert isinstance(reason, AgentError)
    assert type(error).__name__ in str(reason)
    assert SECRET not in caplog.text


def test_an_output_that_no_broker_accepts_stops_the_process(pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline.send_records(1)
    with running_worker(pipeline, tmp_path / "log", fail="large") as worker:
        assert worker.stop() == 3
    assert "MSG_SIZE_TOO_LARGE" in worker.read_log()
    assert pipeline.count_acknowledged() == 0


@pytest.mark.kafka
def test_a_missing_output_topic_is_retried_and_then_reported(
    kafka_pipeline: CopyPipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recovery_module, "ABORTS_MAX", 2)
    kafka_pipeline.send_records(1)
    missing = [OutputRecord("not-there", b"key", b"value")]
    reason = run_loop(kafka_pipeline.loop_config(client_properties=QUICK_METADATA), lambda _: missing, 1)
    assert isinstance(reason, InfrastructureError)
    assert "2 in a row: topic not-there: UNKNOWN_TOPIC_OR_PART" in str(reason)
    assert str(reason).endswith("; create it with `sharing topics apply`")
    assert "a transaction is aborted and its batch is processed again" in caplog.text
    assert kafka_pipeline.count_acknowledged() == 0


def has_committed(pipeline: CopyPipeline) -> bool:
    """Return whether a worker that goes on has committed something: its next transaction is open at once."""
    if pipeline.broker.kind == "kafka":
        return pipeline.count_acknowledged() > 0
    return len(pipeline.read_copies()) > 0  # the embedded broker loses offsets, and has no stable end to wait for


def test_sigterm_commits_the_current_batch(pipeline: CopyPipeline, tmp_path: Path) -> None:
    pipeline.send_records(30_000)
    with running_worker(pipeline, tmp_path / "log", batch_records_max=100, pause_s=0.1) as worker:
        wait_until(lambda: has_committed(pipeline), "the first batch is committed")
        assert worker.stop(signal.SIGTERM) == 0
    assert "Traceback" not in worker.read_log()
    assert "not committed" not in worker.read_log()
    assert 0 < len(pipeline.read_copies()) < pipeline.sent
    if pipeline.broker.kind == "kafka":
        assert pipeline.count_acknowledged(exact=True) == len(pipeline.read_copies())
        copy_remaining(pipeline)


def test_committing_a_batch_twice_is_an_error(embedded: EmbeddedBroker) -> None:
    pipeline = CopyPipeline(embedded)
    pipeline.send_records(1)

    async def main() -> BaseException | None:
        app = create_app("twice")
        loop = ExactlyOnceLoop(app.channel(), pipeline.loop_config(), lambda: 0)
        app.add_service(loop)

        async def serve(batches: AsyncIterable[Batch]) -> None:
            async for batch in batches:
                async with loop.guard_batch(batch):
                    await loop.commit_batch(batch, make_copier(pipeline)(batch))
                    await loop.commit_batch(batch, make_copier(pipeline)(batch))

        app.agent(loop.channel, name="serve")(serve)
        await app.start()
        async with asyncio.timeout(TIMEOUT_S):
            await loop.wait()
        await app.stop()
        return loop.crash_reason

    assert isinstance(asyncio.run(main()), AgentError)
    pipeline.check_copies()


def test_the_next_batch_is_read_without_waiting_for_the_event_loop(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = CopyPipeline(embedded)
    pipeline.send_records(1)
    read_batch, next_read = Transactor.read_batch, threading.Event()
    committed: list[bool] = []

    def observe_read(transactor: Transactor) -> Batch | None:
        if committed:
            next_read.set()
        return read_batch(transactor)

    monkeypatch.setattr(Transactor, "read_batch", observe_read)

    async def main() -> None:
        app = create_app("busy")
        loop = ExactlyOnceLoop(app.channel(), pipeline.loop_config(), lambda: 0)
        app.add_service(loop)
        done = asyncio.Event()

        async def serve(batches: AsyncIterable[Batch]) -> None:
            async for batch in batches:
                async with loop.guard_batch(batch):
                    commit = asyncio.ensure_future(loop.commit_batch(batch, compute_outputs(batch)))
                    await asyncio.sleep(0)
                    assert next_read.wait(TIMEOUT_S)  # this blocks the event loop
                    await commit
                    done.set()

        def compute_outputs(batch: Batch) -> Iterator[Output]:
            committed.append(True)
            yield from make_copier(pipeline)(batch)

        app.agent(loop.channel, name="serve")(serve)
        await app.start()
        async with asyncio.timeout(TIMEOUT_S):
            await done.wait()
        await app.stop()

    asyncio.run(main())
    pipeline.check_copies()


@pytest.mark.parametrize("agents", [0, 2])
def test_a_loop_requires_exactly_one_agent(agents: int, embedded: EmbeddedBroker) -> None:
    async def main() -> BaseException | None:
        app = create_app("agents")
        loop = ExactlyOnceLoop(app.channel(), CopyPipeline(embedded).loop_config(), lambda: 0)
        app.add_service(loop)

        async def serve(batches: AsyncIterable[Batch]) -> None:
            async for batch in batches:
                await loop.commit_batch(batch, [])

        for number in range(agents):
            app.agent(loop.channel, name=f"serve-{number}")(serve)
        await app.start()
        async with asyncio.timeout(TIMEOUT_S):
            await loop.wait()
        await app.stop()
        return loop.crash_reason

    reason = asyncio.run(main())
    assert isinstance(reason, AgentError)
    assert f"{agents} agents consume the channel" in str(reason)


def test_an_exception_in_on_settled_stops_the_process(embedded: EmbeddedBroker) -> None:
    pipeline = CopyPipeline(embedded)
    pipeline.send_records(1)

    def fail_on_settled(_: bool) -> None:
        raise KeyError(SECRET)

    async def main() -> BaseException | None:
        app = create_app("settled")
        loop = ExactlyOnceLoop(app.channel(), pipeline.loop_config(), lambda: 0)
        app.add_service(loop)

        async def serve(batches: AsyncIterable[Batch]) -> None:
            async for batch in batches:
                async with loop.guard_batch(batch):
                    await loop.commit_batch(batch, [], fail_on_settled)

        app.agent(loop.channel, name="serve")(serve)
        await app.start()
        async with asyncio.timeout(TIMEOUT_S):
            await loop.wait()
        await app.stop()
        return loop.crash_reason

    reason = asyncio.run(main())
    assert isinstance(reason, AgentError)
    assert "reading or settling a batch failed with KeyError" in str(reason)
    assert SECRET not in str(reason)


def test_the_clients_have_the_properties_that_measurements_showed_to_matter(embedded: EmbeddedBroker) -> None:
    config = CopyPipeline(embedded).loop_config(client_properties={"linger.ms": 7})
    producer = producer_properties(config, lambda _: None, lambda *_: None)
    consumer = consumer_properties(config, lambda _: None)
    assert producer["retry.backoff.ms"] == 2  # by default every transaction costs 100 ms more
    assert consumer["fetch.queue.backoff.ms"] == 5  # by default a backlog takes twice as long
    for properties in (producer, consumer):
        assert properties["metadata.recovery.strategy"] == "none"  # by default a commit may never return
        assert properties["linger.ms"] == 7
