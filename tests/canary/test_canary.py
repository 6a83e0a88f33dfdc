"""Marked content (the canary) through a worker with debug logs, the clients and the command line: it must not leak."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry, generate_latest

from sharing.clients.notice_intake import UnreadableNotice
from sharing.clients.publisher import Publisher
from sharing.clients.subscriber import Subscriber
from sharing.errors import SharingError
from sharing.kafka.clients import client_properties, make_producer
from sharing.model.indicator import Indicator
from sharing.outcomes.block_reading import read_block
from sharing.serialization.codec import get_codec
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.telemetry.tracing import read_traceparent
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import find_free_port
from sharing.topology.topics import (
    DECISIONS,
    DIRECTORY,
    DRAFTS,
    INDICATORS,
    NOTICES,
    OFFERS,
    OUTCOMES,
    QUARANTINE,
    URGENT,
)
from tests.bench.workload import OPEN_FACTS
from tests.faults.children import make_child_environment
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import read_records
from tests.processors.gate.gate_fixtures import PACK
from tests.processors.worker_fixtures import prepare_state
from tests.support.waiting import TIMEOUT_S
from tests.telemetry.collector import Collector, run_collector

STATE, TO = "CA", "NL"
WORDS = ("canary-value", "canary-summary", "canary-case", "canary-officer", "canary-reason", "canary-agency")
PARTITIONS = 2

ITEM: dict[str, Any] = {
    "type": "domain-name",
    "value": "canary-value.example.nl",
    "summary": "canary-summary",
    "source": {
        "state": STATE,
        "agency": "canary-agency",
        "officer": "canary-officer",
        "case": "canary-case",
        "authority": "POLICE",
    },
    **OPEN_FACTS,
    "offence": {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": ["canary-value"]},
    "nexus": [{"state": TO, "reason": "canary-reason"}],
}


def find_leaks(text: str | bytes) -> list[str]:
    """Return the canary words that a text contains, in plain text or in hex."""
    data = (text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")).lower()
    return [word for word in WORDS if word.encode() in data or word.encode().hex().encode() in data]


def make_item(**changes: Any) -> dict[str, Any]:
    return {**ITEM, "id": str(uuid.uuid4()), **changes}


def encode_record(data: dict[str, Any], **changes: Any) -> tuple[bytes, bytes]:
    """Return key and value of a record, made invalid by changes to a valid one."""
    record = {**Indicator.parse(data).to_record(), **changes}
    return record["id"].encode(), get_codec("indicator").encode(record)


def make_invalid_records() -> Iterator[tuple[bytes, bytes | None]]:
    """Yield records that fail in different ways, all full of canary words."""
    key, value = encode_record(make_item())
    text = json.dumps(ITEM).encode()
    yield key, text
    yield key, b"\xc3\x01" + b"\0" * 8 + text
    yield key, value[:-20]
    yield key, value + text
    yield key, None
    yield b"canary-value", value
    yield encode_record(make_item(), id="canary-value")
    yield encode_record(make_item(), type="canary-value")
    yield encode_record(make_item(), value="canary value\ncanary-value")
    yield encode_record(make_item(), summary="canary-summary" * 2_000)
    yield encode_record(make_item(), tlp="canary-value")
    yield encode_record(make_item(), source={**Indicator.parse(make_item()).to_record()["source"], "state": "DE"})
    yield encode_record(make_item(), source={**Indicator.parse(make_item()).to_record()["source"], "officer": ""})
    yield encode_record(make_item(), nexus=[{"state": "canary-reason", "reason": "canary-reason"}])


INVALID_COUNT = len(list(make_invalid_records()))


def write_records(broker: Broker, topic: str, records: list[tuple[bytes, bytes | None]], headers: Any = None) -> None:
    producer = make_producer(client_properties(broker.bootstrap))
    for key, value in records:
        producer.produce(topic, value, key, headers=headers)
    assert producer.flush(TIMEOUT_S) == 0


def fetch_page(port: int, name: str) -> str:
    """Return the body of a response, whatever its status; "" while the endpoint is not served."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=60) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())
    except OSError:
        return ""


def fetch_metrics(port: int) -> str:
    return fetch_page(port, "metrics")


def has_count(port: int, name: str, value: int) -> Callable[[], bool]:
    return lambda: re.search(rf"^{name} {value}\.0$", fetch_metrics(port), re.MULTILINE) is not None


def make_gate(broker: Broker, folder: Path, port: int, **settings: str) -> GateProcess:
    """Return a gate whose law discloses all information to the Netherlands."""
    law = PACK.partition("  - {id: ch.tomorrow")[0]
    law = law.replace("state: CH", "state: CA").replace("id: ch.", "id: ca.").replace("IE, US]", "IE, US, NL]")
    (folder / "ca.yaml").write_text(law)
    all_settings = {"web_port": str(port), "log_level": "debug", "packs": str(folder), **settings}
    return GateProcess(broker.bootstrap, STATE, folder, **all_settings)


def check_log(path: Path) -> str:
    """Check that a worker's log has no canary words and that its JSON lines have events; return the log."""
    text = path.read_text(errors="replace")
    assert find_leaks(text) == []
    assert [json.loads(line)["event"] for line in text.splitlines() if line.startswith("{")]
    return text


def check_keys_and_headers(messages: list[Message]) -> None:
    """Check that keys and headers have no canary words."""
    for message in messages:
        assert find_leaks(message.key() or b"") == []
        assert find_leaks(repr(message.headers())) == []


def test_valid_records_and_every_kind_of_quarantine(broker: Broker, tmp_path: Path) -> None:
    prepare_state(broker, STATE)
    port = find_free_port()
    publisher_registry, subscriber_registry = CollectorRegistry(), CollectorRegistry()
    write_records(
        broker, DIRECTORY.topic("FR"), [(b"FR", json.dumps(ITEM).encode()), (b"canary-value", b"canary-value")]
    )
    with run_collector() as collector, make_gate(broker, tmp_path, port, otlp_endpoint=collector.endpoint) as gate:
        caller = TracerProvider().get_tracer("an agency's system")
        with (
            caller.start_as_current_span("publish") as span,
            Publisher(
                broker.bootstrap, STATE, "canary-agency", metrics=PublisherMetrics(publisher_registry)
            ) as publisher,
        ):
            for urgency in ("ORDINARY", "URGENT"):
                publisher.publish(make_item(urgency=urgency))
            publisher.publish(make_item(live_case_harm=True))
            with pytest.raises(SharingError) as refused:
                publisher.publish(make_item(value="canary-value canary-value", tlp="canary-value"))
        write_records(
            broker,
            INDICATORS.topic(STATE),
            list(make_invalid_records()),
            [("canary", b"x"), ("traceparent", b"canary-value")],
        )
        gate.wait_until(has_count(port, "sharing_indicators_read_total", INVALID_COUNT + 3))
        gate.wait_until(has_count(port, "sharing_indicators_quarantined_total", INVALID_COUNT))
        pages = "".join(fetch_page(port, name) for name in ("metrics", "health", "ready"))
        assert gate.stop() == 0, gate.read_log_tail()
    check_log(gate.log)
    trace = f"{span.get_span_context().trace_id:032x}"
    check_spans(collector, trace, f"{span.get_span_context().span_id:016x}")
    assert find_leaks(pages) == []
    assert f"sharing_indicators_quarantined_total {INVALID_COUNT}.0" in pages
    assert find_leaks(str(refused.value)) == []
    outside = [topic.topic(TO) for topic in (NOTICES, URGENT, OFFERS)]
    inside = [topic.topic(STATE) for topic in (DECISIONS, DRAFTS, OUTCOMES, QUARANTINE)]
    messages_by_topic = {topic: read_records(broker, topic, PARTITIONS) for topic in (*outside, *inside)}
    for messages in messages_by_topic.values():
        check_keys_and_headers(messages)
    quarantine = [
        get_codec("quarantine").decode(message.value()) for message in messages_by_topic[QUARANTINE.topic(STATE)]
    ]
    told = [message.value() or b"" for message in messages_by_topic[OUTCOMES.topic(STATE)]]
    assert sum(len(read_block(value).items) for value in told) == INVALID_COUNT + 3
    assert find_leaks(b"".join(told)) == []
    assert len(quarantine) == INVALID_COUNT
    assert find_leaks(repr([{**record, "record": None} for record in quarantine])) == []
    # The record itself belongs in the quarantine, and will be encrypted later.
    assert any(find_leaks(record["record"] or b"") for record in quarantine)
    _check_receipt(broker, subscriber_registry, trace)
    assert find_leaks(generate_latest(publisher_registry)) == find_leaks(generate_latest(subscriber_registry)) == []
    assert publisher_registry.get_sample_value("sharing_publisher_published_total") == 3
    assert publisher_registry.get_sample_value("sharing_publisher_confirmed_total") == 3
    assert publisher_registry.get_sample_value("sharing_publisher_refused_total") == 1


def check_spans(collector: Collector, trace: str, publish: str) -> None:
    """Check that the exported spans belong to the publisher's trace and have no canary words."""
    decided = collector.spans("gate decide")
    assert len(decided) == 3
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in decided} == {(trace, publish)}
    linked = {link.trace_id.hex() for span in collector.spans("gate batch") for link in span.links}
    assert linked == {trace}
    assert find_leaks(b"".join(collector.bodies)) == []


def _check_receipt(broker: Broker, registry: CollectorRegistry, trace: str) -> None:
    """Receive all notices, and invalid records among them; reports about those have no canary words."""
    garbage = json.dumps(ITEM).encode()
    write_records(
        broker, NOTICES.topic(TO), [(b"k", garbage), (b"k", get_codec("indicator").header + garbage), (b"k", None)]
    )
    reports: list[UnreadableNotice] = []
    with Subscriber(
        broker.bootstrap,
        TO,
        group=f"canary-{uuid.uuid4()}",
        on_unreadable=reports.append,
        stop_at_end=True,
        metrics=SubscriberMetrics(registry),
    ) as subscriber:
        notices = [notice for notice in subscriber if notice.from_state == STATE]
    assert len(notices) >= 1
    traces = [(read_traceparent((notice.trace or "").encode()) or "").split("-")[1] for notice in notices]
    assert trace in traces
    assert len(reports) >= 3
    assert find_leaks(repr(reports)) == []
    assert (registry.get_sample_value("sharing_subscriber_received_total") or 0) >= len(notices)
    assert registry.get_sample_value("sharing_subscriber_unreadable_total") == len(reports)
    assert (registry.get_sample_value("sharing_subscriber_notice_age_seconds_count") or 0) >= len(notices)
    printed = io.StringIO()
    handler = logging.StreamHandler(printed)
    logging.getLogger("sharing").addHandler(handler)
    with Subscriber(broker.bootstrap, TO, group=f"canary-{uuid.uuid4()}", stop_at_end=True) as silent:
        assert len([notice for notice in silent if notice.from_state == STATE]) == len(notices)
    logging.getLogger("sharing").removeHandler(handler)
    assert printed.getvalue().count("skipped, not a readable notice") == len(reports)
    assert find_leaks(printed.getvalue()) == []


def start_faulty_gate(broker: Broker, state: str, folder: Path, port: int, fault: str) -> GateProcess:
    """Publish two items, and return a gate with a fault."""
    prepare_state(broker, state)
    with Publisher(broker.bootstrap, state, "canary-agency") as publisher:
        for _ in range(2):
            publisher.publish(make_item(source={**ITEM["source"], "state": state}))
    program = [sys.executable, "-m", "tests.canary.faulty_gate", fault]
    return GateProcess(broker.bootstrap, state, folder, program=program, web_port=str(port), log_level="debug")


def test_a_gate_that_crashes(embedded: Broker, tmp_path: Path) -> None:
    with start_faulty_gate(embedded, "GB", tmp_path, find_free_port(), "crash") as gate:
        assert gate.process is not None
        assert gate.process.wait(TIMEOUT_S) == 1
    assert "ValueError" in check_log(gate.log)
    assert read_records(embedded, DECISIONS.topic("GB"), PARTITIONS) == []


def test_a_gate_that_loses_a_record_reports_it_before_it_ends(embedded: Broker, tmp_path: Path) -> None:
    port = find_free_port()
    with start_faulty_gate(embedded, "US", tmp_path, port, "forget") as gate:
        gate.wait_until(lambda: "a batch is not conserved" in fetch_page(port, "ready"))
        text = fetch_metrics(port)
        assert gate.process is not None
        assert gate.process.wait(TIMEOUT_S) == 1
    assert "sharing_conservation_broken_total 1.0" in text
    assert "sharing_indicators_read_total 0.0" in text
    assert find_leaks(text) == []
    assert "a batch is not conserved" in check_log(gate.log)  # which check finds it depends on how many arrive together
    assert read_records(embedded, DECISIONS.topic("US"), PARTITIONS) == []


def test_a_rule_that_fails(tmp_path: Path) -> None:
    port = find_free_port()
    # A separate broker: the embedded one loses offsets, so the next gate of AU would read these records again.
    with EmbeddedBroker() as fresh, start_faulty_gate(fresh, "AU", tmp_path, port, "rule") as gate:
        gate.wait_until(has_count(port, "sharing_indicators_read_total", 2))
        text = fetch_metrics(port)
        assert gate.stop() == 0, gate.read_log_tail()
    assert re.search(r'^sharing_rule_errors_total{rule="au\.[a-z0-9.-]+"} [1-9]', text, re.MULTILINE)
    assert 'sharing_indicators_total{outcome="WITHHOLD"} 2.0' in text
    assert find_leaks(text) == []
    check_log(gate.log)


@pytest.mark.kafka
def test_a_broker_that_goes_away(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare_state(fresh_kafka, STATE)
    port = find_free_port()
    with make_gate(fresh_kafka, tmp_path, port) as gate:
        gate.wait_until(lambda: '"ready":true' in fetch_page(port, "ready").replace(" ", ""))
        with Publisher(fresh_kafka.bootstrap, STATE, "canary-agency") as confirmed:
            confirmed.publish(make_item())
        publisher = Publisher(fresh_kafka.bootstrap, STATE, "canary-agency", timeout_s=2)
        fresh_kafka.stop()
        publisher.publish(make_item())
        with pytest.raises(SharingError) as undelivered:
            publisher.flush()
        assert (
            find_leaks(
                str(undelivered.value)
                + repr(undelivered.value.__notes__ if hasattr(undelivered.value, "__notes__") else "")
            )
            == []
        )
        gate.wait_until(lambda: "last response" in fetch_page(port, "ready"))
        text = fetch_metrics(port)
        gate.stop()
    assert find_leaks(text) == []
    check_log(gate.log)


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({**ITEM, "source": {"authority": "canary-officer"}}),
        json.dumps({**ITEM, "source": {"authority": "POLICE"}, "value": "canary-value canary-value"}),
        json.dumps({**ITEM, "source": {"authority": "POLICE"}, "tlp": "canary-value"}),
        json.dumps({**ITEM, "source": {"authority": "POLICE"}, "summary": "canary-summary" * 9_000}),
        json.dumps({**ITEM, "source": "canary-agency"}),
        '{"value": "canary-value", "summary": canary-summary}',
        "canary-value",
    ],
)
@pytest.mark.parametrize("command", ["publish", "explain"])
def test_errors_of_the_command_line(line: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text(line + "\n")
    arguments = {
        "publish": ["publish", "items.jsonl", "--state", STATE, "--agency", "agency", "--dry-run"],
        "explain": ["law", "explain", "items.jsonl", "--state", STATE, "--to", TO],
    }[command]
    result = subprocess.run(
        [sys.executable, "-c", "from sharing.cli import main; main()", *arguments],
        cwd=tmp_path,
        env=make_child_environment(SHARING_LOG_LEVEL="debug"),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode in {0, 1, 2}  # rejected items are listed, and the others are processed
    assert find_leaks(result.stderr + result.stdout) == []
    assert b"items.jsonl" in result.stderr + result.stdout


def test_an_unexpected_error_of_the_command_line(tmp_path: Path) -> None:
    program = "from sharing import cli; cli.app = lambda: int('canary-value'); cli.main()"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=make_child_environment(SHARING_LOG_LEVEL="debug"),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode == 3
    assert b"ValueError" in result.stderr
    assert find_leaks(result.stderr + result.stdout) == []
