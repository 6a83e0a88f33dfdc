"""The lane keeps its promises: each record is taken exactly once, whatever happens to the worker or the broker."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from processors import lane as lane_module
from processors import transactor as transactor_module
from processors.lane import AgentError, Lane, Output
from processors.lane_config import consumer_properties, producer_properties
from processors.outbox import Outbox
from processors.worker import create_app
from sharing.broker.kafka import KafkaBroker
from sharing.broker.process import free_port
from sharing.errors import InfrastructureError
from tests.processors.lane_support import SECRET, Course, copying, run, wait_until, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Iterator
    from pathlib import Path

    from processors.batch import Batch
    from sharing.broker import Broker
    from sharing.broker.embedded import EmbeddedBroker

LIMIT_S = 60.0
FAST = {"topic.metadata.propagation.max.ms": 100}


@pytest.fixture
def course(broker: Broker) -> Course:
    return Course(broker)


@pytest.fixture
def kafka_course(kafka: KafkaBroker) -> Course:
    return Course(kafka)


@pytest.fixture(scope="module")
def hasty_kafka(tmp_path_factory: pytest.TempPathFactory, kafka: KafkaBroker) -> Iterator[KafkaBroker]:
    """A broker of our own that looks for old transactions all the time, to be stopped and started."""
    properties = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "100"}
    with KafkaBroker(tmp_path_factory.mktemp("hasty"), properties=properties) as broker:
        yield broker


def finish(course: Course) -> None:
    """Do in this process what is left to do."""
    assert run(course.route(), copying(course), course.sent - course.committed()) is None
    course.check()


def test_copies_every_record_once_and_in_order(course: Course) -> None:
    course.send(3_000)
    assert run(course.route(), copying(course), 3_000) is None
    course.check()


@pytest.mark.kafka
def test_begins_where_the_last_run_ended(kafka_course: Course) -> None:
    for _ in range(2):
        kafka_course.send(50)
        finish(kafka_course)


def test_a_batch_has_a_limit_and_is_not_waited_for(course: Course) -> None:
    sizes: list[int] = []

    def handle(batch: Batch) -> list[Output]:
        sizes.append(len(batch.messages))
        if sum(sizes) == 30:
            course.send(1)
        return []

    course.send(30)
    assert run(course.route(batch_records_max=7), handle, 31) is None
    assert max(sizes) == 7
    assert sizes[-1] == 1


def test_a_batch_ends_when_it_is_large(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactor_module, "CHUNK", 10)
    sizes: list[int] = []

    def handle(batch: Batch) -> list[Output]:
        sizes.append(len(batch.messages))
        return []

    course.send(200, lambda _: bytes(1_000))
    assert run(course.route(batch_bytes_max=15_000), handle, 200) is None
    assert max(sizes) <= 25  # 15, and what the last look at the size could not see


def test_a_batch_carries_one_instant_and_the_next_offsets(course: Course) -> None:
    batches: list[Batch] = []

    def handle(batch: Batch) -> list[Output]:
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
def test_a_failing_handler_ends_the_process_and_acknowledges_nothing(course: Course, tmp_path: Path, fail: str) -> None:
    course.send(100)
    with working(course, tmp_path / "log", fail=fail) as worker:
        assert worker.end() == 1
    if fail != "unguarded":
        assert "a batch failed with KeyError at copy_worker.py" in worker.says()
        assert SECRET not in worker.says()
    if course.broker.kind == "kafka":  # the embedded broker shows what was aborted, and forgets offsets
        assert course.copies() == []
        assert course.committed() == 0


def test_an_output_that_no_broker_takes_ends_the_process(course: Course, tmp_path: Path) -> None:
    course.send(1)
    with working(course, tmp_path / "log", fail="large") as worker:
        assert worker.end() == 3
    assert "MSG_SIZE_TOO_LARGE" in worker.says()
    assert course.committed() == 0


@pytest.mark.kafka
def test_a_missing_topic_is_tried_again_and_then_named(
    kafka_course: Course, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transactor_module, "ABORTS_MAX", 2)
    kafka_course.send(1)
    missing = [Output("not-there", b"key", b"value")]
    reason = run(kafka_course.route(client=FAST), lambda _: missing, 1)
    assert isinstance(reason, InfrastructureError)
    assert "2 in a row: topic not-there: UNKNOWN_TOPIC_OR_PART" in str(reason)
    assert "done again" in caplog.text
    assert kafka_course.committed() == 0


def test_sigterm_commits_the_batch_at_hand(course: Course, tmp_path: Path) -> None:
    course.send(2_000)
    with working(course, tmp_path / "log", batch_records_max=100, pause_s=0.1) as worker:
        wait_until(lambda: len(course.copies()) > 0, "the first commits")
        assert worker.end(signal.SIGTERM) == 0
    assert "Traceback" not in worker.says()
    assert "not committed" not in worker.says()
    assert 0 < len(course.copies()) < 2_000
    if course.broker.kind == "kafka":
        assert course.committed() == len(course.copies())
        finish(course)


@pytest.mark.kafka
def test_sigkill_loses_and_doubles_nothing(kafka_course: Course, tmp_path: Path) -> None:
    course = kafka_course
    course.send(20_000)
    done = 0
    for kill in range(6):
        with working(course, tmp_path / "log", batch_records_max=200, pause_s=0.02 + 0.005 * kill) as worker:
            wait_until(lambda done=done: course.committed() > done, "the next commit")  # type: ignore[misc]  # mypy does not see the default
            worker.end(signal.SIGKILL)
        done = course.settle()
    assert 0 < done < course.sent
    finish(course)


@pytest.mark.kafka
def test_workers_share_the_partitions_and_take_over(kafka_course: Course, tmp_path: Path) -> None:
    course = kafka_course
    options = {"batch_records_max": 50, "pause_s": 0.02, "session_timeout_s": 6}
    course.send(6_000)
    with working(course, tmp_path / "first", "1", **options) as first:
        wait_until(lambda: course.committed() > 0, "the first worker commits")
        with working(course, tmp_path / "second", "2", **options) as second:
            wait_until(lambda: "assigned: in" in second.says(), "the second worker has partitions")
            wait_until(lambda: first.says().count("assigned: in") >= 2, "the first worker has given some up")
            wait_until(lambda: course.committed() > 2_000, "both commit")
            assert first.end(signal.SIGTERM) == 0
            wait_until(lambda: course.committed() == course.sent, "the second worker takes over")
            assert second.end(signal.SIGTERM) == 0
    course.check()


@pytest.mark.kafka
def test_a_worker_that_was_thought_dead_commits_nothing(kafka_course: Course, tmp_path: Path) -> None:
    course = kafka_course
    options = {"batch_records_max": 50, "pause_s": 0.02, "session_timeout_s": 6, "transaction_timeout_s": 5}
    course.send(5_000)
    with working(course, tmp_path / "first", "1", **options) as first:
        wait_until(lambda: course.committed() > 0, "the first worker commits")
        first.send(signal.SIGSTOP)
        with working(course, tmp_path / "second", "2", **options) as second:
            wait_until(lambda: "assigned: in" in second.says(), "the second worker takes over")
            first.send(signal.SIGCONT)
            wait_until(lambda: course.committed() == course.sent, "all is committed")
            assert second.end(signal.SIGTERM) == 0
    course.check()


@pytest.mark.kafka
def test_a_second_process_with_the_same_transactional_id_ends_the_first(kafka_course: Course, tmp_path: Path) -> None:
    course = kafka_course
    course.send(2_000)
    with working(course, tmp_path / "log", batch_records_max=10, pause_s=0.02) as worker:
        wait_until(lambda: course.committed() > 0, "the first commits")
        successor = Producer(
            {"bootstrap.servers": course.broker.bootstrap, "transactional.id": course.route().transactional_id}
        )
        successor.init_transactions(LIMIT_S)
        assert worker.end() == 3
    assert "fenced: another process" in worker.says()
    assert course.committed() == len(course.copies())


@pytest.mark.kafka
def test_a_second_process_with_the_same_instance_ends_the_first(kafka_course: Course, tmp_path: Path) -> None:
    course = kafka_course
    with working(course, tmp_path / "first") as first:
        wait_until(lambda: "assigned: in" in first.says(), "the first worker has partitions")
        with working(course, tmp_path / "second", transactional_id="another") as second:
            assert first.end() == 3
            course.send(10)
            wait_until(lambda: course.committed() == 10, "the second worker commits")
            assert second.end(signal.SIGTERM) == 0
    assert "fenced: another process" in first.says()


@pytest.mark.kafka
def test_a_restarted_broker_costs_nothing(hasty_kafka: KafkaBroker, tmp_path: Path) -> None:
    course = Course(hasty_kafka)
    course.send(8_000)
    with working(course, tmp_path / "log", batch_records_max=100, pause_s=0.02) as worker:
        wait_until(lambda: course.committed() > 0, "the first commits")
        hasty_kafka.restart()
        wait_until(lambda: course.committed() == course.sent, "the rest is committed")
        assert worker.end(signal.SIGTERM) == 0
    course.check()


@pytest.mark.kafka
def test_a_transaction_that_outlives_its_time_is_done_again(hasty_kafka: KafkaBroker, caplog: Any) -> None:
    course = Course(hasty_kafka)
    course.send(100)
    slow = [True]

    def handle(batch: Batch) -> Iterator[Output]:
        yield from copying(course)(batch)
        if slow.pop() if slow else False:
            time.sleep(2.5)

    route = course.route(transaction_timeout_s=1)
    assert run(route, handle, 100) is None
    assert "done again" in caplog.text
    course.check()


def test_a_network_that_fails_is_waited_for(embedded: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    course = Course(embedded)
    course.send(2_000)
    taken: list[int] = []

    def handle(batch: Batch) -> list[Output]:
        if not taken:
            embedded.interrupt()
            asyncio.get_running_loop().call_later(0.5, embedded.resume)
        taken.append(len(batch.messages))
        return copying(course)(batch)

    assert run(course.route(batch_records_max=100), handle, 2_000) is None
    assert "answers again" in caplog.text
    course.check()


def test_no_broker_at_the_start_is_said_and_ends_the_process(tmp_path: Path) -> None:
    class Nowhere:
        kind = "nowhere"
        bootstrap = f"127.0.0.1:{free_port()}"

        def create_topics(self, names: Iterable[str], partitions: int | None = None) -> None: ...

    course = Course(Nowhere())
    with working(course, tmp_path / "log", start_timeout_s=2) as worker:
        assert worker.end() == 3
    assert f"no broker answers at {Nowhere.bootstrap}; waiting for one" in worker.says()
    with working(course, tmp_path / "again", start_timeout_s=60) as worker:
        wait_until(lambda: "waiting for one" in worker.says(), "it waits")
        assert worker.end(signal.SIGTERM) == 0


def test_a_call_that_never_returns_ends_the_process(monkeypatch: pytest.MonkeyPatch, embedded: EmbeddedBroker) -> None:
    monkeypatch.setattr(lane_module, "STUCK_S", 0.1)
    monkeypatch.setattr(lane_module, "CLOSE_S", 0.1)
    monkeypatch.setattr(
        transactor_module.Transactor, "_open", lambda self: self._patience.insist(lambda _: time.sleep(5))
    )
    course = Course(embedded)
    reason = run(course.route(), copying(course), 1)
    assert isinstance(reason, InfrastructureError)
    assert "has not returned" in str(reason)


def test_a_batch_is_committed_once(embedded: EmbeddedBroker) -> None:
    course = Course(embedded)
    course.send(1)

    async def main() -> BaseException | None:
        app = create_app("twice")
        lane = Lane(app.channel(), course.route(), lambda: 0)
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


@pytest.mark.parametrize("agents", [0, 2])
def test_a_lane_takes_one_agent(agents: int, embedded: EmbeddedBroker) -> None:
    async def main() -> BaseException | None:
        app = create_app("crowd")
        lane = Lane(app.channel(), Course(embedded).route(), lambda: 0)
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


class Stub:
    """A consumer that gives prepared answers, and moves partitions on the way."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers

    def consume(self, _: int, __: float) -> list[Any]:
        answer = self.answers.pop(0) if self.answers else []
        return answer() if callable(answer) else answer


@pytest.mark.parametrize("assigned", [False, True])
def test_what_was_read_before_partitions_are_given_up_is_dropped(assigned: bool, embedded: EmbeddedBroker) -> None:
    transactor = transactor_module.Transactor(Course(embedded).route(), lambda: 0)
    reopened: list[bool] = []
    transactor._reopen = lambda: reopened.append(True)  # type: ignore[method-assign]  # what it does is tested above

    def give_up() -> list[str]:
        transactor._on_revoke(None, [])  # type: ignore[arg-type]  # not looked at
        transactor._assigned = assigned
        return ["c"]

    transactor._consumer = Stub([["a"], ["b"], give_up])  # type: ignore[assignment]  # one method is enough
    messages: list[Any] = []
    transactor._drain(messages, 0)
    assert messages == []
    assert bool(reopened) is assigned


class Held:
    """A transactor with twelve records before it, of which five fill a batch; its commits wait until they may."""

    def __init__(self, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.course = Course(embedded)
        self.course.send(12)
        self.may = threading.Event()
        self.settled: list[tuple[str, bool]] = []
        self.failure: KafkaException | None = None
        self.transactor = transactor_module.Transactor(self.course.route(batch_records_max=5), lambda: 0)
        finish = Outbox.finish

        def finish_later(outbox: Outbox, batch: Batch) -> None:
            assert self.may.wait(LIMIT_S)
            if self.failure is not None:
                raise self.failure
            finish(outbox, batch)

        monkeypatch.setattr(Outbox, "finish", finish_later)
        self.transactor.open()

    def read(self) -> Batch:
        deadline = time.monotonic() + LIMIT_S
        while (batch := self.transactor.read()) is None:
            assert time.monotonic() < deadline, "nothing comes"
        return batch

    def commit(self, name: str, batch: Batch, outputs: Iterable[Output]) -> None:
        self.transactor.commit(batch, outputs, lambda committed: self.settled.append((name, committed)))


@pytest.fixture
def held(embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(embedded, monkeypatch)
    yield held
    held.may.set()
    held.transactor.close()


def test_the_next_batch_is_computed_while_one_commits_and_written_after_it(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = held.read()
    held.commit("first", first, copying(held.course)(first))
    second = held.read()
    write = Outbox.write
    settled_when_written: list[list[tuple[str, bool]]] = []

    def see(outbox: Outbox, outputs: Iterable[Output], view: Any) -> None:
        settled_when_written.append(list(held.settled))
        write(outbox, outputs, view)

    def compute() -> Iterator[Output]:
        yield from copying(held.course)(second)
        held.may.set()  # only when all is computed the first may be committed

    monkeypatch.setattr(Outbox, "write", see)
    held.commit("second", second, compute())
    assert settled_when_written == [[("first", True)]]
    assert held.transactor.settle()
    assert held.settled == [("first", True), ("second", True)]
    assert len(held.course.copies()) == len(first.messages) + len(second.messages)


def test_the_next_batch_is_discarded_with_an_aborted_one(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    first = held.read()
    held.commit("first", first, copying(held.course)(first))
    second = held.read()
    held.failure = KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE))
    held.may.set()
    anew: list[bool] = []
    monkeypatch.setattr(held.transactor, "_reopen", lambda: anew.append(True))  # what it does is tested above
    monkeypatch.setattr(Outbox, "write", lambda *_: pytest.fail("the second batch is written"))
    held.commit("second", second, copying(held.course)(second))
    assert held.settled == [("first", False), ("second", False)]
    assert anew == [True]


def test_a_batch_that_is_not_full_waits_until_the_one_before_is_committed(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = held.read()
    held.commit("first", first, [])
    settle = held.transactor.settle

    def release() -> bool:
        held.may.set()
        return settle()

    monkeypatch.setattr(held.transactor, "settle", release)
    held.transactor._consumer = Stub([first.messages[:1]])  # type: ignore[assignment]  # one method is enough
    assert len(held.read().messages) == 1
    assert held.settled == [("first", True)]


def test_partitions_are_given_up_when_nothing_is_being_committed(held: Held) -> None:
    held.commit("first", held.read(), [])
    revoke = threading.Thread(target=held.transactor._on_revoke, args=(None, []))
    revoke.start()
    revoke.join(0.1)
    assert revoke.is_alive()
    held.may.set()
    revoke.join(LIMIT_S)
    assert not revoke.is_alive()
    assert held.transactor.settle()


def test_what_raises_when_it_hears_of_a_commit_ends_the_process(embedded: EmbeddedBroker) -> None:
    course = Course(embedded)
    course.send(1)

    def hear(_: bool) -> None:
        raise KeyError(SECRET)

    async def main() -> BaseException | None:
        app = create_app("deaf")
        lane = Lane(app.channel(), course.route(), lambda: 0)
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
    route = Course(embedded).route(client={"linger.ms": 7})
    producer = producer_properties(route, lambda _: None, lambda *_: None)
    consumer = consumer_properties(route, lambda _: None)
    assert producer["retry.backoff.ms"] == 2  # by default every transaction costs 100 ms more
    assert consumer["fetch.queue.backoff.ms"] == 5  # by default a backlog takes twice as long
    for properties in (producer, consumer):
        assert properties["metadata.recovery.strategy"] == "none"  # by default a commit may never return
        assert properties["linger.ms"] == 7
