"""Items from a MISP file: one draft for each value, and a reason for each that is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sharing.clients.publisher import new_id
from sharing.desk.intake.drafted_items import draft_item
from sharing.desk.intake.item_draft import ItemDraft
from sharing.errors import InputError
from sharing.ids import make_content_id, make_imported_id
from sharing.interop.files import read_bytes
from sharing.interop.import_context import FileFormat, ImportContext, PublisherIdentity
from sharing.interop.import_results import UnpublishedEntry
from sharing.interop.publishing_profile import PublishingProfile, ToIds
from sharing.model.indicator import Indicator
from sharing.sentences import say

ITEMS_MAX: Final = 200
"""How many items of a file an officer can go through here; more are for `sharing publish`."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What is in a file.

    Attributes:
        drafts: An item for each value that can be published.
        refused: What cannot, with its place and the reason.
    """

    drafts: tuple[ItemDraft, ...]
    refused: tuple[UnpublishedEntry, ...]


def read_misp_file(
    content: bytes, name: str, state: str, agency: str, *, takes_context: bool = False, secret: bytes | None = None
) -> ReadFile:
    """Return the items in a MISP file.

    Args:
        content: The file.
        name: Its name, for messages.
        state: The publishing State.
        agency: Id of the agency that publishes.
        takes_context: Whether to take values that MISP marks as context, and not as indicators.
        secret: The agency's secret, of which the ids of the items are made, so that a file gives the same ones each
            time; None to make new ids.

    Raises:
        InputError: It is no MISP file, cannot be read, or has more items than an officer can go through here.
    """
    context = ImportContext(
        PublisherIdentity(state, agency),
        lambda identity: _make_id(identity, state, agency, secret),
        PublishingProfile(to_ids=ToIds.ANY if takes_context else ToIds.ONLY),
        format=FileFormat.MISP,
    )
    found = read_bytes(content, name, context)
    if len(found.indicators) > ITEMS_MAX:
        raise InputError(
            say(
                "the file has %(count)s items, more than the %(most)s that can be gone through here; split it, or "
                "publish it by `sharing publish` with a profile",
                count=format(len(found.indicators), ","),
                most=ITEMS_MAX,
            ),
            field="file",
        )
    drafts = tuple(
        _make_draft(placed.indicator, placed.position, has_id=secret is not None) for placed in found.indicators
    )
    return ReadFile(drafts, found.unpublished)


def _make_id(identity: Sequence[str], state: str, agency: str, secret: bytes | None) -> str:
    """Return the id of an item; without a secret, one by which a repeated value is recognised in this file only."""
    if secret is None:
        return make_content_id(json.dumps(list(identity)))
    return make_imported_id(secret, state, agency, identity)


def _make_draft(item: Indicator, place: str, *, has_id: bool) -> ItemDraft:
    """Return a draft with what the file states."""
    return draft_item(item, item.id if has_id else new_id(), origin=place)
