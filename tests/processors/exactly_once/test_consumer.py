"""Where a consumer begins: at the group's offsets once nothing changes them any more, whoever comes meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once import retry
from processors.exactly_once.consumer import BatchConsumer
from processors.exactly_once.kafka_errors import ErrorReporter
from sharing.errors import InfrastructureError
from tests.processors.exactly_once.copy_pipeline import PARTITIONS, CopyPipeline
from tests.processors.exactly_once.loop_fixtures import NOWHERE, ROOT
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sharing.testing.broker.embedded import EmbeddedBroker


SENT, SETTLED, HELD = 300, 20, 30
"""Records, and offsets of each partition: of a committed transaction, and of one that is open."""

STOP_S = 30.0  # a tenth of what the open transaction would last

HASTY = {"heartbeat.interval.ms": 100, "retry.backoff.ms": 500}
"""A consumer hears soon of other members; meanwhile it waits to ask again for offsets that are held back."""


class Reader:
    """An inbox, read in a thread of its own as a lane does."""

    def __init__(self, course: CopyPipeline) -> None:
        self.read: list[tuple[int, int]] = []
        self._stopped = False
        route = course.route(session_timeout_s=6, client=HASTY)
        self.inbox = BatchConsumer(route, ErrorReporter(route), lambda _: None, lambda: self._stopped)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._thread.join(STOP_S)
        assert not self._thread.is_alive(), "it does not stop"
        self.inbox.close()

    def _work(self) -> None:
        while not self._stopped:
            self.inbox.fill(0.05)
            self.read += [(message.partition(), message.offset()) for message in self.inbox.take()]


@contextmanager
def reading(course: CopyPipeline) -> Iterator[Reader]:
    reader = Reader(course)
    try:
        yield reader
    finally:
        reader.stop()


def hold(course: CopyPipeline) -> Producer:
    """Commit offsets of the group in one transaction, and leave others in a second that is open."""
    names = {"bootstrap.servers": course.broker.bootstrap}
    producer = Producer({**names, "transactional.id": course.mark, "transaction.timeout.ms": 300_000})
    producer.init_transactions()
    member = Consumer({**names, "group.id": course.group}).consumer_group_metadata()
    for offset in (SETTLED, HELD):
        producer.begin_transaction()
        offsets = [TopicPartition(course.source, partition, offset) for partition in range(PARTITIONS)]
        producer.send_offsets_to_transaction(offsets, member)
        if offset == SETTLED:
            producer.commit_transaction()
    return producer


def come_and_go(course: CopyPipeline) -> None:
    """Be another member for a moment: partitions are to move twice."""
    names = {"bootstrap.servers": course.broker.bootstrap, "group.id": course.group}
    other = Consumer({**names, "session.timeout.ms": 6_000, "partition.assignment.strategy": "range"})
    other.subscribe([course.source])
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        other.consume(1, 0.05)
    other.close()


@pytest.mark.kafka
@pytest.mark.parametrize("committed", [True, False])
def test_who_comes_while_offsets_are_held_begins_where_they_end(
    kafka_course: CopyPipeline, committed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Other members come and go on the way: librdkafka by itself begins with the first record then."""
    monkeypatch.setattr(retry, "SILENT_S", 1.0)
    course = kafka_course
    course.send(SENT)
    producer = hold(course)
    first = HELD if committed else SETTLED
    wanted = SENT - PARTITIONS * first
    with reading(course) as reader:
        for _ in range(2):
            come_and_go(course)
        assert reader.read == []
        assert f"still waiting for offsets of {course.source}[0]" in caplog.text
        (producer.commit_transaction if committed else producer.abort_transaction)()
        wait_until(lambda: len(set(reader.read)) >= wanted, "the rest is read")
    assert len(set(reader.read)) == wanted
    for partition in range(PARTITIONS):
        assert min(offset for number, offset in reader.read if number == partition) == first


@pytest.mark.kafka
def test_who_is_to_stop_does_not_wait_for_offsets_that_are_held(kafka_course: CopyPipeline) -> None:
    course = kafka_course
    course.send(SENT)
    producer = hold(course)
    with reading(course) as reader:
        wait_until(lambda: reader.inbox.member is not None, "partitions are assigned")
    assert reader.read == []
    producer.abort_transaction()


class Answers:
    """A consumer of which the answers are prepared: errors to raise, or places; the last is repeated."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.member = b"this worker"
        self.assigned: list[TopicPartition] | None = None

    def consumer_group_metadata(self) -> bytes:
        return self.member

    def committed(self, _: list[TopicPartition], __: float) -> list[TopicPartition]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer()
        if isinstance(answer, list):
            return answer
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT if callable(answer) else answer))

    def assign(self, places: list[TopicPartition]) -> None:
        self.assigned = places


PARTS = [TopicPartition("in", 0), TopicPartition("in", 1)]


def place(partition: int, offset: int, error: int | None = None) -> Any:
    return SimpleNamespace(partition=partition, offset=offset, error=None if error is None else KafkaError(error))


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> BatchConsumer:
    """An inbox whose consumer is never asked; a real one that is closed while it joins may not return."""
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: Mock())
    return BatchConsumer(NOWHERE, ErrorReporter(NOWHERE), lambda _: None, lambda: False)


def test_an_error_for_one_partition_is_no_answer_and_no_offset_is_the_beginning(inbox: BatchConsumer) -> None:
    unsettled = [place(0, 7), place(1, -1001, KafkaError.UNSTABLE_OFFSET_COMMIT)]
    answers = Answers(KafkaError._TRANSPORT, unsettled, [place(0, 8), place(1, -1001)])
    inbox._on_assign(answers, PARTS)  # type: ignore[arg-type]  # what is called of it is there
    assert answers.assigned is not None
    assert [(one.partition, one.offset) for one in answers.assigned] == [(0, 8), (1, OFFSET_BEGINNING)]
    assert (inbox.fresh, inbox.unassigned_s) == ({0, 1}, 0.0)


def test_a_refusal_ends_the_process(inbox: BatchConsumer) -> None:
    answers = Answers([place(0, 7), place(1, -1001, KafkaError.GROUP_AUTHORIZATION_FAILED)])
    with pytest.raises(InfrastructureError, match="GROUP_AUTHORIZATION_FAILED"):
        inbox._on_assign(answers, PARTS)  # type: ignore[arg-type]
    assert answers.assigned is None


@pytest.mark.parametrize("why", ["expelled", "too long"])
def test_who_is_expelled_or_waits_too_long_begins_nowhere_and_is_opened_anew_later(
    inbox: BatchConsumer, why: str
) -> None:
    def expel() -> None:
        answers.member = b"nobody"

    answers = Answers(expel if why == "expelled" else KafkaError._TIMED_OUT)
    inbox._settled_s = 60 if why == "expelled" else 0.3
    inbox._on_assign(answers, PARTS)  # type: ignore[arg-type]
    assert (answers.assigned, inbox.fresh) == ([], set())
    assert inbox.unassigned_s > 0


def test_nothing_is_asked_for_an_assignment_of_nothing(inbox: BatchConsumer) -> None:
    answers = Answers(KafkaError.GROUP_AUTHORIZATION_FAILED)
    inbox._on_assign(answers, [])  # type: ignore[arg-type]
    assert (answers.assigned, inbox.unassigned_s) == ([], 0.0)


LEAVER = """
import sys, time
from processors.exactly_once.consumer import BatchConsumer
from processors.exactly_once.kafka_errors import ErrorReporter
from processors.exactly_once.config import LoopConfig
bootstrap, topic, name = sys.argv[1:]
route = LoopConfig(bootstrap=bootstrap, topics=[topic], group=name, instance=name, transactional_id=name)
inbox = BatchConsumer(route, ErrorReporter(route), lambda _: None, lambda: False)
before = inbox._consumer.consumer_group_metadata()
while inbox._consumer.consumer_group_metadata() == before:
    time.sleep(0.01)
time.sleep(0.3)  # for the assignment to come; a shorter time would prove less, not fail
inbox.close()
assert inbox.member is None
"""


def test_an_assignment_that_nobody_has_heard_of_does_not_hold_up_the_end(embedded: EmbeddedBroker) -> None:
    """Processes of their own: a close that does not return keeps Python's lock."""
    course = CopyPipeline(embedded)
    program = [sys.executable, "-c", LEAVER, embedded.bootstrap, course.source]
    leavers = [subprocess.Popen([*program, f"{course.mark}-{number}"], cwd=ROOT) for number in range(6)]
    try:
        assert [leaver.wait(60) for leaver in leavers] == [0] * len(leavers)
    finally:
        for leaver in leavers:
            leaver.kill()
            leaver.wait()
