"""CloudEvents 1.0 headers in the binary mode of its Kafka protocol binding, and W3C trace context beside them.

On what publishers write, and on what leaves a State: notices, urgent notices, offers. They hold ids, times and
names of schemas; never a value, an agency, an officer or a case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sharing.model.times import format_time
from sharing.serialization.codec import codec_of
from sharing.topology.topics import TopicKind, TopicScope

Header = tuple[str, str | bytes | None]
Headers = Mapping[str, str | bytes | None] | Iterable[Header] | None
"""As confluent-kafka may give them."""

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/avro"
TRACEPARENT = "traceparent"


class EventHeaders:
    """Makes the headers of one kind of event of one State; what is alike for all is made once.

    Args:
        kind: Of the topic that it is written to.
        state: Whose agencies or gate it comes from.
    """

    def __init__(self, kind: TopicKind, state: str) -> None:
        by = "agencies" if kind.scope is TopicScope.NATIONAL else "gate"
        self._alike: tuple[Header, ...] = (
            ("content-type", CONTENT_TYPE),
            ("ce_specversion", SPEC_VERSION),
            ("ce_type", codec_of(kind.schema).schema["name"]),
            ("ce_source", f"/national/{state.lower()}/{by}"),
        )

    def at(self, instant_ms: int) -> InstantHeaders:
        """Return what makes the headers of events of one instant, in UTC milliseconds."""
        return InstantHeaders((*self._alike, ("ce_time", format_time(instant_ms))))


class InstantHeaders:
    """Makes the headers of events of one instant."""

    def __init__(self, alike: tuple[Header, ...]) -> None:
        self._alike = alike

    def make(self, identity: str, subject: str, traceparent: str) -> list[Header]:
        """Return the headers of one event.

        Args:
            identity: Of the event, unique for its source.
            subject: Id of the indicator that it is about.
            traceparent: As W3C Trace Context writes it.
        """
        return [*self._alike, ("ce_id", identity), ("ce_subject", subject), (TRACEPARENT, traceparent)]


def find_header(headers: Headers, name: str) -> bytes | None:
    """Return the last value of a header, or None."""
    found = None
    for key, value in headers.items() if isinstance(headers, Mapping) else headers or ():
        if key == name:
            found = value.encode() if isinstance(value, str) else value
    return found
