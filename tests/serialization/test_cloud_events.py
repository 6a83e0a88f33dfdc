"""CloudEvents headers, and the trace from publisher to notice."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.ids import make_notice_id
from sharing.serialization.cloud_events import EventHeaderBuilder, find_header
from sharing.telemetry.tracing import TraceContext, make_traceparent, read_traceparent
from sharing.topology.topic_kinds import TopicKind
from sharing.topology.topics import INDICATORS, NOTICES, OFFERS, URGENT

ITEM = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOTICE = make_notice_id("CH", "fedpol", ITEM, 1, "NL")
TRACEPARENT_PATTERN = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


@pytest.mark.parametrize(
    ("kind", "schema", "source"),
    [
        (INDICATORS, "sharing.v1.Indicator", "/national/ch/agencies"),
        (NOTICES, "sharing.v1.Notice", "/national/ch/gate"),
        (URGENT, "sharing.v1.Notice", "/national/ch/gate"),
        (OFFERS, "sharing.v1.Offer", "/national/ch/gate"),
    ],
    ids=lambda value: value.name if isinstance(value, TopicKind) else None,
)
def test_headers_are_those_of_cloudevents_binary_mode(kind: TopicKind, schema: str, source: str) -> None:
    assert dict(
        EventHeaderBuilder(kind, "CH").at_instant(1_790_000_000_123).build_headers(NOTICE, ITEM, PARENT.decode())
    ) == {
        "content-type": "application/avro",
        "ce_specversion": "1.0",
        "ce_type": schema,
        "ce_source": source,
        "ce_time": "2026-09-21T14:13:20.123Z",
        "ce_id": NOTICE,
        "ce_subject": ITEM,
        "traceparent": PARENT.decode(),
    }


def test_the_last_value_of_a_repeated_header_is_used() -> None:
    assert find_header([("a", b"1"), ("b", "2"), ("a", b"3")], "a") == b"3"
    assert find_header([("b", "2")], "b") == b"2"
    assert find_header({"b": b"2"}, "b") == b"2"
    assert find_header(None, "a") is None


def test_a_trace_continues_with_a_new_span() -> None:
    traceparent = TraceContext.from_parent(PARENT, ITEM).traceparent(NOTICE)
    assert traceparent == TraceContext.from_parent(PARENT, ITEM).traceparent(NOTICE)
    _, trace, span, flags = traceparent.split("-")
    assert (trace, flags) == ("4bf92f3577b34da6a3ce929d0e0e4736", "01")
    assert span == uuid.UUID(NOTICE).hex[16:]
    assert (
        TraceContext.from_parent(PARENT, ITEM).traceparent(make_notice_id("CH", "fedpol", ITEM, 1, "DE")) != traceparent
    )


INVALID_TRACEPARENTS = [
    None,
    b"",
    b"SECRET",
    PARENT + b"\n",
    PARENT + b"-more",
    PARENT.upper(),
    PARENT.replace(b"00-4", b"01-4"),
    b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
    b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
    b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
]


@pytest.mark.parametrize("parent", INVALID_TRACEPARENTS)
def test_an_invalid_traceparent_is_replaced(parent: bytes | None) -> None:
    assert read_traceparent(parent) is None
    traceparent = TraceContext.from_parent(parent, ITEM).traceparent(NOTICE)
    assert traceparent.split("-")[1] == uuid.UUID(ITEM).hex
    assert TRACEPARENT_PATTERN.fullmatch(traceparent)


@given(st.binary(max_size=80))
def test_any_header_gives_a_valid_traceparent(parent: bytes) -> None:
    assert TRACEPARENT_PATTERN.fullmatch(TraceContext.from_parent(parent, ITEM).traceparent(NOTICE))


def test_without_a_current_span_each_traceparent_is_new() -> None:
    traceparents = {make_traceparent() for _ in range(100)}
    assert len(traceparents) == 100
    assert all(read_traceparent(traceparent.encode()) == traceparent for traceparent in traceparents)


def test_the_current_span_is_used_as_traceparent() -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    tracer = sdk.TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("publishing"):
        context = trace.get_current_span().get_span_context()
        assert make_traceparent() == f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
