"""Follows the topic of a State's officers: what was written is known by the time of each request.

Each call asks the broker where the topic ends, and reads to there. So who may answer is never decided by an entry that
was replaced before the call, such as that of a revoked officer. If the topic cannot be read to its end, nothing is
known, and the next call starts again, keeping what was accepted before, so that nothing older is accepted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import OFFSET_BEGINNING, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from sharing.errors import InfrastructureError
from sharing.kafka.clients import look_up_topics, make_admin, require_topics
from sharing.kafka.directory_cluster import assign_partitions, make_directory_consumer
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.officer_topic import READ_SECONDS_MAX, take_message
from sharing.officers.register import Register
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.topics import OFFICERS

if TYPE_CHECKING:
    from confluent_kafka import Consumer

    from sharing.officers.record import OfficerRecord
    from sharing.trust.key_statement import TrustedKeys

ANSWER_SECONDS_MAX: Final = 10.0
_PARTITION: Final = 0
_POLL_SECONDS: Final = 0.5


class OfficerReader:
    """Reads the register of one State again and again. One thread at a time may call it.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        get_keys: Returns the State's own online keys as they are now; may block.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        clock: Returns the time in UTC milliseconds.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        get_keys: Callable[[], TrustedKeys],
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = OFFICERS.topic(state)
        self._state = state
        self._get_keys = get_keys
        self._properties = dict(properties or {})
        self._framing = framing
        self._clock = clock
        # For as long as the process lives: librdkafka may abort it when a client is destroyed that waits for an answer.
        self._admin = make_admin(bootstrap, self._properties)
        self._consumer: Consumer | None = None
        self._register: Register | None = None
        self._position = 0
        self._remembered: list[tuple[str, OfficerRecord]] = []

    def read(self) -> Register:
        """Return the register as the topic is now. It is a new object after a failure, and otherwise the same.

        Raises:
            SharingError: No broker answers, the topic does not exist or cannot be read to its end, or the State's own
                keys cannot be read. Then no officer may be trusted.
        """
        try:
            return self._read()
        except KafkaException as error:
            self.close()
            raise InfrastructureError(f"{self._topic} cannot be read: {describe_kafka_error(error)}") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the consumer. The next call reads the topic from its beginning."""
        if self._register is not None:
            self._remembered = self._register.list_records(self._clock())
        consumer, self._consumer, self._register = self._consumer, None, None
        if consumer is not None:
            consumer.close()

    def _read(self) -> Register:
        keys = self._get_keys()
        if self._consumer is None:
            self._open()
        register = self._register
        if register is None:
            register = Register(keys)
            for officer_id, record in self._remembered:
                register.receive(officer_id, record.encode(), self._clock())
        else:
            register.replace_keys(keys)
        self._read_to_end(register)
        self._register = register  # only what was read to its end is remembered
        return register

    def _open(self) -> None:
        require_topics(look_up_topics(self._bootstrap, self._properties), [self._topic], self._state)
        self._consumer = make_directory_consumer(self._bootstrap, self._properties)
        assign_partitions(self._consumer, [TopicPartition(self._topic, _PARTITION, OFFSET_BEGINNING)])
        self._position = 0

    def _read_to_end(self, register: Register) -> None:
        consumer = self._consumer
        if consumer is None:
            raise RuntimeError("the topic is not open")
        end = self._query_end()
        if end < self._position:
            raise InfrastructureError(
                f"{self._topic} ends before what was read: it was created again, and is read again"
            )

        def receive(officer_id: str, value: bytes | None) -> None:
            register.receive(officer_id, self._framing.to_single_object(value), self._clock())

        deadline = time.monotonic() + READ_SECONDS_MAX
        while self._position < end:
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"{self._topic} cannot be read to its end within {READ_SECONDS_MAX:g} s: a client keeps a "
                    "transaction open there, or the broker is slow"
                )
            message = consumer.poll(_POLL_SECONDS)
            if message is not None:
                self._position = take_message(message, self._topic, self._position, receive)

    def _query_end(self) -> int:
        """Return where the topic ends, using a separate connection: the consumer's fetch may wait for 0.1 s.

        Raises:
            KafkaException: No broker answers, or it rejects the request.
        """
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        (answer,) = self._admin.list_offsets(
            {TopicPartition(self._topic, _PARTITION): latest},
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=ANSWER_SECONDS_MAX,
        ).values()
        return int(answer.result().offset)
