"""`Subscriber.close` from another thread, from a handler, and more than once.

The threads are coordinated by events: each step of one thread waits for the step of the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sharing.clients.subscriber import Subscriber
from sharing.kafka.polled_record import PolledRecord
from sharing.model.notice import Notice
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import NOTICES
from tests.kafka.topic_io import SECONDS, committed_offset, make_topics, notice_bytes, write_records


class StopPoint:
    """A point at which one thread stops until another one lets it continue."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def stop_here(self) -> None:
        """Report that the point is reached, and wait until it is opened."""
        self._reached.set()
        assert self._open.wait(SECONDS)

    def await_arrival(self) -> None:
        """Wait until the other thread has reached the point."""
        assert self._reached.wait(SECONDS)

    def open(self) -> None:
        """Let the other thread continue."""
        self._open.set()


@pytest.fixture
def subscriber(embedded: EmbeddedBroker, state: str) -> Iterator[Subscriber]:
    make_topics(embedded, state)
    properties = {"session.timeout.ms": 1500, "heartbeat.interval.ms": 200}
    with Subscriber(embedded.bootstrap, state, properties=properties) as opened:
        yield opened


@contextmanager
def running(work: Callable[[], None]) -> Iterator[None]:
    """Run a function in another thread while the block runs, then wait for its end and raise its exception."""
    errors: list[BaseException] = []

    def record_errors() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 raised again in the test's thread
            errors.append(error)

    thread = threading.Thread(target=record_errors, name="reader")
    thread.start()
    yield
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert errors == []


def count_closes(subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each close of a Kafka consumer adds the name of its thread."""
    closed_by: list[str] = []
    for consumer in (subscriber._urgent, subscriber._ordinary):
        close = consumer.close

        def record_close(close: Callable[[], None] = close) -> None:
            closed_by.append(threading.current_thread().name)
            close()

        monkeypatch.setattr(consumer, "close", record_close)
    return closed_by


def test_close_during_a_poll_leaves_closing_to_the_polling_thread(
    subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_by = count_closes(subscriber, monkeypatch)
    polling = StopPoint()
    poll = subscriber._urgent.poll

    def stop_before_poll(timeout_s: float) -> PolledRecord | None:
        polling.stop_here()
        return poll(timeout_s)  # would raise a RuntimeError if the consumer were closed already

    monkeypatch.setattr(subscriber._urgent, "poll", stop_before_poll)
    with running(lambda: subscriber.run(lambda _: None)):
        polling.await_arrival()
        subscriber.close()
        assert closed_by == []  # `close` has returned, and the consumers are still open
        polling.open()
    assert closed_by == ["reader", "reader"]


def test_close_during_a_handler_lets_it_finish_and_commits_its_notice(
    embedded: EmbeddedBroker, state: str, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_records(embedded, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(2)])
    closed_by = count_closes(subscriber, monkeypatch)
    handling = StopPoint()
    handled: list[str] = []

    def handle(notice: Notice) -> None:
        handling.stop_here()
        handled.append(notice.content["value"])

    with running(lambda: subscriber.run(handle)):
        handling.await_arrival()
        subscriber.close()
        assert (handled, closed_by) == ([], [])
        handling.open()
    assert handled == ["0.example"]
    assert closed_by == ["reader", "reader"]
    assert committed_offset(embedded, f"exchange.{state.lower()}.subscriber", NOTICES.topic(state)) == 1


def test_close_between_delivery_and_handler_leaves_the_notice_unhandled(
    embedded: EmbeddedBroker, state: str, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The iterating thread is outside a section: `close` closes the consumers itself, and the handler is not called."""
    write_records(embedded, NOTICES.topic(state), [notice_bytes(state)])
    closed_by = count_closes(subscriber, monkeypatch)
    delivered = StopPoint()
    iterate = Subscriber.__iter__

    def stop_after_delivery(iterated: Subscriber) -> Iterator[Notice]:
        for notice in iterate(iterated):
            delivered.stop_here()
            yield notice

    monkeypatch.setattr(Subscriber, "__iter__", stop_after_delivery)
    handled: list[Notice] = []
    with running(lambda: subscriber.run(handled.append)):
        delivered.await_arrival()
        subscriber.close()
        assert closed_by == ["MainThread", "MainThread"]
        delivered.open()
    assert handled == []
    assert committed_offset(embedded, f"exchange.{state.lower()}.subscriber", NOTICES.topic(state)) < 0


def test_close_in_a_handler_and_again_afterwards_closes_once(
    embedded: EmbeddedBroker, state: str, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_records(embedded, NOTICES.topic(state), [notice_bytes(state, f"{number}.example") for number in range(2)])
    closed_by = count_closes(subscriber, monkeypatch)
    handled: list[str] = []

    def handle(notice: Notice) -> None:
        handled.append(notice.content["value"])
        subscriber.close()
        subscriber.close()
        assert closed_by == []

    subscriber.run(handle)
    assert len(closed_by) == 2
    subscriber.close()
    assert (len(closed_by), handled) == (2, ["0.example"])


def test_close_by_several_threads_closes_once(subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    closed_by = count_closes(subscriber, monkeypatch)
    barrier = threading.Barrier(4)

    def close() -> None:
        barrier.wait(SECONDS)
        subscriber.close()

    threads = [threading.Thread(target=close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert len(closed_by) == 2


def test_a_closed_subscriber_yields_nothing(subscriber: Subscriber) -> None:
    subscriber.close()
    assert list(subscriber) == []
    subscriber.run(lambda _: pytest.fail("no notice can be delivered"))
