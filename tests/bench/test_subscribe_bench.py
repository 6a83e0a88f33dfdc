"""Tests that each form of receiving gets everything that is measured, and how it is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.serialization.codec import get_codec
from sharing.testing.broker.kafka import KafkaBroker
from tests.bench.bench_cluster import BenchCluster
from tests.bench.sealed_states import SealedStates
from tests.bench.subscribe import COMMAND, FLOOR, FORMS, make_notices, measure_sealed_subscribe, measure_subscribe
from tests.bench.subscribe_sections import list_receiving_rows

NOTICES = 300


def test_each_notice_is_one_of_the_gate_with_an_id_of_its_own() -> None:
    records = [get_codec("notice").decode(value) for _, value in make_notices(50)]
    assert len({record["id"] for record in records}) == 50
    assert {record["to_state"] for record in records} == {"NL"}
    assert all(get_codec("notice_content").decode(record["content"])["value"] for record in records)


def test_the_figures_are_reported_with_their_targets() -> None:
    each = {"rate": 25_000.4, "cpu_us": 20.4}
    rows = list(list_receiving_rows({"subscribe": {FLOOR: each, "loop": each, COMMAND: each}}))
    assert [row.count("|") for row in rows] == [4] * 3
    assert rows[0].endswith("| 25,000 /s; 20 µs of CPU time |  |")
    assert rows[1].endswith("| ≥ 20,000 /s |")
    assert rows[2].endswith("| ≥ 5,000 /s |")
    assert list(list_receiving_rows({})) == []


@pytest.mark.kafka
def test_every_form_receives_everything(kafka: KafkaBroker, tmp_path: Path) -> None:
    """Otherwise the measurement is refused. Without keys, and from the sealed inbox."""
    del kafka  # skips the test if this machine cannot run a broker
    with BenchCluster.start() as cluster:
        measured = measure_subscribe(cluster, NOTICES, 1)
        assert set(measured) == {FLOOR, COMMAND, *FORMS}
        sealed = measure_sealed_subscribe(cluster, SealedStates(cluster, tmp_path / "keys", 8), NOTICES, 1)
        assert set(sealed) == {COMMAND, *FORMS}
        for figures in (*measured.values(), *sealed.values()):
            assert figures["rate"] > 0
            assert figures["cpu_us"] > 0
