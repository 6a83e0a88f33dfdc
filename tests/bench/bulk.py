"""A State joins and publishes millions of indicators at once: at what rate are they worked through, in what memory?"""

from __future__ import annotations

import shutil
import tempfile
import time
from typing import Any

from tests.bench.bench_cluster import GATE, Stage
from tests.bench.names import MINUTES, SOURCE, output_topics
from tests.bench.observe import Filling
from tests.bench.workload import make_indicators

BYTES_A_RECORD = 400
KEPT = {"retention.bytes": str(128 << 20), "segment.bytes": str(32 << 20)}
"""Of each partition that the gate writes to: what nobody here reads need not be kept."""

KEPT_BYTES_MAX = 12 << 30
_SAMPLE_S = 0.5


class NoRoomError(Exception):
    """The disk is too small for it."""


def measure(stage: Stage, records: int, disclosed_share: float) -> dict[str, Any]:
    """Return the rate, that of each half, and the memory after the first tenth, at most, and at the end.

    Args:
        stage: Its topics are emptied first.
        records: Indicators, all there before the gate starts.
        disclosed_share: Of them, that leave.

    Raises:
        NoRoomError: There is not enough disk.
    """
    needed = records * BYTES_A_RECORD + min(KEPT_BYTES_MAX, 5 * records * BYTES_A_RECORD)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        raise NoRoomError(f"{needed / 1e9:.0f} GB are needed for {records:,} records, and {free / 1e9:.0f} are free")
    stage.reset()
    stage.configure(output_topics(), KEPT)
    stage.load(SOURCE, make_indicators(records, disclosed_share))
    filling = Filling(stage.bootstrap, MINUTES)
    samples: list[tuple[float, int, float]] = []
    with stage.running(GATE) as worker:

        def look(count: int) -> None:
            worker.check()
            now = time.monotonic()
            if not samples or now - samples[-1][0] >= _SAMPLE_S:
                samples.append((now, count, worker.rss_mb()))

        rate = filling.rate(records, look)
        peak = worker.usage().rss_mb
    filling.close()
    under_way = [sample for sample in samples if sample[1] >= records / 10]
    middle = min(under_way, key=lambda sample: abs(sample[1] - records / 2))
    return {
        "records": records,
        "rate": rate,
        "rate_first_half": _between(under_way[0], middle),
        "rate_second_half": _between(middle, under_way[-1]),
        "rss_mb_after_a_tenth": under_way[0][2],
        "rss_mb_at_the_end": under_way[-1][2],
        "rss_mb": peak,
    }


def _between(first: tuple[float, int, float], last: tuple[float, int, float]) -> float | None:
    return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else None
