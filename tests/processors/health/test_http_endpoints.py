"""The pages of a live worker: what /ready and /health say while a broker is there, is gone, and is back."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sharing._publisher import Publisher
from sharing.telemetry.metrics import CHECKS
from sharing.testing.broker.process import free_port
from tests.faults.gate_process import GateProcess
from tests.processors.worker_fixtures import ITEM, prepare_state

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.testing.broker import Broker
    from sharing.testing.broker.kafka import KafkaBroker

STATE = "AU"
NATIONAL = "national.au.indicators"


class Looker:
    """Reads a worker's pages."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def json(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self._base + path, timeout=10) as answer:  # noqa: S310 our own page
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def is_ready(self) -> bool:
        return self.json("/ready")[0] == 200

    def samples(self) -> dict[tuple[str, tuple[str, ...]], float]:
        with urllib.request.urlopen(f"{self._base}/metrics", timeout=10) as answer:  # noqa: S310
            text = answer.read().decode()
        return {
            (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def test_a_live_worker_is_ready_and_shows_where_it_stands(broker: Broker, tmp_path: Path) -> None:
    prepare_state(broker, STATE)
    port = free_port()
    pages = Looker(port)
    with GateProcess(broker.bootstrap, STATE, tmp_path, web_port=str(port)) as gate:
        gate.wait_until(pages.is_ready)
        with Publisher(broker.bootstrap, STATE, "agency") as publisher:
            publisher.publish({**ITEM, "urgency": "URGENT"})
            publisher.publish(ITEM)
        gate.wait_until(lambda: pages.samples()["sharing_indicators_taken_total", ()] == 2)
        gate.wait_until(lambda: pages.samples().get(("sharing_consumer_lag_records", ("0", NATIONAL))) == 0)
        status, body = pages.json("/ready")
        assert (status, body["ready"]) == (200, True)
        assert set(body["checks"]) == set(CHECKS)
        assert body["checks"]["partitions"]["reason"] == "2 assigned"
        assert body["checks"]["commit"]["reason"].startswith("last committed")
        assert pages.json("/health")[0] == 200
        samples = pages.samples()
        assert gate.stop() == 0, gate.text()
    taken = samples["sharing_indicators_taken_total", ()]  # more than two where a transaction was done again
    assert samples["sharing_indicators_accounted_total", ()] == taken
    assert samples["sharing_partitions_assigned", ()] == 2
    assert samples["sharing_ready", ()] == 1
    assert all(samples["sharing_ready_check", (check,)] == 1 for check in CHECKS)
    assert samples["sharing_batch_open_seconds", ()] == 0
    started = samples["process_start_time_seconds", ()]
    for clock in ("last_commit", "broker_heard"):
        assert samples[f"sharing_{clock}_timestamp_seconds", ()] > started
    assert samples["sharing_directory_entries", ()] > 0
    assert samples["sharing_pack_expiry_timestamp_seconds", ()] == float("inf")
    assert any(name == "sharing_build_info" for name, _ in samples)


@pytest.mark.kafka
def test_ready_goes_and_comes_back_with_the_broker(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare_state(fresh_kafka, STATE)
    port = free_port()
    pages = Looker(port)
    with GateProcess(fresh_kafka.bootstrap, STATE, tmp_path, web_port=str(port), session_timeout_ms="10000") as gate:
        gate.wait_until(pages.is_ready)
        fresh_kafka.stop()
        gate.wait_until(lambda: not pages.json("/ready")[1].get("checks", {"broker": {"ok": True}})["broker"]["ok"], 60)
        status, body = pages.json("/ready")
        assert status == 503
        assert "last heard" in body["checks"]["broker"]["reason"]
        assert body["checks"]["directory"]["ok"]
        assert pages.json("/health")[0] == 200  # a restart would mend nothing
        assert pages.samples()["sharing_ready", ()] == 0
        assert pages.samples()["sharing_ready_check", ("broker",)] == 0
        fresh_kafka.start()
        gate.wait_until(pages.is_ready, 90)
        assert gate.stop() == 0, gate.text()
