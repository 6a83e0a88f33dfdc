"""Who may see the content of an item, and why others may not. Unknown means hidden."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sharing.conversation.asks import Publisher
from sharing.officers.entry import OfficerEntry


class HiddenReason(StrEnum):
    """Why the content of an item is not shown.

    Attributes:
        NOT_AN_OFFICER: The officer's entry is not in force, or another State's.
        NOT_ADDRESSED: Of an own item: no open Ask addresses the officer, who has not published it either.
        NOT_KEPT: Of an own item: no copy of it is kept.
        NO_KEYS: Of an own item: the desk does not have the State's wrapping keys.
        UNSEALED: Of an own item: the copy is not sealed, and a State with keys accepts nothing unsealed.
        NOT_OPENED: A copy does not open, or is not what it should be.
        NO_READER_KEY: Of a received item: the desk has no reader's key.
        NOT_READ_YET: Of a received item: the inbox was not read to its end yet.
        NOT_DELIVERED: Of a received item: it was offered, and not sent.
        RECALLED: Of a received item: it must not be used any more.
        EXPIRED: The time is over until which it may be kept.
        SHREDDED: Of a received item: its copies were made unreadable.
        NOT_RECORDED: The view could not be recorded.
    """

    NOT_AN_OFFICER = "NOT_AN_OFFICER"
    NOT_ADDRESSED = "NOT_ADDRESSED"
    NOT_KEPT = "NOT_KEPT"
    NO_KEYS = "NO_KEYS"
    UNSEALED = "UNSEALED"
    NOT_OPENED = "NOT_OPENED"
    NO_READER_KEY = "NO_READER_KEY"
    NOT_READ_YET = "NOT_READ_YET"
    NOT_DELIVERED = "NOT_DELIVERED"
    RECALLED = "RECALLED"
    EXPIRED = "EXPIRED"
    SHREDDED = "SHREDDED"
    NOT_RECORDED = "NOT_RECORDED"


@dataclass(frozen=True, slots=True)
class ReceivedStatus:
    """Where a received item stands.

    Attributes:
        is_indexed: Whether the inbox was read to its end.
        is_in_inbox: Whether a notice of it with content is in the inbox.
        is_newest: Whether that is the newest that the worker has put there.
        was_in_inbox: Whether one was, as the worker keeps it.
        is_recalled: Whether the newest revision is recalled.
        retain_until: Until when it may be kept, in UTC milliseconds; None without a limit.
    """

    is_indexed: bool
    is_in_inbox: bool
    is_newest: bool
    was_in_inbox: bool
    is_recalled: bool
    retain_until: int | None


def find_own_bar(
    officer: OfficerEntry, state: str, publisher: Publisher, now: int, *, is_addressed: bool
) -> HiddenReason | None:
    """Return why an officer may not see the content of an item of the State's own; None if he or she may.

    Args:
        officer: The officer.
        state: The State.
        publisher: Who published the item.
        now: The time in UTC milliseconds.
        is_addressed: Whether an open Ask about the item addresses the officer.
    """
    if not _is_officer(officer, state, now):
        return HiddenReason.NOT_AN_OFFICER
    return None if is_addressed or is_publisher(officer, publisher) else HiddenReason.NOT_ADDRESSED


def is_publisher(officer: OfficerEntry, publisher: Publisher) -> bool:
    """Return whether an officer has published an item.

    An item names an officer by whatever id its agency uses, so the agency must be the officer's own, too.
    """
    return publisher.officer is not None and (publisher.officer, publisher.agency) == (officer.id, officer.agency)


def find_received_bar(officer: OfficerEntry, state: str, status: ReceivedStatus, now: int) -> HiddenReason | None:
    """Return why an officer may not see the content of an item of another State; None if he or she may.

    Args:
        officer: The officer.
        state: The receiving State.
        status: Where the item stands.
        now: The time in UTC milliseconds.
    """
    if not _is_officer(officer, state, now):
        return HiddenReason.NOT_AN_OFFICER
    if not status.is_indexed:
        return HiddenReason.NOT_READ_YET
    if status.is_recalled:
        return HiddenReason.RECALLED
    if status.retain_until is not None and status.retain_until <= now:
        return HiddenReason.EXPIRED
    if not status.is_in_inbox:
        return HiddenReason.SHREDDED if status.was_in_inbox else HiddenReason.NOT_DELIVERED
    return None if status.is_newest else HiddenReason.NOT_OPENED


def _is_officer(officer: OfficerEntry, state: str, now: int) -> bool:
    return officer.state == state and officer.is_in_force(now)
