"""Headers of events, and the trace from publisher to notice."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.ids import notice_id
from sharing.serialization.cloud_events import EventHeaders, find_header
from sharing.telemetry.tracing import Trace, new_traceparent, read_traceparent
from sharing.topology.topics import INDICATORS, NOTICES, OFFERS, URGENT, TopicKind

ITEM = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NOTICE = notice_id("CH", ITEM, 1, "NL")
GOOD = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


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
def test_headers_are_those_of_the_binary_mode(kind: TopicKind, schema: str, source: str) -> None:
    assert dict(EventHeaders(kind, "CH").at(1_790_000_000_123).make(NOTICE, ITEM, PARENT.decode())) == {
        "content-type": "application/avro",
        "ce_specversion": "1.0",
        "ce_type": schema,
        "ce_source": source,
        "ce_time": "2026-09-21T14:13:20.123Z",
        "ce_id": NOTICE,
        "ce_subject": ITEM,
        "traceparent": PARENT.decode(),
    }


def test_the_last_of_a_header_counts() -> None:
    assert find_header([("a", b"1"), ("b", "2"), ("a", b"3")], "a") == b"3"
    assert find_header([("b", "2")], "b") == b"2"
    assert find_header({"b": b"2"}, "b") == b"2"
    assert find_header(None, "a") is None


def test_a_trace_goes_on_under_a_span_of_its_own() -> None:
    made = Trace.of(PARENT, ITEM).traceparent(NOTICE)
    assert made == Trace.of(PARENT, ITEM).traceparent(NOTICE)
    _, trace, span, flags = made.split("-")
    assert (trace, flags) == ("4bf92f3577b34da6a3ce929d0e0e4736", "01")
    assert span == uuid.UUID(NOTICE).hex[16:]
    assert Trace.of(PARENT, ITEM).traceparent(notice_id("CH", ITEM, 1, "DE")) != made


BAD = [
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


@pytest.mark.parametrize("parent", BAD)
def test_what_is_no_trace_is_not_handed_on(parent: bytes | None) -> None:
    assert read_traceparent(parent) is None
    made = Trace.of(parent, ITEM).traceparent(NOTICE)
    assert made.split("-")[1] == uuid.UUID(ITEM).hex
    assert GOOD.fullmatch(made)


@given(st.binary(max_size=80))
def test_whatever_stands_in_the_header_what_leaves_is_a_trace(parent: bytes) -> None:
    assert GOOD.fullmatch(Trace.of(parent, ITEM).traceparent(NOTICE))


def test_without_a_caller_s_trace_each_is_new() -> None:
    made = {new_traceparent() for _ in range(100)}
    assert len(made) == 100
    assert all(read_traceparent(one.encode()) == one for one in made)


def test_a_caller_s_span_gives_the_trace() -> None:
    trace = pytest.importorskip("opentelemetry.trace")
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    tracer = sdk.TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("publishing"):
        context = trace.get_current_span().get_span_context()
        assert new_traceparent() == f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
