"""The lane keeps its promises: each record is taken exactly once, whatever happens to the worker or the broker."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once import transactor as transactor_module
from processors.exactly_once.config import consumer_properties, producer_properties
from processors.exactly_once.loop import AgentError, ExactlyOnceLoop, OutputRecord
from processors.exactly_once.transactor import Transactor
from processors.worker import create_app
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import SECRET, copying, finish, run, working
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterator
    from pathlib import Path

    from processors.exactly_once.batch import Batch, Outgoing
    from sharing.testing.broker import Broker
    from sharing.testing.broker.embedded import EmbeddedBroker

LIMIT_S = 60.0
FAST = {"topic.metadata.propagation.max.ms": 100}


@pytest.fixture
def course(broker: Broker) -> CopyPipeline:
    return CopyPipeline(broker)


def test_copies_every_record_once_and_in_order(course: CopyPipeline) -> None:
    course.send(3_000)
    assert run(course.route(), copying(course), 3_000) is None
    course.check()


@pytest.mark.kafka
def test_begins_where_the_last_run_ended(kafka_course: CopyPipeline) -> None:
    for _ in range(2):
        kafka_course.send(50)
        finish(kafka_course)


def test_a_batch_has_a_limit_and_is_not_waited_for(course: CopyPipeline) -> None:
    sizes: list[int] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        sizes.append(len(batch.messages))
        if sum(sizes) == 30:
            course.send(1)
        return []

    course.send(30)
    assert run(course.route(batch_records_max=7), handle, 31) is None
    assert max(sizes) == 7
    assert sizes[-1] == 1


def test_a_batch_ends_when_it_is_large(course: CopyPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer_module, "CHUNK", 10)
    sizes: list[int] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        sizes.append(len(batch.messages))
        return []

    course.send(200, lambda _: bytes(1_000))
    assert run(course.route(batch_bytes_max=15_000), handle, 200) is None
    assert max(sizes) <= 25  # 15, and what the last look at the size could not see


def test_a_batch_carries_one_instant_and_the_next_offsets(course: CopyPipeline) -> None:
    batches: list[Batch] = []

    def handle(batch: Batch) -> list[OutputRecord]:
        batches.append(batch)
        return []

    course.send(40)
    clock = iter(range(1_700_000_000_000, 1_800_000_000_000))
    assert run(course.route(batch_records_max=9), handle, 40, lambda: next(clock)) is None
    assert [batch.now_ms for batch in batches] == list(range(1_700_000_000_000, 1_700_000_000_000 + len(batches)))
    for batch in batches:
        last = {(message.topic(), message.partition()): message.offset() for message in batch.messages}
        assert batch.offsets == {place: offset + 1 for place, offset in last.items()}


@pytest.mark.parametrize("fail", ["handler", "midway", "unguarded"])
def test_a_failing_handler_ends_the_process_and_acknowledges_nothing(
    course: CopyPipeline, tmp_path: Path, fail: str
) -> None:
    course.send(100)
    with working(course, tmp_path / "log", fail=fail) as worker:
        assert worker.end() == 1
    if fail != "unguarded":
        assert "a batch failed with KeyError at copy_worker.py" in worker.says()
        assert SECRET not in worker.says()
    if course.broker.kind == "kafka":  # the embedded broker shows what was aborted, and forgets offsets
        assert course.copies() == []
        assert course.committed() == 0


def test_an_output_that_no_broker_takes_ends_the_process(course: CopyPipeline, tmp_path: Path) -> None:
    course.send(1)
    with working(course, tmp_path / "log", fail="large") as worker:
        assert worker.end() == 3
    assert "MSG_SIZE_TOO_LARGE" in worker.says()
    assert course.committed() == 0


@pytest.mark.kafka
def test_a_missing_topic_is_tried_again_and_then_named(
    kafka_course: CopyPipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transactor_module, "ABORTS_MAX", 2)
    kafka_course.send(1)
    missing = [OutputRecord("not-there", b"key", b"value")]
    reason = run(kafka_course.route(client=FAST), lambda _: missing, 1)
    assert isinstance(reason, InfrastructureError)
    assert "2 in a row: topic not-there: UNKNOWN_TOPIC_OR_PART" in str(reason)
    assert "done again" in caplog.text
    assert kafka_course.committed() == 0


def test_sigterm_commits_the_batch_at_hand(course: CopyPipeline, tmp_path: Path) -> None:
    course.send(30_000)
    with working(course, tmp_path / "log", batch_records_max=100, pause_s=0.1) as worker:
        wait_until(lambda: len(course.copies()) > 0, "the first commits")
        assert worker.end(signal.SIGTERM) == 0
    assert "Traceback" not in worker.says()
    assert "not committed" not in worker.says()
    assert 0 < len(course.copies()) < course.sent
    if course.broker.kind == "kafka":
        assert course.committed(settled=True) == len(course.copies())
        finish(course)


def test_a_batch_is_committed_once(embedded: EmbeddedBroker) -> None:
    course = CopyPipeline(embedded)
    course.send(1)

    async def main() -> BaseException | None:
        app = create_app("twice")
        lane = ExactlyOnceLoop(app.channel(), course.route(), lambda: 0)
        app.add_service(lane)

        async def serve(batches: AsyncIterable[Batch]) -> None:
            async for batch in batches:
                async with lane.guard(batch):
                    await lane.commit(batch, copying(course)(batch))
                    await lane.commit(batch, copying(course)(batch))

        app.agent(lane.channel, name="serve")(serve)
        await app.start()
        async with asyncio.timeout(LIMIT_S):
            await lane.wait()
        await app.stop()
        return lane.crash_reason

    assert isinstance(asyncio.run(main()), AgentError)
    course.check()


def test_the_next_batch_is_read_without_waiting_for_the_event_loop(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = CopyPipeline(embedded)
    course.send(1)
    read, again = Transactor.read, threading.Event()
    committed: list[bool] = []

    def note(transactor: Transactor) -> Batch | None:
        if committed:
            again.set()
        return read(transactor)

    monkeypatch.setattr(Transactor, "read", note)

    async def main() -> None:
        app = create_app("busy")
        lane = ExactlyOnceLoop(app.channel(), course.route(), lambda: 0)
        app.add_service(lane)
        done = asyncio.Event()

        async def serve(batches: AsyncIterable[Batch]) -> None:
            async for batch in batches:
                async with lane.guard(batch):
                    commit = asyncio.ensure_future(lane.commit(batch, committing(batch)))
                    await asyncio.sleep(0)
                    assert again.wait(LIMIT_S)  # nothing else is done in this thread meanwhile
                    await commit
                    done.set()

        def committing(batch: Batch) -> Iterator[Outgoing]:
            committed.append(True)
            yield from copying(course)(batch)

        app.agent(lane.channel, name="serve")(serve)
        await app.start()
        async with asyncio.timeout(LIMIT_S):
            await done.wait()
        await app.stop()

    asyncio.run(main())
    course.check()


@pytest.mark.parametrize("agents", [0, 2])
def test_a_lane_takes_one_agent(agents: int, embedded: EmbeddedBroker) -> None:
    async def main() -> BaseException | None:
        app = create_app("crowd")
        lane = ExactlyOnceLoop(app.channel(), CopyPipeline(embedded).route(), lambda: 0)
        app.add_service(lane)

        async def serve(batches: AsyncIterable[Batch]) -> None:
            async for batch in batches:
                await lane.commit(batch, [])

        for number in range(agents):
            app.agent(lane.channel, name=f"serve-{number}")(serve)
        await app.start()
        async with asyncio.timeout(LIMIT_S):
            await lane.wait()
        await app.stop()
        return lane.crash_reason

    reason = asyncio.run(main())
    assert isinstance(reason, AgentError)
    assert f"{agents} agents" in str(reason)


def test_what_raises_when_it_hears_of_a_commit_ends_the_process(embedded: EmbeddedBroker) -> None:
    course = CopyPipeline(embedded)
    course.send(1)

    def hear(_: bool) -> None:
        raise KeyError(SECRET)

    async def main() -> BaseException | None:
        app = create_app("deaf")
        lane = ExactlyOnceLoop(app.channel(), course.route(), lambda: 0)
        app.add_service(lane)

        async def serve(batches: AsyncIterable[Batch]) -> None:
            async for batch in batches:
                async with lane.guard(batch):
                    await lane.commit(batch, [], hear)

        app.agent(lane.channel, name="serve")(serve)
        await app.start()
        async with asyncio.timeout(LIMIT_S):
            await lane.wait()
        await app.stop()
        return lane.crash_reason

    reason = asyncio.run(main())
    assert isinstance(reason, AgentError)
    assert "KeyError" in str(reason)
    assert SECRET not in str(reason)


def test_the_clients_have_the_properties_that_measuring_found(embedded: EmbeddedBroker) -> None:
    route = CopyPipeline(embedded).route(client={"linger.ms": 7})
    producer = producer_properties(route, lambda _: None, lambda *_: None)
    consumer = consumer_properties(route, lambda _: None)
    assert producer["retry.backoff.ms"] == 2  # by default every transaction costs 100 ms more
    assert consumer["fetch.queue.backoff.ms"] == 5  # by default a backlog takes twice as long
    for properties in (producer, consumer):
        assert properties["metadata.recovery.strategy"] == "none"  # by default a commit may never return
        assert properties["linger.ms"] == 7
