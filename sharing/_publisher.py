"""What an agency system imports to publish its indicators.

```python
with Publisher("broker:9092", state="CH", agency="fedpol") as publisher:
    publisher.publish({"type": "domain-name", "value": "example.org", "form": "INFORMATION"})
```

Leaving the block waits until the broker has confirmed every indicator, or raises `NotDeliveredError` with the ids
of those that it did not confirm; publishing these again with the same ids is safe.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Collection, Mapping
from functools import partial
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import uuid_utils
from confluent_kafka import KafkaError, KafkaException, Message

from sharing.errors import InfrastructureError, InputError, NotDeliveredError
from sharing.kafka.clients import DENIED, ask_topics, client_properties, explain, make_producer, require_topics
from sharing.model.countries import normalise_country
from sharing.model.indicator import Indicator, Source
from sharing.serialization.cloud_events import EventHeaders
from sharing.serialization.codec import RECORD_BYTES_MAX, codec_of
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.telemetry.tracing import new_traceparent
from sharing.topology.topics import AGENCY_PATTERN, INDICATORS

if TYPE_CHECKING:
    from sharing.telemetry.client_metrics import PublisherMetrics

FLUSH_SECONDS_MAX = 30.0

_AFTER_ERROR_SECONDS = 5.0
"""How long an error on its way out of the block is held up to have the rest confirmed."""

_SLACK_SECONDS = 2.0
"""librdkafka looks once a second for what has been waiting too long."""


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562) for an indicator that its agency gave none."""
    return str(uuid_utils.uuid7())


class Publisher:
    """Publishes the indicators of one agency of one State: idempotent, strict, confirmed. Not for several threads.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State whose agency it is.
        agency: The agency's name. Where agencies have topics of their own, its id: it writes to its own then, and
            to no other.
        properties: Further librdkafka properties, such as those of TLS; those that make it safe cannot be changed.
        timeout_s: How long the broker may take to confirm a record.
        framing: How records are framed.
        metrics: Counts what is published; nothing is counted when None.

    Raises:
        InfrastructureError: No broker answers, or neither the agency's topic nor the State's is there for it.
        InputError: The State is unknown, or the agency's name is empty or too long.
        SettingsError: A property is unknown or wrong.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        agency: str,
        *,
        properties: Mapping[str, Any] | None = None,
        timeout_s: float = FLUSH_SECONDS_MAX,
        framing: Framing = SINGLE_OBJECT_FRAMING,
        metrics: PublisherMetrics | None = None,
    ) -> None:
        self._metrics = metrics
        self._framing = framing
        self.state = normalise_country(state)
        self.agency = _check_agency(self.state, agency)
        self._headers = EventHeaders(INDICATORS, self.state)
        self._timeout_s = timeout_s
        self._codec = codec_of("indicator")
        self._serials = count()
        self._waiting: dict[int, str] = {}
        self._failures: dict[int, KafkaError] = {}
        heard: deque[KafkaError] = deque(maxlen=10)
        self._producer = make_producer(
            client_properties(
                bootstrap,
                {
                    "linger.ms": 5,
                    "error_cb": heard.append,
                    **(properties or {}),
                    "enable.idempotence": True,
                    "acks": "all",
                    "delivery.timeout.ms": max(1, int(timeout_s * 1000)),
                },
            )
        )
        present = ask_topics(self._producer, bootstrap, heard)
        self._own = _own_topic(self.state, self.agency, present)
        self._topic = self._own or INDICATORS.topic(self.state)
        if self._topic not in present:
            _refuse_stranger(self.state, self.agency, present)
        require_topics(present, [self._topic], self.state)

    def publish(self, indicator: Indicator | Mapping[str, Any]) -> str:
        """Publish one indicator; it is confirmed by `flush`, or on leaving the block.

        Args:
            indicator: The indicator, or its JSON form; `id` and `source` may be left out of the latter.

        Returns:
            Its id.

        Raises:
            InputError: It is not acceptable; the message names each wrong field.
            InfrastructureError: The broker takes nothing more, for too long.
        """
        try:
            item, data = self._prepare(indicator)
        except InputError:
            if self._metrics is not None:
                self._metrics.refused.inc()
            raise
        self._produce(item, data)
        if self._metrics is not None:
            self._metrics.published.inc()
        return item.id

    def flush(self) -> None:
        """Wait until everything published so far is confirmed.

        Raises:
            NotDeliveredError: With the ids that the broker did not confirm.
        """
        self._settle(self._timeout_s + _SLACK_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()
            return
        try:
            self._settle(min(self._timeout_s, _AFTER_ERROR_SECONDS))
        except NotDeliveredError as lost:  # the error that is on its way says what went wrong first
            error.add_note(f"{lost}: {', '.join(lost.ids)}")

    def _prepare(self, indicator: Indicator | Mapping[str, Any]) -> tuple[Indicator, bytes]:
        item = indicator if isinstance(indicator, Indicator) else self._read(indicator)
        if item.source.state != self.state:
            raise InputError(f"source.state: this publisher speaks for {self.state} only", field="source.state")
        if self._own is not None and item.source.agency != self.agency:
            raise InputError(f"source.agency: this publisher speaks for {self.agency} only", field="source.agency")
        return item, self._encode(item)

    def _read(self, data: Mapping[str, Any]) -> Indicator:
        source = data.get("source", {})
        if not isinstance(source, Mapping):
            raise InputError("source: must be an object", field="source")
        return Indicator.read(
            {"id": new_id(), **data, "source": {"state": self.state, "agency": self.agency, **source}}
        )

    def _encode(self, item: Indicator) -> bytes:
        data = self._framing.frame("indicator", self._codec.encode_bare(item.to_wire()))
        if len(data) > RECORD_BYTES_MAX:
            message = f"the indicator has {len(data)} bytes, more than {RECORD_BYTES_MAX}; shorten its texts or value"
            raise InputError(message)
        return data

    def _produce(self, item: Indicator, data: bytes) -> None:
        identity = item.id
        now_ms = time.time_ns() // 1_000_000
        headers = self._headers.at(now_ms).make(f"{identity}/{item.version}", identity, new_traceparent())
        serial = next(self._serials)
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    data,
                    identity.encode(),
                    on_delivery=partial(self._on_delivery, serial),
                    headers=headers,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise InfrastructureError(
                        "the broker takes no more records; publish this one again when it is back"
                    ) from None
                self._producer.poll(0.1)
            except KafkaException as error:
                raise InfrastructureError(f"cannot publish: {explain(error)}") from None
            else:
                self._waiting[serial] = identity
                self._producer.poll(0)
                return

    def _settle(self, timeout_s: float) -> None:
        """Wait for the confirmation of all that waits for one; what comes later counts for nothing."""
        self._producer.flush(timeout_s)
        missing = tuple(dict.fromkeys(self._waiting.values()))
        failure = next(iter(self._failures.values()), None)
        if self._metrics is not None:
            self._metrics.unconfirmed.inc(len(self._waiting))
        self._waiting.clear()
        self._failures.clear()
        if missing:
            what = "1 indicator is" if len(missing) == 1 else f"{len(missing)} indicators are"
            reason = explain(failure) if failure is not None else "no confirmation in time"
            denied = failure is not None and failure.code() in DENIED
            when = "when the right is given that `sharing doctor` misses" if denied else "when it is back"
            message = f"{what} not confirmed by the broker ({reason}); publish again with the same ids {when}"
            raise NotDeliveredError(message, missing)

    def _on_delivery(self, serial: int, error: KafkaError | None, _: Message) -> None:
        if error is None:
            if self._waiting.pop(serial, None) is not None and self._metrics is not None:
                self._metrics.confirmed.inc()
        elif serial in self._waiting:
            self._failures[serial] = error


def _own_topic(state: str, agency: str, present: Collection[str]) -> str | None:
    """Return the topic that is this agency's alone, where there is one."""
    if not re.match(AGENCY_PATTERN, agency):
        return None
    topic = INDICATORS.topic(state, agency)
    return topic if topic in present else None


def _refuse_stranger(state: str, agency: str, present: Collection[str]) -> None:
    """Return where the State's agencies have no topics of their own.

    Raises:
        InfrastructureError: They have, and this one has none that it may write to.
    """
    prefix = f"{INDICATORS.topic(state)}."
    others = sorted(topic.removeprefix(prefix) for topic in present if topic.startswith(prefix))
    if others:
        raise InfrastructureError(
            f"agency {agency!r} has no topic of its own in {state}, or no permission to see it; the agencies seen here "
            f"are {', '.join(others)}: give its id, or add it to the partners file and run `sharing topics apply`"
        )


def _check_agency(state: str, agency: str) -> str:
    try:
        return Source(state=state, agency=agency).agency
    except ValueError:
        raise InputError("the agency must be a text of 1 to 512 characters", field="source.agency") from None
