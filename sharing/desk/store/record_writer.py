"""Writes records of the desk, one transaction for each, as the only writer of the State at that moment.

All desks of a State use one transactional id. Who wants to write takes it, which fences the desk that had it, and then
reads the topic to its end. So between that reading and the commit nobody else can have written: what was compared is
still true. A desk that keeps the id, because no other took it since, need not take it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from sharing.errors import InfrastructureError
from sharing.kafka.clients import client_properties, fetch_topics, make_producer, require_topics
from sharing.kafka.conversation_reader import name_console_group
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error
from sharing.topology.topics import DESK

WRITE_SECONDS_MAX: Final = 10.0
_PARTITION: Final = 0
_FENCED: Final = frozenset(
    {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}  # noqa: SLF001 librdkafka's own
)


class FencedError(Exception):
    """Another desk of the State has written, or is about to. Nothing was written."""


class UnknownOutcomeError(Exception):
    """The broker failed at the commit, and does not say whether it took place. The topic tells, once it is read."""


class RecordWriter:
    """Writes to the desk's topic of one State. One thread at a time may use it.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        properties: Further librdkafka properties, such as those of TLS.
    """

    def __init__(self, bootstrap: str, state: str, properties: Mapping[str, Any]) -> None:
        self._bootstrap = bootstrap
        self._state = state
        self._topic = DESK.topic(state)
        self._properties = properties
        self._producer: Producer | None = None

    @property
    def is_exclusive(self) -> bool:
        """Whether this desk has taken the right to write, and does not know that another has taken it."""
        return self._producer is not None

    def take(self) -> None:
        """Take the right to write. Then the topic must be read to its end before `write`.

        Raises:
            InfrastructureError: No broker answers, the topic does not exist, or the ACL rules do not permit it.
        """
        self.release()
        errors: deque[KafkaError] = deque(maxlen=10)
        options = {
            "error_cb": errors.append,
            **self._properties,
            "transactional.id": name_console_group(self._state, "desk"),
            "acks": "all",
            "transaction.timeout.ms": int(WRITE_SECONDS_MAX * 1000),
        }
        producer = make_producer(client_properties(self._bootstrap, options))
        require_topics(fetch_topics(producer, self._bootstrap, errors), [self._topic], self._state)
        try:
            producer.init_transactions(WRITE_SECONDS_MAX)
        except KafkaException as error:
            raise self._refuse(error) from None
        self._producer = producer

    def write(self, key: str, value: bytes | None) -> int:
        """Write a record, or a tombstone, and return its offset once it is committed.

        Raises:
            FencedError: Another desk has taken the right to write. Nothing was written.
            UnknownOutcomeError: The broker failed, as it may while another desk takes the right to write.
            InfrastructureError: The broker did not confirm it. It may have been written nevertheless.
        """
        producer = self._producer
        if producer is None:
            raise FencedError
        outcome: list[Message | KafkaError] = []
        try:
            producer.begin_transaction()
            producer.produce(
                self._topic,
                value,
                key.encode("ascii"),
                _PARTITION,
                on_delivery=lambda error, message: outcome.append(error or message),
            )
            producer.commit_transaction(WRITE_SECONDS_MAX)
        except KafkaException as error:
            self.release()
            code = error.args[0].code() if error.args else None
            if code in _FENCED:
                raise FencedError from None
            if code == KafkaError.UNKNOWN:
                raise UnknownOutcomeError from None
            raise self._refuse(error) from None
        except BaseException:
            self.release()
            raise
        written = outcome[0] if outcome else None
        if not isinstance(written, Message):
            self.release()
            raise InfrastructureError(f"{self._topic}: the broker confirmed nothing; try again")
        return written.offset() or 0

    def release(self) -> None:
        """Close the producer. An open transaction is aborted by the next one, or when its time has passed."""
        self._producer = None

    def _refuse(self, error: KafkaException) -> InfrastructureError:
        inner = error.args[0] if error.args else None
        denied = isinstance(inner, KafkaError) and inner.code() in AUTHORIZATION_ERRORS
        remedy = (
            f"use the certificate console.{self._state.lower()}, and run `sharing topics apply` for its ACL rules"
            if denied
            else "what you entered is still here; try again when the broker is back"
        )
        return InfrastructureError(
            f"the broker did not confirm that {self._topic} keeps this ({describe_kafka_error(error)}); {remedy}"
        )
