"""What holds of the deliveries that a worker keeps."""

from __future__ import annotations

from sharing.conversation.asks import Officer
from sharing.conversation.effects import Opened, Send
from sharing.conversation.events import RecallOrdered
from sharing.conversation.provider import advance
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import AskKind, DeliveryStatus
from sharing.conversation_state.entries import KeptConversation
from sharing.model.vocabulary import Outcome

_ARRIVED = {DeliveryStatus.SENT, DeliveryStatus.RECALLED}

RECALLER = Officer("anybody", "anywhere", frozenset({"RECALLS"}))


def check_known(kept: KeptConversation, recipient: str, newest: Revision) -> None:
    """What a State can read was sent to it, or is recalled and not yet acknowledged.

    A recall may overtake the correction that it recalls: then the version before can be read until it is acknowledged,
    whatever later version waits to be sent.
    """
    conversation = kept.conversation
    delivery = conversation.deliveries[recipient, newest]
    if delivery.status is DeliveryStatus.REPLACED:
        delivery = max(
            (each for each in conversation.deliveries.values() if each.state == recipient and each.status in _ARRIVED),
            key=lambda each: each.revision,
        )
        assert delivery.status is DeliveryStatus.RECALLED, "a State can read what was replaced"
    if delivery.status is not DeliveryStatus.SENT:
        asks = [
            ask for ask in conversation.asks.values()
            if ask.kind is AskKind.ACK_RECALL and ask.is_open and ask.state == recipient
            and ask.revision == delivery.revision
        ]  # fmt: skip
        assert delivery.status is DeliveryStatus.RECALLED, "a State can read what its provider thinks it has not"
        assert asks, "what is recalled can be read, and nobody waits for the acknowledgement"


def check_deliveries(kept: KeptConversation) -> None:
    """A State has at most one version, and whatever it has can be recalled."""
    conversation = kept.conversation
    sent = list(conversation.list_deliveries(DeliveryStatus.SENT))
    assert len({delivery.state for delivery in sent}) == len(sent), "a State has two versions"
    if not sent:
        return
    order = RecallOrdered(RECALLER, roles=RECALLER.roles)
    _, effects = advance(conversation, order, conversation.changed_at, lambda state: Terms(state, Outcome.WITHHOLD))
    recalled = {(each.state, each.revision) for each in effects if isinstance(each, Send)}
    asked = {
        (each.ask.state, each.ask.revision)
        for each in effects
        if isinstance(each, Opened) and each.ask.kind is AskKind.ACK_RECALL
    }
    assert recalled == asked == {delivery.key for delivery in sent}, "what was sent cannot be recalled"
