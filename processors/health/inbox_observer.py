"""Counts the results of the inbox's batches, and logs what must not happen: refusals and missing messages."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from processors.inbox.inbox_result import InboxResult
from sharing.telemetry import batch_metrics, inbox_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from processors.exactly_once.batch import Batch
    from processors.health.consumer_status import ConsumerStatus
    from processors.inbox.inbox_result import RefusedRecord

log = logging.getLogger(__name__)

LOGGED_MAX = 10
"""How many refused records, and how many gaps, of a batch are logged one by one."""


class InboxObserver:
    """Counts the batches of the inbox's loop. Its callback runs in the loop's worker thread.

    Args:
        status: Receives the committed offsets.

    Attributes:
        broken: Whether a batch was not conserved. Nothing more is committed then.
    """

    def __init__(self, status: ConsumerStatus) -> None:
        self._status = status
        self._overdue: frozenset[str] = frozenset()
        self.broken = False

    def start_batch(self, batch: Batch, result: InboxResult) -> Callable[[bool], None]:
        """Note a batch whose processing starts. Return the callback that settles it: True for committed.

        Args:
            batch: The batch as it was read.
            result: Its result, to be complete before the batch is settled.
        """
        self._status.record_started(batch.offsets)
        return partial(self._settle, batch, result)

    def mark_broken(self) -> None:
        """Record that a batch was not conserved."""
        self.broken = True
        batch_metrics.CONSERVATION_BROKEN.inc()

    def _settle(self, batch: Batch, result: InboxResult, committed: bool) -> None:  # noqa: FBT001
        if not committed:
            batch_metrics.TRANSACTION_ABORTS.inc()
            return
        self._status.record_committed(batch.offsets)
        inbox_metrics.INBOX_LAST_COMMIT_TIME.set(time.time())
        inbox_metrics.INBOX_READ.inc(len(result.outcomes))
        count_inbox(result)
        log_findings(result)
        self._report_overdue(frozenset(stream.from_state for stream in result.overdue))

    def _report_overdue(self, overdue: frozenset[str]) -> None:
        for state in sorted(overdue ^ self._overdue):
            inbox_metrics.INBOX_COUNTS_OVERDUE.labels(state).set(state in overdue)
            if state in overdue:
                log.warning("the hourly count statement of %s has not arrived: something is holding it back", state)
        self._overdue = overdue


def count_inbox(result: InboxResult) -> None:
    """Count the result of a committed batch in the metrics."""
    for outcome, number in result.count_outcomes().items():
        inbox_metrics.INBOX_RECORDS.labels(outcome).inc(number)
    for refused in result.refused:
        inbox_metrics.INBOX_REFUSED.labels(refused.cause, refused.claimed_state).inc()
    for missed in result.missed:
        inbox_metrics.INBOX_MISSING.inc(missed.total)
        inbox_metrics.INBOX_MISSING_BY_SENDER.labels(missed.stream.from_state).inc(missed.total)
    for (_, arrival), number in result.irregular.items():
        inbox_metrics.INBOX_IRREGULAR.labels(arrival).inc(number)
    inbox_metrics.INBOX_TWINS.inc(result.twins)


def log_refused(refused: Sequence[RefusedRecord]) -> None:
    """Log what was refused, by reference, and never by content."""
    for each in refused[:LOGGED_MAX]:
        log.warning(
            "refused %s[%s] offset %s: %s, claims to be from %s",
            each.topic,
            each.partition,
            each.offset,
            each.cause,
            each.claimed_state or "no State",
        )
    if len(refused) > LOGGED_MAX:
        log.warning("refused %s more records of the same batch", f"{len(refused) - LOGGED_MAX:,}")


def log_findings(result: InboxResult) -> None:
    """Log what was refused and what is missing, by reference and numbers, and never by content."""
    log_refused(result.refused)
    for missed in result.missed[:LOGGED_MAX]:
        log.error(
            "missing: %s messages of %s to %s[%s], numbers %s to %s, as %s shows",
            f"{missed.total:,}",
            missed.stream.from_state,
            missed.stream.topic,
            missed.stream.partition,
            missed.numbers.first,
            missed.numbers.last,
            "its count statement" if missed.by_statement else "a later message",
        )
    for (state, arrival), number in result.irregular.items():
        log.warning("%s: %s messages with an unexpected number (%s)", state, number, arrival)
