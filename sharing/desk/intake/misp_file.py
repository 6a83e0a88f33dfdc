"""Items from a MISP file: one draft for each value, and a reason for each that is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sharing._publisher import new_id
from sharing.desk.intake.answers import can_be_empty
from sharing.desk.intake.item_draft import ItemBasics, ItemDraft
from sharing.errors import InputError
from sharing.ids import make_content_id, make_imported_id
from sharing.interop.files import read_bytes
from sharing.interop.import_context import FileFormat, ImportContext, PublisherIdentity
from sharing.interop.import_results import UnpublishedEntry
from sharing.interop.publishing_profile import PublishingProfile, ToIds
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS
from sharing.model.indicator import Indicator

ITEMS_MAX: Final = 200
"""How many items of a file an officer can go through here; more are for `sharing publish`."""

_TYPED: Final = ("summary", "handling_text", "tlp", "pap", "urgency_reason")


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
            f"the file has {len(found.indicators):,} items, more than the {ITEMS_MAX} that can be gone through here; "
            "split it, or publish it by `sharing publish` with a profile",
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
    """Return a draft with what the file states: what a page asks for as an answer, the rest as it is."""
    fields: dict[str, Any] = json.loads(item.to_json())
    typed = {name: fields[name] for name in _TYPED if fields[name]}
    if fields["observed_at"]:
        typed["observed_at"] = fields["observed_at"]
    basics = ItemBasics(
        type=item.type,
        value=item.value,
        nexus=", ".join(dict.fromkeys(nexus.state for nexus in item.nexus)),
        nexus_reason=item.nexus[0].reason if item.nexus else "",
        modus_operandi=", ".join(item.offence.modus_operandi),
        handling=tuple(item.handling),
        urgency="" if item.urgency == "UNKNOWN" else item.urgency,
        **typed,
    )
    answers = find_answers(fields)
    kept = {"grading": {"admiralty": item.grading.admiralty}} if item.grading.admiralty else {}
    return ItemDraft(
        indicator_id=item.id if has_id else new_id(), basics=basics, answers=answers, kept=kept, origin=place
    )


def find_answers(fields: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return what the JSON form of an item answers of what is asked; the urgency is typed."""
    found = {name: _find_answer(fields, name) for name in QUESTIONS if name != "urgency"}
    return {name: values for name, values in found.items() if values is not None}


def _find_answer(fields: dict[str, Any], name: str) -> tuple[str, ...] | None:
    outer, _, inner = name.partition(".")
    value = fields.get(outer)
    if inner:
        value = value.get(inner) if isinstance(value, dict) else None
    if value in (None, "UNKNOWN") or (value == [] and not can_be_empty(FACTS[name])):
        return None
    if isinstance(value, list):
        return tuple(map(str, value))
    return (f"{value:g}",) if isinstance(value, (int, float)) else (str(value),)
