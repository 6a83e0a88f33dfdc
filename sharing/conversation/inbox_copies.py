"""The messages about an item of another State that are in the inbox."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sharing.conversation.received_events import InboxCopy, Shred
from sharing.model.urgency import URGENT_LEVELS

if TYPE_CHECKING:
    from sharing.conversation.received_item import ReceivedItem
    from sharing.conversation.revision import Revision
    from sharing.model.vocabulary import Urgency


def put_copy(
    received: ReceivedItem, message: str, revision: Revision, urgency: Urgency, *, is_recall: bool = False
) -> ReceivedItem:
    """Return the item with a message that goes into the inbox.

    Args:
        received: The item.
        message: Id of the message.
        revision: The state of the item that it is about.
        urgency: Its urgency: it decides which inbox.
        is_recall: Whether it is a recall.
    """
    if received.has_in_inbox(message):
        return received
    copy = InboxCopy(message, revision, urgency in URGENT_LEVELS, is_recall)
    return replace(received, inbox=(*received.inbox, copy))


def shred_copies(received: ReceivedItem, up_to: Revision) -> tuple[ReceivedItem, Shred]:
    """Return the item without its copies up to a revision, and what destroys them."""
    shredded = tuple(copy for copy in received.inbox if copy.revision <= up_to and not copy.is_recall)
    kept = tuple(copy for copy in received.inbox if copy not in shredded)
    retain_until = None if received.revision <= up_to else received.retain_until
    return replace(received, inbox=kept, retain_until=retain_until), Shred(up_to, shredded)
