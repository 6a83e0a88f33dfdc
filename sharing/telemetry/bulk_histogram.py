"""A Prometheus histogram that records the observations of a whole batch in one call.

`prometheus_client.Histogram` records one observation per call, which takes about a microsecond.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString


class BulkHistogram:
    """A histogram that records many observations per call: it sorts them and counts them bucket by bucket.

    Args:
        name: Name of the metric, including its unit.
        documentation: Help text of the metric.
        label: Name of the metric's only label.
        values: Possible values of the label.
        buckets: Upper bounds, ascending. The bucket for infinity is added.
        registry: Registry to which the metric is added.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        label: str,
        values: Sequence[str],
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name, self._documentation, self._labelnames = name, documentation, (label,)
        self._bounds = tuple(buckets)
        self._counts = {value: [0] * (len(buckets) + 1) for value in values}
        self._sums = dict.fromkeys(values, 0.0)
        self._lock = threading.Lock()
        registry.register(self)

    def observe_many(self, value: str, seconds: Iterable[float]) -> None:
        """Record observations for one value of the label."""
        ordered = sorted(seconds)
        counts, start = self._counts[value], 0
        with self._lock:
            for bucket, bound in enumerate(self._bounds):
                end = bisect_right(ordered, bound, start)
                counts[bucket] += end - start
                start = end
            counts[-1] += len(ordered) - start
            self._sums[value] += sum(ordered)

    def collect(self) -> Iterable[Metric]:
        """Yield the metric, as `CollectorRegistry` requires."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labelnames)
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        with self._lock:
            for value, counts in self._counts.items():
                total, buckets = 0, []
                for bound, count in zip(bounds, counts, strict=True):
                    total += count
                    buckets.append((bound, total))
                family.add_metric([value], buckets, self._sums[value])
        yield family

    describe = collect
