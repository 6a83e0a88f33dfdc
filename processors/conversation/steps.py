"""What events do to one item, and the acts that say so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, final

from processors.conversation.conversation_result import ConversationResult, DueAlert, PendingEffect
from processors.exactly_once.batch import OutputRecord
from sharing.conversation.events import (
    Amend,
    Answered,
    Effect,
    Ended,
    Escalate,
    Event,
    Opened,
    Overdue,
    Send,
)
from sharing.conversation.provider import advance
from sharing.conversation.received_events import ReceivedEffect
from sharing.conversation.vocabulary import AskStatus
from sharing.conversation_state.due_index import DueItem
from sharing.conversation_state.entries import KeptConversation
from sharing.rulings.act import ActContext, to_act
from sharing.rulings.signing import FindOfficer, VerifiedRuling
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import Framing
from sharing.topology.topics import ACTS

if TYPE_CHECKING:
    from sharing.conversation.turn import Law
    from sharing.conversation_state.batch_entries import BatchEntries
    from sharing.disclosure.law_in_force import LawInForce


@dataclass(slots=True)
class ConversationBatch:
    """What one batch works with, and its result so far.

    Attributes:
        entries: What is kept.
        law: The law in force.
        now_ms: The processing time of the batch, in UTC milliseconds; within the day of the law.
        find_officer: The register of the State's officers.
        result: The result.

    Raises:
        ValueError: The time is outside of the day of the law.
    """

    entries: BatchEntries
    law: LawInForce
    now_ms: int
    find_officer: FindOfficer
    result: ConversationResult = field(default_factory=ConversationResult)

    def __post_init__(self) -> None:
        self.law.require_day(self.now_ms)


class Step(NamedTuple):
    """What events have done to one item. It is not kept yet.

    Attributes:
        item: Id of the item.
        before: What was kept.
        after: What is to be kept.
        effects: What must be done, in order.
    """

    item: str
    before: KeptConversation
    after: KeptConversation
    effects: tuple[Effect, ...]

    @property
    def is_changed(self) -> bool:
        """Whether anything is to be kept."""
        return self.after.conversation != self.before.conversation


@final
class ActWriter:
    """Writes the acts of one State.

    Args:
        state: The State.
        framing: How records are framed.
    """

    def __init__(self, state: str, framing: Framing) -> None:
        self._state = state
        self._framing = framing
        self._topic = ACTS.topic(state)

    def write(
        self,
        entry: DueItem,
        item: str,
        provider: str,
        effects: Sequence[Effect | ReceivedEffect],
        batch: ConversationBatch,
        ruling: VerifiedRuling | None = None,
    ) -> None:
        """Write the act of each effect; of one that sends something, the act waits for what is sent.

        Args:
            entry: The entry of the item.
            item: Id of the item.
            provider: The State that provides it.
            effects: The effects.
            batch: The batch.
            ruling: The ruling that has caused them; None if no ruling did.
        """
        context = ActContext(
            item, provider, self._state, batch.now_ms,
            officer=None if ruling is None else ruling.officer.id, ruling=None if ruling is None else ruling.digest,
        )  # fmt: skip
        result = batch.result
        for effect in effects:
            value = self._framing.frame("act", get_codec("act").encode_unframed(to_act(effect, context).to_record()))
            act = OutputRecord(self._topic, item.encode(), value, partition=entry.partition)
            if sends(effect):
                result.pending.append(PendingEffect(entry, item, effect, act, ruling))
            else:
                result.outputs.append(act)
            if isinstance(effect, Escalate | Overdue):
                result.alerts.append(DueAlert(entry, item, effect))
        result.effects += len(effects)


def advance_item(kept: KeptConversation, events: Iterable[Event], now_ms: int, law: Law) -> Step:
    """Return what events do to an item, one after the other.

    Args:
        kept: The item.
        events: The events.
        now_ms: The time, in UTC milliseconds.
        law: The law in force about it.
    """
    conversation, effects = kept.conversation, list[Effect]()
    for event in events:
        conversation, caused = advance(conversation, event, now_ms, law)
        effects += caused
    return Step(conversation.item, kept, replace(kept, conversation=conversation), tuple(effects))


def sends(effect: Effect | ReceivedEffect) -> bool:
    """Return whether something leaves for another State or for the gate because of an effect.

    An Ask that is put to another State again is not among the effects of time on the receiving side, so what is opened
    or ended there sends nothing.
    """
    match effect:
        case Send() | Amend() | Answered():
            return True
        case Opened(ask, is_sent):
            return ask.row.asks_recipient and not is_sent
        case Ended(ask):
            return ask.row.asks_recipient and ask.status is AskStatus.CANCELLED
        case _:
            return False
