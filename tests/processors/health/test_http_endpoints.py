"""The HTTP endpoints of a running worker: /ready and /health before, during and after an outage of the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sharing.clients.publisher import Publisher
from sharing.telemetry.worker_metrics import READY_CHECKS
from sharing.testing.broker.process import find_free_port
from tests.faults.gate_process import GateProcess
from tests.processors.health.endpoint_client import EndpointClient
from tests.processors.worker_fixtures import ITEM, prepare_state

if TYPE_CHECKING:
    from pathlib import Path

    from sharing.testing.broker import Broker
    from sharing.testing.broker.kafka import KafkaBroker

STATE = "AU"
NATIONAL = "national.au.indicators"


def test_a_running_worker_is_ready_and_reports_its_status(broker: Broker, tmp_path: Path) -> None:
    prepare_state(broker, STATE)
    port = find_free_port()
    client = EndpointClient(port)
    with GateProcess(broker.bootstrap, STATE, tmp_path, web_port=str(port)) as gate:
        gate.wait_until(client.is_ready)
        with Publisher(broker.bootstrap, STATE, "agency") as publisher:
            publisher.publish({**ITEM, "urgency": "URGENT"})
            publisher.publish(ITEM)
        gate.wait_until(lambda: client.read_samples()["sharing_indicators_read_total", ()] == 2)
        gate.wait_until(lambda: client.read_samples().get(("sharing_consumer_lag_records", ("0", NATIONAL))) == 0)
        status, body = client.get_json("/ready")
        assert (status, body["ready"]) == (200, True)
        assert set(body["checks"]) == set(READY_CHECKS)
        assert body["checks"]["partitions"]["reason"] == "2 assigned"
        assert body["checks"]["commit"]["reason"].startswith("last committed")
        assert client.get_json("/health")[0] == 200
        samples = client.read_samples()
        assert gate.stop() == 0, gate.read_log_tail()
    read = samples["sharing_indicators_read_total", ()]  # more than two if a transaction was repeated
    assert samples["sharing_indicators_accounted_total", ()] == read
    assert samples["sharing_partitions_assigned", ()] == 2
    assert samples["sharing_ready", ()] == 1
    assert all(samples["sharing_ready_check", (check,)] == 1 for check in READY_CHECKS)
    assert samples["sharing_batch_open_seconds", ()] == 0
    started = samples["process_start_time_seconds", ()]
    for clock in ("last_commit", "broker_last_response"):
        assert samples[f"sharing_{clock}_timestamp_seconds", ()] > started
    assert samples["sharing_directory_entries", ()] > 0
    assert samples["sharing_pack_expiry_timestamp_seconds", ()] == float("inf")
    assert any(name == "sharing_build_info" for name, _ in samples)


@pytest.mark.kafka
def test_readiness_follows_the_broker(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    prepare_state(fresh_kafka, STATE)
    port = find_free_port()
    client = EndpointClient(port)
    with GateProcess(fresh_kafka.bootstrap, STATE, tmp_path, web_port=str(port), session_timeout_ms="10000") as gate:
        gate.wait_until(client.is_ready)
        fresh_kafka.stop()
        gate.wait_until(
            lambda: not client.get_json("/ready")[1].get("checks", {"broker": {"ok": True}})["broker"]["ok"]
        )
        status, body = client.get_json("/ready")
        assert status == 503
        assert "last response" in body["checks"]["broker"]["reason"]
        assert body["checks"]["directory"]["ok"]
        assert client.get_json("/health")[0] == 200  # a restart would not help
        assert client.read_samples()["sharing_ready", ()] == 0
        assert client.read_samples()["sharing_ready_check", ("broker",)] == 0
        fresh_kafka.start()
        gate.wait_until(client.is_ready)
        assert gate.stop() == 0, gate.read_log_tail()
