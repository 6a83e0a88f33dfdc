"""What time it is at a broker: it stamps an empty record on `exchange.clock`, and its confirmation tells the stamp.

The stamp was made between sending and confirmation. So the difference is known to half of that time, some
milliseconds as a rule; the broker that leads the topic's one partition is the one that is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, KafkaException, Message

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, explain, make_producer
from sharing.topology.topics import CLOCK

ANSWER_SECONDS_MAX = 10.0
_TRIES = 3
"""The first connects; the quickest is the most exact."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How far this machine's clock is ahead of a broker's (behind, if negative), and how exactly that is known."""

    ahead_s: float
    error_s: float


def read_broker_clock(
    bootstrap: str, properties: Mapping[str, Any] | None = None, now: Callable[[], float] = time.time
) -> ClockReading:
    """Return the difference between this machine's clock and a broker's.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: Further librdkafka properties, such as those of TLS.
        now: This machine's clock, in seconds since 1970 UTC.

    Raises:
        InfrastructureError: The broker does not confirm, or does not stamp records of that topic with its own clock.
    """
    given = {"linger.ms": 0, **(properties or {}), "acks": "all", "message.timeout.ms": int(ANSWER_SECONDS_MAX * 1000)}
    producer = make_producer(client_properties(bootstrap, given))
    told: list[tuple[KafkaError | None, tuple[int, int], float]] = []

    def on_delivery(error: KafkaError | None, message: Message) -> None:
        told.append((error, message.timestamp(), now()))

    readings = []
    for _ in range(_TRIES):
        began = now()
        try:
            producer.produce(CLOCK.topic(), b"", partition=0, on_delivery=on_delivery)
        except KafkaException as error:
            raise InfrastructureError(f"the broker's clock cannot be asked: {explain(error)}") from None
        producer.flush(ANSWER_SECONDS_MAX + 1)
        failure, (kind, stamp_ms), ended = told.pop() if told else (KafkaError(KafkaError._TIMED_OUT), (0, 0), 0.0)  # noqa: SLF001
        if failure is not None:
            raise InfrastructureError(f"the broker's clock cannot be asked: {explain(failure)}")
        if kind != TIMESTAMP_LOG_APPEND_TIME:
            raise InfrastructureError(
                f"{CLOCK.topic()} keeps the writer's time; set its message.timestamp.type to LogAppendTime"
            )
        # Stamps are cut to whole milliseconds.
        readings.append(ClockReading((began + ended) / 2 - stamp_ms / 1000, (ended - began) / 2 + 0.001))
    return min(readings, key=lambda reading: reading.error_s)
