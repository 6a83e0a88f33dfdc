"""Counts what came of a gate's batches, and knows which of them are open."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sharing.serialization.cloud_events import TRACEPARENT, find_header
from sharing.telemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Counter

    from processors.exactly_once.batch import Batch
    from processors.gate.batch_result import BatchResult
    from processors.health.consumer_status import ConsumerStatus
    from sharing.telemetry.tracing import BatchTracer


class BatchObserver:
    """Observes one lane. `begin` is called in the event loop, `settled` in the lane's thread.

    Args:
        standing: Hears of the offsets that are committed.
        tracer: Makes a span of each batch.

    Attributes:
        aborted_at: When a batch was last aborted (`time.monotonic`), or None since another was committed.
        broken: Whether a batch did not add up; nothing is committed any more.
        committed_at: When a batch was last committed (`time.monotonic`), or None.
    """

    def __init__(self, standing: ConsumerStatus, tracer: BatchTracer) -> None:
        self._tracer = tracer
        self.aborted_at: float | None = None
        self.broken = False
        self.committed_at: float | None = None
        self._standing = standing
        self._open: dict[int, float] = {}

    def begin(self, batch: Batch, processed: BatchResult) -> Callable[[bool], None]:
        """Note that a batch is being processed; return what is to be told how it ended.

        Args:
            batch: As it was read.
            processed: Where what came of it is counted until then.
        """
        self._open[id(batch)] = time.monotonic()
        return partial(self._settle, batch, processed)

    def open_seconds(self) -> float:
        """Return how long the oldest batch that is not settled has been open; 0 when there is none."""
        began = list(self._open.values())
        return time.monotonic() - min(began) if began else 0.0

    def break_down(self) -> None:
        """Note that a batch did not add up."""
        self.broken = True
        metrics.CONSERVATION_BROKEN.inc()

    def _settle(self, batch: Batch, processed: BatchResult, committed: bool) -> None:  # noqa: FBT001
        began = self._open.pop(id(batch))
        if self._tracer.active:
            parents = (find_header(message.headers(), TRACEPARENT) for message in batch.messages)
            started = time.time() - (time.monotonic() - began)
            self._tracer.record(started, len(batch.messages), parents, committed=committed)
        if not committed:
            self.aborted_at = time.monotonic()
            metrics.ABORTS.inc()
            return
        self.committed_at, self.aborted_at = time.monotonic(), None
        self._standing.note_committed(dict(batch.offsets))
        metrics.LAST_COMMIT.set_to_current_time()
        metrics.BATCH_RECORDS.observe(len(batch.messages))
        metrics.BATCH_SECONDS.observe(self.committed_at - began)
        metrics.INTAKE.inc(len(batch.messages))
        count(processed, time.time())


def count(processed: BatchResult, committed_at: float) -> None:
    """Count what came of a committed batch.

    Args:
        processed: What came of it.
        committed_at: When it was committed, as Unix time in seconds.
    """
    quarantined = processed.quarantined.total()
    metrics.ACCOUNTED.inc(processed.outcomes.total() + quarantined)
    metrics.QUARANTINED_ALL.inc(quarantined)
    by_label: tuple[tuple[Counter, Mapping[Any, int]], ...] = (
        (metrics.QUARANTINED, processed.quarantined),
        (metrics.INDICATORS, processed.outcomes),
        (metrics.DRAFTS, processed.drafts),
        (metrics.DELIVERIES, processed.deliveries),
        (metrics.RULE_ERRORS, processed.rule_errors),
        (metrics.RULE_EFFECTS, processed.effects),
    )
    for metric, numbers in by_label:
        for label, number in numbers.items():
            metric.labels(label).inc(number)
    for lane, published in processed.published.items():
        waits = [committed_at - instant / 1000 for instant in published if instant > 0]
        metrics.CLOCK_SKEWED.inc(sum(wait < 0 for wait in waits))
        metrics.NOTICE_LATENCY.observe(lane, [max(0.0, wait) for wait in waits])
