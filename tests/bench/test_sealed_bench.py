"""Tests that the measurements with keys run, and that what they compare is the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.gate.record_path import RecordPath
from sharing.testing.broker.kafka import KafkaBroker
from tests.bench.bench_cluster import BenchCluster
from tests.bench.names import GATE_GROUP, STATES
from tests.bench.outputs import Fingerprints
from tests.bench.report import list_sealed_rows
from tests.bench.sealed_gate import measure_sealed_gate
from tests.bench.sealed_latency import measure_sealed_latency
from tests.bench.sealed_rates import check_same_outputs, read_opened_outputs, run_variant
from tests.bench.sealed_states import SealedStates

RECORDS, SHARE, STATES_MAX = 300, 0.3, len(STATES) + 2


def test_the_sealed_gate_is_measured_in_process_and_no_item_is_processed_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether an item fits once it is sealed follows from the limits of the topics, so the columnar path is used."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("an item was processed alone")

    monkeypatch.setattr(RecordPath, "process_record", refuse)
    measured = measure_sealed_gate(records=200, rounds=1, recipients=12)
    assert measured["sealed_bytes"] > measured["plain_bytes"] > 0
    assert all(measured[name] > 0 for name in ("plain", "sealed", "sealed_and_opened", "sealed_ratio"))


@pytest.fixture(scope="module")
def sealed(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BenchCluster, SealedStates]]:
    """A cluster, and the keys of the States on it."""
    del kafka  # skips the test if this machine cannot run a broker
    folder: Path = tmp_path_factory.mktemp("bench")
    with BenchCluster.start() as cluster:
        yield cluster, SealedStates(cluster, folder / "keys", STATES_MAX)


def test_the_figures_are_reported_with_their_targets() -> None:
    rates = {"plain": 100_000.0, "signed": 80_000.0, "sealed": 70_000.0}
    sealed = {
        "rates": rates,
        "ratios": {"signed": 0.8, "sealed": 0.7},
        "rss_mb": dict.fromkeys(rates, 300.0),
        "cpu_us": dict.fromkeys(rates, 9.5),
    }
    latency = {"1000": {"p50": 40.0, "p99": 90.0, "p999": 99.0, "notices": 1_900}}
    rows = list(list_sealed_rows({"sealed": sealed, "sealed_latency_ms": latency}))
    assert [row.count("|") for row in rows] == [4] * 5
    assert "80,000 /s: 0.80" in rows[0]
    assert rows[4].endswith("| 40.0 / 90.0 / 99.0 ms | p99 ≤ 120 ms |")
    assert list(list_sealed_rows({})) == []


@pytest.mark.kafka
def test_the_gate_with_keys_writes_what_the_gate_without_keys_writes(
    sealed: tuple[BenchCluster, SealedStates],
) -> None:
    cluster, states = sealed
    written = {}
    for variant in ("plain", "sealed"):
        # The rate may be 0: so few records are often one batch, and a rate needs two.
        assert run_variant(cluster, states, variant, RECORDS, SHARE).usage.cpu_s > 0
        written[variant] = read_opened_outputs(cluster.bootstrap, states, sealed=variant != "plain")
        cluster.reset_group(GATE_GROUP)
    check_same_outputs(written)
    assert written["sealed"].counts["exchange.nl.notices"] > 0
    with pytest.raises(ValueError, match="sealed gate differ"):
        check_same_outputs({"plain": written["plain"], "sealed": Fingerprints()})


@pytest.mark.kafka
def test_a_notice_reaches_the_subscriber_and_its_latency_is_measured(
    sealed: tuple[BenchCluster, SealedStates],
) -> None:
    cluster, states = sealed
    measured = measure_sealed_latency(cluster, states, [200], 1.0, SHARE, window_s=1.0, windows_max=3)
    assert 1 <= len(measured["warm_up"]) <= 3
    assert measured["200"]["notices"] > 0
    assert 0 < measured["200"]["p50"] <= measured["200"]["p99"] <= measured["200"]["max"]
