"""Bulk load: a new State publishes millions of indicators in one go. Measures the rate and the memory of the gate."""

from __future__ import annotations

import shutil
import tempfile
import time
from typing import Any

from tests.bench.bench_cluster import GATE_ARGUMENTS, BenchCluster
from tests.bench.names import GATE_GROUP, SOURCE_TOPIC, list_output_topics
from tests.bench.observe import GroupObserver
from tests.bench.workload import make_indicators

BYTES_PER_RECORD = 400
OUTPUT_RETENTION = {"retention.bytes": str(128 << 20), "segment.bytes": str(32 << 20)}
"""Configuration of the output topics: nothing reads them here, so old segments may be deleted."""

OUTPUT_BYTES_MAX = 12 << 30
_SAMPLE_S = 0.5


class DiskSpaceError(Exception):
    """The disk is too small for the bulk load."""


def measure_bulk_load(cluster: BenchCluster, records: int, disclosed_share: float) -> dict[str, Any]:
    """Return the rate, the rate of each half, and the memory after the first tenth, at the peak and at the end.

    Args:
        cluster: The cluster; its topics are emptied first.
        records: Number of indicators; all are in the topic before the gate starts.
        disclosed_share: Share of the indicators that is disclosed.

    Raises:
        DiskSpaceError: There is not enough disk space.
    """
    needed = records * BYTES_PER_RECORD + min(OUTPUT_BYTES_MAX, 5 * records * BYTES_PER_RECORD)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        raise DiskSpaceError(
            f"{records:,} records need {needed / 1e9:.0f} GB of disk space, and {free / 1e9:.0f} GB are free"
        )
    cluster.reset_topics()
    cluster.configure_topics(list_output_topics(), OUTPUT_RETENTION)
    cluster.write_records(SOURCE_TOPIC, make_indicators(records, disclosed_share))
    observer = GroupObserver(cluster.bootstrap, GATE_GROUP, SOURCE_TOPIC)
    samples: list[tuple[float, int, float]] = []
    with cluster.run_python(GATE_ARGUMENTS) as gate:

        def sample(count: int) -> None:
            gate.check_running()
            now = time.monotonic()
            if not samples or now - samples[-1][0] >= _SAMPLE_S:
                samples.append((now, count, gate.measure_rss_mb()))

        rate = observer.measure_rate(records, sample)
        peak = gate.measure_usage().rss_mb
    observer.close()
    after_a_tenth = [sample for sample in samples if sample[1] >= records / 10]
    middle = min(after_a_tenth, key=lambda sample: abs(sample[1] - records / 2))
    return {
        "records": records,
        "rate": rate,
        "rate_first_half": _compute_rate(after_a_tenth[0], middle),
        "rate_second_half": _compute_rate(middle, after_a_tenth[-1]),
        "rss_mb_after_a_tenth": after_a_tenth[0][2],
        "rss_mb_at_the_end": after_a_tenth[-1][2],
        "rss_mb": peak,
    }


def _compute_rate(first: tuple[float, int, float], last: tuple[float, int, float]) -> float | None:
    return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else None
