"""What is known about one item of another State."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sharing.conversation.asks import Ask
from sharing.conversation.received_events import InboxCopy
from sharing.conversation.revision import NO_REVISION, Revision


@dataclass(frozen=True, slots=True)
class ReceivedItem:
    """Everything about one item of another State.

    Attributes:
        item: Id of the item.
        from_state: The providing State.
        state: The receiving State, which is this State.
        revision: The newest revision that was put into the inbox.
        recalled: The last revision that is recalled. Nothing up to it is readable or will become readable.
        asks: The Asks to this State's people, by the id that the other State gave them.
        results: What became of the replies, by Ask.
        conditions: Hashes of the conditions that were offered, by Ask.
        inbox: The messages about it that are in the inbox.
        retain_until: Until when the newest revision may be kept, in UTC milliseconds; None without a limit.
        rulings: When the rulings that must not count again expire, in UTC milliseconds, by their digest.
        changed_at: When it last changed, in UTC milliseconds.
    """

    item: str
    from_state: str
    state: str
    revision: Revision = NO_REVISION
    recalled: Revision = NO_REVISION
    asks: Mapping[str, Ask] = field(default_factory=dict)
    results: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    inbox: tuple[InboxCopy, ...] = ()
    retain_until: int | None = None
    rulings: Mapping[str, int] = field(default_factory=dict)
    changed_at: int = 0

    def has_in_inbox(self, message: str) -> bool:
        """Return whether a message is in the inbox."""
        return any(copy.message == message for copy in self.inbox)

    def count_open(self) -> int:
        """Return how many Asks are open."""
        return sum(ask.is_open for ask in self.asks.values())

    def count_early(self) -> int:
        """Return how many withdrawals have come before their offers."""
        return sum(ask.revision == NO_REVISION for ask in self.asks.values())
