"""How much is remembered about one item of another State, no matter what that State sends about it, or how often.

The entry of an item is decoded and written whenever something about it arrives. Without bounds, one State could make
an entry so large that nothing more could be stored about the item, not even that its recall was acknowledged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sharing.conversation.revision import NO_REVISION
from sharing.conversation.vocabulary import AskKind

if TYPE_CHECKING:
    from sharing.conversation.asks import Ask
    from sharing.conversation.received_item import ReceivedItem
    from sharing.conversation.revision import Revision

ENDED_MAX: Final = 64
"""How many Asks about one item are remembered after they have ended: the most recent ones."""

OPEN_RECALLS_MAX: Final = 16
"""How many recalls of one item may wait to be acknowledged: a further one replaces the first.

Nothing is lost: what is recalled stays recalled, and the other State asks again if nobody has acknowledged it.
"""

WAITING_MAX: Final = 64
"""How many offers of one item may wait, including withdrawals that came before their offers. A gate makes one offer at
a time."""

COPIES_MAX: Final = 2_000
"""How many messages about one item may be in the inbox: five revisions a day, for the year that it keeps them.

They are deleted one by one when the item is recalled, so none of them may be forgotten earlier.
"""


def forget_ended(received: ReceivedItem, now: int) -> ReceivedItem:
    """Return the item without Asks that ended long ago, and without more of the others than are remembered.

    Args:
        received: The item.
        now: The time, in UTC milliseconds.
    """
    ended = [ask.id for ask in received.asks.values() if not ask.is_open and ask.revision != NO_REVISION]
    forgotten = {ask.id for ask in received.asks.values() if ask.is_forgettable(now)} | {*ended[:-ENDED_MAX]}
    if not forgotten:
        return received
    return replace(
        received,
        asks={ask_id: ask for ask_id, ask in received.asks.items() if ask_id not in forgotten},
        results={ask_id: result for ask_id, result in received.results.items() if ask_id not in forgotten},
        conditions={ask_id: digest for ask_id, digest in received.conditions.items() if ask_id not in forgotten},
        inbox=tuple(copy for copy in received.inbox if not (copy.is_recall and copy.message in forgotten)),
    )


def list_ended_by_recall(received: ReceivedItem, revision: Revision) -> list[Ask]:
    """Return the open Asks that a recall of a revision ends: the offers up to it, and its own Ask.

    The other State repeats the same recall under a different id, and no longer waits for an answer under the first. If
    too many recalls of other revisions are waiting, the first of them ends too.
    """
    waiting = [ask for ask in received.asks.values() if ask.is_open]
    ended = [ask for ask in waiting if ask.kind is AskKind.ACCEPT and ask.revision <= revision]
    recalls = [ask for ask in waiting if ask.kind is AskKind.ACK_RECALL]
    ended += [ask for ask in recalls if ask.revision == revision]
    others = [ask for ask in recalls if ask.revision != revision]
    return ended + others[: max(0, len(others) + 1 - OPEN_RECALLS_MAX)]


def count_waiting_offers(received: ReceivedItem) -> int:
    """Return how many offers of the item are waiting for an answer, or were withdrawn before they came."""
    open_offers = sum(ask.is_open and ask.kind is AskKind.ACCEPT for ask in received.asks.values())
    return open_offers + received.count_early()
