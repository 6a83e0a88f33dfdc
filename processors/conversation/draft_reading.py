"""What a draft of the gate says: the item as it was decided, and the decision for each State."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sharing.disclosure.decided import read_recipient
from sharing.errors import DecodeError
from sharing.ids import make_item_id
from sharing.model.decision import RecipientDecision
from sharing.model.indicator_record import WireRecord
from sharing.model.times import to_milliseconds
from sharing.serialization.framing import Framing
from sharing.serialization.shared_tails import SharedTailDecoder


class ReadDraft(NamedTuple):
    """A draft.

    Attributes:
        item: Id of the item.
        record: The item. Other drafts share parts of it, so it must not be changed.
        recipients: The decisions on it. They include a State from which it is withheld only if people can supply the
            missing facts.
        decided_at: When, in UTC milliseconds.
        amendment: Number of the amendment of the version; 0 for what the agency published.
        is_corrected: Whether the amendment changes what States have received.
    """

    item: str
    record: WireRecord
    recipients: tuple[RecipientDecision, ...]
    decided_at: int
    amendment: int
    is_corrected: bool


class _DraftTail(NamedTuple):
    """What many drafts have in common: everything except the item."""

    action: str
    state: str
    recipients: tuple[RecipientDecision, ...]
    amendment: int
    is_corrected: bool


def _make_draft_tail(fields: dict[str, Any]) -> _DraftTail:
    recipients = tuple(map(read_recipient, fields["recipients"]))
    return _DraftTail(fields["action"], fields["state"], recipients, fields["amendment"], fields["is_corrected"])


def _keep_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return fields


_DRAFTS: Final = SharedTailDecoder("draft", "amendment", _make_draft_tail)
_ITEMS: Final = SharedTailDecoder("indicator", "summary", _keep_fields)


def read_draft(opened: bytes | None, state: str, framing: Framing) -> ReadDraft:
    """Return what a draft says.

    Args:
        opened: The draft, in clear.
        state: The State.
        framing: How records are framed.

    Raises:
        DecodeError: It is malformed, belongs to another State, or contradicts the item in it.
    """
    head, tail = _DRAFTS.decode(framing.to_single_object(opened))
    item, shared = _ITEMS.decode(framing.to_single_object(head["content"]))
    record = {**item, **shared}
    source = record["source"]
    # The officer decides who may approve (four eyes), so the draft and the item in it must name the same one.
    stated = (head["indicator_id"], head["version"], tail.action, head["officer"], tail.state)
    expected = (record["id"], record["version"], record["action"], source["officer"], state)
    if stated != expected or tail.amendment < 0:
        raise DecodeError(
            "the draft does not match the item in it, or belongs to another State; find out who wrote it",
            cause="INCONSISTENT",
        )
    return ReadDraft(
        item=make_item_id(state, source["agency"], record["id"]),
        record=record,
        recipients=tail.recipients,
        decided_at=to_milliseconds(head["decided_at"]),
        amendment=tail.amendment,
        is_corrected=tail.is_corrected,
    )
