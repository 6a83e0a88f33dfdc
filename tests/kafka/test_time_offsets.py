"""Where a log was at an instant: only what a broker has answered counts."""

from __future__ import annotations

from typing import NamedTuple, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from sharing.kafka.time_offsets import query_offsets_at
from sharing.model.times import DAY_MS

NOW_MS = 1_767_225_600_000


class Answer(NamedTuple):
    """What is read of an answer: the error of a `TopicPartition` cannot be set."""

    partition: int
    offset: int
    error: KafkaError | None


class FakeTimes:
    """Answers each query of an instant with an offset, by partition; None leaves the query as it is."""

    def __init__(self, *offsets: int | None, failure: KafkaError | None = None) -> None:
        self.offsets = offsets
        self.failure = failure
        self.asked: list[TopicPartition] = []

    def offsets_for_times(self, places: list[TopicPartition], timeout: float) -> list[Answer]:
        assert timeout > 0
        self.asked += places
        return [
            Answer(place.partition, place.offset if offset is None else offset, self.failure)
            for place, offset in zip(places, self.offsets, strict=True)
        ]


def look_up(times: FakeTimes, instant_ms: int = NOW_MS) -> dict[int, int]:
    return query_offsets_at(cast("Consumer", times), "national.ch.indicators", range(len(times.offsets)), instant_ms, 5)


def test_a_partition_without_a_record_of_the_instant_or_later_is_left_out() -> None:
    assert look_up(FakeTimes(7, -1, 0)) == {0: 7, 2: 0}


def test_a_query_that_a_broker_did_not_answer_is_no_offset() -> None:
    with pytest.raises(KafkaException) as raised:
        look_up(FakeTimes(7, None))
    assert raised.value.args[0].code() == KafkaError._TIMED_OUT


def test_a_refused_query_is_no_offset() -> None:
    with pytest.raises(KafkaException):
        look_up(FakeTimes(7, failure=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))


@pytest.mark.parametrize("instant_ms", [DAY_MS - 1, 3, 0, -1, -2, -(10**13)])
def test_everything_is_of_an_instant_before_there_was_a_broker(instant_ms: int) -> None:
    """To Kafka, -1 is the end of a log and -2 its beginning; and an offset can be as small as such an instant."""
    times = FakeTimes(3, 3)
    assert look_up(times, instant_ms) == {0: 0, 1: 0}
    assert times.asked == []
