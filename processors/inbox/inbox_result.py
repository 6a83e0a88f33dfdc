"""What became of a batch of the inbox, and whether each record is accounted for exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from processors.exactly_once.batch import ConsumedRecord, OutputRecord
from sharing.topology.topics import QUARANTINE

if TYPE_CHECKING:
    from sharing.seal.counts import MissingTail
    from sharing.seal.sequences import Arrival, MissingNumbers, StreamId


class InboxOutcome(StrEnum):
    """What becomes of a record.

    Attributes:
        OPENED: It was verified and opened, and is in the inbox now.
        HANDLED: It was verified and opened, but is not for the inbox: a reply, or an item that is kept out.
        REPEATED: It, or the same message, was opened before: nothing is written.
        COUNTED: It is a count statement, and was compared with what has arrived.
        REFUSED: It is quarantined by reference.
    """

    OPENED = "OPENED"
    HANDLED = "HANDLED"
    REPEATED = "REPEATED"
    COUNTED = "COUNTED"
    REFUSED = "REFUSED"


class RefusedRecord(NamedTuple):
    """A record that is quarantined, by reference.

    Attributes:
        topic: Name of its topic.
        partition: Number of its partition.
        offset: Its offset.
        cause: Why, as a short code.
        claimed_state: The State that it claims to be from; "" if it names none.
        message: Why, in a sentence without content.
        stage: Where it was refused: READ, DECODE or CHECK.
    """

    topic: str
    partition: int
    offset: int
    cause: str
    claimed_state: str
    message: str
    stage: str = "CHECK"


class MissedMessages(NamedTuple):
    """Messages that a State has sent and that did not arrive.

    Attributes:
        stream: Their stream.
        numbers: Their numbers.
        by_statement: Whether a count statement shows it; otherwise a later message does.
    """

    stream: StreamId
    numbers: MissingNumbers
    by_statement: bool

    @classmethod
    def from_tail(cls, tail: MissingTail) -> MissedMessages:
        """Return what a count statement shows to be missing."""
        return cls(tail.stream, tail.numbers, by_statement=True)

    @property
    def total(self) -> int:
        """How many messages."""
        return self.numbers.last - self.numbers.first + 1


@dataclass(slots=True)
class InboxResult:
    """The result of a part of a batch.

    Attributes:
        outcomes: What became of each record, in their order; those that could not be read come first.
        outputs: By the record's position in `outcomes`, the one record to write for it.
        refused: The refused records.
        missed: Messages that did not arrive.
        irregular: Number of messages by sender and arrival, for opened messages whose number is not the next one.
        twins: Number of repeated messages that were sealed again: from aborted transactions, or sent again.
        overdue: The streams whose next count statement should have arrived.
    """

    outcomes: list[InboxOutcome] = field(default_factory=list)
    outputs: dict[int, OutputRecord] = field(default_factory=dict)
    refused: list[RefusedRecord] = field(default_factory=list)
    missed: list[MissedMessages] = field(default_factory=list)
    irregular: Counter[tuple[str, Arrival]] = field(default_factory=Counter)
    twins: int = 0
    overdue: list[StreamId] = field(default_factory=list)

    def count_outcomes(self) -> Counter[InboxOutcome]:
        """Return the number of records by outcome."""
        return Counter(self.outcomes)

    def add_counts(self, part: InboxResult) -> None:
        """Add what became of a part of the same batch. Its outputs are not kept."""
        self.outcomes += part.outcomes
        self.refused += part.refused
        self.missed += part.missed
        self.irregular.update(part.irregular)
        self.twins += part.twins


def is_conserved(records: Sequence[ConsumedRecord], unreadable: int, result: InboxResult) -> bool:
    """Return whether every record is accounted for exactly once, and only what was opened or refused is written.

    Args:
        records: The records of the part.
        unreadable: How many records or record batches of the part could not be read.
        result: Its result.
    """
    if len(result.outcomes) != unreadable + len(records) or len(result.refused) != result.outcomes.count(
        InboxOutcome.REFUSED
    ):
        return False
    for place, outcome in enumerate(result.outcomes):
        output = result.outputs.get(place)
        is_written = outcome in {InboxOutcome.OPENED, InboxOutcome.REFUSED}
        if is_written != (output is not None):
            return False
        if output is None:
            continue
        is_quarantined = output.topic.endswith(f".{QUARANTINE.name}")
        if is_quarantined != (outcome is InboxOutcome.REFUSED) or not output.value:
            return False
        if place >= unreadable and output.partition != records[place - unreadable].partition():
            return False
    return len(result.outputs) <= len(result.outcomes)
