"""Spans of batches, exported to a collector: linked to their records' traces, with a child span per sampled one."""

from __future__ import annotations

import sys

import pytest

from sharing.errors import SettingsError
from sharing.telemetry.tracing import LINKS_MAX, BatchTracer
from tests.telemetry.collector import Collector, run_collector

SAMPLED = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
BEGAN_S = 1_790_000_000.25


def export_spans(parents: list[bytes | None], *, committed: bool = True) -> Collector:
    with run_collector() as collector:
        tracer = BatchTracer(collector.endpoint, "national.ch.gate")
        assert tracer.is_enabled
        tracer.record_batch(BEGAN_S, len(parents), parents, committed=committed)
        exporter = tracer._tracer
        assert exporter is not None
        assert exporter.span_processor.force_flush()  # type: ignore[attr-defined]  # of the SDK, not of the API
    return collector


def test_a_batch_is_one_span_linked_to_the_traces_of_its_records() -> None:
    collector = export_spans([SAMPLED, None, b"canary-value", UNSAMPLED])
    (batch,) = collector.spans("gate batch")
    assert [(link.trace_id.hex(), link.span_id.hex()) for link in batch.links] == [
        tuple(parent.decode().split("-")[1:3]) for parent in (SAMPLED, UNSAMPLED)
    ]
    attributes = {attribute.key: attribute.value for attribute in batch.attributes}
    assert attributes.keys() == {"messaging.system", "messaging.batch.message_count", "sharing.committed"}
    assert attributes["messaging.batch.message_count"].int_value == 4
    assert attributes["sharing.committed"].bool_value is True
    assert batch.start_time_unix_nano == int(BEGAN_S * 1_000_000_000)
    assert batch.parent_span_id == b""
    assert b"canary" not in b"".join(collector.bodies)
    assert b"national.ch.gate" in b"".join(collector.bodies)


def test_a_sampled_record_has_a_span_in_its_own_trace() -> None:
    collector = export_spans([UNSAMPLED, SAMPLED], committed=False)
    (batch,), (decide,) = collector.spans("gate batch"), collector.spans("gate decide")
    assert decide.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert decide.parent_span_id.hex() == "00f067aa0ba902b7"
    assert [(link.trace_id, link.span_id) for link in decide.links] == [(batch.trace_id, batch.span_id)]
    assert {attribute.key: attribute.value.bool_value for attribute in decide.attributes}["sharing.committed"] is False


def test_links_and_record_spans_of_a_large_batch_are_limited() -> None:
    collector = export_spans([SAMPLED] * (LINKS_MAX + 1))
    (batch,) = collector.spans("gate batch")
    assert len(batch.links) == len(collector.spans("gate decide")) == LINKS_MAX


def test_without_an_endpoint_no_spans_are_exported() -> None:
    tracer = BatchTracer(None, "x")
    assert not tracer.is_enabled
    tracer.record_batch(BEGAN_S, 1, [SAMPLED], committed=True)


def test_an_endpoint_without_the_extra_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match="add the extra `tracing`"):
        BatchTracer("http://127.0.0.1:1/v1/traces", "x")
