"""Publishes many indicators exactly once, over any number of runs, each of which may be killed at any moment.

**Exactly once.** Each batch is one Kafka transaction with the records and the number of records that are published so
far. The number is the committed offset of a group that no consumer joins, as in `sharing.kafka.resending`. The offset
is that of the State's directory topic, because agencies may read that one and not their own. So the next run learns
from the broker what was published, whatever the last one could still write down. Its producer has the same
transactional id: what a killed run had begun and not committed is discarded, and of two runs at the same time the later
one goes on.

A gate reads committed records only. A run that is killed holds it up for at most `TRANSACTION_SECONDS_MAX`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from sharing.clients.publisher import FLUSH_SECONDS_MAX, validate_agency
from sharing.clients.publisher_records import (
    PreparedRecord,
    RecordPreparer,
    find_publishing_topic,
    make_publishing_properties,
)
from sharing.errors import InfrastructureError
from sharing.kafka.clients import (
    CONNECT_SECONDS_MAX,
    client_properties,
    look_up_topics,
    make_admin,
    make_consumer,
    make_producer,
    require_topics,
)
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error
from sharing.kafka.topic_ids import query_topic_ids
from sharing.model.countries import normalise_country
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.topology.group_names import make_load_prefix
from sharing.topology.topics import DIRECTORY

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.serialization.encoded_indicator import EncodedIndicator
    from sharing.trust.root import Pin

TRANSACTION_SECONDS_MAX: Final = 20.0
"""How long a batch may take until it is committed."""

_INIT_SECONDS_MAX: Final = 60.0
_ABORT_SECONDS_MAX: Final = 5.0
_ANSWER_SECONDS_MAX: Final = 10.0
_RETRY_SECONDS: Final = 0.2
_METADATA: Final = "publish:"
_FENCED: Final = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})  # noqa: SLF001 librdkafka's own code


class BulkProgress(NamedTuple):
    """How far a bulk load has come, as the broker knows it.

    Attributes:
        published: Number of records that are published.
        last: Id and version of the last one, as `id/version`; "" if there is none.
    """

    published: int
    last: str


class BulkPublisher:
    """Publishes the indicators of one bulk load of one agency. Only one thread at a time may use an object.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: ISO 3166-1 alpha-2 code of the agency's State.
        agency: The agency's name or id.
        load: Id of the bulk load, which all its runs share.
        properties: Further librdkafka properties, such as those of TLS.
        framing: How records are framed.
        pins: The pinned roots of States, to seal; None to seal nothing (as in `Publisher`).
        state_folder: As in `Publisher`.

    Attributes:
        cluster: Id of the cluster.
        topic: The topic to which it publishes.
        topic_id: The id of that topic; `NO_TOPIC_ID` where the broker has none.
        progress: How far the load has come; None if it has not begun, or if the broker has forgotten it.

    Raises:
        InfrastructureError: No broker answers, or it refuses; or the State has announced no valid seal key.
        InputError: The State is unknown, its root is not among the pins, or the agency's name is empty or too long.
        SettingsError: A librdkafka property is unknown or wrong, or what is in the state folder cannot be used.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        agency: str,
        load: str,
        *,
        properties: Mapping[str, Any] | None = None,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        pins: Mapping[str, Pin] | None = None,
        state_folder: Path | None = None,
    ) -> None:
        self._state = code = normalise_country(state)
        name = validate_agency(code, agency)
        present = look_up_topics(bootstrap, properties)
        self.topic, is_own = find_publishing_topic(code, name, present)
        own_agency = name if is_own else ""
        directory = DIRECTORY.topic(code)
        require_topics(present, [directory], code)
        self._place = TopicPartition(directory, 0)
        self._group = f"{make_load_prefix(code, own_agency)}{load}"
        self._errors: deque[KafkaError] = deque(maxlen=10)
        self._producer = self._open_producer(bootstrap, properties)
        self._consumer = make_consumer(client_properties(bootstrap, {**(properties or {}), "group.id": self._group}))
        self.cluster, self.topic_id = self._read_ids(bootstrap, properties)
        self.progress = self._read_progress()
        sealing = None
        if pins is not None:
            from sharing.kafka.indicator_sealing import IndicatorSealing  # noqa: PLC0415 only publishers that seal

            sealing = IndicatorSealing(bootstrap, code, pins, properties, framing, FLUSH_SECONDS_MAX, state_folder)
        self._preparer = RecordPreparer(code, own_agency, framing, sealing)

    def prepare_record(self, item: EncodedIndicator) -> PreparedRecord:
        """Return the record of an indicator. That none has the id and version of another was checked before.

        Raises:
            InputError: It may not be published.
            InfrastructureError: Nothing can be sealed any more.
        """
        return self._preparer.prepare_record(item, time.time_ns() // 1_000_000, is_compared=False)

    def begin(self) -> None:
        """Begin the load: from now on the broker knows it.

        Raises:
            InfrastructureError: As `commit`.
        """
        self.commit([], lambda: BulkProgress(0, ""))

    def commit(self, records: Iterable[PreparedRecord], finish: Callable[[], BulkProgress]) -> None:
        """Publish records, all or none of them.

        Args:
            records: The records. The first are on their way while the next are made.
            finish: Called when all are on their way, before they are committed; returns how far the load has come with
                them.

        Raises:
            InfrastructureError: The broker refuses or does not answer, or another run took the place of this one. Then
                it is unknown whether they are published; the broker knows, and tells the next run.
        """
        try:
            self._producer.begin_transaction()
            for record in records:
                self._produce(record)
            progress = finish()
            position = TopicPartition(
                self._place.topic, self._place.partition, progress.published, metadata=f"{_METADATA}{progress.last}"
            )
            metadata = self._consumer.consumer_group_metadata()
            self._repeat(lambda: self._producer.send_offsets_to_transaction([position], metadata, _ANSWER_SECONDS_MAX))
            self._repeat(lambda: self._producer.commit_transaction(TRANSACTION_SECONDS_MAX))
        except KafkaException as failure:
            self._abort()
            raise self._make_error(failure.args[0]) from None
        except BaseException:  # a signal: what was begun is discarded at once, so that no gate waits for it
            self._abort()
            raise
        self.progress = progress

    def close(self) -> None:
        """Disconnect from the broker."""
        self._consumer.close()

    def _open_producer(self, bootstrap: str, properties: Mapping[str, Any] | None) -> Producer:
        """Return a producer, after what an earlier run had left open is decided.

        Raises:
            InfrastructureError: The broker refuses or does not answer.
        """
        milliseconds = int(TRANSACTION_SECONDS_MAX * 1000)
        fixed = {
            "transactional.id": self._group,
            "transaction.timeout.ms": milliseconds,
            "delivery.timeout.ms": milliseconds,
        }
        own = {"error_cb": self._errors.append, **(properties or {})}
        producer = make_producer(make_publishing_properties(bootstrap, own, TRANSACTION_SECONDS_MAX, fixed))
        try:
            producer.init_transactions(_INIT_SECONDS_MAX)
        except KafkaException as failure:
            raise self._make_error(failure.args[0]) from None
        return producer

    def _read_ids(self, bootstrap: str, properties: Mapping[str, Any] | None) -> tuple[str, str]:
        """Return the id of the cluster, and that of the topic."""
        try:
            cluster = str(self._producer.list_topics(self.topic, CONNECT_SECONDS_MAX).cluster_id)
            ids = query_topic_ids(make_admin(bootstrap, properties), [self.topic], CONNECT_SECONDS_MAX)
        except KafkaException as failure:
            raise InfrastructureError(
                f"no broker answers at {bootstrap} any more ({describe_kafka_error(failure)}); try again"
            ) from None
        require_topics(ids, [self.topic], self._state)
        return cluster, ids[self.topic]

    def _read_progress(self) -> BulkProgress | None:
        deadline = time.monotonic() + _INIT_SECONDS_MAX
        while True:  # librdkafka does not ask again by itself when the coordinator of the group moves, or is loading
            try:
                (answer,) = self._consumer.committed([self._place], timeout=_ANSWER_SECONDS_MAX)
                if answer.error is not None:
                    raise KafkaException(answer.error)
                break
            except KafkaException as failure:
                error = failure.args[0]
                if error.code() in AUTHORIZATION_ERRORS or time.monotonic() > deadline:
                    raise self._make_error(error) from None
                time.sleep(_RETRY_SECONDS)
        if answer.offset < 0:
            return None
        return BulkProgress(answer.offset, (answer.metadata or "").removeprefix(_METADATA))

    def _produce(self, record: PreparedRecord) -> None:
        while True:
            try:
                self._producer.produce(self.topic, record.value, record.id.encode(), headers=record.headers)
            except BufferError:
                self._producer.poll(_RETRY_SECONDS)
            else:
                return

    def _repeat(self, request: Callable[[], object]) -> None:
        """Make a request again while that may help.

        Raises:
            KafkaException: It has failed.
        """
        deadline = time.monotonic() + TRANSACTION_SECONDS_MAX
        while True:
            try:
                request()
            except KafkaException as failure:
                if not failure.args[0].retriable() or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _abort(self) -> None:
        with suppress(KafkaException):  # the next run aborts it, or its time runs out
            self._producer.abort_transaction(_ABORT_SECONDS_MAX)

    def _make_error(self, error: KafkaError) -> InfrastructureError:
        if error.code() in _FENCED:
            return InfrastructureError("another run with the same receipt has begun meanwhile, and goes on")
        if error.code() in AUTHORIZATION_ERRORS:
            return InfrastructureError(
                f"a bulk load needs the group and the transactional id {self._group}, and this certificate may not use "
                f"them ({describe_kafka_error(error)}): the operator runs `sharing topics apply --acls`"
            )
        return InfrastructureError(f"the broker does not commit ({describe_kafka_error(error)})")
