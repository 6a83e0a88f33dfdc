"""Metric samples, batches and consumer statistics for the tests of a worker's health."""

from __future__ import annotations

import json
import time
from typing import Any

from processors.exactly_once.batch import Batch
from processors.health.batch_observer import BatchObserver
from processors.health.clock_check import BrokerTime
from processors.health.consumer_status import ConsumerStatus
from sharing.telemetry.metrics import REGISTRY
from sharing.telemetry.tracing import BatchTracer
from tests.processors.gate.gate_fixtures import NOW_MS, TOPIC, make_message


def get_sample(name: str, **labels: str) -> float:
    """Return the value of a sample; 0 when it does not exist."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


class SampleGrowth:
    """The growth of samples since its creation."""

    def __init__(self) -> None:
        self._before = self._collect()

    def get(self, name: str, **labels: str) -> float:
        """Return by how much a sample has grown."""
        key = (name, tuple(sorted(labels.items())))
        return self._collect().get(key, 0.0) - self._before.get(key, 0.0)

    def _collect(self) -> dict[Any, float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in REGISTRY.collect()
            for sample in family.samples
        }


def make_observer(status: ConsumerStatus | None = None, broker_time: BrokerTime | None = None) -> BatchObserver:
    """Return an observer without tracing.

    Args:
        status: The status of the consumer.
        broker_time: What is known about the brokers' clock.
    """
    return BatchObserver(status or ConsumerStatus(), BatchTracer(None, "test"), lambda: broker_time)


def make_batch(offset: int = 5) -> Batch:
    """Return a batch of one record, after which the next offset is this one."""
    return Batch([make_message(1)], NOW_MS, {(TOPIC, 0): offset})


def make_statistics(
    *,
    end: int = 10,
    last_stable_offset: int | None = None,
    app_offset: int = 4,
    next_offset: int = 10,
    join_state: str = "steady",
    broker_state: str = "UP",
    age_s: float = 0,
    queued: int = 0,
) -> str:
    """Return librdkafka's statistics of a consumer of one partition; without an open transaction by default."""
    partition = {
        "partition": 0,
        "desired": True,
        "leader": 1,
        "fetch_state": "active",
        "fetchq_cnt": queued,
        "hi_offset": end,
        "ls_offset": end if last_stable_offset is None else last_stable_offset,
        "app_offset": app_offset,
        "next_offset": next_offset,
    }
    unassigned = {**partition, "partition": -1, "desired": False}
    return json.dumps(
        {
            "time": int(time.time() - age_s),
            "brokers": {
                "b": {"nodeid": 1, "state": broker_state, "rxidle": 20_000 if broker_state == "UP" else -1},
            },
            "cgrp": {"join_state": join_state},
            "topics": {TOPIC: {"partitions": {"0": partition, "-1": unassigned}}},
        }
    )


def make_assignment(*partitions: tuple[str, int]) -> str:
    """Return librdkafka's statistics of a consumer with these partitions."""
    statistics = json.loads(make_statistics())
    template = statistics["topics"][TOPIC]["partitions"]["0"]
    topics: dict[str, Any] = {}
    for topic, number in partitions:
        topics.setdefault(topic, {"partitions": {}})["partitions"][str(number)] = {**template, "partition": number}
    return json.dumps({**statistics, "topics": topics})


class FakeMonotonic:
    """The module `time`, with a monotonic clock that a test sets forward.

    Attributes:
        passed: Seconds by which the monotonic clocks have been set forward.
    """

    CLOCK_BOOTTIME = 7

    def __init__(self) -> None:
        self.passed = 0.0
        self.time = time.time
        self.time_ns = time.time_ns

    def monotonic(self) -> float:
        return 1_000.0 + self.passed

    def clock_gettime(self, clock_id: int) -> float:
        assert clock_id == self.CLOCK_BOOTTIME
        return 5_000.0 + self.passed
