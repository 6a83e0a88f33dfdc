"""What events do to one item, what must be written for it, and the acts that record it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, final

from processors.conversation.conversation_result import ConversationResult, DueAlert
from processors.conversation.expected_messages import expect_message
from processors.exactly_once.batch import DEFAULT_LIMITS, OutputLimits, OutputRecord
from sharing.conversation.effects import Effect, Escalate, Opened, Overdue
from sharing.conversation.events import Event
from sharing.conversation.provider import advance
from sharing.conversation.received_events import InboxCopy, ReceivedEffect, ReceivedEvent, Shred
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation_state.due_index import DueItem
from sharing.conversation_state.entries import KeptConversation
from sharing.conversation_state.item_keys import make_own_key, make_received_key
from sharing.model.vocabulary import Urgency
from sharing.rulings.effect_acts import ActContext, to_act
from sharing.rulings.ruling import Answering
from sharing.rulings.signing import FindOfficer, VerifiedRuling
from sharing.topology.topics import ACTS, INBOX, INBOX_URGENT

if TYPE_CHECKING:
    from processors.conversation.partition_covers import PartitionCovers
    from processors.sealing.ruling_opening import BatchRulings
    from sharing.conversation.turn import Law
    from sharing.conversation_state.batch_entries import BatchEntries
    from sharing.disclosure.law_in_force import LawInForce

Kept = KeptConversation | ReceivedItem
"""What is stored about an item of the State's own, or of another State."""


@dataclass(slots=True)
class ConversationBatch:
    """What one batch works with, and its result so far.

    Attributes:
        entries: What is stored.
        law: The law in force. In its directory, a State to which nothing can be sealed does not receive.
        now_ms: The processing time of the batch, in UTC milliseconds; within the day of the law.
        find_officer: The register of the State's officers.
        rulings: Opens the rulings that arrive, and the stored ones.
        result: The result.
        read_until: For each partition, the instant up to which everything written to it has been read, in UTC
            milliseconds: deadlines take effect up to then. None: everything has been read up to the time of the batch.
        receiving: The States that can get something; None if all can.
        pinned: The States whose roots this State has pinned: any other has left. None if none is pinned.
        limits: How large a record may be before it is sealed.
        trusts_writers: Whether writers' timestamps are used if the broker does not stamp records: for demos only.
        covers: The answers that cover later Asks, by partition, as far as they were checked.
        seals_again: Whether what is in the inbox is sealed again if it arrives again: a key of this State was revoked.

    Raises:
        ValueError: The time is outside the day of the law.
    """

    entries: BatchEntries
    law: LawInForce
    now_ms: int
    find_officer: FindOfficer
    rulings: BatchRulings
    result: ConversationResult = field(default_factory=ConversationResult)
    read_until: Mapping[int, int] | None = None
    receiving: Collection[str] | None = None
    pinned: frozenset[str] | None = None
    limits: OutputLimits = DEFAULT_LIMITS
    trusts_writers: bool = False
    covers: dict[int, PartitionCovers] = field(default_factory=dict)
    seals_again: bool = False

    def __post_init__(self) -> None:
        self.law.require_day(self.now_ms)

    def get_instant(self, partition: int) -> int:
        """Return the instant up to which deadlines take effect in a partition, in UTC milliseconds."""
        return self.now_ms if self.read_until is None else min(self.now_ms, self.read_until.get(partition, 0))


class Step(NamedTuple):
    """What events have done to one item. It is not stored yet.

    Attributes:
        entry: The entry of the item.
        item: Id of the item.
        provider: The State that provides it.
        before: What was stored.
        after: What must be stored.
        effects: What must be done, in order.
        root: Signed root of the batch of the message that caused it; None if no message did.
    """

    entry: DueItem
    item: str
    provider: str
    before: Kept
    after: Kept
    effects: tuple[Effect | ReceivedEffect, ...]
    root: bytes | None = None

    @property
    def is_changed(self) -> bool:
        """Whether anything must be stored."""
        return _get_state(self.after) != _get_state(self.before)


def advance_item(
    partition: int, kept: KeptConversation, events: Iterable[Event], now_ms: int, law: Law, *, can_send: bool = True
) -> Step:
    """Return what events do to an item of the State's own, one after the other.

    Args:
        partition: The partition of the item.
        kept: The item.
        events: The events.
        now_ms: The time, in UTC milliseconds.
        law: The law in force about it.
        can_send: As in `sharing.conversation.provider.advance`.
    """
    conversation, effects = kept.conversation, list[Effect]()
    for event in events:
        conversation, caused = advance(conversation, event, now_ms, law, can_send=can_send)
        effects += caused
    entry = DueItem(partition, make_own_key(conversation.item))
    after = KeptConversation(conversation, kept.drafts)
    return Step(entry, conversation.item, conversation.state, kept, after, tuple(effects))


def advance_received_item(
    partition: int, received: ReceivedItem, events: Iterable[ReceivedEvent], now_ms: int
) -> Step:  # fmt: skip
    """Return what events do to an item of another State, one after the other; arguments as for `advance_item`."""
    after, effects = received, list[ReceivedEffect]()
    for event in events:
        after, caused = advance_received(after, event, now_ms)
        effects += caused
    entry = DueItem(partition, make_received_key(received.from_state, received.item))
    return Step(entry, received.item, received.from_state, received, after, tuple(effects))


@final
class ActWriter:
    """Writes the acts of one State, each as a separate record: they become entries of blocks when a part is finished.

    Args:
        state: The State.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._topic = ACTS.topic(state)

    def write(
        self,
        step: Step,
        batch: ConversationBatch,
        ruling: VerifiedRuling | None = None,
        undelivered: Collection[int] = (),
    ) -> None:
        """Write the act of each effect of a step, and delete what is shredded from the inbox.

        Args:
            step: The step.
            batch: The batch.
            ruling: The ruling that caused it; None if no ruling did.
            undelivered: Positions of the effects whose addressee cannot be sent anything.
        """
        context = ActContext(
            step.item, step.provider, self._state, batch.now_ms, root=step.root, **describe_ruling(ruling, batch.law)
        )  # fmt: skip
        result = batch.result
        for place, effect in enumerate(step.effects):
            described = to_act(effect, context, is_delivered=place not in undelivered)
            result.kinds[str(described.kind), str(described.result or described.reason or "")] += 1
            result.outputs.append(
                OutputRecord(self._topic, step.item.encode(), described.encode(), partition=step.entry.partition)
            )
            expected = expect_message(effect, step.provider, self._state, step.entry.partition)
            if expected is not None and place not in undelivered:
                result.expected.append(expected)
            if isinstance(effect, Shred):
                self._delete_copies(step.entry, effect.copies, result)
            if isinstance(effect, Escalate | Overdue) or (isinstance(effect, Opened) and self._is_urgent(effect)):
                result.alerts.append(DueAlert(step.entry, step.item, effect))
        result.effects += len(step.effects)

    def _delete_copies(self, entry: DueItem, copies: Sequence[InboxCopy], result: ConversationResult) -> None:
        """Delete records of the inbox: it is compacted by key, and the record has the item's key wrapped in it."""
        for copy in copies:
            topic = (INBOX_URGENT if copy.is_urgent else INBOX).topic(self._state)
            result.outputs.append(OutputRecord(topic, copy.message.encode(), None, partition=entry.partition))
            result.shredded.append((entry, copy))

    def _is_urgent(self, opened: Opened) -> bool:
        """Return whether people of the State must be notified at once that they are asked."""
        return opened.ask.state == self._state and opened.ask.urgency in {Urgency.URGENT, Urgency.EMERGENCY}


def describe_ruling(ruling: VerifiedRuling | None, law: LawInForce | None) -> dict[str, Any]:
    """Return what an act says about the ruling that caused it; nothing if no ruling did.

    Args:
        ruling: The ruling.
        law: The law in force. An officer types the rule of the State's own law, and the audit log is kept forever and
            is not sealed: so the act names it only if the pack has such a rule. None: no rule is named.
    """
    if ruling is None:
        return {}
    act = ruling.ruling.act
    named: dict[str, Any] = {}
    if isinstance(act, Answering):
        known = () if law is None else law.context.disclosure_filter.pack.rules
        own_rule = act.own_rule if any(rule.id == act.own_rule for rule in known) else None
        named = {"grounds": act.grounds, "own_rule": own_rule}
    return {"officer": ruling.officer.id, "ruling": ruling.digest, "ruling_key": ruling.key, **named}


def _get_state(kept: Kept) -> object:
    return kept.conversation if isinstance(kept, KeptConversation) else kept
