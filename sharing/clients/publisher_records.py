"""What publishers write: indicators that are encoded, checked, sealed, and given their headers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.errors import InfrastructureError, InputError
from sharing.kafka.clients import client_properties, require_topics
from sharing.model.recent_map import RecentMap
from sharing.serialization.cloud_events import EventHeaderBuilder
from sharing.serialization.codec import RECORD_BYTES_MAX, get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.telemetry.tracing import make_traceparent
from sharing.topology.name_patterns import AGENCY_PATTERN
from sharing.topology.topic_kinds import FOREIGN_BATCH_BYTES_MAX
from sharing.topology.topics import INDICATORS

if TYPE_CHECKING:
    from sharing.kafka.indicator_sealing import IndicatorSealing
    from sharing.serialization.encoded_indicator import EncodedIndicator

REMEMBERED_VERSIONS_MAX = 100_000
"""How many published ids and versions one publisher remembers, to refuse another content under one of them."""

_SEALED_TYPE = get_codec("sealed_indicator").schema["name"]


class PreparedRecord(NamedTuple):
    """A record that can be written to the topic.

    Attributes:
        id: Id of the indicator, which is the key of the record.
        version: Version of the indicator.
        digest: Digest of the content before it was sealed; empty if it was not compared.
        value: Value of the record.
        headers: Headers of the record.
    """

    id: str
    version: int
    digest: bytes
    value: bytes
    headers: Any


class RecordPreparer:
    """Makes the records of one publisher.

    Args:
        state: ISO 3166-1 alpha-2 code of the publishing State.
        agency: The agency, if the topic is that of one agency; "" if agencies share it.
        framing: How records are framed.
        sealing: What seals; None to seal nothing.
    """

    def __init__(self, state: str, agency: str, framing: Framing, sealing: IndicatorSealing | None) -> None:
        self._state = state
        self._agency = agency
        # What is sealed is always in single-object encoding: the framing is that of the sealed record.
        self._frame = (framing if sealing is None else SINGLE_OBJECT_FRAMING).get_header("indicator")
        self._sealing = sealing
        self._headers = EventHeaderBuilder(INDICATORS, state, None if sealing is None else _SEALED_TYPE)
        self._instant_ms = 0
        self._instant_headers = self._headers.at_instant(0)
        self._numbers = count(1)
        self._published: RecentMap[tuple[str, int], tuple[int, bytes]] = RecentMap(REMEMBERED_VERSIONS_MAX)

    def prepare_record(self, item: EncodedIndicator, now_ms: int, *, is_compared: bool = True) -> PreparedRecord:
        """Return the record of an indicator.

        Args:
            item: The indicator.
            now_ms: The time in UTC milliseconds.
            is_compared: Whether to compare it with what this object remembers. Not needed if something else has
                compared all that is published.

        Raises:
            InputError: It is too large, or of another State or agency, or the same id and version were published with
                another content. The message names the field and contains no value.
            InfrastructureError: The State's seal key has ended, was revoked, or could not be confirmed for a minute.
        """
        if item.state != self._state:
            raise InputError(f"source.state: this publisher publishes for {self._state} only", field="source.state")
        if self._agency and item.agency != self._agency:
            raise InputError(f"source.agency: this publisher publishes for {self._agency} only", field="source.agency")
        data = self._frame + item.data
        if len(data) > RECORD_BYTES_MAX:
            raise InputError(make_oversized_reason(len(data)))
        digest = b""
        if is_compared:
            digest = hashlib.blake2b(data, digest_size=16).digest()
            self._require_same_content(item, digest)
        identity = item.id
        value = data if self._sealing is None else self._sealing.seal_indicator(identity.encode(), data, now_ms)
        if now_ms != self._instant_ms:
            self._instant_ms, self._instant_headers = now_ms, self._headers.at_instant(now_ms)
        headers = self._instant_headers.build_headers(f"{identity}/{item.version}", identity, make_traceparent())
        return PreparedRecord(identity, item.version, digest, value, headers)

    def remember_record(self, record: PreparedRecord) -> None:
        """Remember the content of a record that is on its way."""
        self._published.put((record.id, record.version), (next(self._numbers), record.digest))

    def _require_same_content(self, item: EncodedIndicator, digest: bytes) -> None:
        """Check that an id and version that were published before have the same content.

        Raises:
            InputError: The content differs. The message says which of the published indicators had the other one.
        """
        earlier = self._published.get((item.id, item.version))
        if earlier is not None and earlier[1] != digest:
            raise InputError(
                f"id: indicator {earlier[0]} of this publisher had the same id and version {item.version}, and another "
                "content; give a changed item a higher version, and another item another id",
                field="id",
            )


def make_oversized_reason(length: int) -> str:
    """Return why a record of this length, in bytes, is refused."""
    return f"the record has {length} bytes, more than {RECORD_BYTES_MAX}; shorten its texts or its value"


def find_publishing_topic(state: str, agency: str, present: Mapping[str, int]) -> tuple[str, bool]:
    """Return the topic that an agency publishes to, and whether it is the agency's own.

    Args:
        state: ISO 3166-1 alpha-2 code of the State.
        agency: Name or id of the agency.
        present: The topics that this client can see.

    Raises:
        InfrastructureError: There is none that is visible here.
    """
    own = INDICATORS.topic(state, agency) if re.match(AGENCY_PATTERN, agency) else ""
    if own in present:
        return own, True
    shared = INDICATORS.topic(state)
    prefix = f"{shared}."
    others = sorted(topic.removeprefix(prefix) for topic in present if topic.startswith(prefix))
    if shared not in present and others:
        raise InfrastructureError(
            f"agency {agency!r} has no topic in {state}, or no permission to see it; the agencies visible here are "
            f"{', '.join(others)}: give the agency's id, or add it to the partners file and run `sharing topics apply`"
        )
    require_topics(present, [shared], state)
    return shared, False


def make_publishing_properties(
    bootstrap: str, properties: Mapping[str, Any] | None, timeout_s: float, fixed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the librdkafka properties of a publisher's producer.

    Args:
        bootstrap: Kafka bootstrap servers.
        properties: Properties that the user gave.
        timeout_s: How long the broker may take to confirm a record, in seconds.
        fixed: Properties that the user cannot change, beyond those of every publisher.
    """
    return client_properties(
        bootstrap,
        {
            "linger.ms": 5,
            # librdkafka's own limits are four times what the topic accepts.
            "batch.size": FOREIGN_BATCH_BYTES_MAX,
            "message.max.bytes": FOREIGN_BATCH_BYTES_MAX,
            **(properties or {}),
            "enable.idempotence": True,
            "acks": "all",
            "delivery.timeout.ms": max(1, int(timeout_s * 1000)),
            **fixed,
        },
    )
