"""Consoles read the entries of the conversations as they were last committed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sharing.conversation.vocabulary import Answer
from sharing.errors import DecodeError, InfrastructureError
from sharing.kafka.bad_batches import BadBatch
from sharing.kafka.clients import client_properties, make_producer
from sharing.kafka.conversation_reader import EntryTable, KeptEntry, keep_open_entry
from sharing.topology.topics import CONVERSATIONS
from tests.conversation.people import offered
from tests.conversation.test_provider import Story
from tests.conversation.test_receiver import OFFER, Inbox
from tests.conversation_state.kept_states import make_item
from tests.conversation_state.test_open_asks import keep_inbox, keep_story
from tests.kafka.topic_io import SECONDS
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from confluent_kafka import Producer

    from sharing.testing.broker import Broker
    from sharing.testing.broker.kafka import KafkaBroker


def write(producer: Producer, topic: str, *entries: tuple[bytes, bytes | None]) -> None:
    for key, value in entries:
        producer.produce(topic, value, key, sum(key) % 2)
    producer.flush(SECONDS)


def read_open_entries(bootstrap: str, state: str) -> dict[bytes, KeptEntry[bytes]]:
    table = EntryTable(bootstrap, state, keep_open_entry)
    table.read()
    return table.entries


def read_values(broker: Broker, state: str) -> dict[bytes, bytes]:
    return {key: kept.value for key, kept in read_open_entries(broker.bootstrap, state).items()}


def test_the_last_entry_of_each_item_counts(broker: Broker, state: str) -> None:
    topic = CONVERSATIONS.topic(state)
    broker.create_topics([topic], 2)
    assert read_open_entries(broker.bootstrap, state) == {}
    answered, withdrawn = Story(offered("DE", "c")), Story(offered("DE", "c"))
    opened = keep_story(answered, make_item(1))
    forgotten = keep_story(withdrawn, make_item(2))
    producer = make_producer(client_properties(broker.bootstrap))
    write(producer, topic, opened, forgotten, (b"log/national.ch.rulings", b"a position"))
    assert set(read_values(broker, state)) == {opened[0], forgotten[0]}
    answered.reply(Answer.ACCEPTED)
    received = keep_inbox(Inbox(OFFER))
    write(producer, topic, keep_story(answered, make_item(1)), (forgotten[0], None), received)
    assert read_values(broker, state) == dict([received])
    assert [kept.partition for kept in read_open_entries(broker.bootstrap, state).values()] == [sum(received[0]) % 2]


@pytest.mark.kafka
def test_what_was_aborted_never_was(kafka: KafkaBroker, state: str) -> None:
    topic = CONVERSATIONS.topic(state)
    kafka.create_topics([topic], 2)
    producer = make_producer(client_properties(kafka.bootstrap, {"transactional.id": topic}))
    producer.init_transactions(SECONDS)
    story = Story(offered("DE", "c"))
    opened = keep_story(story)
    producer.begin_transaction()
    write(producer, topic, opened)
    producer.commit_transaction(SECONDS)
    story.reply(Answer.ACCEPTED)
    producer.begin_transaction()
    write(producer, topic, keep_story(story))
    producer.abort_transaction(SECONDS)
    assert read_values(kafka, state) == dict([opened])


def test_a_record_that_is_not_understood_is_named(broker: Broker, state: str) -> None:
    topic = CONVERSATIONS.topic(state)
    broker.create_topics([topic], 2)
    key, entry = keep_story(Story(offered("DE", "c")))
    producer = make_producer(client_properties(broker.bootstrap))
    write(producer, topic, (key, entry), (key, entry[:2] + bytes(8) + entry[10:]))
    with pytest.raises(DecodeError, match=rf"^{topic}\[{sum(key) % 2}\] at offset 1: .* update this reader"):
        read_open_entries(broker.bootstrap, state)


def test_a_list_that_may_not_be_complete_is_an_error(
    embedded: Broker, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = CONVERSATIONS.topic(state)
    embedded.create_topics([topic], 1)

    def read_batches(topic_range: object) -> list[list[object]]:
        topic_range.bad_batches.append(BadBatch(topic, 0, 0, 5, "_BAD_MSG"))  # type: ignore[attr-defined]
        return []

    monkeypatch.setattr("sharing.kafka.topic_range.TopicRange.read_batches", read_batches)
    with pytest.raises(InfrastructureError, match="Asks may be missing"):
        read_open_entries(embedded.bootstrap, state)


def test_a_missing_topic_is_named(embedded: Broker) -> None:
    with pytest.raises(InfrastructureError, match=r"national\.zz\.conversations: does not exist"):
        read_open_entries(embedded.bootstrap, "ZZ")


def follow_until(table: EntryTable[bytes], keys: set[bytes]) -> None:
    def follow() -> bool:
        table.follow(0.2)
        return set(table.entries) == keys

    wait_until(follow, "the entries that were written")


def test_a_table_is_kept_current(broker: Broker, state: str) -> None:
    topic = CONVERSATIONS.topic(state)
    broker.create_topics([topic], 2)
    story = Story(offered("DE", "c"))
    first, second = keep_story(story, make_item(1)), keep_story(Story(offered("DE", "c")), make_item(2))
    producer = make_producer(client_properties(broker.bootstrap))
    write(producer, topic, first)
    table = EntryTable(broker.bootstrap, state, keep_open_entry)
    with closing(table):
        table.read()
        assert set(table.entries) == {first[0]}
        write(producer, topic, second)
        follow_until(table, {first[0], second[0]})
        story.reply(Answer.ACCEPTED)
        write(producer, topic, keep_story(story, make_item(1)), (b"log/national.ch.rulings", b"a position"))
        follow_until(table, {second[0]})


def test_a_table_of_one_partition(broker: Broker, state: str) -> None:
    topic = CONVERSATIONS.topic(state)
    broker.create_topics([topic], 2)
    entries = [keep_story(Story(offered("DE", "c")), make_item(number)) for number in range(8)]
    write(make_producer(client_properties(broker.bootstrap)), topic, *entries)
    table = EntryTable(broker.bootstrap, state, keep_open_entry)
    table.read(1)
    assert set(table.entries) == {key for key, _ in entries if sum(key) % 2}
    assert table.entries
