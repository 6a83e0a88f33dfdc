"""Copies of a ruling are written to their partitions and confirmed; what is not says so in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sharing.errors import InfrastructureError
from sharing.kafka.ruling_writer import write_ruling
from sharing.kafka.topic_follower import TopicFollower, find_ends
from sharing.topology.topics import RULINGS
from tests.kafka.topic_io import read_records, write_records

if TYPE_CHECKING:
    from sharing.testing.broker import Broker
    from sharing.testing.broker.secure_kafka import SecureKafka


def test_each_partition_gets_one_copy_under_the_key_of_an_item(broker: Broker, state: str) -> None:
    topic = RULINGS.topic(state)
    broker.create_topics([topic], 3)
    assert write_ruling(broker.bootstrap, state, b"first", {0: "item-a"}) == {0: 0}
    assert write_ruling(broker.bootstrap, state, b"ruling", {0: "item-a", 2: "item-c"}) == {0: 1, 2: 0}
    written = [(each.partition(), each.key(), each.value()) for each in read_records(broker, topic, 3)]
    assert sorted(written) == [(0, b"item-a", b"first"), (0, b"item-a", b"ruling"), (2, b"item-c", b"ruling")]


def test_a_missing_topic_or_partition_is_named(embedded: Broker, state: str) -> None:
    with pytest.raises(InfrastructureError, match=rf"{RULINGS.topic(state)}: does not exist"):
        write_ruling(embedded.bootstrap, state, b"ruling", {0: "item"})
    embedded.create_topics([RULINGS.topic(state)], 1)
    with pytest.raises(InfrastructureError, match="has 1 partitions, and no partition 3"):
        write_ruling(embedded.bootstrap, state, b"ruling", {3: "item"})


@pytest.mark.kafka
def test_only_officers_may_write(secure_kafka: SecureKafka) -> None:
    bootstrap, properties = secure_kafka.broker.bootstrap, secure_kafka.broker.client_properties
    with pytest.raises(InfrastructureError, match="does not exist, or no permission to see it"):
        write_ruling(bootstrap, "CH", b"ruling", {0: "item"}, properties("console.de"))
    with pytest.raises(InfrastructureError, match=r"use the certificate of CH's officers, console\.ch"):
        write_ruling(bootstrap, "CH", b"ruling", {0: "item"}, properties("gate.ch"))


def test_a_follower_reads_what_is_there_and_what_comes(broker: Broker, state: str) -> None:
    topic = RULINGS.topic(state)
    broker.create_topics([topic], 2)
    write_records(broker, topic, [b"old", b"new"])
    ends = find_ends(broker.bootstrap, "look", {topic: [0, 1]})
    assert ends == {(topic, 0): 2, (topic, 1): 0}
    follower = TopicFollower(broker.bootstrap, "look", {(topic, 0): 1, (topic, 1): 0})
    values = [message.value() for batch in follower.read_to_end() for message in batch]
    assert values == [b"new"]
    write_records(broker, topic, [b"later"], partition=1)
    while len(values) < 2:
        values += [message.value() for message in follower.poll(0.5)]
    follower.close()
    assert values == [b"new", b"later"]


def test_reading_to_the_end_does_not_wait_for_ever(
    embedded: Broker, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.create_topics([RULINGS.topic(state)], 1)
    monkeypatch.setattr("sharing.kafka.topic_follower.SILENCE_SECONDS_MAX", 0.0)
    monkeypatch.setattr(TopicFollower, "poll", lambda *_: [])
    follower = TopicFollower(embedded.bootstrap, "look", {(RULINGS.topic(state), 0): 0})
    with pytest.raises(InfrastructureError, match="delivered nothing for 0 s"):
        list(follower.read_to_end())
    follower.close()
