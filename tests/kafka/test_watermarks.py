"""Looking up where a log ends waits for a leader, and for nothing else."""

from __future__ import annotations

from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from sharing.kafka.watermarks import query_watermarks

PLACE = TopicPartition("national.ch.indicators", 0)


class FakeConsumer:
    """Fails with these codes in turn, and answers then. None is an answer that did not come in time."""

    def __init__(self, *failures: int | None) -> None:
        self.failures = list(failures)
        self.asked = 0

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int] | None:
        assert place is PLACE
        assert timeout > 0
        self.asked += 1
        if not self.failures:
            return 3, 8
        code = self.failures.pop(0)
        if code is None:
            return None
        raise KafkaException(KafkaError(code))


def query(consumer: FakeConsumer, within_s: float) -> tuple[int, int]:
    return query_watermarks(cast("Consumer", consumer), PLACE, within_s)


def test_a_leader_that_is_not_there_yet_is_waited_for() -> None:
    consumer = FakeConsumer(KafkaError.NOT_LEADER_FOR_PARTITION, None, KafkaError.LEADER_NOT_AVAILABLE)
    assert query(consumer, 60) == (3, 8)
    assert consumer.asked == 4


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.UNKNOWN_TOPIC_OR_PART])
def test_a_refusal_is_final(code: int) -> None:
    consumer = FakeConsumer(code)
    with pytest.raises(KafkaException) as raised:
        query(consumer, 60)
    assert raised.value.args[0].code() == code
    assert consumer.asked == 1


def test_it_is_not_waited_for_ever() -> None:
    consumer = FakeConsumer(*[KafkaError.NOT_LEADER_FOR_PARTITION] * 1_000)
    with pytest.raises(KafkaException):
        query(consumer, 0.2)
    assert 1 < consumer.asked < 10
