"""What became of a batch of the conversations, and whether all of it is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from sharing.topology.topics import ACTS, QUARANTINE

if TYPE_CHECKING:
    from processors.exactly_once.batch import ConsumedRecord, OutputRecord
    from processors.inbox.inbox_result import RefusedRecord
    from sharing.conversation.events import Effect, Escalate, Overdue
    from sharing.conversation.received_events import ReceivedEffect
    from sharing.conversation_state.due_index import DueItem
    from sharing.rulings.signing import VerifiedRuling


class ConversationOutcome(StrEnum):
    """What becomes of a record.

    Attributes:
        CHANGED: It has changed what is kept about an item.
        UNCHANGED: It changes nothing: it came before, or the conversation has refused it, which its acts say.
        OPENED: It is an officer's correction or withdrawal, on which the gate decides first; it is in `openings`.
        REFUSED: It is quarantined by reference.
    """

    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    OPENED = "OPENED"
    REFUSED = "REFUSED"


class KeptState(NamedTuple):
    """A state that was kept.

    Attributes:
        item: The entry.
        place: Place of the record that has changed it; None if it was due.
    """

    item: DueItem
    place: int | None


@dataclass(frozen=True, slots=True)
class PendingEffect:
    """An effect that sends something. Nothing of it is written yet, not even its act.

    Attributes:
        entry: The entry of the item.
        item: Id of the item.
        effect: The effect.
        act: The record of the effect, to be written with what is sent, and never without it.
        ruling: The ruling that has caused it; None if no ruling did.
    """

    entry: DueItem
    item: str
    effect: Effect | ReceivedEffect
    act: OutputRecord
    ruling: VerifiedRuling | None = None


class DueAlert(NamedTuple):
    """What people must be told because time has passed.

    Attributes:
        entry: The entry of the item.
        item: Id of the item.
        effect: An escalation, or an Ask that is overdue.
    """

    entry: DueItem
    item: str
    effect: Escalate | Overdue


@dataclass(slots=True)
class ConversationResult:
    """The result of a batch.

    Attributes:
        outcomes: What became of each record, in their order.
        outputs: The records to write: acts, and what is quarantined.
        pending: What must also be sent in the same transaction.
        openings: Corrections and withdrawals of officers, for the gate.
        refused: The refused records.
        kept: The states that were kept, in order.
        due: The items that were due.
        alerts: Escalations, and what is overdue.
        effects: Number of effects.
    """

    outcomes: list[ConversationOutcome] = field(default_factory=list)
    outputs: list[OutputRecord] = field(default_factory=list)
    pending: list[PendingEffect] = field(default_factory=list)
    openings: list[VerifiedRuling] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)
    kept: list[KeptState] = field(default_factory=list)
    due: list[DueItem] = field(default_factory=list)
    alerts: list[DueAlert] = field(default_factory=list)
    effects: int = 0

    def count_outcomes(self) -> Counter[ConversationOutcome]:
        """Return the number of records by outcome."""
        return Counter(self.outcomes)


def is_conserved(records: Sequence[ConsumedRecord], result: ConversationResult) -> bool:
    """Return whether each record and each due item is accounted for exactly once, and nothing else was kept or written.

    Args:
        records: The records of the batch, in the order in which they were processed.
        result: Its result.
    """
    return (
        len(result.outcomes) == len(records)
        and _are_states_explained(records, result)
        and _are_outputs_explained(records, result)
    )


def _are_states_explained(records: Sequence[ConsumedRecord], result: ConversationResult) -> bool:
    changing = {kept.place for kept in result.kept if kept.place is not None}
    if changing != {place for place, each in enumerate(result.outcomes) if each is ConversationOutcome.CHANGED}:
        return False
    if any(records[kept.place].partition() != kept.item.partition for kept in result.kept if kept.place is not None):
        return False
    # An item is due again in the same batch only if the time was moved on, so each time is counted.
    return Counter(kept.item for kept in result.kept if kept.place is None) == Counter(result.due)


def _are_outputs_explained(records: Sequence[ConsumedRecord], result: ConversationResult) -> bool:
    outcomes = result.count_outcomes()
    written = [*result.outputs, *(pending.act for pending in result.pending)]
    quarantined = [output for output in written if output.topic.endswith(f".{QUARANTINE.name}")]
    acts = [output for output in written if output.topic.endswith(f".{ACTS.name}")]
    refused = [(record.topic(), record.partition(), record.offset()) for record in _list_refused(records, result)]
    partitions = {record.partition() for record in records} | {item.partition for item in result.due}
    return (
        len(quarantined) + len(acts) == len(written)
        and len(acts) == result.effects
        and {output.partition for output in written} <= partitions
        and [each[:3] for each in result.refused] == refused
        and [output.partition for output in quarantined] == [partition for _, partition, _ in refused]
        and len(result.openings) == outcomes[ConversationOutcome.OPENED]
    )


def _list_refused(records: Sequence[ConsumedRecord], result: ConversationResult) -> list[ConsumedRecord]:
    pairs = zip(records, result.outcomes, strict=True)
    return [record for record, outcome in pairs if outcome is ConversationOutcome.REFUSED]
