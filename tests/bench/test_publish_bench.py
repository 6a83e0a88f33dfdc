"""Tests that the measurements of publishing publish what they count."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from sharing.model.values import VALUE_TYPES
from sharing.testing.broker.kafka import KafkaBroker
from tests.bench import publish
from tests.bench.bench_cluster import BenchCluster
from tests.bench.peers import feeds
from tests.bench.publish_sections import list_publishing_rows
from tests.bench.publish_workload import make_lines
from tests.interop.import_fixtures import import_data

LINES = 3_000


def test_every_line_of_the_workload_is_published_and_every_type_occurs() -> None:
    lines = list(make_lines(LINES))
    assert lines[:50] == list(make_lines(50))
    result = import_data("\n".join(lines), "defaults: {}")
    assert (len(result.indicators), result.unpublished) == (LINES, ())
    types = Counter(json.loads(line)["type"] for line in make_lines(4 * LINES))
    assert types.keys() == VALUE_TYPES.keys()


def test_the_same_items_are_written_for_the_other_programs(tmp_path: Path) -> None:
    event, bundle = tmp_path / "event.json", tmp_path / "bundle.json"
    feeds.write_misp_event(make_lines(200), event)
    feeds.write_stix_bundle(make_lines(200), bundle)
    values = [json.loads(line)["value"] for line in make_lines(200)]
    assert [attribute["value"] for attribute in json.loads(event.read_text())["Event"]["Attribute"]] == values
    assert len(json.loads(bundle.read_text())["objects"]) == 200
    assert "198.51." in bundle.read_text()


@pytest.mark.kafka
def test_what_is_measured_is_published(kafka: KafkaBroker, tmp_path: Path) -> None:
    del kafka  # skips the test if this machine cannot run a broker
    with BenchCluster.start() as cluster:
        cluster.reset_topics()
        figures = publish.measure_publish(cluster, tmp_path, 200)
    assert figures["records"] == 200
    assert 0 < figures["rss_mb"] < 400
    rows = list(list_publishing_rows({"publish": figures}))
    assert len(rows) == 5
    ratio = figures["receipt_rate"] / figures["rate"]
    assert f": {ratio:.2f} \N{MULTIPLICATION SIGN} without |" in rows[2]
    earlier = {name: figure for name, figure in figures.items() if not name.startswith("receipt_")}
    assert list(list_publishing_rows({"publish": earlier})) == [*rows[:2], *rows[3:]]
