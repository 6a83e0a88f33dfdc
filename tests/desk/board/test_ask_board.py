"""The board follows the real topic: what is written is shown, the broker may go and come back, the topic too."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from sharing.console.connection import ConsoleConnection
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.item_keys import LOG_PREFIX
from sharing.desk.board.ask_board import AskBoard
from sharing.desk.board.asked_law import AskedLaw
from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.model.vocabulary import Urgency
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import CONVERSATIONS
from tests.conversation.people import JUDGE, held
from tests.desk.asgi import STATE, Clock
from tests.desk.board.board_world import BoardWorld
from tests.kafka.topic_io import write_records
from tests.support.waiting import wait_until

TOPIC = CONVERSATIONS.topic(STATE)


class Bus:
    """A topic of a broker, and a board that follows it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.world = BoardWorld()
        self.clock = Clock()
        self.state = BrokerState()
        self.changes = ChangeFeed()
        console = ConsoleConnection(Settings(), STATE, broker.bootstrap, {}, SINGLE_OBJECT_FRAMING)
        self.board = AskBoard(console, self.clock.read, self.state, self.changes)

    def write(self, item: str) -> None:
        """Write the entry of an item as it is now."""
        self.world.keep(item)
        (key,) = (key for key in self.world._entries if key.endswith(bytes.fromhex(item.replace("-", ""))))
        kept = self.world._entries[key]
        write_records(self.broker, TOPIC, [kept.value], key=key, partition=kept.partition)

    def publish(self, number: int, urgency: Urgency = Urgency.ORDINARY) -> str:
        story = self.world.publish(number, held("CH"), urgency=urgency)
        self.write(story.conversation.item)
        return story.find_ask(AskKind.APPROVE).id

    def list_ids(self) -> list[str]:
        return [found.ask.id for found in self.board.view().asks]


@pytest.fixture
def bus() -> Iterator[Bus]:
    with EmbeddedBroker() as broker:
        broker.create_topics([TOPIC], 2)
        made = Bus(broker)
        with closing(made.board):
            yield made


def test_what_was_there_and_what_comes_is_shown_in_its_order(bus: Bus) -> None:
    first = bus.publish(1)
    write_records(bus.broker, TOPIC, [b"how far each input was processed"], key=LOG_PREFIX + b"x")
    assert not bus.board.view().is_read
    bus.board.start()
    wait_until(lambda: bus.list_ids() == [first], "the Ask that was there")
    notified = threading.Event()
    unsubscribe = bus.board.subscribe(notified.set)
    before, announced = bus.board.revision, bus.changes.revision
    pressing = bus.publish(2, Urgency.EMERGENCY)
    wait_until(lambda: bus.list_ids() == [pressing, first], "the emergency before it")
    assert bus.board.emergencies == 1
    assert bus.board.find(pressing) is not None
    assert (bus.board.revision > before, bus.changes.revision > announced, notified.is_set()) == (True, True, True)
    unsubscribe()
    notified.clear()
    story = next(each for each in bus.world.stories.values() if pressing in each.conversation.asks)
    story.rule(AskKind.APPROVE, JUDGE, Answer.REFUSED)
    write_records(bus.broker, TOPIC, [_encode(bus, story.conversation.item)], key=_key(story.conversation.item))
    wait_until(lambda: bus.list_ids() == [first], "the answered one is gone")
    assert (bus.board.emergencies, notified.is_set()) == (0, False)


def test_a_broker_that_goes_away_is_said_since_when_and_it_comes_back_by_itself(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sharing.desk.topic_check.CHECK_SECONDS", 0.1)
    first = bus.publish(1)
    bus.board.start()
    wait_until(lambda: bus.list_ids() == [first], "the first Ask")
    contact = bus.clock.now

    def fail(*_: object) -> Mapping[str, str]:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    with monkeypatch.context() as away:
        away.setattr("sharing.desk.topic_check.query_topic_ids", fail)
        wait_until(lambda: bus.state.away_since is not None, "that it is away")
        bus.clock.pass_ms(60_000)
        assert bus.board.away_since == contact, "since it was heard of last"
        assert bus.list_ids() == [first], "the last view stays"
    wait_until(lambda: bus.state.away_since is None, "that it is back")
    second = bus.publish(2)
    wait_until(lambda: set(bus.list_ids()) == {first, second}, "what has come since")


def test_a_topic_that_was_made_again_is_read_from_its_beginning(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.desk.topic_check.CHECK_SECONDS", 0.1)
    monkeypatch.setattr("sharing.desk.following_thread.RETRY_SECONDS", 0.05)
    ids = iter(["the old topic"])
    monkeypatch.setattr("sharing.desk.topic_check.query_topic_ids", lambda *_: {TOPIC: next(ids, "the new topic")})
    reads: list[int] = []
    from sharing.kafka.conversation_reader import EntryTable

    read = EntryTable.read

    def count(table: EntryTable[bytes], partition: int | None = None) -> None:
        reads.append(1)
        read(table, partition)

    monkeypatch.setattr(EntryTable, "read", count)
    first = bus.publish(1)
    bus.board.start()
    wait_until(lambda: len(reads) >= 2, "that it is read again")
    wait_until(lambda: bus.list_ids() == [first] and bus.state.away_since is None, "that it is followed again")


def test_a_missing_topic_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.desk.following_thread.RETRY_SECONDS", 0.05)
    with EmbeddedBroker() as broker:
        made = Bus(broker)
        with closing(made.board):
            made.board.start()
            wait_until(lambda: made.state.away_since is not None, "that there is no topic")
            assert "sharing topics apply" in made.state.reasons["board"]
            broker.create_topics([TOPIC], 2)
            ask = made.publish(1)
            wait_until(lambda: made.list_ids() == [ask], "that it is there now")
            assert made.state.away_since is None


def test_a_fault_in_the_thread_is_said_and_it_goes_on(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sharing.desk.following_thread.RETRY_SECONDS", 0.05)
    ask = bus.publish(1)
    with monkeypatch.context() as broken:
        broken.setattr("sharing.desk.board.ask_board.make_view", None)
        bus.board.start()
        wait_until(lambda: bus.state.away_since is not None, "that it cannot be followed")
        assert not bus.board.view().is_read, "nothing is said to be complete"
    wait_until(lambda: bus.list_ids() == [ask], "that it goes on")


def test_the_law_is_looked_up_in_a_thread_once_and_again_where_it_was_not_found() -> None:
    world, found = BoardWorld(), threading.Event()
    ask = world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    law = AskedLaw(world.look_up, found.set)
    law.start()
    with closing(law):
        asks = [each for each in (world.find(ask.id),) if each is not None]
        assert law.find(asks) == {}
        assert found.wait(150)
        assert law.find(asks)[ask.id].rules[-1].citation == "IRG § 61a"
        looked_up = world.looked_up
        law.find(asks)
        law.require(asks)
        assert world.looked_up == looked_up, "what is known is not looked up again"


def test_a_fault_in_looking_up_the_law_is_logged_without_what_it_was_about(caplog: pytest.LogCaptureFixture) -> None:
    world = BoardWorld()
    ask = world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    looked_up = threading.Event()

    def look_up(_asks: object) -> Any:
        looked_up.set()
        raise ValueError("canary-51c0 stands in the record")

    law = AskedLaw(look_up)
    law.start()
    with closing(law):
        found = world.find(ask.id)
        assert found is not None
        law.find([found])
        wait_until(lambda: "cannot be looked up" in caplog.text, "the fault is logged")
    assert looked_up.is_set()
    assert "canary" not in caplog.text


def test_law_that_cannot_be_looked_up_is_not_asked_for_at_every_page() -> None:
    world = BoardWorld(law_is_away=True)
    ask = world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    law = AskedLaw(world.look_up)
    law.start()
    with closing(law):
        asks = [each for each in (world.find(ask.id),) if each is not None]
        law.find(asks)
        wait_until(lambda: world.looked_up == 1, "one look-up")
        for _ in range(20):
            assert law.find(asks) == {}
        assert world.looked_up == 1


def _key(item: str) -> bytes:
    return b"out/" + bytes.fromhex(item.replace("-", ""))


def _encode(bus: Bus, item: str) -> bytes:
    from sharing.conversation_state.entries import KeptConversation, encode_conversation

    return encode_conversation(KeptConversation(bus.world.stories[item].conversation))
