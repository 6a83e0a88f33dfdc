"""Why the content of an item is not shown, in a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.desk.contents.access import HiddenReason

HIDDEN_WORDS: Final[Mapping[HiddenReason, str]] = MappingProxyType(
    {
        HiddenReason.NOT_AN_OFFICER: "The register does not name you as an officer of this State now. Ask a registrar.",
        HiddenReason.NOT_ADDRESSED: (
            "No open question about this item is addressed to you, and you did not publish it, so you cannot see the "
            "content."
        ),
        HiddenReason.NOT_KEPT: (
            "No copy of it is kept any more: no State has it or waits for it. Its agency has the content."
        ),
        HiddenReason.NO_KEYS: (
            "The copy is sealed, and this desk does not have the wrapping keys of the State. Tell the operator to set "
            "SHARING_KEY_FOLDER."
        ),
        HiddenReason.UNSEALED: (
            "The copy is not sealed, and a State with keys accepts nothing unsealed. Tell the operator."
        ),
        HiddenReason.NOT_OPENED: (
            "The newest copy does not open, or is not what it should be. Tell the operator; the log of the desk says "
            "why."
        ),
        HiddenReason.NO_READER_KEY: (
            "The inbox is sealed, and this desk has no reader's key. Tell the operator to set SHARING_READER_KEY."
        ),
        HiddenReason.NOT_READ_YET: "The inbox is still being read. Load the page again in a moment.",
        HiddenReason.NOT_DELIVERED: (
            "It was not delivered: it was offered, and the content comes once its conditions are accepted."
        ),
        HiddenReason.RECALLED: "It was recalled: it must not be used any more. Delete what was copied from it.",
        HiddenReason.EXPIRED: (
            "The time is over until which it may be kept. It must not be used any more; delete what was copied from it."
        ),
        HiddenReason.SHREDDED: (
            "Its copies were made unreadable, after a recall or because the time is over until which it may be kept."
        ),
        HiddenReason.NOT_RECORDED: (
            "Who sees content must be recorded, and the broker did not confirm that. Load the page again when the "
            "broker is back."
        ),
    }
)
"""Each reason, as a message of the catalogue."""
