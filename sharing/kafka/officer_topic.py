"""The topic of a State's officers: read from its beginning to its end, within a bounded time.

It has one partition and is short. A batch that cannot be read ends the reading: a revocation may be in it, so no
officer may be trusted then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from sharing.errors import InfrastructureError
from sharing.kafka.bad_batches import BAD_BATCH_ERRORS
from sharing.kafka.clients import look_up_topics, require_topics
from sharing.kafka.directory_cluster import assign_partitions, make_directory_consumer
from sharing.kafka.errors import GROUP_ERRORS, PERMANENT_READ_ERRORS, describe_kafka_error
from sharing.officers.record import OfficerRecord
from sharing.officers.register import Register
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import OFFICERS

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

    from sharing.trust.key_statement import TrustedKeys

READ_SECONDS_MAX: Final = 30.0
_PARTITION: Final = 0

_FATAL_ERRORS: Final = (PERMANENT_READ_ERRORS - GROUP_ERRORS) | {KafkaError._AUTO_OFFSET_RESET}  # noqa: SLF001


def read_register(
    bootstrap: str,
    keys: TrustedKeys,
    properties: Mapping[str, Any] | None = None,
    framing: Framing = SINGLE_OBJECT_FRAMING,
    *,
    remembered: Iterable[tuple[str, OfficerRecord]] = (),
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Register:
    """Return the register of a State, from its topic as it is now.

    Args:
        bootstrap: Kafka bootstrap servers.
        keys: The State's own online keys.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        remembered: What `Register.list_records` returned before: then nothing older is accepted.
        clock: Returns the time in UTC milliseconds.

    Raises:
        InfrastructureError: No broker answers, the topic does not exist or cannot be read, or the end is not reached in
            time.
        SettingsError: A property is unknown or wrong.
    """
    register = Register(keys)
    for officer_id, record in remembered:
        register.receive(officer_id, record.encode(), clock())

    def receive(officer_id: str, value: bytes | None) -> None:
        register.receive(officer_id, framing.to_single_object(value), clock())

    read_officers(bootstrap, keys.state, properties or {}, receive)
    return register


def read_officers(
    bootstrap: str, state: str, properties: Mapping[str, Any], receive: Callable[[str, bytes | None], object]
) -> None:
    """Call a function with key and value of each record of a State's topic, in the order of the log.

    Raises:
        InfrastructureError: As `read_register`.
        SettingsError: A property is unknown or wrong.
    """
    topic = OFFICERS.topic(state)
    require_topics(look_up_topics(bootstrap, properties), [topic], state)
    consumer = make_directory_consumer(bootstrap, properties)
    try:
        _read_to_end(consumer, topic, receive)
    except KafkaException as error:
        raise InfrastructureError(f"{topic} cannot be read: {describe_kafka_error(error)}") from None
    finally:
        consumer.close()


def _read_to_end(consumer: Consumer, topic: str, receive: Callable[[str, bytes | None], object]) -> None:
    """Read what is committed. The end is where the broker reports it, before the markers of transactions."""
    deadline = time.monotonic() + READ_SECONDS_MAX
    assign_partitions(consumer, [TopicPartition(topic, _PARTITION, OFFSET_BEGINNING)])
    position = 0
    while True:
        if time.monotonic() > deadline:
            raise InfrastructureError(f"{topic} cannot be read to its end within {READ_SECONDS_MAX:g} s")
        message = consumer.poll(1.0)
        if message is None:
            continue
        position = take_message(message, topic, position, receive)
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
            return


def take_message(
    message: Message, topic: str, position: int, receive: Callable[[str, bytes | None], object]
) -> int:  # fmt: skip
    """Call a function with key and value of a record; return the offset up to which the topic has been read.

    Args:
        message: What the consumer has returned: a record, the end of the partition, or an error.
        topic: Name of the topic.
        position: The offset up to which the topic was read before.
        receive: Called with key and value of a record.

    Raises:
        InfrastructureError: A record batch cannot be read.
        KafkaException: The broker rejects the request for good.
    """
    error = message.error()
    if error is None:
        receive((message.key() or b"").decode("ascii", "replace"), message.value())
        return (message.offset() or 0) + 1
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 librdkafka's own code
        return max(position, message.offset() or 0)  # after the markers of transactions
    if error.code() in BAD_BATCH_ERRORS:
        raise InfrastructureError(
            f"{topic}: the record batch at offset {position} cannot be read ({error.name()}), so no officer "
            "is trusted; create the topic again, and add the officers again"
        )
    if error.code() in _FATAL_ERRORS:
        raise KafkaException(error)
    return position
