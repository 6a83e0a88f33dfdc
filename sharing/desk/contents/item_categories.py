"""The category of an item: the group of its type, as an offer names it to another State, such as FINANCE."""

from __future__ import annotations

from sharing.console.inbox_items import InboxItem
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import MessageKind
from sharing.serialization.codec import get_codec


def find_category(type_name: str | None) -> str | None:
    """Return the category of a type; None if this release does not know the type."""
    kind = VALUE_TYPES.get(type_name or "")
    return None if kind is None else kind.group.value


def find_inbox_category(item: InboxItem) -> str | None:
    """Return the category of a received item; None if it is not known, and for a recall, which has no content."""
    if item.kind is MessageKind.OFFER:
        return str(item.fields["category"])
    try:
        content = get_codec("notice_content").decode(item.fields["content"])
    except (ValueError, TypeError):  # of another version: its page says so
        return None
    return find_category(content["type"])
