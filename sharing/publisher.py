"""What an agency system imports to publish its indicators.

```python
with Publisher("broker:9092", state="CH", agency="fedpol") as publisher:
    publisher.publish({"type": "domain-name", "value": "example.org", "form": "INFORMATION"})
```

Leaving the block waits until the broker has confirmed every indicator, or raises `NotDeliveredError` with the ids
of those that it did not confirm; publishing these again with the same ids is safe.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import uuid_utils
from confluent_kafka import KafkaError, KafkaException, Message

from sharing.broker.clients import client_properties, explain, make_producer, require_broker
from sharing.errors import InfrastructureError, InputError, NotDeliveredError
from sharing.model.countries import normalise_country
from sharing.model.indicator import Indicator
from sharing.topics import INDICATORS
from sharing.wire import RECORD_BYTES_MAX, codec

FLUSH_SECONDS_MAX = 30.0


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562) for an indicator that its agency gave none."""
    return str(uuid_utils.uuid7())


class Publisher:
    """Publishes the indicators of one agency of one State: idempotent, strict, confirmed.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State whose agency it is.
        agency: The agency's name.
        properties: Further librdkafka properties, such as those of TLS.
        timeout_s: How long the broker may take to confirm a record.

    Raises:
        InfrastructureError: No broker answers, or the State's topic is not there.
        InputError: The State is unknown.
    """

    def __init__(
        self,
        bootstrap: str,
        state: str,
        agency: str,
        *,
        properties: Mapping[str, Any] | None = None,
        timeout_s: float = FLUSH_SECONDS_MAX,
    ) -> None:
        self.state = normalise_country(state)
        self.agency = agency
        self._topic = INDICATORS.topic(self.state)
        self._timeout_s = timeout_s
        self._codec = codec("indicator")
        self._waiting: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        require_broker(bootstrap)
        self._producer = make_producer(
            client_properties(
                bootstrap,
                {
                    "enable.idempotence": True,
                    "acks": "all",
                    "linger.ms": 5,
                    "delivery.timeout.ms": int(timeout_s * 1000),
                    **(properties or {}),
                },
            )
        )
        self._require_topic()

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
        item = indicator if isinstance(indicator, Indicator) else self._read(indicator)
        if item.source.state != self.state:
            raise InputError(f"source.state: this publisher speaks for {self.state} only", field="source.state")
        data = self._codec.encode(item.to_wire())
        if len(data) > RECORD_BYTES_MAX:
            message = f"the indicator has {len(data)} bytes, more than {RECORD_BYTES_MAX}; shorten its texts or value"
            raise InputError(message)
        self._waiting[item.id] = self._waiting.get(item.id, 0) + 1
        self._produce(item.id, data)
        return item.id

    def flush(self) -> None:
        """Wait until everything published so far is confirmed.

        Raises:
            NotDeliveredError: With the ids that the broker did not confirm.
        """
        self._producer.flush(self._timeout_s)
        missing = tuple(self._refused) + tuple(name for name in self._waiting if name not in self._refused)
        reason = next(iter(self._refused.values()), "no confirmation in time")
        self._refused.clear()
        self._waiting.clear()
        if missing:
            message = (
                f"{len(missing)} indicators are not confirmed by the broker ({reason}); "
                "publish them again with the same ids when it is back"
            )
            raise NotDeliveredError(message, missing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()
        else:
            self._producer.flush(self._timeout_s)  # the error that is on its way says what went wrong

    def _read(self, data: Mapping[str, Any]) -> Indicator:
        source = data.get("source", {})
        if not isinstance(source, Mapping):
            raise InputError("source: must be an object", field="source")
        return Indicator.read(
            {"id": new_id(), **data, "source": {"state": self.state, "agency": self.agency, **source}}
        )

    def _produce(self, identity: str, data: bytes) -> None:
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                self._producer.produce(self._topic, data, identity.encode(), on_delivery=self._on_delivery)
            except BufferError:
                if time.monotonic() > deadline:
                    raise InfrastructureError("the broker takes no more records; retry when it is back") from None
                self._producer.poll(0.1)
            except KafkaException as error:
                raise InfrastructureError(f"cannot publish: {explain(error)}") from None
            else:
                self._producer.poll(0)
                return

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        identity = (message.key() or b"").decode()
        if error is not None:
            self._refused[identity] = explain(error)
            return
        left = self._waiting.get(identity, 1) - 1
        if left:
            self._waiting[identity] = left
        else:
            self._waiting.pop(identity, None)

    def _require_topic(self) -> None:
        try:
            topic = self._producer.list_topics(self._topic, timeout=self._timeout_s).topics[self._topic]
        except KafkaException as error:
            raise InfrastructureError(f"cannot look up {self._topic}: {explain(error)}") from None
        if topic.error is not None:
            raise InfrastructureError(
                f"{self._topic}: {explain(topic.error)}; create it with "
                f"`sharing topics apply --states {self.state}`, or ask for permission to write it"
            )
