"""Counts the results of the conversation's batches, and logs what was refused, by reference and never by content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.health.audit_observer import count_witnessing
from processors.health.inbox_observer import InboxObserver, log_refused
from sharing.conversation.effects import Escalate, Overdue
from sharing.telemetry import conversation_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.conversation.batch_work import DriverResult
    from processors.conversation.conversation_counts import ConversationCounts
    from processors.conversation.conversation_result import DueAlert
    from processors.exactly_once.batch import Batch


class ConversationObserver(InboxObserver):
    """Counts the batches of the conversation's loop, as `InboxObserver` counts the messages among their records."""

    def observe(self, batch: Batch, result: DriverResult) -> Callable[[bool], None]:
        """Note a batch whose processing starts. Return the callback that settles it: True for committed.

        Args:
            batch: The batch as it was read.
            result: Its result, to be complete before the batch is settled.
        """
        settle_inbox = self.start_batch(batch, result.inbox)

        def settle(committed: bool) -> None:  # noqa: FBT001 the signature of `on_settled`
            result.settle(committed)
            settle_inbox(committed)
            if committed:
                conversation_metrics.CONVERSATION_ITEMS.set(result.items)
                count_conversation(result.conversation)
                log_refused(result.conversation.refused)
                count_witnessing(result.witness)
                log_refused(result.witness.refused)

        return settle


def count_conversation(counts: ConversationCounts) -> None:
    """Count the result of a committed batch in the metrics."""
    for outcome, number in counts.outcomes.items():
        conversation_metrics.CONVERSATION_RECORDS.labels(outcome).inc(number)
    for refused in counts.refused:
        conversation_metrics.CONVERSATION_REFUSED.labels(refused.cause).inc()
    for alert in counts.alerts:
        conversation_metrics.ESCALATIONS.labels(_name_cause(alert)).inc()
    for (kind, detail), number in counts.effects.items():
        conversation_metrics.CONVERSATION_ACTS.labels(kind, detail).inc(number)


def _name_cause(alert: DueAlert) -> str:
    """Return why people are notified, as the metric names it."""
    match alert.effect:
        case Overdue():
            return "OVERDUE"
        case Escalate(step=step):
            return f"STEP_{step + 1}"
        case _:
            return "OPENED"
