"""The providing State's side of a conversation as a value: the deliveries of an item, and the Asks about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sharing.conversation.asks import REMEMBERED_MS, Ask, Publisher, find_next_due
from sharing.conversation.events import Replied
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import DeliveryStatus
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Urgency

DeliveryKey = tuple[str, Revision]
"""The receiving State, and the state of the item."""

EARLY_MS: Final = DAY_MS
"""How long a reply waits for its Ask: the gate has opened the Ask, but its draft has not been read yet."""

SENT_MS: Final = 365 * DAY_MS
"""How long a State has what was sent to it without a retention limit: an inbox does not keep it for longer."""

FORGOTTEN_MS: Final = REMEMBERED_MS
"""How long after `Conversation.changed_at` an item is forgotten if no State has any of it and no Ask is open.

Until then, messages that refer to it may arrive; this is twice the age at which messages of other States are refused.
An item that a State has is not forgotten: it can be recalled.
"""

PENDING_MS: Final = DAY_MS
"""How long the gate may take to decide on an amendment. It does not report here what it has refused."""

_NOBODY: Final = Publisher("", None)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of one revision of an item to one State.

    Attributes:
        state: The receiving State.
        revision: The revision.
        terms: The terms under which the Asks were opened or it was sent.
        status: Its status.
        guards: Ids of the Asks that have no releasing answer yet. Never empty while it waits.
        approved: The roles that have approved it.
        is_offered: Whether the receiving State was asked to accept its conditions.
        is_settled: Whether its conditions are accepted, or an officer has decided to provide it without acceptance.
        ends_at: For a delivery that was sent: when the receiving State will have deleted it on its own, in UTC
            milliseconds; None until then.
    """

    state: str
    revision: Revision
    terms: Terms
    status: DeliveryStatus
    guards: frozenset[str] = frozenset()
    approved: frozenset[str] = frozenset()
    is_offered: bool = False
    is_settled: bool = False
    ends_at: int | None = None

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
        handed_out: The highest number of an amendment of the newest version that was handed to the gate.
        handed_out_at: When that was, in UTC milliseconds; 0 if none was, or if people were notified that the gate has
            not decided on it in time.
        early: Replies whose Ask is not known yet, in the order in which they came.
        rulings: When the rulings that must not count again expire, in UTC milliseconds, by their digest.
        changed_at: When it last changed, or was last told that the gate has sent the item, in UTC milliseconds.
        indicator: Id of the indicator: the key of what is sent about the item.
        retain_until: Until when the newest revision may be kept, in UTC milliseconds; None without a limit.
    """

    item: str
    state: str
    revision: Revision = NO_REVISION
    publisher: Publisher = _NOBODY
    urgency: Urgency = Urgency.ORDINARY
    deliveries: Mapping[DeliveryKey, Delivery] = field(default_factory=dict)
    asks: Mapping[str, Ask] = field(default_factory=dict)
    handed_out: int = 0
    handed_out_at: int = 0
    early: tuple[Replied, ...] = ()
    rulings: Mapping[str, int] = field(default_factory=dict)
    changed_at: int = 0
    indicator: str = ""
    retain_until: int | None = None

    def list_deliveries(self, status: DeliveryStatus) -> Iterator[Delivery]:
        """Yield the deliveries with a status."""
        return (delivery for delivery in self.deliveries.values() if delivery.status is status)


def due(conversation: Conversation) -> int | None:
    """Return when time alone changes something next, in UTC milliseconds; None if never."""
    instants = [find_next_due(conversation.asks.values()), _find_end(conversation), find_pending_end(conversation)]
    instants += [reply.at + EARLY_MS for reply in conversation.early]
    return min((instant for instant in instants if instant is not None), default=None)


def find_pending_end(conversation: Conversation) -> int | None:
    """Return until when the gate may decide on the last amendment, in UTC milliseconds; None if it need not."""
    is_pending = conversation.handed_out > conversation.revision.amendment and conversation.handed_out_at > 0
    return conversation.handed_out_at + PENDING_MS if is_pending else None


def is_forgettable(conversation: Conversation, now: int) -> bool:
    """Return whether, at a time in UTC milliseconds, nothing about an item needs to be known any longer."""
    end = _find_end(conversation)
    return end is not None and end <= now


def _find_end(conversation: Conversation) -> int | None:
    """Return when the item can be forgotten, in UTC milliseconds; None while anything is open or a State has it."""
    if conversation.early or any(ask.is_open for ask in conversation.asks.values()):
        return None
    if any(conversation.list_deliveries(DeliveryStatus.WAITING)):
        return None
    # Nothing was ever decided about an item of which only replies are known.
    end = conversation.changed_at + (0 if conversation.revision == NO_REVISION else FORGOTTEN_MS)
    sent = conversation.list_deliveries(DeliveryStatus.SENT)
    return max([end, *(delivery.ends_at for delivery in sent if delivery.ends_at is not None)])
