"""Received notices and offers as a list shows them: no content."""

from __future__ import annotations

from typing import Any, NamedTuple

from sharing.console.inbox_items import InboxItem
from sharing.console.recalls import Recalled, is_recalled
from sharing.model.times import format_time, to_milliseconds
from sharing.model.vocabulary import MessageKind


class InboxRow(NamedTuple):
    """What is listed of an item of the inbox.

    Attributes:
        id: Id of the notice or offer.
        kind: OFFER, ITEM, CORRECTION or RECALL.
        received_at: When the worker verified it, in UTC milliseconds.
        fields: The fields that tell whether it is recalled, and what binds.
    """

    id: str
    kind: str
    received_at: int
    fields: dict[str, Any]

    def to_json(self, recalled: Recalled) -> dict[str, Any]:
        """Return it as JSON."""
        fields = self.fields
        return {
            "id": self.id,
            "kind": self.kind,
            "from": fields["from_state"],
            "item_id": fields["item_id"],
            "version": fields["version"],
            "amendment": fields["amendment"],
            "urgency": fields["urgency"],
            "sent_at": format_time(to_milliseconds(fields["sent_at"])),
            "received_at": format_time(self.received_at),
            "conditions": fields["conditions"],
            "until": None if self.until is None else format_time(self.until),
            "recalled": is_recalled(recalled, fields),
        }

    @property
    def until(self) -> int | None:
        """Until when an offer can be answered, or an item be kept, in UTC milliseconds; None without a limit."""
        instant = self.fields["until"]
        return None if instant is None else to_milliseconds(instant)


def make_inbox_row(item: InboxItem) -> InboxRow:
    """Return what is listed of an item of the inbox."""
    fields, is_offer = item.fields, item.kind is MessageKind.OFFER
    names = ("from_state", "item_id", "version", "amendment", "urgency", "sent_at")
    kept: dict[str, Any] = {name: fields[name] for name in names}
    kept["conditions"] = [condition["code"] for condition in fields["conditions"]]
    kept["until"] = fields["expires_at"] if is_offer else fields["retain_until"]
    return InboxRow(item.id, "OFFER" if is_offer else str(fields["kind"]), item.received_at, kept)
