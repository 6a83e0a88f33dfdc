"""A consumer that stops delivering is noticed, reported and replaced by a new one, whatever it follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer

from sharing.console.connection import ConsoleConnection
from sharing.desk.broker_state import SILENT_SECONDS_MAX, BrokerContact, BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.contents.inbox_watch import InboxWatch
from sharing.desk.rulings.ruling_watch import RulingWatch
from sharing.desk.store.record_follower import RecordFollower
from sharing.desk.store.record_sealing import RecordSealing
from sharing.desk.topic_check import TopicCheck
from sharing.errors import InfrastructureError
from sharing.kafka.clients import consume_available
from sharing.kafka.topic_follower import TopicFollower
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.topology.topics import ACTS, CONVERSATIONS, DESK, INBOX, INBOX_URGENT, QUARANTINE
from tests.desk.asgi import STATE, Clock
from tests.desk.board.test_ask_board import Bus
from tests.kafka.topic_io import write_records
from tests.support.waiting import wait_until

PATIENCE_S = 300.0


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the broker take its time to answer."""
    monkeypatch.setattr("sharing.desk.topic_check.ANSWER_SECONDS_MAX", 60.0)


class Silence:
    """Consumers that answer nothing any more, as after an absence of their broker.

    It is soon noticed of these. Any other may be late as long as it likes: this machine may be busy.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._known: list[Consumer] = []
        self._deaf: list[Consumer] = []
        self._patch = monkeypatch
        self._set_patience(PATIENCE_S)

    def consume(self, consumer: Consumer, count: int, seconds: float) -> list[Any]:
        if not any(consumer is each for each in self._known):
            self._known.append(consumer)
            self._set_patience(PATIENCE_S)
        if self._is_deaf(consumer):
            time.sleep(min(seconds, 0.02))
            return []
        messages = list(consume_available(consumer, count, seconds))
        return [] if self._is_deaf(consumer) else messages  # silenced meanwhile

    def _is_deaf(self, consumer: Consumer) -> bool:
        return any(consumer is each for each in self._deaf)

    def begin(self) -> None:
        """Silence those that there are."""
        self._deaf = list(self._known)
        self._set_patience(0.4)

    def _set_patience(self, seconds: float) -> None:
        self._patch.setattr("sharing.desk.topic_check.BEHIND_SECONDS_MAX", seconds)


class RecordingBrokerState(BrokerState):
    """Remembers every reason that was reported."""

    def __init__(self) -> None:
        super().__init__()
        self.reported: list[str] = []

    def note_away(self, name: str, now: int, reason: str) -> bool:
        self.reported.append(reason)
        return super().note_away(name, now, reason)


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Silence:
    made = Silence(monkeypatch)
    for module in ("sharing.kafka.topic_follower", "sharing.desk.store.record_follower"):
        monkeypatch.setattr(f"{module}.consume_available", made.consume)
    monkeypatch.setattr("sharing.desk.topic_check.CHECK_SECONDS", 0.05)
    monkeypatch.setattr("sharing.desk.following_thread.RETRY_SECONDS", 0.05)
    return made


class Follower:
    """What follows a topic, how something is written to it, and what has arrived.

    Attributes:
        part: What follows.
        topic: The topic.
        heard: What has arrived.
    """

    def __init__(self, part: Any, topic: str, heard: Callable[[], set[bytes]]) -> None:
        self.part = part
        self.topic = topic
        self.heard = heard


def make_console(broker: Broker) -> ConsoleConnection:
    return ConsoleConnection(Settings(seal_to_worker=False), STATE, broker.bootstrap, {}, SINGLE_OBJECT_FRAMING)


def make_inbox(broker: Broker, state: BrokerState) -> Follower:
    watch = InboxWatch(make_console(broker), Clock().read, state, ChangeFeed())
    heard: set[bytes] = set()
    watch.get_reader = object  # type: ignore[method-assign,assignment]
    watch.start = watch._following.start  # type: ignore[method-assign]

    def take(reader: object, messages: Iterable[Any]) -> None:
        del reader
        heard.update(each.value() for each in messages)

    watch._take = take  # type: ignore[method-assign]
    return Follower(watch, INBOX.topic(STATE), lambda: heard)


def make_rulings(broker: Broker, state: BrokerState) -> Follower:
    watch, heard = RulingWatch(make_console(broker), Clock().read, state), set[bytes]()
    watch._take_messages = lambda messages: heard.update(each.value() for each in messages)  # type: ignore[method-assign]
    return Follower(watch, ACTS.topic(STATE), lambda: heard)


def make_records(broker: Broker, state: BrokerState) -> Follower:
    sealing = RecordSealing(STATE, None, SINGLE_OBJECT_FRAMING, Clock().read, is_plain=True)
    contact = BrokerContact(state, "records", Clock().read)
    follower = RecordFollower(broker.bootstrap, STATE, sealing, {}, contact)

    def list_heard() -> set[bytes]:
        """Return how many records are there: none of them opens here."""
        try:
            return {str(number).encode() for number in range(len(follower.copy().unopened))}
        except InfrastructureError:
            return set()

    return Follower(follower, DESK.topic(STATE), list_heard)


TOPICS = [kind.topic(STATE) for kind in (ACTS, QUARANTINE, INBOX, INBOX_URGENT, DESK, CONVERSATIONS)]
EACH = pytest.mark.parametrize(("name", "make"), [("inbox", make_inbox), ("rulings", make_rulings),
                                                  ("records", make_records)])  # fmt: skip


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as made:
        made.create_topics(TOPICS, 1)
        yield made


@contextmanager
def follow(
    broker: Broker, make: Callable[[Broker, BrokerState], Follower]
) -> Iterator[tuple[Follower, RecordingBrokerState]]:
    """Yield what follows a topic, started, and what it reports to."""
    state = RecordingBrokerState()
    follower = make(broker, state)
    with closing(follower.part):
        follower.part.start()
        yield follower, state


def send(broker: Broker, follower: Follower, number: int) -> None:
    write_records(broker, follower.topic, [str(number).encode()], key=f"key-{number}".encode(), partition=0)


@EACH
def test_a_consumer_that_stays_silent_is_replaced_and_nothing_is_missed(
    name: str, make: Callable[[Broker, BrokerState], Follower], broker: EmbeddedBroker, silence: Silence
) -> None:
    with follow(broker, make) as (follower, state):
        wait_until(lambda: name in state.count_silent_seconds() and state.away_since is None, "that it follows")
        wait_until_it_follows(follower)
        send(broker, follower, 0)
        wait_until(lambda: follower.heard() == {b"0"}, "the first record")
        assert state.reported == []
        silence.begin()
        send(broker, follower, 1)
        wait_until(lambda: follower.heard() == {b"0", b"1"}, "what came in silence")
        assert len(state.reported) == 1
        assert "new clients" in state.reported[0]
        wait_until(lambda: state.away_since is None, "that it is followed again")
        assert state.reasons == {}


def wait_until_it_follows(follower: Follower) -> None:
    if isinstance(follower.part, RulingWatch):  # which begins at the end of its topics
        watch = follower.part
        wait_until(lambda: watch._is_following, "that it has found the ends")


def test_the_board_replaces_its_consumer_too(broker: EmbeddedBroker, silence: Silence) -> None:
    bus = Bus(broker)
    with closing(bus.board):
        bus.board.start()
        first = bus.publish(1)
        wait_until(lambda: bus.list_ids() == [first], "the first Ask")
        silence.begin()
        second = bus.publish(2)
        wait_until(lambda: set(bus.list_ids()) == {first, second}, "what came in silence")


@EACH
def test_a_quiet_topic_is_no_silence(
    name: str, make: Callable[[Broker, BrokerState], Follower], broker: EmbeddedBroker, silence: Silence
) -> None:
    with follow(broker, make) as (_, state):
        wait_until(lambda: name in state.count_silent_seconds(), "that it follows")
        silence.begin()
        checks = iter(range(10))
        wait_until(lambda: state.count_silent_seconds()[name] < 0.1 and next(checks, None) is None, "that it is heard")
        assert state.reported == []


def test_a_consumer_that_moves_is_not_silent(broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("sharing.desk.topic_check.time.monotonic", lambda: now[0])
    topic, heard = ACTS.topic(STATE), list[int]()
    check = TopicCheck(broker.bootstrap, {}, [topic], lambda: heard.append(1))
    write_records(broker, topic, [b"0", b"1", b"2"], partition=0)
    for position in (0, 0, 1, 1, 2, 2):
        check.check({(topic, 0): position})
        check.check({(topic, 0): position})  # too early: the broker is not asked
        now[0] += 6.0
    assert len(heard) == 6
    with pytest.raises(InfrastructureError, match="than it delivers"):
        check.check({(topic, 0): 2})
    check.check({(topic, 0): 3})  # at the end, for as long as it likes


def test_a_missing_topic_is_said(broker: EmbeddedBroker) -> None:
    with pytest.raises(InfrastructureError, match="sharing topics apply"):
        TopicCheck(broker.bootstrap, {}, ["national.ch.nothing"], lambda: None)


def test_a_thread_that_hangs_counts_as_away_since_it_was_heard_of() -> None:
    uptime = [0.0]
    state = BrokerState(lambda: uptime[0])
    state.expect("inbox", 1_000)
    state.expect("board", 1_000)
    uptime[0] = SILENT_SECONDS_MAX
    assert not state.note_heard("board", 31_000)
    assert state.away_since is None
    uptime[0] += 1.0
    assert state.away_since == 1_000
    assert state.count_silent_seconds() == {"inbox": SILENT_SECONDS_MAX + 1.0, "board": 1.0}
    assert not state.note_heard("inbox", 32_000)  # nobody has said that it is away
    assert state.away_since is None
    assert state.note_away("inbox", 40_000, "why")
    assert state.away_since == 32_000


@pytest.mark.kafka
def test_all_that_follow_go_on_after_the_broker_was_away(
    fresh_kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.desk.topic_check.ANSWER_SECONDS_MAX", 3.0)  # as shipped: it is to be missed
    fresh_kafka.create_topics(TOPICS, 1)
    state = BrokerState()
    followers = [make(fresh_kafka, state) for make in (make_inbox, make_rulings, make_records)]
    with ExitStack() as stack:
        for follower in followers:
            stack.enter_context(closing(follower.part))
            follower.part.start()
        for follower in followers:
            wait_until_it_follows(follower)
            send(fresh_kafka, follower, 0)
        wait_until(lambda: all(each.heard() == {b"0"} for each in followers), "the first records")
        fresh_kafka.stop()
        wait_until(lambda: len(state.reasons) == len(followers), "that each misses the broker")
        assert state.away_since is not None
        fresh_kafka.start()
        for follower in followers:
            send(fresh_kafka, follower, 1)
        wait_until(lambda: all(each.heard() == {b"0", b"1"} for each in followers), "what has come since")
        wait_until(lambda: state.away_since is None, "that all are followed")


def test_a_follower_knows_where_it_is(broker: EmbeddedBroker) -> None:
    topic = ACTS.topic(STATE)
    write_records(broker, topic, [b"0", b"1"], partition=0)
    with closing(TopicFollower(broker.bootstrap, "group", {(topic, 0): 0})) as follower:
        assert follower.positions == {(topic, 0): 0}
        list(follower.read_to_end())
        assert follower.positions == {(topic, 0): 2}
