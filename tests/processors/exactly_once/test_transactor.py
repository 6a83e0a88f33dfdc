"""Two batches at most: one is committed while the next is read and computed, and falls with it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from processors.exactly_once import consumer as consumer_module
from processors.exactly_once import transactor as transactor_module
from processors.exactly_once.consumer import BatchConsumer
from processors.exactly_once.kafka_errors import ErrorReporter
from processors.exactly_once.loop import OutputRecord
from processors.exactly_once.producer import TransactionalProducer
from sharing.kafka.clients import UNASSIGNED_SESSIONS, make_consumer
from tests.processors.exactly_once.copy_pipeline import CopyPipeline
from tests.processors.exactly_once.loop_fixtures import NOWHERE, copying
from tests.support.never_joins import NeverJoins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from processors.exactly_once.batch import Batch
    from sharing.testing.broker.embedded import EmbeddedBroker

LIMIT_S = 150.0
FAST = {"topic.metadata.propagation.max.ms": 100}


class Stub:
    """A consumer that gives prepared answers, and moves partitions on the way."""

    def __init__(self, answers: Sequence[Any] = ()) -> None:
        self.answers = list(answers)

    def subscribe(self, *_: Any, **__: Any) -> None: ...

    def consume(self, _: int, __: float) -> list[Any]:
        answer = self.answers.pop(0) if self.answers else []
        return answer() if callable(answer) else answer


@pytest.mark.parametrize("assigned", [False, True])
def test_what_was_read_before_partitions_are_given_up_is_dropped(
    assigned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = Stub()
    monkeypatch.setattr(consumer_module, "make_consumer", lambda _: consumer)
    given_up: list[set[int]] = []
    inbox = BatchConsumer(NOWHERE, ErrorReporter(NOWHERE), given_up.append, lambda: False)

    def give_up() -> list[str]:
        inbox._on_revoke(None, [])  # type: ignore[arg-type]  # not looked at
        inbox._assigned = assigned
        return ["c"]

    consumer.answers = [["a"], ["b"], give_up]
    assert inbox.fill(0) is not assigned  # then the clients are opened anew, which is tested above
    assert given_up == [set()]
    assert inbox.take() == []


class Held:
    """A transactor with twelve records before it, of which five fill a batch; its commits wait until they may."""

    def __init__(self, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        self.course = CopyPipeline(embedded)
        self.course.send(12)
        self.may = threading.Event()
        self.settled: list[tuple[str, bool]] = []
        self.failure: KafkaException | None = None
        self.transactor = transactor_module.Transactor(self.course.route(batch_records_max=5, **options), lambda: 0)
        finish = TransactionalProducer.finish

        def finish_later(outbox: TransactionalProducer) -> None:
            assert self.may.wait(LIMIT_S)
            if self.failure is not None:
                raise self.failure
            finish(outbox)

        monkeypatch.setattr(TransactionalProducer, "finish", finish_later)
        self.transactor.open()

    def read(self) -> Batch:
        """Read a full batch, as one that is not would wait until the one before is committed."""
        deadline = time.monotonic() + LIMIT_S
        while not self.transactor._inbox.full:
            assert time.monotonic() < deadline, "nothing comes"
            self.transactor._inbox.fill(0.1)
        batch = self.transactor.read()
        assert batch is not None
        return batch

    def commit(self, name: str, batch: Batch, outputs: Iterable[OutputRecord]) -> None:
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
    write = TransactionalProducer.write
    settled_when_written: list[list[tuple[str, bool]]] = []

    def see(outbox: TransactionalProducer, outputs: Iterable[OutputRecord], view: Any) -> None:
        settled_when_written.append(list(held.settled))
        write(outbox, outputs, view)

    def compute() -> Iterator[OutputRecord]:
        yield from copying(held.course)(second)
        held.may.set()  # only when all is computed the first may be committed

    monkeypatch.setattr(TransactionalProducer, "write", see)
    held.commit("second", second, compute())
    assert settled_when_written == [[("first", True)]]
    assert held.transactor.settle()
    assert held.settled == [("first", True), ("second", True)]
    assert len(held.course.copies()) == len(first.messages) + len(second.messages)


def test_outputs_are_computed_while_a_transaction_begins(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = held.read()
    computed = threading.Event()
    begin = TransactionalProducer.begin

    def begin_later(outbox: TransactionalProducer, batch: Batch) -> None:
        assert computed.wait(LIMIT_S)
        begin(outbox, batch)

    def compute() -> Iterator[OutputRecord]:
        yield from copying(held.course)(batch)
        computed.set()

    monkeypatch.setattr(TransactionalProducer, "begin", begin_later)
    held.may.set()
    held.commit("first", batch, compute())
    assert held.transactor.settle()
    assert len(held.course.copies()) == len(batch.messages)


def test_what_cannot_be_computed_while_a_transaction_begins_aborts_it(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = held.read()
    failed = threading.Event()
    begin, abort = TransactionalProducer.begin, TransactionalProducer.abort
    calls: list[str] = []

    def begin_later(outbox: TransactionalProducer, batch: Batch) -> None:
        assert failed.wait(LIMIT_S)
        begin(outbox, batch)
        calls.append("begun")

    def note(outbox: TransactionalProducer) -> None:
        calls.append("aborted")
        abort(outbox)

    def compute() -> Iterator[OutputRecord]:
        yield next(iter(copying(held.course)(batch)))
        failed.set()
        raise ValueError

    monkeypatch.setattr(TransactionalProducer, "begin", begin_later)
    monkeypatch.setattr(TransactionalProducer, "abort", note)
    with pytest.raises(ValueError):
        held.commit("first", batch, compute())
    assert calls == ["begun", "aborted"]
    assert held.course.copies() == []


def test_what_has_begun_is_aborted_when_the_one_before_cannot_be_settled(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: bool) -> None:
        raise ValueError("defect")

    first = held.read()
    held.transactor.commit(first, copying(held.course)(first), refuse)
    second = held.read()
    calls: list[str] = []
    abort = TransactionalProducer.abort

    def note(outbox: TransactionalProducer) -> None:
        calls.append("aborted")
        abort(outbox)

    monkeypatch.setattr(TransactionalProducer, "abort", note)
    held.may.set()
    with pytest.raises(ValueError, match="defect"):
        held.commit("second", second, copying(held.course)(second))
    assert calls == ["aborted"]
    assert held.settled == []
    assert len(held.course.copies()) == len(first.messages)


def test_the_next_batch_is_discarded_with_an_aborted_one(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    first = held.read()
    held.commit("first", first, copying(held.course)(first))
    second = held.read()
    held.failure = KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE))
    held.may.set()
    anew: list[bool] = []
    monkeypatch.setattr(held.transactor, "_reopen", lambda: anew.append(True))  # what it does is tested above
    monkeypatch.setattr(TransactionalProducer, "write", lambda *_: pytest.fail("the second batch is written"))
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
    with monkeypatch.context() as patch:
        patch.setattr(held.transactor._inbox, "_consumer", Stub([first.messages[:1]]))  # one method is enough
        batch = held.transactor.read()
        assert batch is not None
        assert len(batch.messages) == 1
    assert held.settled == [("first", True)]


class Lost:
    """A producer that cannot find its coordinator again, when it makes a call."""

    def __init__(self, producer: Producer, call: str) -> None:
        self.producer = producer
        self.call = call

    def __getattr__(self, name: str) -> Any:
        return self.fail if name == self.call else getattr(self.producer, name)

    def fail(self, *_: Any) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "", False, True))  # fatal: no; retriable: yes


@pytest.mark.parametrize("call", ["send_offsets_to_transaction", "commit_transaction"])
def test_a_transaction_that_never_begins_or_ends_is_done_again_by_new_clients(
    call: str, embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "HEARTBEATS_S", 0.1)
    held = Held(embedded, monkeypatch, transaction_timeout_s=4, session_timeout_s=6)
    held.may.set()
    batch = held.read()
    monkeypatch.setattr(held.transactor._outbox, "_producer", Lost(held.transactor._outbox._producer, call))
    held.commit("first", batch, copying(held.course)(batch))
    held.transactor.settle()
    batch = held.read()
    held.commit("again", batch, copying(held.course)(batch))
    assert held.transactor.settle()
    assert held.settled == [("first", False), ("again", True)]
    held.transactor.close()


def test_a_consumer_that_its_group_does_not_hear_is_opened_anew(
    embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_module, "HEARTBEATS_S", 0.1)
    course = CopyPipeline(embedded)
    course.send(3)
    route = course.route()
    transactor = transactor_module.Transactor(route, lambda: 0)
    with monkeypatch.context() as patch:
        patch.setattr(consumer_module, "make_consumer", lambda properties: NeverJoins(make_consumer(properties)))
        transactor.open()
    assert transactor.read() is None
    first = transactor._inbox
    limit_s = UNASSIGNED_SESSIONS * route.session_timeout_s
    first._unassigned_since = time.monotonic() - limit_s + 5
    assert transactor.read() is None
    assert transactor._inbox is first
    first._unassigned_since -= 5
    with monkeypatch.context() as patch:
        patch.setattr(first, "listen", lambda: pytest.fail("an heir is heard first"))
        with pytest.raises(pytest.fail.Exception, match="an heir"):
            transactor.read()
    assert transactor._inbox is first
    deadline, read = time.monotonic() + LIMIT_S, 0
    while read < 3:
        assert time.monotonic() < deadline, "nothing comes"
        batch = transactor.read()
        read += len(batch.messages) if batch is not None else 0
    assert transactor._inbox is not first
    assert transactor._inbox.unassigned_s == 0
    transactor._inbox._on_revoke(None, [])  # type: ignore[arg-type]  # not looked at
    assert transactor._inbox.unassigned_s > 0
    transactor.close()


def test_partitions_are_given_up_when_nothing_is_being_committed(held: Held) -> None:
    held.commit("first", held.read(), [])
    revoke = threading.Thread(target=held.transactor._give_up, args=({0},))
    revoke.start()
    revoke.join(0.1)
    assert revoke.is_alive()
    held.may.set()
    revoke.join(LIMIT_S)
    assert not revoke.is_alive()
    assert held.transactor.settle()
