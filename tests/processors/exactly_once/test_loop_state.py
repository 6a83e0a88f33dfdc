"""A lane with a ledger on the real broker: state, outputs and offsets stand or fall together."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once.changelog import KafkaChangelog
from processors.exactly_once.loop import OutputRecord
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.copy_pipeline import LIMIT_S, PARTITIONS, CopyPipeline
from tests.processors.exactly_once.loop_fixtures import counting, run, working
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.exactly_once.batch import Batch
    from sharing.testing.broker.kafka import KafkaBroker

pytestmark = pytest.mark.kafka


@pytest.fixture
def course(kafka: KafkaBroker) -> CopyPipeline:
    course = CopyPipeline(kafka, keys=10)
    course.add_ledger()
    return course


def count(course: CopyPipeline, **options: Any) -> BaseException | None:
    route = course.route(state_topic=course.ledger, **options)
    return run(route, counting(course), course.sent - course.committed(settled=True))


@pytest.mark.parametrize("lasting", [False, True])
def test_goes_on_counting_where_the_last_run_ended(
    course: CopyPipeline, tmp_path: Path, lasting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory all is read back; a copy on disk is read on from where it stands, and there is nothing."""
    spans: list[dict[int, tuple[int, int]]] = []
    read = KafkaChangelog.read

    def note(self: KafkaChangelog, asked: dict[int, tuple[int, int]], take: Any) -> bool:
        spans.append(asked)
        return read(self, asked, take)

    monkeypatch.setattr(KafkaChangelog, "read", note)
    for _ in range(3):
        course.send(500)
        assert count(course, batch_records_max=60, state_folder=tmp_path / "kept" if lasting else None) is None
    course.check_counts()
    for start, end in spans[-1].values():
        assert end > 0
        assert start >= end - 1 if lasting else start == 0  # what is left is the marker of the last transaction


def test_a_failed_batch_leaves_no_state(course: CopyPipeline, tmp_path: Path) -> None:
    course.send(100)
    with working(course, tmp_path / "log", fail="midway") as worker:
        assert worker.end() == 1
    assert course.committed_records(course.ledger) == []
    assert count(course) is None
    course.check_counts()


def test_an_empty_value_is_kept_and_a_deleted_key_is_a_tombstone(course: CopyPipeline) -> None:
    course.send(1)

    def first(batch: Batch) -> list[OutputRecord]:
        assert batch.state is not None
        batch.state.put(1, b"", b"")
        batch.state.put(1, b"gone", b"x")
        return []

    def second(batch: Batch) -> list[OutputRecord]:
        assert batch.state is not None
        assert dict(batch.state.items(1)) == {b"": b"", b"gone": b"x"}
        batch.state.delete(1, b"gone")
        return []

    def third(batch: Batch) -> list[OutputRecord]:
        assert batch.state is not None
        assert dict(batch.state.items(1)) == {b"": b""}
        return []

    for handle in (first, second, third):
        assert run(course.route(state_topic=course.ledger), handle, 1) is None
        course.send(1)
    assert (1, b"gone", None) in [record[:3] for record in course.committed_records(course.ledger)]


@pytest.mark.parametrize("there", ["offsets", "entry"])
def test_what_an_earlier_owner_is_still_committing_is_waited_for(
    course: CopyPipeline, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its open transaction the lane finds the offsets only, and the entry comes later; or the entry only."""
    course.send(10)
    bootstrap = {"bootstrap.servers": course.broker.bootstrap}
    owner = Producer({**bootstrap, "transactional.id": f"{course.group}-earlier"})
    owner.init_transactions(LIMIT_S)
    owner.begin_transaction()
    if there == "offsets":
        member = Consumer({**bootstrap, "group.id": course.group})
        offsets = [TopicPartition(course.source, number, 0) for number in range(PARTITIONS)]
        owner.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), LIMIT_S)
        member.close()
    else:
        owner.produce(course.ledger, b"late", b"key", 0)
        owner.flush(LIMIT_S)
    seen: list[dict[bytes, bytes]] = []
    asking, told = threading.Event(), threading.Event()
    ask_offsets, spans = consumer_module._ask_offsets, KafkaChangelog.spans

    def ask(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        asking.set()
        return ask_offsets(consumer, partitions)

    def tell(self: KafkaChangelog, partitions: Any) -> Any:
        answer = spans(self, partitions)
        told.set()
        return answer

    def handle(batch: Batch) -> list[OutputRecord]:
        assert batch.state is not None
        seen.append(dict(batch.state.items(0)))
        return []

    def end_it() -> None:
        assert (asking if there == "offsets" else told).wait(LIMIT_S)
        time.sleep(0.5)  # for who would not wait to go on; a shorter time would prove less, not fail
        if there == "offsets":
            owner.produce(course.ledger, b"late", b"key", 0)
        owner.commit_transaction(LIMIT_S)

    monkeypatch.setattr(consumer_module, "_ask_offsets", ask)
    monkeypatch.setattr(KafkaChangelog, "spans", tell)
    thread = threading.Thread(target=end_it)
    thread.start()
    assert run(course.route(state_topic=course.ledger), handle, 10) is None
    thread.join()
    assert seen[0] == {b"key": b"late"}


@pytest.mark.parametrize(("ledger", "says"), [("not-there", "has 0; they must"), ("narrow", "has 1; they must")])
def test_a_ledger_that_does_not_fit_ends_the_process(course: CopyPipeline, ledger: str, says: str) -> None:
    course.send(1)
    if ledger == "narrow":
        ledger = f"narrow-{course.mark}"
        course.broker.create_topics([ledger], partitions=1)
    reason = run(course.route(state_topic=ledger), lambda _: [], 1)
    assert isinstance(reason, InfrastructureError)
    assert says in str(reason)


def test_an_aborted_transaction_is_not_counted(course: CopyPipeline, caplog: pytest.LogCaptureFixture) -> None:
    """Here the second batch, computed on top of the first, is discarded with it."""
    course.send(400)
    missing = [True]

    def handle(batch: Batch) -> Iterator[OutputRecord]:
        yield from counting(course)(batch)
        if missing.pop() if missing else False:
            yield OutputRecord("not-there", b"key", b"value")

    route = course.route(
        state_topic=course.ledger, batch_records_max=50, client={"topic.metadata.propagation.max.ms": 100}
    )
    assert run(route, handle, 400) is None
    assert "done again" in caplog.text
    course.check_counts()


def test_a_worker_that_is_to_stop_does_not_wait_for_its_ledger(course: CopyPipeline, tmp_path: Path) -> None:
    course.send(10)
    owner = Producer({"bootstrap.servers": course.broker.bootstrap, "transactional.id": f"{course.group}-earlier"})
    owner.init_transactions(LIMIT_S)
    owner.begin_transaction()
    owner.produce(course.ledger, b"open", b"key", 0)
    owner.flush(LIMIT_S)
    with working(course, tmp_path / "log") as worker:
        wait_until(lambda: "assigned: in" in worker.says(), "it has partitions")
        assert worker.end(signal.SIGTERM) == 0
    assert course.committed() == 0
    owner.abort_transaction(LIMIT_S)
    assert count(course) is None
    course.check_counts()
