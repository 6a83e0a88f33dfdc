"""Ends after transaction markers are committed once nothing follows them, so that retention may delete the markers."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer, TopicPartition

from processors.exactly_once import reached_ends
from processors.exactly_once.batch import OutputRecord
from processors.exactly_once.reached_ends import QUIET_S, ReachedEnds
from processors.exactly_once.transactor import Transactor
from sharing.kafka.clients import make_admin
from tests.processors.exactly_once.copy_pipeline import PARTITIONS, TIMEOUT_S, CopyPipeline
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.exactly_once.batch import Batch
    from sharing.testing.broker.kafka import KafkaBroker


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def begin(clock: Clock, **offsets: int) -> ReachedEnds:
    ends = ReachedEnds(clock)
    ends.begin([TopicPartition(topic, 0, offset) for topic, offset in offsets.items()])
    return ends


def test_an_end_is_committed_once_no_record_has_followed_it_for_long() -> None:
    clock = Clock()
    ends = begin(clock, quiet=5, busy=5)
    ends.note_reached({("quiet", 0): 7, ("busy", 0): 7})
    clock.now = QUIET_S - 1
    ends.note_reached({("busy", 0): 10})
    assert not ends.has_quiet
    assert ends.take_quiet({("busy", 0): 9}) == {}
    clock.now = QUIET_S
    assert ends.has_quiet
    assert ends.take_quiet({}) == {("quiet", 0): 7}
    assert not ends.has_quiet, "each end is committed once, and a record was before that of the other partition"
    ends.note_reached({("quiet", 0): 7})
    clock.now *= 3
    assert ends.take_quiet({}) == {("busy", 0): 10}


def test_an_end_that_moves_on_without_records_is_committed() -> None:
    """One aborted transaction after the other: the last end would never be quiet."""
    clock = Clock()
    ends = begin(clock, aborted=5)
    committed: list[int] = []
    for offset in range(7, 107, 2):
        ends.note_reached({("aborted", 0): offset})
        clock.now += QUIET_S / 4
        committed += ends.take_quiet({}).values()
    assert committed == list(range(13, 107, 8))


def test_the_end_at_which_reading_begins_needs_no_commit() -> None:
    clock = Clock()
    ends = begin(clock, read=5)
    ends.note_reached({("read", 0): 5})
    clock.now = QUIET_S
    assert not ends.has_quiet


def test_records_that_follow_an_end_count_instead_of_it() -> None:
    clock = Clock()
    ends = begin(clock, read=5)
    ends.note_reached({("read", 0): 7})
    clock.now = QUIET_S
    assert ends.take_quiet({("read", 0): 8}) == {}
    clock.now *= 3
    assert ends.take_quiet({}) == {}
    ends.note_reached({("read", 0): 9})
    assert ends.take_quiet({("read", 0): 9}) == {}, "the batch ends there, too"


def test_ends_of_an_earlier_assignment_are_forgotten() -> None:
    clock = Clock()
    ends = begin(clock, lost=5, kept=5)
    ends.note_reached({("lost", 0): 7, ("kept", 0): 7})
    ends.begin([TopicPartition("kept", 0, 5)])
    ends.note_reached({("lost", 0): 8})
    clock.now = QUIET_S
    assert ends.take_quiet({}) == {}


@pytest.fixture
def pipeline(kafka: KafkaBroker) -> CopyPipeline:
    pipeline = CopyPipeline(kafka)
    pipeline.create_changelog()
    return pipeline


@contextmanager
def open_transactor(pipeline: CopyPipeline, *, with_state: bool) -> Iterator[Transactor]:
    changelog = pipeline.changelog if with_state else None
    transactor = Transactor(pipeline.loop_config(changelog_topic=changelog), lambda: 0)
    transactor.open()
    try:
        yield transactor
    finally:
        transactor.finish_pending_commit()
        transactor.begin_stop()
        transactor.close()


def read_until_idle(transactor: Transactor, offsets: dict[int, int]) -> list[bytes]:
    """Return the values that are read until the partitions are processed up to these offsets, and commit them."""
    values, reached = [], dict[int, int]()
    deadline = time.monotonic() + TIMEOUT_S
    while reached != offsets:
        assert time.monotonic() < deadline, f"processed up to {reached} instead of {offsets}"
        if batch := transactor.read_batch():
            values += [message.value() or b"" for message in batch.messages]
            reached |= {number: offset for (_, number), offset in batch.offsets.items()}
            transactor.commit_batch(batch, [])
    return values


@pytest.mark.kafka
@pytest.mark.parametrize("with_state", [True, False])
def test_a_worker_starts_after_retention_has_deleted_all_that_it_has_read(
    pipeline: CopyPipeline, with_state: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last record there are transaction markers and records of an aborted transaction."""
    monkeypatch.setattr(reached_ends, "QUIET_S", 0.0)
    producer = Producer({"bootstrap.servers": pipeline.broker.bootstrap, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(TIMEOUT_S)
    for value, end in ((b"committed", producer.commit_transaction), (b"aborted", producer.abort_transaction)):
        producer.begin_transaction()
        for number in range(PARTITIONS):
            producer.produce(pipeline.source, value, partition=number)
        assert producer.flush(TIMEOUT_S) == 0
        end(TIMEOUT_S)
    all_read = dict.fromkeys(range(PARTITIONS), 4)
    with open_transactor(pipeline, with_state=with_state) as transactor:
        assert read_until_idle(transactor, all_read) == [b"committed"] * PARTITIONS

    client = make_admin(pipeline.broker.bootstrap)
    deleted = [TopicPartition(pipeline.source, number, -1) for number in range(PARTITIONS)]
    firsts = [future.result(TIMEOUT_S).low_watermark for future in client.delete_records(deleted).values()]
    assert firsts == [4] * PARTITIONS
    wait_until(lambda: pipeline.count_acknowledged() == 4 * PARTITIONS, "the ends are committed")

    pipeline.send_records(PARTITIONS)
    with open_transactor(pipeline, with_state=with_state) as transactor:
        values: list[bytes] = []
        deadline = time.monotonic() + TIMEOUT_S
        while len(values) < PARTITIONS:
            assert time.monotonic() < deadline
            if batch := transactor.read_batch():
                values += [message.value() or b"" for message in batch.messages]
                transactor.commit_batch(batch, [])
    assert sorted(values) == [b"value %d" % number for number in range(PARTITIONS)]


def has_records(batch: Batch | None) -> bool:
    return batch is not None and bool(batch.messages)


def has_quiet_end(transactor: Transactor) -> bool:
    transactor._clients.consumer.fill_batch(0.1)
    transactor._batches.note_ends()
    return transactor._batches._ends.has_quiet


@pytest.mark.kafka
def test_a_stop_commits_no_end_after_records_that_it_does_not_process(
    pipeline: CopyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that is read while the loop stops is dropped; then the last outputs are committed."""
    monkeypatch.setattr(reached_ends, "QUIET_S", 0.0)
    producer = Producer({"bootstrap.servers": pipeline.broker.bootstrap, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    producer.produce(pipeline.source, b"value", partition=0)
    producer.commit_transaction(TIMEOUT_S)
    transactor = Transactor(
        pipeline.loop_config(last_outputs=lambda _: [OutputRecord(pipeline.target, b"last", b"")]), lambda: 0
    )
    transactor.open()
    try:
        wait_until(lambda: has_records(transactor.read_batch()), "the record is read")
        wait_until(lambda: has_quiet_end(transactor), "the end after it is known")
        transactor.begin_stop()
        transactor.commit_last_outputs()
    finally:
        transactor.close()
    assert [key for _, key, _, _ in pipeline.read_committed(pipeline.target)] == [b"last"]
    assert pipeline.count_acknowledged(exact=True) == 0
