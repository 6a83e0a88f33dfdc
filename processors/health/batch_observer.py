"""Counts the results of a gate's batches, tracks which are open, and checks the clock that they are decided by."""

from __future__ import annotations

import logging
import time
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from processors.health.batch_clock import BatchClock
from sharing.serialization.cloud_events import TRACEPARENT, find_header
from sharing.telemetry import batch_metrics, decision_metrics, law_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Counter

    from processors.exactly_once.batch import Batch
    from processors.gate.batch_result import BatchResult
    from processors.health.clock_check import BrokerTime
    from processors.health.consumer_status import ConsumerStatus
    from sharing.law.pack import Pack
    from sharing.telemetry.tracing import BatchTracer

log = logging.getLogger(__name__)

REJECTIONS_LOGGED_MAX = 10
"""How many quarantined records of a batch are logged one by one. The others are counted in one line."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenBatch:
    """A batch that is neither committed nor aborted yet. Compared by identity.

    Attributes:
        batch: The batch as it was read.
        result: Its result, complete when the batch is committed.
        started_at: When its processing started (`time.monotonic`).
    """

    batch: Batch
    result: BatchResult
    started_at: float


class BatchObserver:
    """Counts and traces the batches of one exactly-once loop, and checks their processing times.

    `check_clock` and `start_batch` are called in asyncio's event loop; the callback that `start_batch` returns is
    called in the loop's worker thread.

    Args:
        status: Receives the committed offsets.
        tracer: Records a span for each batch.
        get_broker_time: Returns what is known about the brokers' clock since the start; None if nothing is known.

    Attributes:
        aborted_at: When a batch was last aborted (`time.monotonic`); None if a batch was committed since.
        broken: Whether a batch was not conserved. Nothing more is committed then.
        committed_at: When a batch was last committed (`time.monotonic`), or None.
    """

    def __init__(
        self, status: ConsumerStatus, tracer: BatchTracer, get_broker_time: Callable[[], BrokerTime | None]
    ) -> None:
        self._tracer = tracer
        self.aborted_at: float | None = None
        self.broken = False
        self._clock = BatchClock(status, get_broker_time)
        self.committed_at: float | None = None
        self._status = status
        self._open: set[OpenBatch] = set()

    def check_clock(self, batch: Batch, pack: Pack) -> None:
        """Check the processing time of a batch before it is decided.

        Args:
            batch: The batch as it was read.
            pack: The law pack to be applied.

        Raises:
            ClockError: The clock is wrong; nothing may be decided.
        """
        self._clock.check_batch(batch, pack)

    def find_clock_problem(self, now_ms: int, pack: Pack) -> str | None:
        """Return in one sentence why the clock cannot be right at this time in UTC milliseconds, or None."""
        return self._clock.find_problem(now_ms, pack)

    def start_batch(self, batch: Batch, result: BatchResult) -> Callable[[bool], None]:
        """Track a batch whose processing starts. Return the callback that settles it: True for committed.

        Args:
            batch: The batch as it was read.
            result: Its result, to be complete before the batch is settled.
        """
        opened = OpenBatch(batch, result, time.monotonic())
        self._open.add(opened)
        self._status.record_started(batch.offsets)
        return partial(self._settle, opened)

    def open_seconds(self) -> float:
        """Return how long the oldest open batch has been open; 0 when there is none."""
        started = [opened.started_at for opened in list(self._open)]
        return time.monotonic() - min(started) if started else 0.0

    def mark_broken(self) -> None:
        """Record that a batch was not conserved."""
        self.broken = True
        batch_metrics.CONSERVATION_BROKEN.inc()

    def _settle(self, opened: OpenBatch, committed: bool) -> None:  # noqa: FBT001
        self._open.remove(opened)
        self._count(opened, committed=committed)
        self._trace(opened, committed=committed)

    def _count(self, opened: OpenBatch, *, committed: bool) -> None:
        batch = opened.batch
        if not committed:
            self.aborted_at = time.monotonic()
            batch_metrics.TRANSACTION_ABORTS.inc()
            return
        self.committed_at, self.aborted_at = time.monotonic(), None
        self._status.record_committed(batch.offsets)
        batch_metrics.LAST_COMMIT_TIME.set_to_current_time()
        batch_metrics.BATCH_RECORDS.observe(len(batch.messages))
        batch_metrics.BATCH_SECONDS.observe(self.committed_at - opened.started_at)
        decision_metrics.INDICATORS_READ.inc(len(batch.messages) + len(batch.unreadable))
        count_batch(opened.result, time.time())
        log_rejections(opened.result)

    def _trace(self, opened: OpenBatch, *, committed: bool) -> None:
        if not self._tracer.is_enabled:
            return
        messages = opened.batch.messages
        parents = (find_header(message.headers(), TRACEPARENT) for message in messages)
        started_at = time.time() - (time.monotonic() - opened.started_at)
        try:
            self._tracer.record_batch(started_at, len(messages), parents, committed=committed)
        except Exception as error:  # noqa: BLE001 settle the batch even if an exporter fails
            log.warning("the span of a batch could not be recorded (%s)", type(error).__name__)


def count_batch(result: BatchResult, committed_at: float) -> None:
    """Count the result of a committed batch in the metrics.

    Args:
        result: Its result.
        committed_at: When it was committed, as Unix time in seconds.
    """
    quarantined = result.quarantined.total()
    decision_metrics.INDICATORS_ACCOUNTED.inc(result.outcomes.total() + quarantined)
    decision_metrics.INDICATORS_QUARANTINED.inc(quarantined)
    by_label: tuple[tuple[Counter, Mapping[Any, int]], ...] = (
        (decision_metrics.QUARANTINED_BY_CAUSE, result.quarantined),
        (decision_metrics.INDICATORS_BY_OUTCOME, result.outcomes),
        (decision_metrics.DRAFTS, result.drafts),
        (decision_metrics.RECIPIENT_DECISIONS, result.deliveries),
        (law_metrics.RULE_ERRORS, result.rule_errors),
        (decision_metrics.RECIPIENT_EFFECTS, result.effects),
    )
    for metric, numbers in by_label:
        for label, number in numbers.items():
            metric.labels(label).inc(number)
    for emergency, number in result.emergencies.items():
        agency = decision_metrics.label_agency(emergency.agency)
        decision_metrics.EMERGENCIES_STATED.labels(agency).inc(number)
        decision_metrics.EMERGENCIES_AS_ORDINARY.labels(agency).inc(0 if emergency.is_substantiated else number)
    for lane, published in result.published.items():
        waits = [committed_at - timestamp_ms / 1000 for timestamp_ms in published if timestamp_ms > 0]
        batch_metrics.CLOCK_SKEWED.inc(sum(wait < 0 for wait in waits))
        batch_metrics.NOTICE_LATENCY.observe_many(lane, [max(0.0, wait) for wait in waits])


def log_rejections(result: BatchResult) -> None:
    """Log which records of a committed batch were quarantined, by ids and cause, and never by content.

    Args:
        result: The batch's result.
    """
    logged = result.rejections[:REJECTIONS_LOGGED_MAX]
    for rejection in logged:
        log.warning(
            "quarantined %s[%s] offset %s: %s, indicator %s",
            rejection.topic,
            rejection.partition,
            rejection.offset,
            rejection.cause,
            rejection.indicator_id or "unknown",
        )
    others = result.quarantined - Tally(rejection.cause for rejection in logged)
    if others:
        causes = ", ".join(f"{cause} {number:,}" for cause, number in others.most_common())
        log.warning("quarantined %s more records of the same batch: %s", f"{others.total():,}", causes)
