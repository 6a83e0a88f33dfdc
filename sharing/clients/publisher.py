"""The client with which an agency's own program publishes indicators.

```python
with Publisher("broker:9092", state="CH", agency="fedpol") as publisher:
    publisher.publish({"type": "domain-name", "value": "example.org", "form": "INFORMATION"})
```

Leaving the block waits until the broker has confirmed every indicator. If it does not confirm all of them, it raises
`NotDeliveredError` with their ids. Publishing these again with the same ids is safe.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import uuid_utils
from confluent_kafka import KafkaError, KafkaException, Message

from sharing.clients.publisher_records import (
    PreparedRecord,
    RecordPreparer,
    find_publishing_topic,
    make_publishing_properties,
)
from sharing.errors import InfrastructureError, InputError, NotDeliveredError
from sharing.kafka.clients import fetch_topics, make_producer
from sharing.kafka.errors import AUTHORIZATION_ERRORS, describe_kafka_error
from sharing.model.countries import normalise_country
from sharing.model.indicator import Indicator, Source
from sharing.serialization.encoded_indicator import EncodedIndicator, encode_indicator
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.serialization.indicator_encoder import IndicatorEncoder

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.kafka.indicator_sealing import IndicatorSealing
    from sharing.telemetry.client_metrics import PublisherMetrics
    from sharing.trust.root import Pin

FLUSH_SECONDS_MAX = 30.0

_FLUSH_AFTER_ERROR_SECONDS = 5.0
"""How long leaving the block with an exception waits for outstanding confirmations."""

_EXPIRY_SLACK_SECONDS = 2.0
"""librdkafka checks only once a second for records that have timed out."""


def new_id() -> str:
    """Return a new UUIDv7 (RFC 9562), for an indicator to which its agency gave no id."""
    return str(uuid_utils.uuid7())


class Publisher:
    """Publishes the indicators of one agency of one State to the topic of that agency or State.

    Each indicator is validated before it is sent; an invalid one is never written. `publish` queues the record and
    returns immediately. `flush`, or leaving the `with` block, waits until the broker has confirmed every record.

    Delivery: the Kafka producer is idempotent and waits for all in-sync replicas, so every confirmed record is on the
    topic once. A record that is reported as not confirmed may be on the topic nevertheless. Publish it again with the
    same id: receivers recognise the repeated notice by its id.

    Thread safety: only one thread at a time may use an object.

    Args:
        bootstrap: Kafka bootstrap servers, such as `broker:9092`.
        state: ISO 3166-1 alpha-2 code of the agency's State.
        agency: The agency's name, 1 to 512 characters. If the agencies of this State have separate topics, the
            agency's id: the publisher then writes to the agency's topic only.
        properties: Further librdkafka properties, such as those of TLS. `enable.idempotence`, `acks` and
            `delivery.timeout.ms` cannot be changed.
        timeout_s: How long the broker may take to confirm a record, in seconds.
        framing: How records are framed: Avro single-object encoding unless given. `registry_framing` returns the
            framing for a Schema Registry.
        metrics: Prometheus metrics to update; None for no metrics.
        pins: The pinned roots of States. If given, each indicator is sealed to the gate of this State, by the key that
            the State has announced and its pinned root has signed; nothing is published unsealed. None, and so not
            sealed, where there are no keys, or where the State runs its own cluster and its gate accepts it.
        state_folder: With `pins`: folder in which it remembers which keys of the State it has accepted, so that no
            older ones can be shown to it after a restart. None to forget them.

    Attributes:
        state: ISO 3166-1 alpha-2 code of the publishing State, in upper case.
        agency: The agency's name or id.

    Raises:
        InfrastructureError: No broker answers, the topic does not exist or is not visible, or the State has announced
            no valid seal key.
        InputError: The State is unknown, its root is not among the pins, or the agency's name is empty or too long.
        SettingsError: A librdkafka property is unknown or wrong, or what is in the state folder cannot be used.
    """

    def __init__(  # noqa: PLR0913 all but the first three are named and have defaults
        self,
        bootstrap: str,
        state: str,
        agency: str,
        *,
        properties: Mapping[str, Any] | None = None,
        timeout_s: float = FLUSH_SECONDS_MAX,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        metrics: PublisherMetrics | None = None,
        pins: Mapping[str, Pin] | None = None,
        state_folder: Path | None = None,
    ) -> None:
        self._metrics = metrics
        self.state = normalise_country(state)
        self.agency = validate_agency(self.state, agency)
        self._timeout_s = timeout_s
        self._serials = count()
        self._unconfirmed: dict[int, str] = {}  # indicator id by serial number of the record
        self._failures: dict[int, KafkaError] = {}
        errors: deque[KafkaError] = deque(maxlen=10)
        own = {"error_cb": errors.append, **(properties or {})}
        self._producer = make_producer(make_publishing_properties(bootstrap, own, timeout_s, {}))
        present = fetch_topics(self._producer, bootstrap, errors)
        self._topic, is_own = find_publishing_topic(self.state, self.agency, present)
        self._sealing: IndicatorSealing | None = None
        if pins is not None:
            from sharing.kafka.indicator_sealing import IndicatorSealing  # noqa: PLC0415 only publishers that seal

            self._sealing = IndicatorSealing(bootstrap, self.state, pins, properties, framing, timeout_s, state_folder)
        self._encoder = IndicatorEncoder()
        self._preparer = RecordPreparer(self.state, self.agency if is_own else "", framing, self._sealing)

    def publish(self, indicator: Indicator | Mapping[str, Any] | EncodedIndicator) -> str:
        """Validate one indicator and queue it for sending. `flush` waits for its confirmation.

        Blocks for up to `timeout_s` seconds while librdkafka's queue is full.

        Args:
            indicator: The indicator, or its JSON form as a mapping. In the JSON form, `id`, `source.state` and
                `source.agency` are optional: a new id, and the publisher's State and agency, are filled in. (An
                `EncodedIndicator` is one that this library has validated, compared with others and encoded before.)

        Returns:
            The id of the indicator.

        Raises:
            InputError: The indicator is invalid, too large, or of another State or agency, or this object has published
                the same id and version with another content. The message names each wrong field and contains no value.
                Nothing was queued.
            InfrastructureError: The queue stayed full, or Kafka refused the record; or the State's seal key has ended,
                was revoked, or could not be confirmed for a minute. Nothing was queued.
        """
        now_ms = time.time_ns() // 1_000_000
        is_compared = not isinstance(indicator, EncodedIndicator)
        try:
            record = self._preparer.prepare_record(self._encode(indicator), now_ms, is_compared=is_compared)
        except InputError:
            if self._metrics is not None:
                self._metrics.refused.inc()
            raise
        self._produce_record(record)
        if is_compared:
            self._preparer.remember_record(record)
        if self._metrics is not None:
            self._metrics.published.inc()
        return record.id

    def flush(self) -> None:
        """Wait until the broker has confirmed every indicator published so far, for about `timeout_s` seconds at most.

        Raises:
            NotDeliveredError: The broker did not confirm some indicators; `ids` holds their ids. They are reported
                once: a later `flush` does not report them again.
        """
        self._await_confirmations(self._timeout_s + _EXPIRY_SLACK_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()
            return
        try:
            self._await_confirmations(min(self._timeout_s, _FLUSH_AFTER_ERROR_SECONDS))
        except NotDeliveredError as not_delivered:  # the block's own exception came first, and is the one to raise
            error.add_note(f"{not_delivered}: {', '.join(not_delivered.ids)}")

    def _encode(self, indicator: Indicator | Mapping[str, Any] | EncodedIndicator) -> EncodedIndicator:
        if isinstance(indicator, EncodedIndicator):
            return indicator
        if isinstance(indicator, Indicator):
            return encode_indicator(indicator)
        source = indicator.get("source", {})
        if not isinstance(source, Mapping):
            raise InputError("source: must be an object", field="source")
        fields = {"id": new_id(), **indicator, "source": {"state": self.state, "agency": self.agency, **source}}
        return self._encoder.encode(fields)

    def _produce_record(self, record: PreparedRecord) -> None:
        serial = next(self._serials)
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    record.value,
                    record.id.encode(),
                    on_delivery=partial(self._on_delivery, serial),
                    headers=record.headers,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise InfrastructureError(
                        "the queue is full and the broker accepts no records; publish this one again when it is back"
                    ) from None
                self._producer.poll(0.1)
            except KafkaException as error:
                raise InfrastructureError(f"cannot publish: {describe_kafka_error(error)}") from None
            else:
                self._unconfirmed[serial] = record.id
                self._producer.poll(0)
                return

    def _await_confirmations(self, timeout_s: float) -> None:
        """Wait for all outstanding confirmations. A confirmation that arrives later is ignored."""
        self._producer.flush(timeout_s)
        missing = tuple(dict.fromkeys(self._unconfirmed.values()))
        failure = next(iter(self._failures.values()), None)
        if self._metrics is not None:
            self._metrics.unconfirmed.inc(len(self._unconfirmed))
        self._unconfirmed.clear()
        self._failures.clear()
        if missing:
            subject = "1 indicator is" if len(missing) == 1 else f"{len(missing)} indicators are"
            reason = describe_kafka_error(failure) if failure is not None else "no confirmation in time"
            denied = failure is not None and failure.code() in AUTHORIZATION_ERRORS
            when = "when the ACL rule exists that `sharing doctor` reports as missing" if denied else "when it is back"
            message = f"{subject} not confirmed by the broker ({reason}); publish again with the same ids {when}"
            raise NotDeliveredError(message, missing)

    def _on_delivery(self, serial: int, error: KafkaError | None, _: Message) -> None:
        if error is None:
            if self._unconfirmed.pop(serial, None) is not None and self._metrics is not None:
                self._metrics.confirmed.inc()
        elif serial in self._unconfirmed:
            self._failures[serial] = error


def validate_agency(state: str, agency: str) -> str:
    """Return an agency's name or id.

    Raises:
        InputError: It is empty or too long, or a space is before or after it.
    """
    try:
        known = Source(state=state, agency=agency).agency
    except ValueError:
        raise InputError("the agency must be a text of 1 to 512 characters", field="source.agency") from None
    if known != known.strip():
        raise InputError("the agency must have no space before or after it", field="source.agency")
    return known
