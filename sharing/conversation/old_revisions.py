"""What is forgotten of the old revisions of an item, so that one with many of them does not grow without limit.

What a State has is kept, however old it is: it can be recalled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from sharing.conversation.asks import Ask
from sharing.conversation.deliveries import Delivery, DeliveryKey
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import DeliveryStatus

KEPT_REVISIONS: Final = 8
"""For how many revisions of an item the ended deliveries are kept."""

_ENDED: Final = frozenset({DeliveryStatus.REPLACED, DeliveryStatus.RECALLED, DeliveryStatus.CLOSED})


def list_forgotten_asks(asks: Collection[Ask], newest: Revision, now: int) -> list[str]:
    """Return the ids of the Asks about older revisions that ended long ago.

    Args:
        asks: All Asks about the item.
        newest: The newest revision.
        now: The time, in UTC milliseconds.
    """
    return [ask.id for ask in asks if ask.revision < newest and ask.is_forgettable(now)]


def list_forgotten_deliveries(deliveries: Mapping[DeliveryKey, Delivery], asks: Collection[Ask]) -> list[DeliveryKey]:
    """Return the ended deliveries of old revisions that no Ask is about.

    Args:
        deliveries: All deliveries of the item.
        asks: The Asks about it that are remembered.
    """
    revisions = sorted({revision for _, revision in deliveries}, reverse=True)
    kept = frozenset(revisions[:KEPT_REVISIONS])
    asked = {(state, ask.revision) for ask in asks for state in ask.recipients}
    return [
        key
        for key, delivery in deliveries.items()
        if delivery.status in _ENDED and key[1] not in kept and key not in asked
    ]
