"""At most two batches are in progress: one is committed while the next is read, computed, and aborted with it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once.input_logs import LogChangedError
from processors.exactly_once.loop import OutputRecord
from processors.exactly_once.producer import TransactionalProducer
from processors.exactly_once.transactor import Transactor
from tests.processors.exactly_once.consumer_fixtures import ScriptedConsumer
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import make_copier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from processors.exactly_once.batch import Batch
    from sharing.testing.broker.embedded import EmbeddedBroker

TIMEOUT_S = 150.0


class PausedCommits:
    """A transactor with twelve records to read, five to a batch. Its commits wait for `commit_allowed`.

    Attributes:
        pipeline: The pipeline with the records.
        commit_allowed: Set by tests to let commits continue.
        commit_failure: Raised by commits instead of committing; None to commit.
        settled: The outcomes of the batches so far: name, and whether it was committed.
        transactor: The transactor.
    """

    def __init__(self, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.pipeline = CopyPipeline(embedded)
        self.pipeline.send_records(12)
        self.commit_allowed = threading.Event()
        self.settled: list[tuple[str, bool]] = []
        self.commit_failure: KafkaException | None = None
        self.transactor = Transactor(self.pipeline.loop_config(batch_records_max=5, **options), lambda: 0)
        commit_transaction = TransactionalProducer.commit_transaction

        def commit_when_allowed(producer: TransactionalProducer) -> None:
            assert self.commit_allowed.wait(TIMEOUT_S)
            if self.commit_failure is not None:
                raise self.commit_failure
            commit_transaction(producer)

        monkeypatch.setattr(TransactionalProducer, "commit_transaction", commit_when_allowed)
        self.transactor.open()

    def read_full_batch(self) -> Batch:
        """Read a full batch: a smaller one would wait until the previous one is committed."""
        deadline = time.monotonic() + TIMEOUT_S
        while not self.transactor._clients.consumer.fetched.is_full:
            assert time.monotonic() < deadline, "no records arrive"
            self.transactor._clients.consumer.fill_batch(0.1)
        batch = self.transactor.read_batch()
        assert batch is not None
        return batch

    def commit_batch(self, name: str, batch: Batch, outputs: Iterable[OutputRecord]) -> None:
        self.transactor.commit_batch(batch, outputs, lambda committed: self.settled.append((name, committed)))


@pytest.fixture
def paused(embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[PausedCommits]:
    paused = PausedCommits(embedded, monkeypatch)
    yield paused
    paused.commit_allowed.set()
    paused.transactor.close()


def test_the_next_batch_is_computed_while_one_commits_and_written_after_it(
    paused: PausedCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = paused.read_full_batch()
    paused.commit_batch("first", first, make_copier(paused.pipeline)(first))
    second = paused.read_full_batch()
    write_outputs = TransactionalProducer.write_outputs
    settled_when_written: list[list[tuple[str, bool]]] = []

    def observe_write(producer: TransactionalProducer, outputs: Iterable[OutputRecord], overlay: Any) -> None:
        settled_when_written.append(list(paused.settled))
        write_outputs(producer, outputs, overlay)

    def compute() -> Iterator[OutputRecord]:
        yield from make_copier(paused.pipeline)(second)
        paused.commit_allowed.set()  # the first may be committed only once all outputs of the second are computed

    monkeypatch.setattr(TransactionalProducer, "write_outputs", observe_write)
    paused.commit_batch("second", second, compute())
    assert settled_when_written == [[("first", True)]]
    assert paused.transactor.finish_pending_commit()
    assert paused.settled == [("first", True), ("second", True)]
    assert len(paused.pipeline.read_copies()) == len(first.messages) + len(second.messages)


def test_outputs_are_computed_while_a_transaction_begins(
    paused: PausedCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = paused.read_full_batch()
    computed = threading.Event()
    begin_transaction = TransactionalProducer.begin_transaction

    def begin_later(producer: TransactionalProducer, batch: Batch, topic_ids: Mapping[str, str], *_: Any) -> None:
        assert computed.wait(TIMEOUT_S)
        begin_transaction(producer, batch, topic_ids)

    def compute() -> Iterator[OutputRecord]:
        yield from make_copier(paused.pipeline)(batch)
        computed.set()

    monkeypatch.setattr(TransactionalProducer, "begin_transaction", begin_later)
    paused.commit_allowed.set()
    paused.commit_batch("first", batch, compute())
    assert paused.transactor.finish_pending_commit()
    assert len(paused.pipeline.read_copies()) == len(batch.messages)


def test_a_failure_to_compute_outputs_while_a_transaction_begins_aborts_it(
    paused: PausedCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = paused.read_full_batch()
    failed = threading.Event()
    begin_transaction = TransactionalProducer.begin_transaction
    abort_transaction = TransactionalProducer.abort_transaction
    calls: list[str] = []

    def begin_later(producer: TransactionalProducer, batch: Batch, topic_ids: Mapping[str, str], *_: Any) -> None:
        assert failed.wait(TIMEOUT_S)
        begin_transaction(producer, batch, topic_ids)
        calls.append("begun")

    def observe_abort(producer: TransactionalProducer) -> None:
        calls.append("aborted")
        abort_transaction(producer)

    def compute() -> Iterator[OutputRecord]:
        yield next(iter(make_copier(paused.pipeline)(batch)))
        failed.set()
        raise ValueError

    monkeypatch.setattr(TransactionalProducer, "begin_transaction", begin_later)
    monkeypatch.setattr(TransactionalProducer, "abort_transaction", observe_abort)
    with pytest.raises(ValueError):
        paused.commit_batch("first", batch, compute())
    assert calls == ["begun", "aborted"]
    assert paused.pipeline.read_copies() == []


@pytest.mark.parametrize("settled", [True, False], ids=["settled", "pending"])
def test_a_batch_without_records_commits_a_position_again_so_that_the_group_is_checked(
    paused: PausedCommits, monkeypatch: pytest.MonkeyPatch, *, settled: bool
) -> None:
    """A worker that has lost its partitions and does not know it must not act on a deadline."""
    batch = paused.read_full_batch()
    paused.commit_allowed.set()
    paused.commit_batch("first", batch, make_copier(paused.pipeline)(batch))
    if settled:
        assert paused.transactor.finish_pending_commit()
    sent: list[tuple[str, int, int]] = []
    begin_transaction = TransactionalProducer.begin_transaction

    def begin(producer: TransactionalProducer, batch: Batch, topic_ids: Mapping[str, str], idle: Any = None) -> None:
        sent.append((idle.topic, idle.partition, idle.offset))
        begin_transaction(producer, batch, topic_ids, idle)

    monkeypatch.setattr(TransactionalProducer, "begin_transaction", begin)
    copied = next(iter(make_copier(paused.pipeline)(batch)))
    paused.commit_batch("idle", replace(batch, messages=[], offsets={}, partitions=None), iter([copied]))
    assert paused.transactor.finish_pending_commit()
    assert [((topic, partition), offset) for topic, partition, offset in sent] == [
        next((place, offset) for place, offset in batch.offsets.items() if place == sent[0][:2])
    ]


def test_a_transaction_is_aborted_if_the_previous_batch_cannot_be_settled(
    paused: PausedCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on_settled(_: bool) -> None:
        raise ValueError("defect")

    first = paused.read_full_batch()
    paused.transactor.commit_batch(first, make_copier(paused.pipeline)(first), fail_on_settled)
    second = paused.read_full_batch()
    calls: list[str] = []
    abort_transaction = TransactionalProducer.abort_transaction

    def observe_abort(producer: TransactionalProducer) -> None:
        calls.append("aborted")
        abort_transaction(producer)

    monkeypatch.setattr(TransactionalProducer, "abort_transaction", observe_abort)
    paused.commit_allowed.set()
    with pytest.raises(ValueError, match="defect"):
        paused.commit_batch("second", second, make_copier(paused.pipeline)(second))
    assert calls == ["aborted"]
    assert paused.settled == []
    assert len(paused.pipeline.read_copies()) == len(first.messages)


def test_the_next_batch_is_discarded_with_an_aborted_one(
    paused: PausedCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = paused.read_full_batch()
    paused.commit_batch("first", first, make_copier(paused.pipeline)(first))
    second = paused.read_full_batch()
    paused.commit_failure = KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE))
    paused.commit_allowed.set()
    reopened: list[bool] = []
    monkeypatch.setattr(paused.transactor._recovery, "reopen_clients", lambda: reopened.append(True))
    monkeypatch.setattr(TransactionalProducer, "write_outputs", lambda *_: pytest.fail("the second batch is written"))
    paused.commit_batch("second", second, make_copier(paused.pipeline)(second))
    assert paused.settled == [("first", False), ("second", False)]
    assert reopened == [True]


def test_a_batch_that_is_not_full_waits_until_the_previous_one_is_committed(
    paused: PausedCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = paused.read_full_batch()
    paused.commit_batch("first", first, [])
    finish_pending_commit = paused.transactor.finish_pending_commit

    def allow_commit() -> bool:
        paused.commit_allowed.set()
        return finish_pending_commit()

    monkeypatch.setattr(paused.transactor, "finish_pending_commit", allow_commit)
    with monkeypatch.context() as patch:
        patch.setattr(paused.transactor._clients.consumer, "_consumer", ScriptedConsumer([first.messages[:1]]))
        batch = paused.transactor.read_batch()
        assert batch is not None
        assert len(batch.messages) == 1
    assert paused.settled == [("first", True)]


class LostCoordinatorProducer:
    """A librdkafka producer that cannot find its coordinator when one of its methods is called."""

    def __init__(self, producer: Producer, call: str) -> None:
        self.producer = producer
        self.call = call

    def __getattr__(self, name: str) -> Any:
        return self.fail if name == self.call else getattr(self.producer, name)

    def fail(self, *_: Any) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "", False, True))  # fatal: no; retriable: yes


@pytest.mark.parametrize("call", ["send_offsets_to_transaction", "commit_transaction"])
def test_a_transaction_that_cannot_begin_or_commit_is_repeated_with_new_clients(
    call: str, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "HEARTBEAT_WAIT_S", 0.1)
    paused = PausedCommits(embedded, monkeypatch, transaction_timeout_s=4, session_timeout_s=6)
    paused.commit_allowed.set()
    batch = paused.read_full_batch()
    monkeypatch.setattr(
        paused.transactor._clients.producer,
        "_producer",
        LostCoordinatorProducer(paused.transactor._clients.producer._producer, call),
    )
    paused.commit_batch("first", batch, make_copier(paused.pipeline)(batch))
    paused.transactor.finish_pending_commit()
    batch = paused.read_full_batch()
    paused.commit_batch("again", batch, make_copier(paused.pipeline)(batch))
    assert paused.transactor.finish_pending_commit()
    assert paused.settled == [("first", False), ("again", True)]
    paused.transactor.close()


def test_partitions_are_revoked_only_after_the_pending_commit(paused: PausedCommits) -> None:
    paused.commit_batch("first", paused.read_full_batch(), [])
    revoke = threading.Thread(target=paused.transactor._assignment.give_up_partitions, args=({0},))
    revoke.start()
    revoke.join(0.1)
    assert revoke.is_alive()
    paused.commit_allowed.set()
    revoke.join(TIMEOUT_S)
    assert not revoke.is_alive()
    assert paused.transactor.finish_pending_commit()


def test_clients_are_opened_once_for_a_topic_that_was_created_again(
    paused: PausedCommits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining the group takes longer than a read: the old ids must not be compared until partitions are assigned."""
    transactor, opened = paused.transactor, list[str]()
    paused.commit_allowed.set()
    paused.commit_batch("first", paused.read_full_batch(), [])
    assert transactor.finish_pending_commit()

    def find_change() -> None:
        raise LogChangedError("in")

    monkeypatch.setattr(transactor._input_logs, "check_when_idle", find_change)
    with monkeypatch.context() as patch:
        patch.setattr(transactor._clients, "close", lambda: None)
        patch.setattr(transactor._clients, "open", lambda: opened.append("again"))
        for _ in range(3):
            transactor._check_logs_when_idle()
    assert opened == ["again"]
