"""Reads a broker's clock: the broker stamps an empty record on `exchange.clock`, and its confirmation has the stamp.

The stamp was made between sending and confirmation, so the difference between the clocks is known to within half of
that time, typically a few milliseconds. The broker that leads the topic's one partition answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, look_up_topics, make_producer
from sharing.kafka.errors import describe_kafka_error
from sharing.topology.topics import CLOCK

ANSWER_SECONDS_MAX = 10.0
_NO_CLOCK_MS = 86_400_000
"""librdkafka's mock broker stamps each record with the second second of 1970."""

_ATTEMPTS = 3
"""The first attempt includes connecting. The fastest attempt is the most exact."""


class ClockTopicError(InfrastructureError):
    """The topic is missing, or the broker does not stamp its records: the clock cannot be read on this cluster."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The difference between this machine's clock and a broker's.

    Attributes:
        ahead_s: Seconds by which this machine's clock is ahead of the broker's; negative if it is behind.
        error_s: Largest possible error of `ahead_s`, in seconds.
    """

    ahead_s: float
    error_s: float


def read_broker_clock(
    bootstrap: str, properties: Mapping[str, Any] | None = None, now: Callable[[], float] = time.time
) -> ClockReading:
    """Return the difference between this machine's clock and a broker's.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        now: Returns the time of this machine's clock, in seconds since 1970 UTC.

    Raises:
        ClockTopicError: The topic does not exist, or its records are not stamped with the broker's clock.
        InfrastructureError: The broker does not confirm.
    """
    if CLOCK.topic() not in look_up_topics(bootstrap, properties):
        raise ClockTopicError(f"topic {CLOCK.topic()} is missing; create it with `sharing topics apply`")
    given = {"linger.ms": 0, **(properties or {}), "acks": "all", "message.timeout.ms": int(ANSWER_SECONDS_MAX * 1000)}
    producer = make_producer(client_properties(bootstrap, given))
    confirmations: list[tuple[KafkaError | None, tuple[int, int], float]] = []

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        confirmations.append((error, message.timestamp(), now()))

    readings = []
    for _ in range(_ATTEMPTS):
        sent_at = now()
        try:
            producer.produce(CLOCK.topic(), b"", partition=0, on_delivery=on_delivery)
        except KafkaException as error:
            raise InfrastructureError(f"the broker's clock cannot be read: {describe_kafka_error(error)}") from None
        producer.flush(ANSWER_SECONDS_MAX + 1)
        no_answer = (KafkaError(KafkaError._TIMED_OUT), (0, 0), 0.0)  # noqa: SLF001 librdkafka's own code
        failure, (kind, stamp_ms), confirmed_at = confirmations.pop() if confirmations else no_answer
        if failure is not None:
            raise InfrastructureError(f"the broker's clock cannot be read: {describe_kafka_error(failure)}")
        if kind != TIMESTAMP_LOG_APPEND_TIME:
            raise ClockTopicError(
                f"{CLOCK.topic()} keeps the writer's time; set its message.timestamp.type to LogAppendTime"
            )
        if stamp_ms < _NO_CLOCK_MS:
            raise ClockTopicError("the broker has no clock, like the embedded one")
        # Stamps are truncated to whole milliseconds, which adds up to 0.001 s to the error.
        midpoint = (sent_at + confirmed_at) / 2
        readings.append(ClockReading(midpoint - stamp_ms / 1000, (confirmed_at - sent_at) / 2 + 0.001))
    return min(readings, key=lambda reading: reading.error_s)
