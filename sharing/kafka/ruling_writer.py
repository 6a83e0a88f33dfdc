"""Writes an officer's ruling: one copy to each partition that it is about, confirmed by the broker."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, fetch_topics, make_producer, require_topics
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error
from sharing.topology.topics import RULINGS

CONFIRM_SECONDS_MAX = 15.0


def write_ruling(
    bootstrap: str, state: str, value: bytes, keys: Mapping[int, str], properties: Mapping[str, Any] | None = None
) -> dict[int, int]:
    """Write the copies of a ruling, and return the offset of each by partition, once the broker has confirmed all.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        value: The signed record, framed.
        keys: For each partition, the record key: id of an item that the ruling is about.
        properties: Further librdkafka properties, such as those of TLS.

    Raises:
        InfrastructureError: No broker answers, the topic does not exist, or a copy was not confirmed. The message names
            the partitions whose copies were: they count.
        SettingsError: A property is unknown or wrong.
    """
    topic = RULINGS.topic(state)
    errors: deque[KafkaError] = deque(maxlen=10)
    written: dict[int, int] = {}
    failures: list[KafkaError] = []

    def confirm(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            failures.append(error)
        else:
            written[message.partition() or 0] = message.offset() or 0

    options = {
        "error_cb": errors.append,
        **(properties or {}),
        "acks": "all",
        "enable.idempotence": True,
        "delivery.timeout.ms": int(CONFIRM_SECONDS_MAX * 1000),
    }
    producer = make_producer(client_properties(bootstrap, options))
    present = fetch_topics(producer, bootstrap, errors)
    require_topics(present, [topic], state)
    missing = [number for number in keys if number >= present[topic]]
    if missing:
        raise InfrastructureError(
            f"{topic} has {present[topic]} partitions, and no partition {missing[0]}: all topics of a State have the "
            "same number; run `sharing topics apply`"
        )
    try:
        for number, key in keys.items():
            producer.produce(topic, value, key.encode(), number, on_delivery=confirm)
    except KafkaException as error:
        raise InfrastructureError(f"cannot write to {topic}: {describe_kafka_error(error)}") from None
    producer.flush(CONFIRM_SECONDS_MAX + 2)
    if len(written) < len(keys):
        _refuse_unconfirmed(topic, state, sorted(written), failures[0] if failures else None)
    return written


def _refuse_unconfirmed(topic: str, state: str, written: list[int], failure: KafkaError | None) -> None:
    reason = describe_kafka_error(failure) if failure is not None else "no confirmation in time"
    remedy = "run this again when the broker is back"
    if failure is not None and failure.code() in AUTHORIZATION_ERRORS:
        remedy = f"use the certificate of {state}'s officers, console.{state.lower()}"
    counted = f"; the copies on partitions {', '.join(map(str, written))} were written, and count" if written else ""
    raise InfrastructureError(f"the broker did not confirm the ruling on {topic}: {reason}{counted}; {remedy}")
