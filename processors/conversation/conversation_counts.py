"""The reported results of the parts of a batch: numbers, refusals by reference, and alerts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processors.conversation.conversation_result import ConversationOutcome, ConversationResult, DueAlert
    from processors.conversation.outcome_events import FollowedEvent
    from processors.inbox.inbox_result import RefusedRecord


@dataclass(slots=True)
class ConversationCounts:
    """The counts of a batch.

    Attributes:
        outcomes: Number of records by outcome.
        refused: The records that the conversation has refused.
        effects: Number of effects, by the kind of their act and its further detail (`ConversationResult.kinds`).
        alerts: Escalations, what is overdue, and urgent questions to the State's own people.
        followed: What is reported to the agencies of the items.
    """

    outcomes: Counter[ConversationOutcome] = field(default_factory=Counter)
    refused: list[RefusedRecord] = field(default_factory=list)
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)
    alerts: list[DueAlert] = field(default_factory=list)
    followed: list[FollowedEvent] = field(default_factory=list)

    def add(self, part: ConversationResult) -> None:
        """Add what became of a part. Its outputs are not kept."""
        self.outcomes.update(part.outcomes)
        self.refused += part.refused
        self.effects.update(part.kinds)
        self.alerts += part.alerts
        self.followed += part.followed
