"""Writes a State's indicators again, byte for byte, so that its gate decides on them again and sends the same ids.

This is for messages that other States refused because the gate key that had signed them was revoked: the same message
under a new key. A receiver that has opened the first one drops the repetition.

**Exactly once.** Each batch is one Kafka transaction with the records and the position of the run (`resend_positions`),
under one transactional id for the State. A run that was killed left a transaction that the next run aborts, and
positions at which it continues. Of two simultaneous runs, the one that began later continues. There is no recovery
inside a run, unlike in the loop of a worker (`processors.exactly_once`): any error ends it, and the same command
continues it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicCollection
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from sharing.errors import InfrastructureError
from sharing.kafka.clients import (
    client_properties,
    look_up_topics,
    make_admin,
    make_consumer,
    make_producer,
    require_topics,
)
from sharing.kafka.errors import describe_kafka_error
from sharing.kafka.resend_positions import ResendPosition, read_positions, read_topic_ids
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, await_result
from sharing.kafka.topic_range import TopicRange
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import FOREIGN_BATCH_BYTES_MAX, Role
from sharing.topology.topics import INDICATORS, find_topic_kind

TRANSACTION_MS_MAX: Final = 30_000
"""A run that is killed holds its State's gate up for at most this long: a gate reads committed records only."""

_INIT_SECONDS_MAX: Final = 60.0
_ABORT_SECONDS_MAX: Final = 10.0
_QUEUE_SECONDS: Final = 0.1
_FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001

ReportProgress = Callable[[int], object]
"""Called with the number of offsets that are done."""


@dataclass(slots=True)
class ResendCounts:
    """What became of the records of a run.

    Attributes:
        written: Records that were written again, or would be, by topic.
        lost: Records that nobody can open any longer, and that were left out, by topic.
        oversized: Records that are larger than their topic accepts uncompressed. The gate had quarantined them.
        unreadable: Record batches that cannot be read. The gate had quarantined them.
    """

    written: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    oversized: int = 0
    unreadable: int = 0


class Resending:
    """One run, for the indicators of a State that arrived between two instants of the broker's clock.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        since_ms: First instant, in UTC milliseconds.
        until_ms: Instant at which the range ends, exclusive; None for the end of the topics when the run begins.
        properties: Further librdkafka properties, such as those of TLS with the certificate of the State's gate.

    Attributes:
        topics: The State's topics of indicators, each with its number of partitions: the shared one, and those of
            its agencies.
        is_continued: After `begin`: whether an earlier run with the same arguments had begun.

    Raises:
        InfrastructureError: No broker answers, or the State has no topic of indicators that is visible here.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        since_ms: int,
        until_ms: int | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        present = look_up_topics(bootstrap, properties)
        self.topics = {
            name: count
            for name, count in sorted(present.items())
            if find_topic_kind(name) is INDICATORS and name.split(".")[1] == state.lower()
        }
        if not self.topics:
            require_topics(present, [INDICATORS.topic(state)], state)
        self.is_continued = False
        self._bootstrap = bootstrap
        self._range_ms = since_ms, until_ms
        self._properties = dict(properties or {})
        self._prefix = f"{Principal(Role.GATE, state).group_prefix}.resend"
        self._group = f"{self._prefix}.{since_ms}-{'end' if until_ms is None else until_ms}"
        self._admin = make_admin(bootstrap, properties)
        self._consumer = make_consumer(client_properties(bootstrap, {**self._properties, "group.id": self._group}))
        self._producer: Producer | None = None
        self._positions: list[ResendPosition] = []

    @property
    def total(self) -> int:
        """Upper bound of the number of records that are left, after `begin`."""
        return sum(position.end - position.offset for position in self._positions)

    def list_denied_topics(self) -> list[str]:
        """Return the topics that this client may not write to.

        Raises:
            InfrastructureError: The cluster does not answer, or refuses.
        """
        futures = self._admin.describe_topics(
            TopicCollection(list(self.topics)), include_authorized_operations=True, request_timeout=ADMIN_SECONDS_MAX
        )
        try:
            described = {name: await_result(future, f"cannot describe {name}") for name, future in futures.items()}
        except KafkaException as error:
            raise InfrastructureError(f"the topics cannot be described: {describe_kafka_error(error)}") from None
        return [
            name for name, topic in described.items() if AclOperation.WRITE not in (topic.authorized_operations or ())
        ]

    def begin(self, *, dry_run: bool = False) -> None:
        """Find what is left to write: the rest of an earlier run with the same arguments, or the whole range.

        Args:
            dry_run: Write nothing, and keep no positions. Then only read permission is needed.

        Raises:
            InfrastructureError: The broker does not answer, or refuses.
        """
        if not dry_run:
            self._producer = self._open_producer()  # first: it ends the transaction that a killed run left open
        self._positions = read_positions(self._consumer, self._admin, self.topics)
        self.is_continued = bool(self._positions)
        if self.is_continued:
            return
        ids = read_topic_ids(self._admin, self.topics)
        for topic in self.topics:
            with closing(TopicRange(self._bootstrap, topic, self._group, *self._range_ms, self._properties)) as found:
                self._positions += [
                    ResendPosition(topic, number, *offsets, ids[topic]) for number, offsets in found.ranges.items()
                ]
        if self._positions:
            self._commit(lambda _: None, {position: position.offset for position in self._positions})

    def write_again(self, is_lost: Callable[[bytes], bool], report_progress: ReportProgress) -> ResendCounts:
        """Write what is left, or with a dry run only read it.

        Args:
            is_lost: Whether nobody can open a value any longer. Such records are left out.
            report_progress: Called with the number of offsets that are done.

        Raises:
            InfrastructureError: The broker does not answer or refuses, or another run replaced this one. What
                was written stays, and the same arguments continue after it.
        """
        counts = ResendCounts()
        done = 0
        for topic in self.topics:
            left = {position.partition: position for position in self._positions if position.topic == topic}
            ranges = {number: (position.offset, position.end) for number, position in left.items()}
            records = TopicRange(self._bootstrap, topic, self._group, properties=self._properties, ranges=ranges)
            with closing(records):
                for messages in records.read_batches():
                    self._write_batch(topic, messages, left, is_lost, counts)
                    done += len(messages)
                    report_progress(done)
                counts.unreadable += len(records.bad_batches)
            # After the last record there may be transaction markers, and batches that cannot be read.
            if records.ranges:
                self._commit(lambda _: None, {position: position.end for position in left.values()})
        return counts

    def close(self) -> None:
        """Disconnect from the broker."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_producer(self) -> Producer:
        producer = make_producer(
            client_properties(
                self._bootstrap,
                {
                    "linger.ms": 5,
                    # Like a publisher: librdkafka's own limits are four times what the topic accepts.
                    "batch.size": FOREIGN_BATCH_BYTES_MAX,
                    "message.max.bytes": FOREIGN_BATCH_BYTES_MAX,
                    **self._properties,
                    "transactional.id": self._prefix,
                    "transaction.timeout.ms": TRANSACTION_MS_MAX,
                },
            )
        )
        try:
            producer.init_transactions(_INIT_SECONDS_MAX)
        except KafkaException as error:
            raise InfrastructureError(
                f"no transaction can be begun as {self._prefix} ({describe_kafka_error(error)}); run this with the "
                "certificate of the State's gate, when the broker is back"
            ) from None
        return producer

    def _write_batch(
        self,
        topic: str,
        messages: Sequence[Message],
        left: Mapping[int, ResendPosition],
        is_lost: Callable[[bytes], bool],
        counts: ResendCounts,
    ) -> None:
        kept = [message for message in messages if not is_lost(message.value() or b"")]
        oversized: list[Message] = []

        def produce(producer: Producer) -> None:
            oversized.extend(message for message in kept if not _produce(producer, topic, message))

        ends = {message.partition() or 0: (message.offset() or 0) + 1 for message in messages}
        self._commit(produce, {left[number]: offset for number, offset in ends.items()})
        counts.oversized += len(oversized)
        counts.lost[topic] += len(messages) - len(kept)
        counts.written[topic] += len(kept) - len(oversized)

    def _commit(self, produce: Callable[[Producer], None], offsets: Mapping[ResendPosition, int]) -> None:
        """Commit records and positions in one transaction; with a dry run, do nothing."""
        producer = self._producer
        if producer is None:
            return
        try:
            producer.begin_transaction()
            produce(producer)
            producer.send_offsets_to_transaction(
                [position.to_commit(offset) for position, offset in offsets.items()],
                self._consumer.consumer_group_metadata(),
            )
            producer.commit_transaction()
        except KafkaException as failure:
            error = failure.args[0]
            if error.code() in _FENCED:
                raise InfrastructureError(
                    "another run of this command has begun meanwhile and taken the place of this one; let that one "
                    "end, then run this again: it continues"
                ) from None
            with suppress(KafkaException):  # the next run aborts it, or it times out
                producer.abort_transaction(_ABORT_SECONDS_MAX)
            raise InfrastructureError(
                f"the last records could not be written ({describe_kafka_error(error)}); what was written before "
                "stays: run this again with the same arguments, and it continues"
            ) from None


def _produce(producer: Producer, topic: str, message: Message) -> bool:
    """Queue a record again, on its partition; False if it is too large for the topic.

    Raises:
        KafkaException: The transaction has failed.
    """
    while True:
        try:
            producer.produce(
                topic, message.value(), message.key(), message.partition() or 0, headers=message.headers() or None
            )
        except BufferError:
            producer.poll(_QUEUE_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise
            return False
        else:
            producer.poll(0)
            return True
