"""Where a consumer begins: at the group's offsets once nothing changes them any more, whatever moves meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from processors.lane import time_limits
from processors.lane.inbox import Inbox
from processors.lane.kafka_errors import Witness
from tests.processors.course import PARTITIONS, Course
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


SENT, SETTLED, HELD = 300, 20, 30
"""Records, and offsets of each partition: of a committed transaction, and of one that is open."""

STOP_S = 30.0  # a tenth of what the open transaction would last

HASTY = {"heartbeat.interval.ms": 100, "retry.backoff.ms": 500}
"""A consumer hears soon of other members; meanwhile it waits to ask again for offsets that are held back."""


class Reader:
    """An inbox, read in a thread of its own as a lane does."""

    def __init__(self, course: Course) -> None:
        self.read: list[tuple[int, int]] = []
        self._stopped = False
        route = course.route(session_timeout_s=6, client=HASTY)
        self.inbox = Inbox(route, Witness(route), lambda _: None, lambda: self._stopped)
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
def reading(course: Course) -> Iterator[Reader]:
    reader = Reader(course)
    try:
        yield reader
    finally:
        reader.stop()


def hold(course: Course) -> Producer:
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


def come_and_go(course: Course) -> None:
    """Be another member for a moment: partitions move twice."""
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
    kafka_course: Course, committed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Other members come and go on the way: librdkafka by itself begins with the first record then."""
    monkeypatch.setattr(time_limits, "SILENT_S", 1.0)
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
def test_who_is_to_stop_does_not_wait_for_offsets_that_are_held(kafka_course: Course) -> None:
    course = kafka_course
    course.send(SENT)
    producer = hold(course)
    with reading(course) as reader:
        wait_until(lambda: reader.inbox.member is not None, "partitions are assigned")
    assert reader.read == []
    producer.abort_transaction()
