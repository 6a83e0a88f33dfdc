"""The status of a consumer, from librdkafka's statistics: lag, assignment and broker connection."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest

from processors.gate.gate import BatchResult
from processors.health.consumer_status import RESPONSE_AGE_S_MAX, ConsumerStatus
from sharing.telemetry import metrics
from tests.processors.gate.gate_fixtures import TOPIC
from tests.processors.health.health_fixtures import get_sample, make_batch, make_observer, make_statistics


def get_lag() -> float:
    return get_sample("sharing_consumer_lag_records", topic=TOPIC, partition="0")


def test_lag_counts_uncommitted_records() -> None:
    status = ConsumerStatus()
    observer = make_observer(status)
    status.update(make_statistics(app_offset=-1001, next_offset=10))
    assert get_lag() == 0  # before the first record, only the offset to read from is known
    status.update(make_statistics())
    assert get_lag() == 6
    observer.start_batch(make_batch(3), BatchResult())(True)
    status.update(make_statistics())
    assert get_lag() == 7
    status.update(make_statistics(last_stable_offset=-1))  # its broker is unreachable
    assert get_lag() == 7


def test_a_revoked_partition_has_no_lag() -> None:
    status = ConsumerStatus()
    status.update(make_statistics())
    status.update(json.dumps({"brokers": {}, "cgrp": {"join_state": "steady"}, "topics": {}}))
    assert f'topic="{TOPIC}"' not in generate_latest(metrics.REGISTRY).decode()
    assert status.assigned == frozenset()  # a standby
    assert get_sample("sharing_partitions_assigned") == 0


def test_a_group_that_has_not_stabilised_assigns_nothing() -> None:
    status = ConsumerStatus()
    assert status.assigned is None
    status.update(make_statistics(join_state="wait-join"))
    assert status.assigned is None
    status.update(make_statistics())
    assert status.assigned == {(TOPIC, 0)}


def test_a_broker_is_reachable_while_it_is_connected_and_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    status = ConsumerStatus()
    assert not status.is_broker_reachable()
    status.update(make_statistics())
    assert status.is_broker_reachable()
    assert status.last_response is not None
    late = status.last_response + RESPONSE_AGE_S_MAX + 1
    monkeypatch.setattr("processors.health.consumer_status.time", SimpleNamespace(monotonic=lambda: late))
    assert not status.is_broker_reachable()
    monkeypatch.undo()
    status.update(make_statistics(broker_state="INIT"))
    assert not status.is_broker_reachable()
