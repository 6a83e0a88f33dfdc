"""The canary through a real worker with its log at `debug`, through publisher, subscriber and command line."""

from __future__ import annotations

import json
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

from sharing._publisher import Publisher
from sharing._subscriber import Subscriber, Unreadable
from sharing.errors import SharingError
from sharing.kafka.clients import client_properties, make_producer
from sharing.model.indicator import Indicator
from sharing.serialization.codec import codec_of
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.telemetry.tracing import read_traceparent
from sharing.testing.broker import Broker
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.testing.broker.kafka import KafkaBroker
from sharing.testing.broker.process import free_port
from sharing.topology.topics import DECISIONS, DIRECTORY, DRAFTS, INDICATORS, NOTICES, OFFERS, QUARANTINE, URGENT
from tests.bench.workload import OPEN_FACTS
from tests.faults.children import plain_environment
from tests.faults.gate_process import GateProcess
from tests.kafka.topic_io import read
from tests.processors.gate.test_gate import PACK
from tests.processors.worker_fixtures import prepare_state
from tests.telemetry.collector import Collector, collect

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


def leaks(text: str | bytes) -> list[str]:
    """Return which of the planted words stand in a text, as they are or as hex or escapes would show them."""
    data = (text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")).lower()
    return [word for word in WORDS if word.encode() in data or word.encode().hex().encode() in data]


def item(**changes: Any) -> dict[str, Any]:
    return {**ITEM, "id": str(uuid.uuid4()), **changes}


def wire(data: dict[str, Any], **changes: Any) -> tuple[bytes, bytes]:
    """Return key and value of a record, spoilt by changes to what the model accepts."""
    record = {**Indicator.read(data).to_wire(), **changes}
    return record["id"].encode(), codec_of("indicator").encode(record)


def spoilt() -> Iterator[tuple[bytes, bytes | None]]:
    """Yield records that cannot be processed, each in another way and each full of the planted words."""
    key, value = wire(item())
    text = json.dumps(ITEM).encode()
    yield key, text
    yield key, b"\xc3\x01" + b"\0" * 8 + text
    yield key, value[:-20]
    yield key, value + text
    yield key, None
    yield b"canary-value", value
    yield wire(item(), id="canary-value")
    yield wire(item(), type="canary-value")
    yield wire(item(), value="canary value\ncanary-value")
    yield wire(item(), summary="canary-summary" * 2_000)
    yield wire(item(), tlp="canary-value")
    yield wire(item(), source={**Indicator.read(item()).to_wire()["source"], "state": "DE"})
    yield wire(item(), source={**Indicator.read(item()).to_wire()["source"], "officer": ""})
    yield wire(item(), nexus=[{"state": "canary-reason", "reason": "canary-reason"}])


SPOILT = len(list(spoilt()))


def write(broker: Broker, topic: str, records: list[tuple[bytes, bytes | None]], headers: Any = None) -> None:
    producer = make_producer(client_properties(broker.bootstrap))
    for key, value in records:
        producer.produce(topic, value, key, headers=headers)
    assert producer.flush(30) == 0


def page_of(port: int, name: str) -> str:
    """Return what a page says, whatever its status; nothing while nobody serves it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())
    except OSError:
        return ""


def metrics_of(port: int) -> str:
    return page_of(port, "metrics")


def counts(port: int, name: str, value: int) -> Callable[[], bool]:
    return lambda: re.search(rf"^{name} {value}\.0$", metrics_of(port), re.MULTILINE) is not None


def gate_of(broker: Broker, folder: Path, port: int, **settings: str) -> GateProcess:
    """Return a gate under a law that lets all information out to the Netherlands."""
    law = PACK.partition("  - {id: ch.tomorrow")[0]
    law = law.replace("state: CH", "state: CA").replace("id: ch.", "id: ca.").replace("IE, US]", "IE, US, NL]")
    (folder / "ca.yaml").write_text(law)
    given = {"web_port": str(port), "log_level": "debug", "packs": str(folder), **settings}
    return GateProcess(broker.bootstrap, STATE, folder, **given)


def check_log(path: Path) -> str:
    """Return a worker's log, which holds nothing that was planted, each line an object."""
    text = path.read_text(errors="replace")
    assert leaks(text) == []
    assert [json.loads(line)["event"] for line in text.splitlines() if line.startswith("{")]
    return text


def check_outside(messages: list[Message]) -> None:
    """Keys and headers hold nothing that was planted."""
    for message in messages:
        assert leaks(message.key() or b"") == []
        assert leaks(repr(message.headers())) == []


def test_a_good_run_and_every_kind_of_quarantine(broker: Broker, tmp_path: Path) -> None:
    prepare_state(broker, STATE)
    port = free_port()
    mine, theirs = CollectorRegistry(), CollectorRegistry()
    write(broker, DIRECTORY.topic(), [(b"FR", json.dumps(ITEM).encode()), (b"canary-value", b"canary-value")])
    with collect() as collector, gate_of(broker, tmp_path, port, otlp_endpoint=collector.endpoint) as gate:
        caller = TracerProvider().get_tracer("an agency's system")
        with (
            caller.start_as_current_span("publish") as span,
            Publisher(broker.bootstrap, STATE, "canary-agency", metrics=PublisherMetrics(mine)) as publisher,
        ):
            for urgency in ("ORDINARY", "URGENT"):
                publisher.publish(item(urgency=urgency))
            publisher.publish(item(live_case_harm=True))
            with pytest.raises(SharingError) as refused:
                publisher.publish(item(value="canary-value canary-value", tlp="canary-value"))
        write(broker, INDICATORS.topic(STATE), list(spoilt()), [("canary", b"x"), ("traceparent", b"canary-value")])
        gate.wait_until(counts(port, "sharing_indicators_taken_total", SPOILT + 3))
        pages = "".join(page_of(port, name) for name in ("metrics", "health", "ready"))
        assert gate.stop() == 0, gate.text()
    check_log(gate.log)
    trace = f"{span.get_span_context().trace_id:032x}"
    check_spans(collector, trace, f"{span.get_span_context().span_id:016x}")
    assert leaks(pages) == []
    assert f"sharing_indicators_quarantined_total {SPOILT}.0" in pages
    assert leaks(str(refused.value)) == []
    outside = [topic.topic(TO) for topic in (NOTICES, URGENT, OFFERS)]
    inside = [topic.topic(STATE) for topic in (DECISIONS, DRAFTS, QUARANTINE)]
    found = {topic: read(broker, topic, PARTITIONS) for topic in (*outside, *inside)}
    for messages in found.values():
        check_outside(messages)
    quarantine = [codec_of("quarantine").decode(message.value()) for message in found[QUARANTINE.topic(STATE)]]
    assert len(quarantine) == SPOILT
    assert leaks(repr([{**record, "record": None} for record in quarantine])) == []
    assert any(leaks(record["record"] or b"") for record in quarantine)  # there it belongs, and will be sealed
    _check_receipt(broker, theirs, trace)
    assert leaks(generate_latest(mine)) == leaks(generate_latest(theirs)) == []
    assert mine.get_sample_value("sharing_publisher_published_total") == 3
    assert mine.get_sample_value("sharing_publisher_confirmed_total") == 3
    assert mine.get_sample_value("sharing_publisher_refused_total") == 1


def check_spans(collector: Collector, trace: str, publish: str) -> None:
    """What a gate exported is of the publisher's trace, and holds nothing that was planted."""
    decided = collector.spans("gate decide")
    assert len(decided) == 3
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in decided} == {(trace, publish)}
    linked = {link.trace_id.hex() for span in collector.spans("gate batch") for link in span.links}
    assert linked == {trace}
    assert leaks(b"".join(collector.bodies)) == []


def _check_receipt(broker: Broker, registry: CollectorRegistry, trace: str) -> None:
    """Receive all in the publisher's trace, with garbage among it: what is said of that holds nothing of it."""
    garbage = json.dumps(ITEM).encode()
    write(broker, NOTICES.topic(TO), [(b"k", garbage), (b"k", codec_of("indicator").header + garbage), (b"k", None)])
    told: list[Unreadable] = []
    with Subscriber(
        broker.bootstrap,
        TO,
        group=f"canary-{uuid.uuid4()}",
        on_unreadable=told.append,
        stop_at_end=True,
        metrics=SubscriberMetrics(registry),
    ) as subscriber:
        notices = [notice for notice in subscriber if notice.from_state == STATE]
    assert len(notices) >= 1
    traces = [(read_traceparent((notice.trace or "").encode()) or "").split("-")[1] for notice in notices]
    assert trace in traces
    assert len(told) >= 3
    assert leaks(repr(told)) == []
    assert (registry.get_sample_value("sharing_subscriber_received_total") or 0) >= len(notices)
    assert registry.get_sample_value("sharing_subscriber_unreadable_total") == len(told)
    assert (registry.get_sample_value("sharing_subscriber_notice_age_seconds_count") or 0) >= len(notices)
    with (
        Subscriber(broker.bootstrap, TO, group=f"canary-{uuid.uuid4()}", stop_at_end=True) as strict,
        pytest.raises(SharingError) as refused,
    ):
        list(strict)
    assert leaks(str(refused.value)) == []


def start_strange(broker: Broker, state: str, folder: Path, port: int, strange: str) -> GateProcess:
    """Return a gate with a defect, and two items for it."""
    prepare_state(broker, state)
    with Publisher(broker.bootstrap, state, "canary-agency") as publisher:
        for _ in range(2):
            publisher.publish(item(source={**ITEM["source"], "state": state}))
    program = [sys.executable, "-m", "tests.canary.strange_gate", strange]
    return GateProcess(broker.bootstrap, state, folder, program=program, web_port=str(port), log_level="debug")


def test_a_gate_that_crashes(embedded: Broker, tmp_path: Path) -> None:
    with start_strange(embedded, "GB", tmp_path, free_port(), "crash") as gate:
        assert gate.process is not None
        assert gate.process.wait(60) == 1
    assert "ValueError" in check_log(gate.log)
    assert read(embedded, DECISIONS.topic("GB"), PARTITIONS) == []


def test_a_gate_that_forgets_a_record_is_seen_before_it_ends(embedded: Broker, tmp_path: Path) -> None:
    port = free_port()
    with start_strange(embedded, "US", tmp_path, port, "forget") as gate:
        gate.wait_until(lambda: "a batch does not add up" in page_of(port, "ready"))
        text = metrics_of(port)
        assert gate.process is not None
        assert gate.process.wait(60) == 1
    assert "sharing_conservation_broken_total 1.0" in text
    assert "sharing_indicators_taken_total 0.0" in text
    assert leaks(text) == []
    assert "not each accounted for" in check_log(gate.log)
    assert read(embedded, DECISIONS.topic("US"), PARTITIONS) == []


def test_a_rule_that_fails(tmp_path: Path) -> None:
    port = free_port()
    # A broker of its own: the embedded one forgets where a gate was, so the next gate of AU would begin with these.
    with EmbeddedBroker() as fresh, start_strange(fresh, "AU", tmp_path, port, "rule") as gate:
        gate.wait_until(counts(port, "sharing_indicators_taken_total", 2))
        text = metrics_of(port)
        assert gate.stop() == 0, gate.text()
    assert re.search(r'^sharing_rule_errors_total{rule="au\.[a-z0-9.-]+"} [1-9]', text, re.MULTILINE)
    assert 'sharing_indicators_total{outcome="WITHHOLD"} 2.0' in text
    assert leaks(text) == []
    check_log(gate.log)


@pytest.mark.kafka
def test_the_broker_goes(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare_state(fresh_kafka, STATE)
    port = free_port()
    with gate_of(fresh_kafka, tmp_path, port) as gate:
        gate.wait_until(lambda: '"ready":true' in page_of(port, "ready").replace(" ", ""))
        publisher = Publisher(fresh_kafka.bootstrap, STATE, "canary-agency", timeout_s=2)
        publisher.publish(item())
        publisher.flush()
        fresh_kafka.stop()
        publisher.publish(item())
        with pytest.raises(SharingError) as lost:
            publisher.flush()
        assert leaks(str(lost.value) + repr(lost.value.__notes__ if hasattr(lost.value, "__notes__") else "")) == []
        gate.wait_until(lambda: "last heard" in page_of(port, "ready"), 60)
        text = metrics_of(port)
        gate.stop()
    assert leaks(text) == []
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
    done = subprocess.run(
        [sys.executable, "-c", "from sharing.cli import main; main()", *arguments],
        cwd=tmp_path,
        env=plain_environment(SHARING_LOG_LEVEL="debug"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, 2}  # what is not published is told, and the rest goes on
    assert leaks(done.stderr + done.stdout) == []
    assert b"items.jsonl" in done.stderr + done.stdout


def test_a_defect_of_the_command_line(tmp_path: Path) -> None:
    program = "from sharing import cli; cli.app = lambda: int('canary-value'); cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=plain_environment(SHARING_LOG_LEVEL="debug"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert b"ValueError" in done.stderr
    assert leaks(done.stderr + done.stdout) == []
