"""A histogram that takes many observations at once has the buckets of single observations."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry

from sharing.telemetry.bulk_histogram import BulkHistogram


def test_bulk_observations_equal_single_observations() -> None:
    registry = CollectorRegistry()
    bulk = BulkHistogram("bulk_seconds", "d", "lane", ("a", "b"), (0.1, 1, 10), registry)
    bulk.observe_many("a", [0.05, 0.1, 0.100001, 1, 5, 50, 1])
    bulk.observe_many("a", [])
    expected = {"0.1": 2, "1.0": 5, "10.0": 6, "+Inf": 7}
    for bound, count in expected.items():
        assert registry.get_sample_value("bulk_seconds_bucket", {"lane": "a", "le": bound}) == count
    assert math.isclose(registry.get_sample_value("bulk_seconds_sum", {"lane": "a"}) or 0, 57.250001)
    assert registry.get_sample_value("bulk_seconds_count", {"lane": "b"}) == 0
