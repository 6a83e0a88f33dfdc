"""The result of a batch of the conversations, and whether all of it is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from sharing.topology.topics import ACTS, INBOX, INBOX_URGENT, QUARANTINE

if TYPE_CHECKING:
    from processors.conversation.expected_messages import ExpectedMessage
    from processors.conversation.outcome_events import FollowedEvent
    from processors.exactly_once.batch import ConsumedRecord, OutputRecord
    from processors.inbox.inbox_result import RefusedRecord
    from sharing.conversation.effects import Escalate, Opened, Overdue
    from sharing.conversation.received_events import InboxCopy
    from sharing.conversation_state.due_index import DueItem

_INBOX_TOPICS: Final = tuple(f".{kind.name}" for kind in (INBOX, INBOX_URGENT))


class ConversationOutcome(StrEnum):
    """What becomes of a record.

    Attributes:
        CHANGED: It has changed what is stored about an item.
        UNCHANGED: It changes nothing: it was processed before, or the conversation has refused it, as its acts record.
        REFUSED: It is quarantined by reference.
    """

    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    REFUSED = "REFUSED"


class MessageOutcome(NamedTuple):
    """What becomes of a message of another State.

    Attributes:
        outcome: What.
        is_in_inbox: Whether it is put into the inbox. A repeated message is, if it was not shredded and a key under
            which it may have been sealed for the readers was revoked.
    """

    outcome: ConversationOutcome
    is_in_inbox: bool


class KeptState(NamedTuple):
    """A state that was stored, or forgotten because time has passed.

    Attributes:
        item: The entry.
        place: Position of the record that changed it; None if it was due.
    """

    item: DueItem
    place: int | None


class DueAlert(NamedTuple):
    """What people must be notified of by a message: time has passed, or they are asked an urgent question.

    Attributes:
        entry: The entry of the item.
        item: Id of the item.
        effect: An escalation, an Ask that is overdue, or an urgent one that was opened.
    """

    entry: DueItem
    item: str
    effect: Escalate | Overdue | Opened


@dataclass(slots=True)
class ConversationResult:
    """The result of a batch.

    Attributes:
        outcomes: What became of each record, in their order.
        outputs: The records to write: acts, what is quarantined, what is deleted from the inbox, and what is sent,
            which must be sealed.
        sent: The positions in `outputs` of what is sent.
        expected: What must be sent, by the effects.
        shredded: Which copies are deleted from the inbox, each with the entry of its item.
        refused: The refused records.
        kept: The states that were stored, in order.
        due: The items that were due.
        alerts: Escalations, what is overdue, and urgent questions to the State's own people.
        followed: What is reported to the agencies of the State's own items.
        effects: Number of effects.
        kinds: Number of effects by the kind of their act and its further detail: the result of an answer, or the reason
            for a refusal; "" otherwise.
    """

    outcomes: list[ConversationOutcome] = field(default_factory=list)
    outputs: list[OutputRecord] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    expected: list[ExpectedMessage] = field(default_factory=list)
    shredded: list[tuple[DueItem, InboxCopy]] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)
    kept: list[KeptState] = field(default_factory=list)
    due: list[DueItem] = field(default_factory=list)
    alerts: list[DueAlert] = field(default_factory=list)
    followed: list[FollowedEvent] = field(default_factory=list)
    effects: int = 0
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count_outcomes(self) -> Counter[ConversationOutcome]:
        """Return the number of records by outcome."""
        return Counter(self.outcomes)


def is_conserved(records: Sequence[ConsumedRecord], result: ConversationResult) -> bool:
    """Return whether each record and due item is accounted for exactly once, and nothing else was stored or written.

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
    # An item is due again in the same batch only if the time has moved on, so each time is counted.
    return Counter(kept.item for kept in result.kept if kept.place is None) == Counter(result.due)


def _are_outputs_explained(records: Sequence[ConsumedRecord], result: ConversationResult) -> bool:
    written, sent = result.outputs, set(result.sent)
    unsent = [output for place, output in enumerate(written) if place not in sent]
    quarantined = [output for output in unsent if output.topic.endswith(f".{QUARANTINE.name}")]
    acts = [output for output in unsent if output.topic.endswith(f".{ACTS.name}")]
    deleted = [output for output in unsent if output.topic.endswith(_INBOX_TOPICS)]
    shredded = [(copy.message.encode(), entry.partition) for entry, copy in result.shredded]
    refused = [(record.topic(), record.partition(), record.offset()) for record in _list_refused(records, result)]
    partitions = {record.partition() for record in records} | {item.partition for item in result.due}
    return (
        len(quarantined) + len(acts) + len(deleted) == len(unsent)
        and len(sent) == len(result.sent) == len(result.expected)
        and all(expected.fits(written[place]) for expected, place in zip(result.expected, result.sent, strict=True))
        and len(acts) == result.effects
        and [(output.key, output.partition) for output in deleted] == shredded
        and all(output.value is None for output in deleted)
        and {output.partition for output in written} <= partitions
        and [each[:3] for each in result.refused] == refused
        and [output.partition for output in quarantined] == [partition for _, partition, _ in refused]
    )


def _list_refused(records: Sequence[ConsumedRecord], result: ConversationResult) -> list[ConsumedRecord]:
    pairs = zip(records, result.outcomes, strict=True)
    return [record for record, outcome in pairs if outcome is ConversationOutcome.REFUSED]
