"""The providing State's side of a conversation as a value: the deliveries of an item, and the Asks about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sharing.conversation.asks import Ask, Publisher, find_next_due
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.model.vocabulary import Urgency

DeliveryKey = tuple[str, Revision]
"""The receiving State, and the state of the item."""

_NOBODY: Final = Publisher("", None)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one revision of an item to one State.

    Attributes:
        state: The receiving State.
        revision: The revision.
        terms: The terms under which the Asks are put, or under which it was sent.
        status: Where it stands.
        guards: Ids of the Asks that have no releasing answer yet. Never empty while it waits.
        approved: The roles that have approved it.
        is_offered: Whether its conditions were put to the receiving State.
        is_settled: Whether its conditions are accepted, or an officer has decided to provide it without acceptance.
    """

    state: str
    revision: Revision
    terms: Terms
    status: DeliveryStatus
    guards: frozenset[str] = frozenset()
    approved: frozenset[str] = frozenset()
    is_offered: bool = False
    is_settled: bool = False

    @property
    def key(self) -> DeliveryKey:
        """What identifies it within the item."""
        return self.state, self.revision


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything about one item.

    Attributes:
        item: Id of the item.
        state: The providing State.
        revision: The newest that the gate has decided.
        publisher: Who published it.
        urgency: Its urgency.
        deliveries: All deliveries.
        asks: All Asks, by id.
    """

    item: str
    state: str
    revision: Revision = NO_REVISION
    publisher: Publisher = _NOBODY
    urgency: Urgency = Urgency.ORDINARY
    deliveries: Mapping[DeliveryKey, Delivery] = field(default_factory=dict)
    asks: Mapping[str, Ask] = field(default_factory=dict)

    def list_deliveries(self, status: DeliveryStatus) -> Iterator[Delivery]:
        """Yield the deliveries with a status."""
        return (delivery for delivery in self.deliveries.values() if delivery.status is status)


def due(conversation: Conversation) -> int | None:
    """Return when time alone changes something next, in UTC milliseconds; None if never."""
    return find_next_due(conversation.asks.values())
