"""Conversations in memory, and the board of their open Asks: what the worker would write, without a broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sharing.console.found_asks import FoundAsk
from sharing.console.found_covers import FoundCover
from sharing.conversation.received_events import OfferReceived
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms, hash_condition
from sharing.conversation_state.entries import KeptConversation, encode_conversation, encode_received
from sharing.conversation_state.item_keys import make_own_key, make_received_key
from sharing.desk.board.ask_index import AskIndex
from sharing.desk.board.asked_law import AskedLaw
from sharing.desk.board.board_view import BoardView, make_view
from sharing.errors import InfrastructureError
from sharing.ids import make_item_id
from sharing.kafka.conversation_reader import KeptEntry
from sharing.model.recipient_terms import Condition, RuleReference
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import ConditionKind, Effect, Urgency
from sharing.rulings.asked_terms import AskedTerms, find_own_terms
from sharing.rulings.ruling import compute_conditions_hash
from tests.conversation.people import ROLE
from tests.conversation.test_provider import Story
from tests.conversation.test_receiver import Inbox
from tests.desk.asgi import NOW, STATE

CONDITIONS = {
    code: Condition(code, kind, f"What {code} says.")
    for code, kind in (
        ("c.one", ConditionKind.PURPOSE), ("c.two", ConditionKind.NO_EVIDENCE), ("c.three", ConditionKind.RETENTION)
    )
}  # fmt: skip
HELD_BY = RuleReference("de.irg-61a", "IRG § 61a", Effect.APPROVAL)
OFFERED_BY = RuleReference("de.irg-61b", "IRG § 61b", Effect.CONDITION)
CATEGORY, OWN_CATEGORY = "FINANCE", "TELECOM"
"""Of what other States offer, and of the State's own items."""


@dataclass
class BoardWorld:
    """What a State's worker keeps, and its board. It is also the board that the pages get.

    Attributes:
        rules: By which rule each Ask is asked, by its id, where it is not the usual one.
        law_is_away: Whether the decisions cannot be read.
        looked_up: How often the law was looked up.
    """

    state: str = STATE
    now: int = NOW
    stories: dict[str, Story] = field(default_factory=dict)
    inboxes: dict[str, Inbox] = field(default_factory=dict)
    partitions: dict[str, int] = field(default_factory=dict)
    rules: dict[str, RuleReference] = field(default_factory=dict)
    law_is_away: bool = False
    looked_up: int = 0
    covers: tuple[FoundCover, ...] = ()
    _index: AskIndex = field(default_factory=AskIndex)
    _entries: dict[bytes, KeptEntry[bytes]] = field(default_factory=dict)
    _view: BoardView | None = None
    _revision: int = 0

    def publish(self, number: int, *terms: Terms, partition: int = 0, **changes: Any) -> Story:
        """Let the gate decide on an item, and the conversation begin."""
        item = make_item_id(self.state, "bka", str(make_item_id("indicator", "", str(number))))
        story = Story()
        story.now = self.now
        indicator = make_item_id("indicator", "", str(number))
        story.conversation = replace(story.conversation, item=item, state=self.state, indicator=indicator)
        texts = [replace(each, texts=write_texts(each)) for each in terms]
        story.decide(*texts, **changes)
        self.stories[item], self.partitions[item] = story, partition
        self.keep(item)
        return story

    def receive(self, number: int, from_state: str = "CH", urgency: Urgency = Urgency.ORDINARY, **more: Any) -> str:
        """Let another State offer an item. Return the id of the Ask."""
        item = make_item_id(from_state, "fedpol", str(number))
        ask_id = make_item_id("ask", from_state, str(number))
        inbox = Inbox()
        inbox.now = self.now
        inbox.received = replace(inbox.received, item=item, from_state=from_state, state=self.state)
        inbox.happen(OfferReceived(ask_id, Revision(1), urgency, more.pop("until", self.now + 20 * DAY_MS)))
        digest = compute_conditions_hash(CONDITIONS.values())
        inbox.received = replace(inbox.received, conditions={ask_id: digest})
        self.inboxes[item], self.partitions[item] = inbox, more.pop("partition", 1)
        self.keep(item)
        return ask_id

    def keep(self, item: str) -> None:
        """Write the entry of an item, as the changelog of the state store has it."""
        if item in self.stories:
            key, value = make_own_key(item), encode_conversation(KeptConversation(self.stories[item].conversation))
        else:
            received = self.inboxes[item].received
            key, value = make_received_key(received.from_state, item), encode_received(received)
        self.write(key, value, self.partitions[item])

    def write(self, key: bytes, value: bytes | None, partition: int = 0) -> None:
        kept = None if value is None else self._index.keep(key, value)
        if kept is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = KeptEntry(partition, kept)
        self._view = None

    # What the pages use.

    @property
    def revision(self) -> int:
        return self.view().revision

    @property
    def emergencies(self) -> int:
        return self.view().emergencies

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def view(self) -> BoardView:
        if self._view is None:
            self._revision += 1
            self._index.refresh(self._entries)
            unreadable = len(self._index.unreadable)
            self._view = make_view(self.state, self._revision, self._index.list_open(), self.covers, unreadable)
        return self._view

    def find(self, ask_id: str) -> FoundAsk | None:
        return self.view().by_id.get(ask_id)

    # The law behind the Asks.

    def make_law(self) -> AskedLaw:
        """Return the law, looked up at once where it is required."""
        return AskedLaw(self.look_up)

    def look_up(self, asks: Sequence[FoundAsk]) -> Mapping[str, AskedTerms]:
        self.looked_up += 1
        if self.law_is_away:
            raise InfrastructureError("no broker answers")
        return {found.ask.id: self._find_terms(found) for found in asks}

    def _find_terms(self, found: FoundAsk) -> AskedTerms:
        kept = found.decode_kept()
        if isinstance(kept, ReceivedItem):
            conditions = tuple(CONDITIONS[code] for code in sorted(CONDITIONS))
            return AskedTerms(
                rules=(OFFERED_BY,), conditions=conditions, conditions_hash=kept.conditions.get(found.ask.id),
                codes=frozenset(CONDITIONS), basis="UNCAC", category=CATEGORY,
            )  # fmt: skip
        rule = self.rules.get(found.ask.id, HELD_BY)
        known = find_own_terms(kept, found.ask, ())
        conditions = tuple(CONDITIONS[code] for code in sorted(known.codes))
        return replace(
            known, rules=(OFFERED_BY, rule), rule=rule.id if found.ask.row.four_eyes and not known.codes else None,
            conditions=conditions, conditions_hash=compute_conditions_hash(conditions) if conditions else None,
            is_known=True, category=OWN_CATEGORY,
        )  # fmt: skip


def write_texts(terms: Terms) -> frozenset[tuple[str, str]]:
    return frozenset((code, hash_condition(code, CONDITIONS[code].text)) for code in terms.conditions)


__all__ = ["CONDITIONS", "ROLE", "BoardWorld"]
