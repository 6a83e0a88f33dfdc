"""What is counted of batches, and what is known of a lane's consumer."""

from __future__ import annotations

import json
import math
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from processors import composition
from processors.exactly_once.batch import Batch
from processors.gate.gate import BatchResult, Gate
from processors.health.batch_observer import BatchObserver, count
from processors.health.consumer_status import HEARD_SECONDS_MAX, ConsumerStatus
from sharing.model.vocabulary import Outcome
from sharing.packs.library import shipped_treaties
from sharing.telemetry import metrics
from sharing.telemetry.bulk_histogram import BulkHistogram
from sharing.telemetry.tracing import BatchTracer
from tests.processors.gate.test_gate import DIRECTORY, HELD, LAW, NOW_MS, OFFERED, WITHHELD, Message, sent

TOPIC = "national.ch.indicators"


def value_of(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


class Growth:
    """How much samples have grown since it was made."""

    def __init__(self) -> None:
        self._before = self._now()

    def of(self, name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return self._now().get(key, 0.0) - self._before.get(key, 0.0)

    def _now(self) -> dict[Any, float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in metrics.REGISTRY.collect()
            for sample in family.samples
        }


@pytest.mark.parametrize("columns_min", [1, 10**9], ids=["by columns", "one by one"])
def test_what_came_of_a_batch_is_counted(columns_min: int) -> None:
    urgent = {"urgency": "URGENT"}
    batch = [sent(1), sent(2, **urgent), sent(3, **OFFERED), sent(4, **HELD), sent(5, **WITHHELD), Message(b"", b"k")]
    processed = Gate(LAW, shipped_treaties(), columns_min=columns_min).process(batch, DIRECTORY, NOW_MS)
    growth = Growth()
    count(processed, NOW_MS / 1000 + 0.045)
    assert growth.of("sharing_indicators_accounted_total") == 6
    assert growth.of("sharing_indicators_quarantined_total") == 1
    for outcome, items in processed.outcomes.items():
        assert growth.of("sharing_indicators_total", outcome=outcome) == items
        drafts = 0 if outcome is Outcome.WITHHOLD else items
        assert growth.of("sharing_drafts_total", outcome=outcome) == drafts
    decisions = sum(growth.of("sharing_recipient_decisions_total", outcome=outcome) for outcome in Outcome)
    assert decisions == processed.deliveries.total() > 0
    for effect in ("PERMIT", "REDACT", "APPROVAL"):
        assert growth.of("sharing_recipient_effects_total", effect=effect) > 0
    for lane in ("ordinary", "urgent"):
        assert growth.of("sharing_notice_latency_seconds_count", lane=lane) == 1
        assert growth.of("sharing_notice_latency_seconds_bucket", lane=lane, le="0.04") == 0
        assert growth.of("sharing_notice_latency_seconds_bucket", lane=lane, le="0.05") == 1
        assert growth.of("sharing_notice_latency_seconds_sum", lane=lane) == pytest.approx(0.045, abs=1e-6)


def test_effects_are_counted_alike_both_ways() -> None:
    batch = [sent(number, **(OFFERED if number % 2 else HELD)) for number in range(1, 40)]
    one, other = (
        Gate(LAW, shipped_treaties(), columns_min=least).process(batch, DIRECTORY, NOW_MS) for least in (1, 10**9)
    )
    assert one.effects == other.effects
    assert one.drafts == other.drafts
    assert one.published == other.published
    assert one.deliveries == other.deliveries


def test_a_clock_that_is_ahead_is_counted_and_no_time_is_negative() -> None:
    growth = Growth()
    count(BatchResult(published={"urgent": [NOW_MS]}), NOW_MS / 1000 - 3)
    assert growth.of("sharing_clock_skewed_total") == 1
    assert growth.of("sharing_notice_latency_seconds_sum", lane="urgent") == 0


def _observer() -> tuple[BatchObserver, ConsumerStatus]:
    standing = ConsumerStatus()
    return BatchObserver(standing, BatchTracer(None, "test")), standing


def _batch(offset: int = 5) -> Batch:
    return Batch([sent(1)], NOW_MS, {(TOPIC, 0): offset})


def test_a_batch_is_open_until_it_is_settled() -> None:
    observer, _ = _observer()
    assert observer.open_seconds() == 0
    first, second = (observer.begin(_batch(), BatchResult()) for _ in range(2))
    first(True)
    assert observer.open_seconds() > 0
    growth = Growth()
    second(False)
    assert observer.open_seconds() == 0
    assert growth.of("sharing_transaction_aborts_total") == 1
    assert growth.of("sharing_indicators_taken_total") == 0
    assert observer.aborted_at is not None
    observer.begin(_batch(), BatchResult())(True)
    assert observer.aborted_at is None


def test_each_indicator_that_a_failed_rule_decided_is_counted() -> None:
    observer, _ = _observer()
    growth = Growth()
    for _ in range(2):
        observer.begin(_batch(), BatchResult(rule_errors=Counter({"r.1": 3})))(True)
    observer.begin(_batch(), BatchResult(rule_errors=Counter({"r.1": 3})))(False)
    assert growth.of("sharing_rule_errors_total", rule="r.1") == 6


def _said(*, ls: int = 10, app: int = 4, next_: int = 10, join: str = "steady", state: str = "UP") -> str:
    part = {"partition": 0, "desired": True, "ls_offset": ls, "app_offset": app, "next_offset": next_}
    unknown = {**part, "partition": -1, "desired": False}
    return json.dumps(
        {
            "brokers": {"b": {"state": state, "rxidle": 20_000 if state == "UP" else -1}},
            "cgrp": {"join_state": join},
            "topics": {TOPIC: {"partitions": {"0": part, "-1": unknown}}},
        }
    )


def _lag() -> float:
    return value_of("sharing_consumer_lag_records", topic=TOPIC, partition="0")


def test_lag_is_what_is_not_committed() -> None:
    observer, standing = _observer()
    standing.take(_said(app=-1001, next_=10))
    assert _lag() == 0  # before the first record nothing is known but where it reads
    standing.take(_said())
    assert _lag() == 6
    observer.begin(_batch(3), BatchResult())(True)
    standing.take(_said())
    assert _lag() == 7
    standing.take(_said(ls=-1))  # its broker is away
    assert _lag() == 7


def test_a_partition_that_was_given_up_has_no_lag() -> None:
    _, standing = _observer()
    standing.take(_said())
    standing.take(json.dumps({"brokers": {}, "cgrp": {"join_state": "steady"}, "topics": {}}))
    assert f'topic="{TOPIC}"' not in generate_latest(metrics.REGISTRY).decode()
    assert standing.assigned == frozenset()  # a standby
    assert value_of("sharing_partitions_assigned") == 0


def test_a_group_that_has_not_settled_assigns_nothing() -> None:
    _, standing = _observer()
    assert standing.assigned is None
    standing.take(_said(join="wait-join"))
    assert standing.assigned is None
    standing.take(_said())
    assert standing.assigned == {(TOPIC, 0)}


def test_a_broker_is_heard_while_a_connection_is_up_and_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    _, standing = _observer()
    assert not standing.hears_broker()
    standing.take(_said())
    assert standing.hears_broker()
    assert standing.heard is not None
    late = standing.heard + HEARD_SECONDS_MAX + 1
    monkeypatch.setattr("processors.health.consumer_status.time", SimpleNamespace(monotonic=lambda: late))
    assert not standing.hears_broker()
    monkeypatch.undo()
    standing.take(_said(state="INIT"))
    assert not standing.hears_broker()


def test_a_bulk_histogram_shows_what_one_by_one_would() -> None:
    registry = CollectorRegistry()
    bulk = BulkHistogram("bulk_seconds", "d", "lane", ("a", "b"), (0.1, 1, 10), registry)
    bulk.observe("a", [0.05, 0.1, 0.100001, 1, 5, 50, 1])
    bulk.observe("a", [])
    expected = {"0.1": 2, "1.0": 5, "10.0": 6, "+Inf": 7}
    for bound, many in expected.items():
        assert registry.get_sample_value("bulk_seconds_bucket", {"lane": "a", "le": bound}) == many
    assert math.isclose(registry.get_sample_value("bulk_seconds_sum", {"lane": "a"}) or 0, 57.250001)
    assert registry.get_sample_value("bulk_seconds_count", {"lane": "b"}) == 0


def test_a_batch_that_does_not_add_up_is_refused() -> None:
    class Forgetful(Gate):
        def process(self, messages: Any, directory: Any, now_ms: int) -> BatchResult:
            return super().process(list(messages)[1:], directory, now_ms)

    batch = Batch([sent(1), sent(2)], NOW_MS, {})
    with pytest.raises(composition.ConservationError):
        list(composition._decide(Forgetful(LAW, shipped_treaties()), batch, DIRECTORY, BatchResult()))
