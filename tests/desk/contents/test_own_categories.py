"""The category of own items: found in the sealed copy, wherever that is, and nothing else of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sharing.console.found_asks import FoundAsk, list_found
from sharing.conversation_state.entries import KeptConversation, encode_conversation
from sharing.conversation_state.item_keys import make_own_key
from sharing.desk.contents.own_categories import OwnCategories
from sharing.desk.contents.own_drafts import DraftSource
from sharing.ids import make_draft_key
from sharing.kafka.conversation_reader import KeptEntry
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DRAFTS
from tests.conversation.people import held, withheld
from tests.desk.contents.content_world import (
    VALUE,
    ContentWorld,
    FakeKeys,
    make_draft_of,
    open_world,
    seal,
    without_settings,
)
from tests.kafka.topic_io import write_records

PHONE = {"type": "phone-number", "value": "+41446681800"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContentWorld]:
    with pytest.MonkeyPatch.context() as patch, EmbeddedBroker() as broker:
        without_settings(patch)
        with open_world(broker, tmp_path_factory.mktemp("categories"), keys=FakeKeys()) as made:
            yield made


def find_asks(world: ContentWorld, item: str, draft: bytes | None = None) -> list[FoundAsk]:
    """Return the Asks about an item, whose entry has this copy or none."""
    conversation = world.bus.stories[item].conversation
    drafts = {} if draft is None else {conversation.revision: draft}
    entry = encode_conversation(KeptConversation(conversation, drafts))
    return list(list_found({make_own_key(item): KeptEntry(world.bus.partitions[item], entry)}))


def make_categories(world: ContentWorld, keys: object | None) -> OwnCategories:
    return OwnCategories(DraftSource(world.console, keys, world.clock.read))  # type: ignore[arg-type]


def test_the_category_is_in_the_copy_of_what_waits(world: ContentWorld, caplog: pytest.LogCaptureFixture) -> None:
    item, story = world.bus.publish(1, held("DE"))
    draft = seal(item, make_draft_of(story.conversation.indicator))
    (ask,) = find_asks(world, item, draft)
    before = len(world.list_uses())
    with caplog.at_level(logging.DEBUG):
        assert make_categories(world, FakeKeys()).find([ask]) == {ask.ask.id: "NETWORK"}
    assert VALUE not in caplog.text
    assert len(world.list_uses()) == before, "no content is shown, so no view is recorded"


def test_the_category_of_a_withheld_item_is_in_the_draft_on_the_topic(world: ContentWorld) -> None:
    item, story = world.bus.publish(2, withheld("DE", "live_case_harm"), partition=1)
    asks = find_asks(world, item)
    assert asks, "people are asked for the fact"
    other, _ = world.bus.publish(3, held("DE"), partition=1)
    world.write_draft(other, seal(other, make_draft_of(world.bus.stories[other].conversation.indicator)), partition=1)
    world.write_draft(item, seal(item, make_draft_of(story.conversation.indicator, **PHONE)), partition=1)
    assert make_categories(world, FakeKeys()).find(asks) == {asks[0].ask.id: "TELECOM"}
    write_records(world.bus.broker, DRAFTS.topic("CH"), [None], key=make_draft_key(item, 1), partition=1)
    assert make_categories(world, FakeKeys()).find(asks) == {}, "the draft was deleted"


def test_what_cannot_be_opened_or_found_has_no_category(
    world: ContentWorld, request: pytest.FixtureRequest
) -> None:  # fmt: skip
    item, story = world.bus.publish(4, held("DE"))
    draft = seal(item, make_draft_of(story.conversation.indicator))
    kept = find_asks(world, item, draft)
    assert make_categories(world, None).find(kept) == {}, "without keys"
    assert make_categories(world, FakeKeys()).find(find_asks(world, item, draft[:-1] + b"\0")) == {}, "altered"
    missing = find_asks(world, item)
    assert make_categories(world, FakeKeys()).find(missing) == {}, "no draft is kept"
    request.getfixturevalue("short_connect_timeout")  # not before: the broker is asked until here
    away = replace(world.console, servers="127.0.0.1:1", properties={"socket.timeout.ms": "300"})
    assert OwnCategories(DraftSource(away, None, world.clock.read)).find(missing) == {}, "no broker answers"
