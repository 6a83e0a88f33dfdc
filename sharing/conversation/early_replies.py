"""Replies of other States that arrived before the Asks that they answer are known here.

The gate offers an item, and the conversation learns of the offer from a different topic. So an answer to the offer may
be read before the offer. It then waits for its Ask, for a bounded time.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final, final

from sharing.conversation.deliveries import EARLY_MS
from sharing.conversation.events import Replied

EARLY_MAX: Final = 4
"""How many replies of one State may wait for their Asks, for one item. The gate asks a State one question at a time."""


@final
class EarlyReplies:
    """The replies about one item that wait for their Asks.

    Args:
        replies: Those that wait already, in the order in which they arrived.
    """

    def __init__(self, replies: Iterable[Replied]) -> None:
        self._replies: list[Replied] = list(replies)

    def to_tuple(self) -> tuple[Replied, ...]:
        """Return the replies that wait, in the order in which they arrived."""
        return tuple(self._replies)

    def keep(self, reply: Replied) -> bool:
        """Let a reply wait. Return False if too many replies of its State are waiting."""
        if self._is_repeated(reply):
            return True
        if sum(early.state == reply.state for early in self._replies) >= EARLY_MAX:
            return False
        self._replies.append(reply)
        return True

    def take_known(self, asks: Container[str]) -> list[Replied]:
        """Remove the replies to these Asks, by their ids, and return them."""
        taken = [reply for reply in self._replies if reply.ask in asks]
        self._replies = [reply for reply in self._replies if reply.ask not in asks]
        return taken

    def take_ended(self, now: int) -> list[Replied]:
        """Remove the replies that have waited for `EARLY_MS` or longer at this time, and return them.

        Args:
            now: The time, in UTC milliseconds.
        """
        taken = [reply for reply in self._replies if reply.at + EARLY_MS <= now]
        self._replies = [reply for reply in self._replies if reply.at + EARLY_MS > now]
        return taken

    def _is_repeated(self, reply: Replied) -> bool:
        """Return whether the same reply is already waiting, even if it arrived at a different time."""
        answered = (reply.ask, reply.state, reply.answer)
        return any((early.ask, early.state, early.answer) == answered for early in self._replies)
