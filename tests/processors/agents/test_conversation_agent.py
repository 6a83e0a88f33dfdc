"""With which register of officers a batch of the conversation is processed."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from processors.agents.conversation_agent import ConversationAgent, put_first
from processors.exactly_once.batch import Batch
from sharing.conversation_state.covers import make_covers_key
from sharing.topology.topics import DRAFTS, NOTICES, RULINGS, URGENT
from tests.processors.gate.gate_fixtures import Message

STATE = "CH"


class Officers:
    """A register of officers, which can be read or not, and what was asked of it."""

    def __init__(self, *, is_readable: bool = True) -> None:
        self.asked: list[str] = []
        self.register = SimpleNamespace(find_officer=lambda officer, at_ms: officer)
        self._is_readable = is_readable

    @asynccontextmanager
    async def use_register(self) -> AsyncIterator[Any]:
        self.asked.append("wait")
        yield self.register

    @asynccontextmanager
    async def try_register(self) -> AsyncIterator[Any]:
        self.asked.append("try")
        yield self.register if self._is_readable else None


class View:
    """A state store of two partitions, of which one has covers or none has."""

    partitions = frozenset({0, 3})

    def __init__(self, *, has_covers: bool) -> None:
        self._entries = {(3, make_covers_key(3)): b"covers"} if has_covers else {}

    def get(self, partition: int, key: bytes) -> bytes | None:
        return self._entries.get((partition, key))


def find_officer(officers: Officers, kinds: list[Any], *, has_covers: bool) -> str:
    """Return what a batch with records of such topics learns about an officer."""
    records = [SimpleNamespace(topic=lambda kind=kind: kind.topic(STATE)) for kind in kinds]
    batch = SimpleNamespace(messages=records, store_view=View(has_covers=has_covers))
    nothing: Any = None
    agent = ConversationAgent(
        STATE, nothing, cast("Any", SimpleNamespace(officers=officers)), nothing, nothing, nothing, nothing
    )

    async def ask() -> str:
        async with agent._use_officers(cast("Any", batch)) as find:
            return str(find("o-17", 1))

    return asyncio.run(ask())


def make_batch(*places: tuple[str, int, int]) -> Batch:
    records = [Message(b"", b"", at, number, topic_name=topic) for topic, number, at in places]
    return Batch(cast("Any", records), 1, {}, partitions=array("i", [number for _, number, _ in places]))


def test_what_is_urgent_comes_first_and_the_order_within_a_topic_stays() -> None:
    urgent, notices, drafts = (kind.topic(STATE) for kind in (URGENT, NOTICES, DRAFTS))
    batch = make_batch((notices, 0, 1), (urgent, 1, 7), (drafts, 0, 4), (notices, 0, 2), (urgent, 1, 8), (urgent, 0, 3))
    ordered = put_first(batch, urgent)
    places = [(record.topic(), record.partition(), record.offset()) for record in ordered.messages]
    assert places == [
        (urgent, 1, 7), (urgent, 1, 8), (urgent, 0, 3), (notices, 0, 1), (drafts, 0, 4), (notices, 0, 2),
    ]  # fmt: skip
    assert ordered.partitions is None, "they would be those of other records"
    assert len(batch.messages) == 6
    ordinary = make_batch((notices, 0, 1), (drafts, 0, 4))
    assert put_first(ordinary, urgent) is ordinary


def test_a_batch_with_rulings_waits_for_the_register() -> None:
    for has_covers in (False, True):
        officers = Officers()
        assert find_officer(officers, [DRAFTS, RULINGS], has_covers=has_covers) == "o-17"
        assert officers.asked == ["wait"]


def test_where_answers_cover_later_asks_the_register_is_read_as_it_is_now() -> None:
    officers = Officers()
    assert find_officer(officers, [DRAFTS], has_covers=True) == "o-17"
    assert officers.asked == ["try"]


def test_nothing_waits_for_a_register_that_nothing_needs() -> None:
    """Where no answer covers later Asks it is not read; where it cannot be read, nobody is known."""
    unread, unreadable = Officers(), Officers(is_readable=False)
    for officers, has_covers in ((unread, False), (unreadable, True)):
        with pytest.raises(LookupError):
            find_officer(officers, [DRAFTS], has_covers=has_covers)
    assert (unread.asked, unreadable.asked) == ([], ["try"])


def test_where_only_time_passes_the_register_is_not_read() -> None:
    officers = Officers()
    with pytest.raises(LookupError):
        find_officer(officers, [], has_covers=True)
    assert officers.asked == []
