"""The steps of one change on the providing State's side.

A `Turn` is a draft of the next state. It is made for one event, and collects the effects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, final

from sharing.conversation.asks import Ask, name_ask
from sharing.conversation.deliveries import (
    PENDING_MS,
    SENT_MS,
    Conversation,
    Delivery,
    DeliveryKey,
    find_pending_end,
)
from sharing.conversation.early_replies import EarlyReplies
from sharing.conversation.effects import Answered, Changed, Effect, Ended, Opened, Send
from sharing.conversation.events import Decided, Replied
from sharing.conversation.kinds import KINDS
from sharing.conversation.old_revisions import list_forgotten_asks, list_forgotten_deliveries
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms, is_no_less_open
from sharing.conversation.vocabulary import AskKind, AskStatus, DeliveryStatus, ReplyResult
from sharing.model.vocabulary import NoticeKind, Outcome, Urgency

Law = Callable[[str], Terms]
"""What the law in force now says about the newest revision, for a State."""

GUARDING: Final = frozenset({AskKind.APPROVE, AskKind.ACCEPT, AskKind.REDECIDE, AskKind.SUPPLY_FACT})
"""The kinds of Asks that deliveries wait for."""


@final
class Turn:
    """A draft of the next state of a conversation.

    Args:
        conversation: The state before.
        now: The time, in UTC milliseconds.
        law: The law in force.
        can_send: As in `sharing.conversation.provider.advance`.

    Attributes:
        effects: What the caller must do, in order.
    """

    def __init__(self, conversation: Conversation, now: int, law: Law, *, can_send: bool = True) -> None:
        self.effects: list[Effect] = []
        self.now = now
        self.law = law
        self.can_send = can_send
        self._conversation = conversation
        self._asks: dict[str, Ask] = dict(conversation.asks)
        self._early = EarlyReplies(conversation.early)
        self._deliveries: dict[DeliveryKey, Delivery] = dict(conversation.deliveries)

    @property
    def conversation(self) -> Conversation:
        """The state so far."""
        return replace(
            self._conversation, asks=dict(self._asks), deliveries=dict(self._deliveries), early=self._early.to_tuple()
        )

    @property
    def asks(self) -> tuple[Ask, ...]:
        """All Asks so far."""
        return tuple(self._asks.values())

    def get_ask(self, ask_id: str) -> Ask | None:
        """Return an Ask; None if there is none with this id."""
        return self._asks.get(ask_id)

    def change_ask(self, ask: Ask) -> None:
        """Replace an open Ask."""
        self._asks[ask.id] = ask
        self.effects.append(Changed(ask) if ask.is_open else Ended(ask))

    def take_change(self, change: Changed) -> None:
        """Replace an open Ask that somebody has claimed or passed on."""
        self._asks[change.ask.id] = change.ask
        self.effects.append(change)

    def drop_ask(self, ask: Ask) -> None:
        """Forget an Ask that has ended and that another one repeats."""
        del self._asks[ask.id]

    def begin_revision(self, event: Decided) -> None:
        """Take revision, publisher and urgency from the gate's decision."""
        base = self._conversation
        handed_out = base.handed_out if event.revision.version == base.revision.version else 0
        self._conversation = replace(
            base,
            revision=event.revision,
            publisher=event.publisher,
            urgency=event.urgency,
            handed_out=handed_out,
            indicator=event.indicator or base.indicator,
            retain_until=event.retain_until,
        )

    @property
    def is_amended_now(self) -> bool:
        """Whether the gate has not yet decided on an amendment that was handed to it within the last day.

        A further one would be applied to the previous revision and undo it. A withdrawal may come at any time. An
        amendment that the gate has not decided within a day was refused: the gate does not report that here.
        """
        base = self._conversation
        return base.handed_out > base.revision.amendment and self.now < base.handed_out_at + PENDING_MS

    def end_pending(self) -> bool:
        """Note that the gate has not decided in time on an amendment. Return False if it has, or that was noted."""
        end = find_pending_end(self._conversation)
        if end is None or end > self.now:
            return False
        self._conversation = replace(self._conversation, handed_out_at=0)
        return True

    def hand_out_amendment(self) -> Revision:
        """Return the next amendment of the newest version: its number was neither decided nor assigned."""
        version, amendment = self._conversation.revision
        number = 1 + max(amendment, self._conversation.handed_out)
        self._conversation = replace(self._conversation, handed_out=number, handed_out_at=self.now)
        return Revision(version, number)

    def keep_early(self, reply: Replied) -> bool:
        """Let a reply wait for an Ask that is not known yet. Return False if too many of that State are waiting."""
        return self._early.keep(reply)

    def take_early(self) -> list[Replied]:
        """Remove the replies whose Asks are now known, and return them."""
        return self._early.take_known(self._asks)

    def end_early(self) -> None:
        """Tell the States whose replies have waited for too long that nobody has asked them."""
        ended = self._early.take_ended(self.now)
        self.effects += [Answered(reply.ask, reply.state, ReplyResult.UNKNOWN) for reply in ended]

    def get_delivery(self, key: DeliveryKey) -> Delivery | None:
        """Return the delivery of a revision to a State; None if there is none."""
        return self._deliveries.get(key)

    def find_sent(self, state: str) -> Delivery | None:
        """Return what a State has now; None if nothing, or if it was recalled."""
        return next((sent for sent in self.list_sent() if sent.state == state), None)

    def list_sent(self) -> list[Delivery]:
        """Return what States have now."""
        return [delivery for delivery in self._deliveries.values() if delivery.status is DeliveryStatus.SENT]

    def open_ask(
        self, kind: AskKind, recipients: frozenset[str], *, role: str | None = None, needed: int = 1,
        facts: frozenset[str] = frozenset(), number: int = 1, revision: Revision | None = None,
        offered: Urgency | None = None,
    ) -> Ask:  # fmt: skip
        """Open an Ask about the newest revision, or another one, and return it.

        The gate has sent it as an offer if `offered` is given: the urgency that the gate has read.
        """
        base, row = self._conversation, KINDS[kind]
        urgency = base.urgency if offered is None else offered
        revision = base.revision if revision is None else revision
        (asked,) = recipients if row.asks_recipient else (base.state,)
        while (ask_id := name_ask(base.item, kind, revision, recipients, number)) in self._asks:
            number += 1
        expires_at = self.now + row.lasts[urgency]
        ask = Ask(
            ask_id, kind, asked, role, revision, recipients, base.publisher, urgency, self.now, expires_at, needed,
            facts, number,
        )  # fmt: skip
        self._asks[ask_id] = ask
        self.effects.append(Opened(ask, is_sent=offered is not None))
        return ask

    def guard(self, delivery: Delivery, ask: Ask) -> None:
        """Make a delivery wait for an Ask."""
        waiting = replace(delivery, status=DeliveryStatus.WAITING, guards=frozenset({ask.id}))
        self._deliveries[delivery.key] = waiting

    def find_guarded(self, ask: Ask) -> list[Delivery]:
        """Return the deliveries that wait for an Ask."""
        return [
            delivery
            for delivery in self._deliveries.values()
            if delivery.status is DeliveryStatus.WAITING and ask.id in delivery.guards
        ]

    def release(self, delivery: Delivery, ask: Ask) -> None:
        """Note that one of the Asks that guard a delivery has a releasing answer, and go on if it was the last."""
        left = replace(delivery, guards=delivery.guards - {ask.id})
        if ask.kind is AskKind.APPROVE and ask.role is not None:
            left = replace(left, approved=left.approved | {ask.role})
        if ask.kind in {AskKind.ACCEPT, AskKind.REDECIDE}:
            left = replace(left, is_settled=left.is_offered)
        self._deliveries[left.key] = left
        if not left.guards:
            self.proceed(left)

    def proceed(self, delivery: Delivery) -> None:
        """Send what no Ask guards, after asking the law again; otherwise open the next Ask."""
        current = self.law(delivery.state)
        if current.outcome is Outcome.WITHHOLD or not is_no_less_open(current, delivery.terms):
            # The approval or acceptance was given under different terms.
            stricter = replace(delivery, terms=current, approved=frozenset(), is_offered=False, is_settled=False)
            self.ask_again(stricter)
        elif current.outcome is Outcome.HOLD and current.approver not in delivery.approved:
            self.ask_approver(delivery)
        elif delivery.terms.accept_first and not delivery.is_settled:
            self.offer(delivery)
        else:
            self.send(delivery)

    def offer(self, delivery: Delivery) -> None:
        """Ask the receiving State to accept the conditions."""
        ask = self.open_ask(AskKind.ACCEPT, frozenset({delivery.state}))
        self.guard(replace(delivery, is_offered=True, is_settled=False), ask)

    def ask_approver(self, delivery: Delivery) -> None:
        """Ask the role that the law names for its approval."""
        terms = delivery.terms
        ask = self.open_ask(
            AskKind.APPROVE, frozenset({delivery.state}), role=terms.approver, needed=terms.approvers_needed
        )
        self.guard(delivery, ask)

    def ask_again(self, delivery: Delivery) -> None:
        """Ask an officer of this State what to do with a delivery."""
        self.guard(delivery, self.open_ask(AskKind.REDECIDE, frozenset({delivery.state})))

    def send(self, delivery: Delivery) -> None:
        """Send a revision to a State: the item, or a correction of what it has."""
        earlier = self.find_sent(delivery.state)
        self.mark_sent(delivery)
        kind = NoticeKind.ITEM if earlier is None else NoticeKind.CORRECTION
        self.effects.append(Send(delivery.state, delivery.revision, kind, delivery.terms))

    def mark_sent(self, delivery: Delivery, said: Decided | None = None) -> None:
        """Note that a State has a revision. In an emergency, ask for written confirmation.

        Args:
            delivery: The delivery.
            said: The decision, if the gate has sent it: urgency and retention are those that it names.
        """
        earlier, base = self.find_sent(delivery.state), self._conversation
        if earlier is not None:
            self._deliveries[earlier.key] = replace(earlier, status=DeliveryStatus.REPLACED)
        retain_until, urgency = (base.retain_until, base.urgency) if said is None else (said.retain_until, said.urgency)
        sent = replace(delivery, status=DeliveryStatus.SENT, guards=frozenset(), ends_at=self._find_end(retain_until))
        self._deliveries[delivery.key] = sent
        if urgency is Urgency.EMERGENCY:
            self.open_ask(AskKind.CONFIRM_IN_WRITING, frozenset({delivery.state}), revision=delivery.revision)

    def extend_sent(self, delivery: Delivery, retain_until: int | None) -> None:
        """Note that the gate has sent again what a State has: it is not known here which of the two it keeps.

        It drops the later one as a repetition, unless it has refused or forgotten the first, or reads the later one
        first. Anything it may have can be recalled, so the later of the two retention limits counts.
        """
        ends_at = max(delivery.ends_at or 0, self._find_end(retain_until))
        self._deliveries[delivery.key] = replace(delivery, ends_at=ends_at)

    def _find_end(self, retain_until: int | None) -> int:
        return self.now + SENT_MS if retain_until is None else retain_until

    def close(self, delivery: Delivery) -> None:
        """End a delivery that was not sent. An earlier one that the State has is recalled: it must not be used."""
        self._deliveries[delivery.key] = replace(delivery, status=DeliveryStatus.CLOSED, guards=frozenset())
        earlier = self.find_sent(delivery.state)
        if earlier is not None:
            self.recall(earlier)

    def recall(self, delivery: Delivery) -> None:
        """Recall what a State has, and ask it to acknowledge that."""
        self._deliveries[delivery.key] = replace(delivery, status=DeliveryStatus.RECALLED)
        self.effects.append(Send(delivery.state, delivery.revision, NoticeKind.RECALL, delivery.terms))
        self.open_ask(AskKind.ACK_RECALL, frozenset({delivery.state}), revision=delivery.revision)

    def forget_old(self) -> None:
        """Forget what ended in old revisions, so that an item with many of them does not grow without limit."""
        for ask_id in list_forgotten_asks(self.asks, self._conversation.revision, self.now):
            del self._asks[ask_id]
        for key in list_forgotten_deliveries(self._deliveries, self.asks):
            del self._deliveries[key]

    def cancel_waiting(self, states: frozenset[str] | None = None) -> None:
        """End deliveries that wait, to some States or to all, and cancel the Asks that no delivery waits for."""
        for delivery in list(self._deliveries.values()):
            if delivery.status is DeliveryStatus.WAITING and (states is None or delivery.state in states):
                self._deliveries[delivery.key] = replace(delivery, status=DeliveryStatus.CLOSED, guards=frozenset())
        for ask in self.asks:
            if ask.is_open and ask.kind in GUARDING and not self.find_guarded(ask):
                self.change_ask(replace(ask, status=AskStatus.CANCELLED))
