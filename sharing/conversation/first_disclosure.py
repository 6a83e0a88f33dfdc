"""The most common event by far: the first decision on an item that the gate has disclosed and sent to all its States.

It opens no Ask and has no effect: all that must be known afterwards is which States have the item. So the result that a
`Turn` would reach step by step is built at once. A test compares the two for every decision of this kind.
"""

from __future__ import annotations

from sharing.conversation.deliveries import SENT_MS, Conversation, Delivery
from sharing.conversation.events import Decided
from sharing.conversation.revision import NO_REVISION
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.model.vocabulary import Outcome, Urgency


def begin_disclosed(before: Conversation, event: Decided, now: int) -> Conversation | None:
    """Return the state after the first decision on an item; None if anything about it needs a closer look.

    Args:
        before: What was known of the item.
        event: The decision.
        now: The time, in UTC milliseconds.
    """
    if (
        event.terms is None
        or not event.is_sent
        or event.urgency is Urgency.EMERGENCY  # written confirmation is asked for
        or before.revision != NO_REVISION
        or event.revision <= NO_REVISION
        or before.early
        or before.asks
        or before.deliveries
        or any(terms.outcome is not Outcome.DISCLOSE for terms in event.terms)
    ):
        return None
    revision = event.revision
    ends_at = now + SENT_MS if event.retain_until is None else event.retain_until
    return Conversation(
        item=before.item,
        state=before.state,
        revision=revision,
        publisher=event.publisher,
        urgency=event.urgency,
        deliveries={
            (terms.state, revision): Delivery(terms.state, revision, terms, DeliveryStatus.SENT, ends_at=ends_at)
            for terms in event.terms
        },
        handed_out=before.handed_out if revision.version == NO_REVISION.version else 0,
        handed_out_at=before.handed_out_at,
        rulings=before.rulings,
        changed_at=now,
        indicator=event.indicator or before.indicator,
        retain_until=event.retain_until,
    )
