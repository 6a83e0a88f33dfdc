"""Reading waits for the first record only, and looks up at once where a log begins."""

from __future__ import annotations

from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from sharing.kafka.clients import consume_available
from sharing.kafka.directory_cluster import assign_partitions


class ScriptedConsumer:
    """A consumer that has some messages, and notes what it is asked."""

    def __init__(self, messages: list[str], error: KafkaException | None = None) -> None:
        self.messages = messages
        self.error = error
        self.calls: list[tuple[Any, ...]] = []

    def poll(self, seconds: float) -> str | None:
        self.calls.append(("poll", seconds))
        return self.messages.pop(0) if self.messages else None

    def consume(self, number: int, seconds: float) -> list[str]:
        self.calls.append(("consume", number, seconds))
        taken, self.messages = self.messages[:number], self.messages[number:]
        return taken

    def list_topics(self, **_: float) -> None:
        self.calls.append(("list_topics",))
        if self.error:
            raise self.error

    def assign(self, positions: list[TopicPartition]) -> None:
        self.calls.append(("assign", [(each.topic, each.offset) for each in positions]))


def test_what_has_come_is_returned_without_waiting_for_more() -> None:
    consumer = ScriptedConsumer(["a", "b", "c", "d"])
    available: list[Any] = list(consume_available(cast("Consumer", consumer), 3, 0.5))
    assert available == ["a", "b", "c"]
    assert consumer.calls == [("poll", 0.5), ("consume", 2, 0)]


def test_without_a_first_message_nothing_more_is_waited_for() -> None:
    consumer = ScriptedConsumer([])
    assert consume_available(cast("Consumer", consumer), 3, 0.5) == []
    assert consumer.calls == [("poll", 0.5)]


@pytest.mark.parametrize("error", [None, KafkaException(KafkaError(KafkaError._TRANSPORT))])
def test_leaders_are_asked_for_before_partitions_are_assigned(error: KafkaException | None) -> None:
    consumer = ScriptedConsumer([], error)
    assign_partitions(cast("Consumer", consumer), [TopicPartition("directory.ch", 0, 7)])
    assert consumer.calls == [("list_topics",), ("assign", [("directory.ch", 7)])]
