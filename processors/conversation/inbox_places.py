"""Whether a message of another State is put into the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.conversation.received_item import ReceivedItem
from sharing.model.urgency import URGENT_LEVELS

if TYPE_CHECKING:
    from processors.conversation.steps import ConversationBatch, Kept
    from sharing.seal.inbox_sealing import ReceivedMessage


def is_for_inbox(message: ReceivedMessage, before: Kept, after: Kept, batch: ConversationBatch) -> bool:
    """Return whether a message is put into the inbox, given the change in what is stored about its item.

    Ids of messages are remembered for a month, and what an item has in the inbox for as long as it is there. A message
    that comes again after a month is already in the inbox; its content may differ if its agency has published the item
    again, for example with a new deadline or urgency. So it is put there again only if the State's own key under which
    it was sealed for the readers may have been revoked, and only in the same place: elsewhere it would be missed when
    the copies of the item are destroyed.

    Args:
        message: The message.
        before: What was stored about the item.
        after: What is stored after the message.
        batch: The batch.
    """
    if not isinstance(before, ReceivedItem) or not isinstance(after, ReceivedItem):
        return False
    is_urgent = message.urgency in URGENT_LEVELS
    is_there = any(copy.message == message.id and copy.is_urgent is is_urgent for copy in after.inbox)
    return is_there and (batch.seals_again or not before.has_in_inbox(message.id))
