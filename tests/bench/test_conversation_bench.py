"""Tests that the measurements of conversations run, and notice when what they measure is not done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.conversation.conversation_processor import ConversationProcessor
from sharing.testing.broker.kafka import KafkaBroker
from tests.bench.bench_cluster import BenchCluster
from tests.bench.conversation_drafts import measure_drafts
from tests.bench.conversation_latency import measure_conversation_latency
from tests.bench.conversation_loop import measure_conversation_loop
from tests.bench.conversation_restart import measure_conversation_restart
from tests.bench.names import STATES
from tests.bench.report import list_conversation_rows
from tests.bench.sealed_states import SealedStates

STATES_MAX = len(STATES) + 1


def test_drafts_are_measured_in_process_with_their_parts() -> None:
    measured = measure_drafts(batch_drafts=100, batches=1, rounds=1, divides=True)
    assert measured["total"] == pytest.approx(sum(measured[name] for name in ("open", "process", "store", "other")))
    parts = [name for name in measured if ":" in name]
    assert len(parts) == 4
    assert sum(measured[name] for name in parts) < measured["process"]
    assert measured["rate"] == pytest.approx(1e6 / measured["total"])


def test_drafts_that_begin_no_conversation_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(processor: ConversationProcessor, record: object, opened: object, batch: object) -> None:
        processor.refuse_record(record, ValueError("no"), batch)  # type: ignore[arg-type]

    monkeypatch.setattr(ConversationProcessor, "process_draft", refuse)
    with pytest.raises(ValueError, match="not every draft"):
        measure_drafts(batch_drafts=100, batches=1, rounds=1)


def test_the_figures_are_reported_with_their_targets() -> None:
    starts = {f"{name}_{key}": 4.0 for name in ("restart", "rebuild") for key in ("s", "rss_mb")}
    latency = {"1000": {"content": {"p50": 40.0, "p99": 90.0, "max": 99.0, "notices": 400}}}
    rows = list(
        list_conversation_rows(
            {
                "conversation_us": {"rate": 20_000.0, "total": 50.0},
                "conversation_loop": {"cpu_us": 80.0, "peak_mb": 300.0},
                "conversation_restart": {**starts, "asks": 1_000_000},
                "conversation_latency_ms": latency,
            }
        )
    )
    assert [row.count("|") for row in rows] == [4] * 5
    assert "20,000 /s (50 µs)" in rows[0]
    assert "12,500 /s" in rows[1]
    assert rows[4].endswith("| 40.0 / 90.0 / 99.0 ms | p99 ≤ 200 ms |")
    assert list(list_conversation_rows({})) == []


@pytest.fixture(scope="module")
def states(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BenchCluster, SealedStates]]:
    """A cluster, and the keys of the States on it."""
    del kafka  # skips the test if this machine cannot run a broker
    folder: Path = tmp_path_factory.mktemp("bench")
    with BenchCluster.start() as cluster:
        yield cluster, SealedStates(cluster, folder / "keys", STATES_MAX)


@pytest.mark.kafka
def test_a_backlog_and_starts_with_open_asks_are_measured(states: tuple[BenchCluster, SealedStates]) -> None:
    loop = measure_conversation_loop(*states, drafts=10_000)
    assert all(loop[name] > 0 for name in ("rate", "cpu_us", "peak_mb"))
    names = ("rebuild", "restart")
    starts = measure_conversation_restart(*states, asks=1_000, starts=names, settled_s=0.0)
    assert all(starts[f"{name}_s"] > 0 for name in names)


@pytest.mark.kafka
def test_an_acceptance_is_followed_by_the_content_and_its_latency_is_measured(
    states: tuple[BenchCluster, SealedStates],
) -> None:
    measured = measure_conversation_latency(*states, [100], 0.5, 0.1, warm_s=0.5, compile_s=1.0)["100"]
    assert measured["content"]["notices"] == measured["reply"]["notices"] == 10
    assert 0 < measured["content"]["p50"] <= measured["content"]["p99"]
    assert set(measured["cores"]) == {"CH", "DE"}
