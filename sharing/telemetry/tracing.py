"""W3C Trace Context from publisher to notice, and OpenTelemetry's spans where they are configured.

A publisher gives each indicator a trace: the one that its caller is in, or a new one. The gate hands its id on to
notices and offers, with span ids that follow from theirs, so that the same input gives the same headers. What a
trace id says of an item is no more than that the records belong together. `tracestate` is not handed on: it is free
text, and this is a border.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sharing.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.trace import Link, SpanContext, Tracer

LINKS_MAX = 128
"""As many as OpenTelemetry keeps of a span by default."""

EXPORT_SECONDS_MAX = 5

_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-(0[01])")


def new_traceparent() -> str:
    """Return the trace context for something new: of the caller's span where OpenTelemetry has one, else random."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 an extra
    except ImportError:
        pass
    else:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def read_traceparent(header: bytes | None) -> str | None:
    """Return a trace context, or None where there is none that a version 00 reader may take."""
    if header is None or _TRACEPARENT.fullmatch(header) is None:
        return None
    return header.decode()


class Trace(NamedTuple):
    """The trace of one indicator, for what a gate makes of it."""

    before: str
    after: str

    @classmethod
    def of(cls, parent: bytes | None, indicator_id: str) -> Trace:
        """Return the trace that an indicator is in.

        Args:
            parent: Its header; where it has none, its id gives the trace.
            indicator_id: A UUID.
        """
        found = _TRACEPARENT.fullmatch(parent) if parent is not None else None
        if found is None:
            return cls(f"00-{indicator_id.replace('-', '')}-", "-00")
        return cls(f"00-{found[1].decode()}-", f"-{found[3].decode()}")

    def traceparent(self, event_id: str) -> str:
        """Return the trace context of a notice or an offer: its span is the end of its id, a UUID."""
        return f"{self.before}{event_id[19:23]}{event_id[24:]}{self.after}"


class BatchTracer:
    """Makes spans for each batch of a gate, where OpenTelemetry is configured. Nothing of a record stands in them.

    Args:
        endpoint: Where spans go; None for no spans.
        service: Name of the worker.

    Raises:
        SettingsError: An endpoint is named, and the extra `tracing` is not installed.
    """

    def __init__(self, endpoint: str | None, service: str) -> None:
        self._tracer = _make_tracer(endpoint, service) if endpoint else None

    @property
    def active(self) -> bool:
        """Whether spans are made."""
        return self._tracer is not None

    def record(self, began_s: float, records: int, parents: Iterable[bytes | None], *, committed: bool) -> None:
        """Make the span of a batch that has just been settled.

        Args:
            began_s: When it began, as Unix time.
            records: How many it had.
            parents: Trace contexts of records, to which the span is linked: the first `LINKS_MAX`. Of these, each that
                is sampled gets a span in its own trace.
            committed: Whether it was committed; else it was aborted.
        """
        if self._tracer is None:
            return
        from opentelemetry.trace import Link  # noqa: PLC0415 an extra

        contexts = [_context(trace) for trace in islice(filter(None, map(read_traceparent, parents)), LINKS_MAX)]
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
                self._decide(self._tracer, parent, batch, start, committed=committed)
        span.end()

    @staticmethod
    def _decide(tracer: Tracer, parent: SpanContext, batch: Link, start: int, *, committed: bool) -> None:
        """Make the span of one record of a batch, in the trace that its publisher wants to be seen."""
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
            "SHARING_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: add the extra `tracing`, or unset it"
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS_MAX)))
    return provider.get_tracer("sharing.gate")


def _context(trace: str) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 an extra

    _, trace_id, span_id, flags = trace.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags)))
