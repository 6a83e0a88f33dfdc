"""The board shows exactly the open Asks of the topic, in their order, whatever is written in whatever order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.entries import decode_entry
from sharing.conversation_state.item_keys import make_own_key
from sharing.desk.board.ask_index import AskIndex
from sharing.kafka.conversation_reader import KeptEntry
from sharing.model.vocabulary import Urgency
from tests.conversation.people import JUDGE, held, offered
from tests.desk.asgi import NOW
from tests.desk.board.board_world import BoardWorld

URGENCIES = (Urgency.ORDINARY, Urgency.URGENT, Urgency.EMERGENCY)


class BoardMachine(RuleBasedStateMachine):
    """Entries are written, replaced, deleted and written again; the oracle decodes the whole topic each time."""

    def __init__(self) -> None:
        super().__init__()
        self.world = BoardWorld()
        self.topic: dict[bytes, bytes] = {}  # the compacted topic
        self.number = 0

    def remember(self) -> None:
        """Take what the world has written as the newest record of its key."""
        for key, kept in self.world._entries.items():
            self.topic[key] = kept.value

    @rule(urgency=st.sampled_from(URGENCIES), state=st.sampled_from(("CH", "FR")), partition=st.integers(0, 2))
    def publish(self, urgency: Urgency, state: str, partition: int) -> None:
        self.number += 1
        self.world.publish(self.number, held(state), urgency=urgency, partition=partition)
        self.remember()

    @rule(urgency=st.sampled_from(URGENCIES))
    def offer(self, urgency: Urgency) -> None:
        self.number += 1
        self.world.publish(self.number, offered("NL", "c.one"), urgency=urgency)
        self.remember()

    @rule(days=st.integers(1, 20))
    def receive(self, days: int) -> None:
        self.number += 1
        self.world.receive(self.number, until=NOW + days * 86_400_000)
        self.remember()

    @precondition(lambda self: self.world.stories)
    @rule(place=st.integers(0, 100), answer=st.sampled_from((Answer.APPROVED, Answer.REFUSED)))
    def approve(self, place: int, answer: Answer) -> None:
        items = sorted(self.world.stories)
        story = self.world.stories[items[place % len(items)]]
        if any(ask.kind is AskKind.APPROVE and ask.is_open for ask in story.conversation.asks.values()):
            story.rule(AskKind.APPROVE, JUDGE, answer)
        self.world.keep(story.conversation.item)
        self.topic[make_own_key(story.conversation.item)] = self.encode(story)

    @precondition(lambda self: self.world.stories)
    @rule(place=st.integers(0, 100), hours=st.integers(1, 800))
    def wait(self, place: int, hours: int) -> None:
        items = sorted(self.world.stories)
        story = self.world.stories[items[place % len(items)]]
        story.wait(hours * 3_600_000)
        self.world.keep(story.conversation.item)
        self.topic[make_own_key(story.conversation.item)] = self.encode(story)

    @precondition(lambda self: self.topic)
    @rule(place=st.integers(0, 100))
    def forget(self, place: int) -> None:
        key = sorted(self.topic)[place % len(self.topic)]
        del self.topic[key]
        self.world.write(key, None)

    @precondition(lambda self: self.topic)
    @rule(place=st.integers(0, 100))
    def write_again(self, place: int) -> None:
        key = sorted(self.topic)[place % len(self.topic)]
        self.world.write(key, self.topic[key])

    @invariant()
    def shows_the_open_asks_in_their_order(self) -> None:
        view = self.world.view()
        expected = []
        for key, value in self.topic.items():
            kept = decode_entry(key, value)
            asks: Any = kept.asks if isinstance(kept, ReceivedItem) else kept.conversation.asks
            expected += [ask for ask in asks.values() if ask.status.value == "OPEN"]
        emergencies = [ask for ask in expected if ask.urgency is Urgency.EMERGENCY]
        others = [ask for ask in expected if ask.urgency is not Urgency.EMERGENCY]
        by_time: Any = lambda ask: (ask.expires_at, ask.id)  # noqa: E731 the oracle says it its own way
        ordered = [*sorted(emergencies, key=by_time), *sorted(others, key=by_time)]
        assert [found.ask for found in view.asks] == ordered
        assert view.emergencies == sum(ask.state == self.world.state for ask in emergencies)
        assert set(view.by_id) == {ask.id for ask in ordered}

    @staticmethod
    def encode(story: Any) -> bytes:
        from sharing.conversation_state.entries import KeptConversation, encode_conversation

        return encode_conversation(KeptConversation(story.conversation))


TestBoardMachine = BoardMachine.TestCase
TestBoardMachine.settings = settings(
    TestBoardMachine.settings,
    stateful_step_count=20,
    max_examples=min(TestBoardMachine.settings.max_examples, 40),  # each is a topic of many entries
    deadline=None,
)


def test_only_what_has_changed_is_decoded_again(monkeypatch: Any) -> None:
    world = BoardWorld()
    for number in range(20):
        world.publish(number, held("CH"))
    world.view()
    decoded: list[bytes] = []

    def spy(entries: Any) -> Any:
        from sharing.console.found_asks import list_found

        decoded.extend(entries)
        return list_found(entries)

    monkeypatch.setattr("sharing.desk.board.ask_index.list_found", spy)
    story = world.publish(3, held("CH"), urgency=Urgency.EMERGENCY)
    world.view()
    assert decoded == [make_own_key(story.conversation.item)]


def test_a_change_that_changes_no_open_ask_is_none() -> None:
    index, world = AskIndex(), BoardWorld()
    story = world.publish(1, held("CH"))
    key = make_own_key(story.conversation.item)
    value = world._entries[key].value
    entries = {key: KeptEntry(0, value)}
    index.keep(key, value)
    assert index.refresh(entries)
    index.keep(key, value)
    assert not index.refresh(entries)
    assert not index.refresh(entries)
    assert index.refresh({})


def test_what_cannot_be_decoded_is_counted_until_it_is_replaced() -> None:
    world = BoardWorld()
    story = world.publish(1, held("CH"))
    key = make_own_key(story.conversation.item)
    good = world._entries[key].value
    world.write(key, good[:40])
    assert (world.view().unreadable, world.view().asks, world.view().is_complete) == (1, (), False)
    world.write(key, good)
    assert (world.view().unreadable, len(world.view().asks), world.view().is_complete) == (0, 1, True)


def test_the_conditions_of_an_ask_are_part_of_what_is_compared() -> None:
    """The Ask is the same, but the item was offered under other conditions: the row is another one."""
    world = BoardWorld()
    story = world.publish(1, offered("CH", "c.one"))
    before = world.view()
    item = story.conversation.item
    deliveries = {
        key: replace(each, terms=replace(each.terms, conditions=frozenset({"c.two"})))
        for key, each in story.conversation.deliveries.items()
    }
    story.conversation = replace(story.conversation, deliveries=deliveries)
    world.keep(item)
    assert world._index.refresh(world._entries), "there is another view"
    assert (world.view().asks[0].ask, world.view().asks[0].conditions != before.asks[0].conditions) == (
        before.asks[0].ask,
        True,
    )
