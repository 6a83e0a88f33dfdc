"""CloudEvents 1.0 headers (Kafka protocol binding, binary mode) and the W3C trace context.

Publishers add them to their records, and gates to records that leave a State: notices, urgent notices, offers. They
contain ids, times and schema names; never a value, an agency, an officer or a case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sharing.model.times import format_time
from sharing.serialization.codec import get_codec
from sharing.topology.topic_kinds import TopicKind, TopicScope

Header = tuple[str, str | bytes | None]
Headers = Mapping[str, str | bytes | None] | Iterable[Header] | None
"""Headers in the forms that confluent-kafka returns and accepts."""

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/avro"
TRACEPARENT = "traceparent"


class EventHeaderBuilder:
    """Builds the headers of one kind of event of one State. Headers that all its events share are built once.

    Args:
        kind: Kind of the topic to which the events are written.
        state: State whose agencies or gate write the events.
        event_type: Type of the events; None for the name of the schema of the topic.
    """

    def __init__(self, kind: TopicKind, state: str, event_type: str | None = None) -> None:
        writer = "agencies" if kind.scope is TopicScope.NATIONAL else "gate"
        self._shared: tuple[Header, ...] = (
            ("content-type", CONTENT_TYPE),
            ("ce_specversion", SPEC_VERSION),
            ("ce_type", event_type or get_codec(kind.schema).schema["name"]),
            ("ce_source", f"/national/{state.lower()}/{writer}"),
        )

    def at_instant(self, instant_ms: int) -> InstantHeaderBuilder:
        """Return a builder for the headers of events at an instant in UTC milliseconds."""
        return InstantHeaderBuilder((*self._shared, ("ce_time", format_time(instant_ms))))


class InstantHeaderBuilder:
    """Builds the headers of events at one instant."""

    def __init__(self, shared: tuple[Header, ...]) -> None:
        self._shared = shared

    def build_headers(self, event_id: str, subject: str, traceparent: str) -> list[Header]:
        """Return the headers of one event.

        Args:
            event_id: Id of the event, unique for its source.
            subject: Id of the indicator that the event is about.
            traceparent: The `traceparent` of W3C Trace Context.
        """
        return [*self._shared, ("ce_id", event_id), ("ce_subject", subject), (TRACEPARENT, traceparent)]


def _list_headers(headers: Headers) -> list[Header]:
    return list(headers.items() if isinstance(headers, Mapping) else headers or ())


def find_header(headers: Headers, name: str) -> bytes | None:
    """Return the last value of a header, or None."""
    if not headers:
        return None
    # A list is recognised much faster than a mapping.
    for key, value in reversed(headers if isinstance(headers, list) else _list_headers(headers)):
        if key == name:
            return value.encode() if isinstance(value, str) else value
    return None
