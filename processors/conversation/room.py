"""How much of one State may wait here: anything beyond that is refused, with an alert, and changes nothing.

The bounds of one item keep its entry small (`sharing.conversation.received_bounds`); those of a partition keep the
store small, and the list of questions readable. A recall of something that is here is always accepted.
"""

from __future__ import annotations

from typing import Final

from processors.inbox.refusals import RefusalError
from sharing.conversation.received_bounds import (
    COPIES_MAX,
    WAITING_MAX,
    count_waiting_offers,
    list_ended_by_recall,
)
from sharing.conversation.received_events import NoticeReceived, OfferReceived, OfferWithdrawn, ReceivedEvent
from sharing.conversation.received_item import ReceivedItem
from sharing.model.vocabulary import NoticeKind

OPEN_MAX: Final = 10_000
"""How much of one State may wait in one partition: open Asks, and replies to and withdrawals of what is not known
yet."""

RECALLS_MAX: Final = 2 * OPEN_MAX
"""How much of one State may wait before a recall of something that is not here is refused: more than for offers, so
that offers leave room for recalls."""


def require_room(event: ReceivedEvent, kept: ReceivedItem, waiting: int) -> None:
    """Refuse a message about an item of another State if too much of that State is waiting or stored here.

    A message that adds nothing to what waits is always accepted. So is a recall of something that is here: an item or
    an offer. A recall may also come before its item, which it keeps out; there is limited room for these.

    Args:
        event: What the message does to the item.
        kept: What is known about the item.
        waiting: How much of that State is waiting in the partition.

    Raises:
        RefusalError: It is refused.
    """
    match event:
        case OfferReceived() | OfferWithdrawn() if event.ask not in kept.asks:
            _require_item_room(kept, is_copy=isinstance(event, OfferReceived))
            _require_partition_room(waiting, kept.from_state, OPEN_MAX)
        case NoticeReceived(kind=NoticeKind.RECALL) if not _is_taken(event, kept):
            _require_partition_room(waiting, kept.from_state, RECALLS_MAX)
        case NoticeReceived(kind=NoticeKind.ITEM | NoticeKind.CORRECTION):
            _require_copies_room(kept)
        case _:
            pass


def require_reply_room(waiting: int, from_state: str) -> None:
    """Refuse a reply to an Ask that is not known yet if too much of that State is waiting in the partition.

    Raises:
        RefusalError: It is refused.
    """
    _require_partition_room(waiting, from_state, OPEN_MAX)


def _is_taken(event: NoticeReceived, kept: ReceivedItem) -> bool:
    """Return whether a recall is known, ends an Ask, or recalls something here that was not recalled before."""
    if event.ask in kept.asks or list_ended_by_recall(kept, event.revision):
        return True
    return any(not copy.is_recall and kept.recalled < copy.revision <= event.revision for copy in kept.inbox)


def _require_item_room(kept: ReceivedItem, *, is_copy: bool) -> None:
    if count_waiting_offers(kept) >= WAITING_MAX:
        raise RefusalError(
            "TOO_MANY_OPEN",
            f"{kept.from_state}: {WAITING_MAX} offers of one item are waiting; that State's further offers are "
            "refused until people have answered some or they have expired",
        )
    if is_copy:
        _require_copies_room(kept)


def _require_copies_room(kept: ReceivedItem) -> None:
    if len(kept.inbox) >= COPIES_MAX:
        raise RefusalError(
            "TOO_MANY_OPEN",
            f"{kept.from_state}: {COPIES_MAX:,} messages about one item are in the inbox; further ones are refused "
            "until that State has recalled the item and an officer has acknowledged the recall",
        )


def _require_partition_room(waiting: int, from_state: str, limit: int) -> None:
    if waiting >= limit:
        raise RefusalError(
            "TOO_MANY_OPEN",
            f"{from_state}: {limit:,} Asks or replies of that State are waiting in this partition; further ones are "
            "refused until people have answered some or they have expired",
        )
