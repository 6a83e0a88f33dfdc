"""At most two batches are in progress: one is committed while the next is read, computed, and aborted with it."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once import transactor as transactor_module
from processors.exactly_once.input_logs import LogChangedError
from processors.exactly_once.loop import OutputRecord
from processors.exactly_once.producer import TransactionalProducer
from sharing.errors import InfrastructureError
from sharing.kafka.clients import UNASSIGNED_SESSIONS, make_consumer
from tests.processors.exactly_once.consumer_fixtures import StubRebalancing, open_batch_consumer
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import OFFLINE_CONFIG, make_copier
from tests.support.never_joins import NeverJoins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from processors.exactly_once.batch import Batch
    from sharing.testing.broker.embedded import EmbeddedBroker

TIMEOUT_S = 150.0


class ScriptedConsumer:
    """A librdkafka consumer with scripted results, which may be functions that simulate a rebalance."""

    def __init__(self, results: Sequence[Any] = ()) -> None:
        self.results = list(results)

    def subscribe(self, *_: Any, **__: Any) -> None: ...

    def consume(self, _: int, __: float) -> list[Any]:
        result = self.results.pop(0) if self.results else []
        return result() if callable(result) else result


@pytest.mark.parametrize("assigned", [False, True])
def test_records_read_before_a_revocation_are_dropped(assigned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = ScriptedConsumer()
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    rebalancing = StubRebalancing()
    batch_consumer = open_batch_consumer(OFFLINE_CONFIG, rebalancing)

    def revoke() -> list[str]:
        batch_consumer._on_revoke(None, [])  # type: ignore[arg-type]  # the arguments are not used
        batch_consumer._assigned_during_consume = assigned
        return ["c"]

    consumer.results = [["a"], ["b"], revoke]
    assert batch_consumer.fill_batch(0) is not assigned  # the transactor then opens both clients again
    assert rebalancing.given_up == [set()]
    assert batch_consumer.take_messages() == ([], [])


@pytest.mark.parametrize("assigned", [False, True])
def test_ends_that_were_reached_before_a_revocation_count_no_more(
    assigned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_end(offset: int) -> Mock:
        error = Mock(code=Mock(return_value=KafkaError._PARTITION_EOF))
        return Mock(**{"error.return_value": error, "topic.return_value": "in", "partition.return_value": 0,
                       "offset.return_value": offset, "__len__": lambda _: 10})  # fmt: skip

    consumer = ScriptedConsumer()
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    batch_consumer = open_batch_consumer(replace(OFFLINE_CONFIG, horizon_clock=lambda: 0))
    consumer.results = [[make_end(7)], [make_end(9)]]
    assert batch_consumer.fill_batch(0)
    assert batch_consumer.take_messages() == ([], []), "the report of an end is no record"
    assert batch_consumer.take_ends() == {("in", 0): 9}
    assert batch_consumer.take_ends() == {}

    def revoke() -> list[Mock]:
        batch_consumer._on_revoke(None, [])  # type: ignore[arg-type]  # the arguments are not used
        return [make_end(3)] * assigned

    consumer.results = [[make_end(11)], revoke]
    batch_consumer.fill_batch(0)
    assert batch_consumer.take_ends() == ({("in", 0): 3} if assigned else {})


def make_record(topic: str) -> Message:
    return Message(topic=topic, partition=0, offset=0, value=b"v")


@pytest.mark.parametrize(
    ("topics", "wait_s", "taken"),
    [
        ([["slow"], [], ["slow"], [], ["fast"], ["slow"]], 0.1, 4),  # they wait for more, and leave with what may not
        ([["fast"], [], ["slow"]], 0.1, 1),
        ([["slow"], ["fast"], [], ["slow"]], 0.1, 2),
        ([["slow"], [], ["slow"]], 0.0, 1),  # a transaction is being committed: whether the batch is full is asked
    ],
)
def test_records_of_patient_topics_wait_for_more(
    topics: list[list[str]], wait_s: float, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = ScriptedConsumer([list(map(make_record, each)) for each in topics])
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    config = replace(OFFLINE_CONFIG, patient_topics=frozenset({"slow"}), patience_s=TIMEOUT_S)
    batch_consumer = open_batch_consumer(config)
    assert batch_consumer.fill_batch(wait_s)
    assert len(batch_consumer.take_messages()[0]) == taken


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = ScriptedConsumer([[make_record("slow")]])
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    batch_consumer = open_batch_consumer(replace(OFFLINE_CONFIG, patient_topics=frozenset({"slow"}), patience_s=0.02))
    assert batch_consumer.fill_batch(0.1)
    assert len(batch_consumer.take_messages()[0]) == 1


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
        self.transactor = transactor_module.Transactor(
            self.pipeline.loop_config(batch_records_max=5, **options), lambda: 0
        )
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
        while not self.transactor._clients.consumer.is_full:
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
    monkeypatch.setattr(paused.transactor, "_reopen_clients", lambda: reopened.append(True))
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


def test_a_consumer_without_an_assignment_is_opened_again(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "HEARTBEAT_WAIT_S", 0.1)
    pipeline = CopyPipeline(embedded)
    pipeline.send_records(3)
    config = pipeline.loop_config()
    transactor = transactor_module.Transactor(config, lambda: 0)
    with monkeypatch.context() as patch:
        patch.setattr(consumer_module, "make_consumer", lambda properties: NeverJoins(make_consumer(properties)))
        transactor.open()
    assert transactor.read_batch() is None
    first = transactor._clients.consumer
    limit_s = UNASSIGNED_SESSIONS * config.session_timeout_s
    first._unassigned_since = time.monotonic() - limit_s + 5
    assert transactor.read_batch() is None
    assert transactor._clients.consumer is first
    first._unassigned_since -= 5
    with monkeypatch.context() as patch:
        patch.setattr(first, "check_for_replacement", lambda: pytest.fail("replacement checked first"))
        with pytest.raises(pytest.fail.Exception, match="replacement"):
            transactor.read_batch()
    assert transactor._clients.consumer is first
    deadline, read = time.monotonic() + TIMEOUT_S, 0
    while read < 3:
        assert time.monotonic() < deadline, "no records arrive"
        batch = transactor.read_batch()
        read += len(batch.messages) if batch is not None else 0
    assert transactor._clients.consumer is not first
    assert transactor._clients.consumer.seconds_without_assignment == 0
    transactor._clients.consumer._on_revoke(None, [])  # type: ignore[arg-type]  # the arguments are not used
    assert transactor._clients.consumer.seconds_without_assignment > 0
    transactor.close()


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


def recover_repeatedly(transactor: transactor_module.Transactor, seconds: float) -> list[int]:
    """Abort full batches that have taken this long until the transactor gives up; return their sizes."""
    sizes: list[int] = []
    error = KafkaError(KafkaError.INVALID_TXN_STATE)
    while True:
        sizes.append(transactor._sizer.limit)
        try:
            transactor._recover(error, sizes[-1], time.monotonic() - seconds)
        except InfrastructureError:
            return sizes


@pytest.fixture
def offline_transactor(monkeypatch: pytest.MonkeyPatch) -> transactor_module.Transactor:
    """A transactor without clients."""
    transactor = transactor_module.Transactor(OFFLINE_CONFIG, lambda: 0)
    monkeypatch.setattr(transactor, "_clients", Mock())
    monkeypatch.setattr(transactor, "_reopen_clients", lambda: None)
    return transactor


def test_a_batch_that_is_too_slow_is_halved_down_to_one_record_before_the_worker_ends(
    offline_transactor: transactor_module.Transactor,
) -> None:
    """A restart would begin with large batches again: a worker that ended sooner would never get past."""
    sizes = recover_repeatedly(offline_transactor, OFFLINE_CONFIG.transaction_timeout_s + 1)
    assert sizes == [1_000, 500, 250, 125, 62, 31, 15, 7, 3, *[1] * transactor_module.ABORTS_MAX]


def test_other_aborts_are_counted_at_any_size(offline_transactor: transactor_module.Transactor) -> None:
    assert recover_repeatedly(offline_transactor, 0) == [1_000] * transactor_module.ABORTS_MAX
