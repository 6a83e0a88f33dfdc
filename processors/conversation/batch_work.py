"""The inputs and the result of one batch of the conversation's loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from processors.audit.witness_result import WitnessResult
from processors.conversation.conversation_counts import ConversationCounts
from processors.inbox.inbox_result import InboxResult

if TYPE_CHECKING:
    from processors.inbox.inbox_processor import InboxKeys
    from processors.sealing.loop_sealing import BatchSealing
    from processors.sealing.ruling_opening import BatchRulings
    from sharing.disclosure.law_in_force import LawInForce
    from sharing.rulings.signing import FindOfficer
    from sharing.seal.faults import SealError


@dataclass(frozen=True, slots=True)
class BatchWork:
    """The inputs of one batch.

    Attributes:
        keys: The keys with which messages are opened, and sealed for readers.
        law: The law in force at the time of the batch.
        find_officer: The register of the State's officers, as it was read after the rulings of the batch.
        sealing: Seals and numbers what leaves the State.
        drafts: The drafts of the batch in clear, by position; or why one cannot be opened.
        rulings: Opens the rulings of the batch, and the stored ones.
    """

    keys: InboxKeys
    law: LawInForce
    find_officer: FindOfficer
    sealing: BatchSealing
    drafts: Mapping[int, bytes | SealError]
    rulings: BatchRulings


def _ignore(committed: bool) -> None:  # noqa: FBT001 the signature of `on_settled`
    del committed


@dataclass(slots=True)
class DriverResult:
    """What became of a batch. Neither its outputs nor its records are kept.

    Attributes:
        inbox: What became of the messages of other States, and of what could not be read.
        conversation: What became of the records that were passed to the conversation, and what was due.
        witness: What became of checkpoints and cosignatures.
        items: For how many items something will be due, in the partitions of this worker.
        settle: Must be called with whether the batch was committed.
    """

    inbox: InboxResult = field(default_factory=InboxResult)
    conversation: ConversationCounts = field(default_factory=ConversationCounts)
    witness: WitnessResult = field(default_factory=WitnessResult)
    items: int = 0
    settle: Callable[[bool], None] = _ignore
