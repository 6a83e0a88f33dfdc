"""Tests that the measurement of the duty desk runs, and notices when what it measures is not done."""

from __future__ import annotations

import pytest

from sharing.testing.broker.embedded import EmbeddedBroker
from tests.bench.desk import PARTITIONS, TOPIC, Bus, measure_desk
from tests.bench.report import list_desk_rows


def test_list_changes_and_memory_are_measured() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topics([TOPIC], PARTITIONS)
        measured = measure_desk(broker, asks=60, desks=3, changes=2)
    assert measured["change_ms"]["shown"] == 6, "each change at each desk"
    assert measured["rss_mb"] > 10
    assert 0 < measured["list_ms"]["p50"] <= measured["list_ms"]["max"]
    rows = list(list_desk_rows({"desk": measured}))
    assert [row.count("|") for row in rows] == [4] * 3
    assert "60 open Asks" in rows[0]
    assert list(list_desk_rows({})) == []


def test_asks_that_are_not_shown_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    publish = Bus.publish
    monkeypatch.setattr(Bus, "publish", lambda bus, *more: publish(bus, *more) if bus._number else _skip(bus))
    with EmbeddedBroker() as broker:
        broker.create_topics([TOPIC], PARTITIONS)
        with pytest.raises(ValueError, match="the board shows 4 of 5 Asks"):
            measure_desk(broker, asks=5, desks=1, changes=1)


def _skip(bus: Bus) -> str:
    bus._number += 1
    return ""
