"""W3C Trace Context from publisher to notice, and OpenTelemetry spans if they are configured.

A publisher gives each indicator a trace: that of the calling program's current span, or a new one. The gate copies the
trace id to notices and offers, with span ids derived from their ids, so the same input gives the same headers. A trace
id says only which records belong together. `tracestate` is not copied: it is free text, and notices cross a border.
"""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sharing.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.trace import Link, SpanContext, Tracer

LINKS_MAX = 128
"""OpenTelemetry's default limit of links per span."""

EXPORT_SECONDS_MAX = 5

_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-(0[01])")


def make_traceparent() -> str:
    """Return the trace context for a new record: that of the current OpenTelemetry span, or a random one."""
    trace = sys.modules.get("opentelemetry.trace")  # an extra; a program that has not loaded it is in no span
    if trace is not None:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"
    digits = secrets.token_hex(24)
    return f"00-{digits[:32]}-{digits[32:]}-00"


def read_traceparent(header: bytes | None) -> str | None:
    """Return the trace context in a header, or None if it is missing or not valid in version 00."""
    if header is None or _TRACEPARENT.fullmatch(header) is None:
        return None
    return header.decode()


class TraceContext(NamedTuple):
    """The trace of one indicator, from which the headers of its notices and offers are made.

    Attributes:
        prefix: The part of `traceparent` before the span id: version and trace id.
        suffix: The part after the span id: the flags.
    """

    prefix: str
    suffix: str

    @classmethod
    def from_parent(cls, parent: bytes | None, indicator_id: str) -> TraceContext:
        """Return the trace of an indicator.

        Args:
            parent: The indicator's `traceparent` header. Without a valid one, the trace id is derived from its id.
            indicator_id: The indicator's id, a UUID.
        """
        match = _TRACEPARENT.fullmatch(parent) if parent is not None else None
        if match is None:
            return cls(f"00-{indicator_id.replace('-', '')}-", "-00")
        return cls(f"00-{match[1].decode()}-", f"-{match[3].decode()}")

    def traceparent(self, event_id: str) -> str:
        """Return the trace context of a notice or an offer. Its span id is the last 16 hex digits of its id, a UUID."""
        return f"{self.prefix}{event_id[19:23]}{event_id[24:]}{self.suffix}"


class BatchTracer:
    """Exports spans for each batch of a gate, if OpenTelemetry is configured. They contain nothing of any record.

    Args:
        endpoint: OTLP/HTTP endpoint; None for no spans.
        service: Service name of the worker.

    Raises:
        SettingsError: An endpoint is given, but the extra `tracing` is not installed.
    """

    def __init__(self, endpoint: str | None, service: str) -> None:
        self._tracer = _make_tracer(endpoint, service) if endpoint else None

    @property
    def is_enabled(self) -> bool:
        """Whether spans are exported."""
        return self._tracer is not None

    def record_batch(self, began_s: float, records: int, parents: Iterable[bytes | None], *, committed: bool) -> None:
        """Export the span of a batch that was just committed or aborted.

        Args:
            began_s: Unix time at which the batch began.
            records: Number of its records.
            parents: `traceparent` headers of its records. The span is linked to the first `LINKS_MAX` of them; each
                sampled one among these also gets a span in its own trace.
            committed: Whether the batch was committed; otherwise it was aborted.
        """
        if self._tracer is None:
            return
        from opentelemetry.trace import Link  # noqa: PLC0415 an extra

        contexts = [_parse_context(trace) for trace in islice(filter(None, map(read_traceparent, parents)), LINKS_MAX)]
        start = int(began_s * 1_000_000_000)
        span = self._tracer.start_span(
            "gate batch",
            links=[Link(context) for context in contexts],
            start_time=start,
            attributes={
                "messaging.system": "kafka",
                "messaging.batch.message_count": records,
                "sharing.committed": committed,
            },
        )
        batch = Link(span.get_span_context())
        for parent in contexts:
            if parent.trace_flags.sampled:
                self._record_decision(self._tracer, parent, batch, start, committed=committed)
        span.end()

    @staticmethod
    def _record_decision(tracer: Tracer, parent: SpanContext, batch: Link, start: int, *, committed: bool) -> None:
        """Export the span of one record of a batch, in the trace that its publisher sampled."""
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context  # noqa: PLC0415 an extra

        tracer.start_span(
            "gate decide",
            context=set_span_in_context(NonRecordingSpan(parent)),
            links=[batch],
            start_time=start,
            attributes={"messaging.system": "kafka", "sharing.committed": committed},
        ).end()


def _make_tracer(endpoint: str, service: str) -> Tracer:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise SettingsError(
            "SHARING_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: add the extra `tracing`, or unset it"
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS_MAX)))
    return provider.get_tracer("sharing.gate")


def _parse_context(trace: str) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 an extra

    _, trace_id, span_id, flags = trace.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags)))
