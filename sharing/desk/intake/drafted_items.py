"""Drafts of items that are there already: those of a file, and later versions of what was published."""

from __future__ import annotations

import json
from typing import Any

from sharing.desk.intake.answers import can_be_empty
from sharing.desk.intake.item_draft import TYPED_FIELDS, ItemBasics, ItemDraft
from sharing.law.fact_questions import QUESTIONS
from sharing.law.facts import FACTS
from sharing.model.indicator import Indicator
from sharing.model.indicator_record import WireRecord
from sharing.model.vocabulary import Action, Urgency


def draft_item(item: Indicator, indicator_id: str, **changes: Any) -> ItemDraft:
    """Return a draft with what an item states: what a page asks for as an answer, the rest as it is.

    Args:
        item: The item.
        indicator_id: The id that the draft gets.
        **changes: Other fields of the draft.
    """
    fields: dict[str, Any] = json.loads(item.to_json())
    typed = {name: fields[name] for name in TYPED_FIELDS if fields[name]}
    if item.urgency is Urgency.UNKNOWN:
        del typed["urgency"]
    reasons = {nexus.reason for nexus in item.nexus}
    basics = ItemBasics(
        type=item.type,
        value=item.value,
        case=item.source.case or "",
        nexus=", ".join(dict.fromkeys(nexus.state for nexus in item.nexus)),
        nexus_reason=item.nexus[0].reason if len(reasons) == 1 else "",
        modus_operandi=", ".join(item.offence.modus_operandi),
        handling=tuple(item.handling),
        **typed,
    )
    kept: dict[str, Any] = {}
    if item.grading.admiralty:
        kept["grading"] = {"admiralty": item.grading.admiralty}
    if len(reasons) > 1:  # a page has one reason for all: each State keeps its own
        kept["nexus"] = fields["nexus"]
    if fields["review_at"]:
        kept["review_at"] = fields["review_at"]
    return ItemDraft(indicator_id=indicator_id, basics=basics, answers=find_answers(fields), kept=kept, **changes)


def draft_version(record: WireRecord, action: Action, reason: str = "") -> ItemDraft:
    """Return the draft of the next version of an item that was published.

    Args:
        record: The item, as the Avro schema `Indicator` describes it.
        action: SUPERSEDE, or WITHDRAW.
        reason: Why it is withdrawn.

    Raises:
        InputError: The item is not valid in this release.
    """
    item = Indicator.parse(dict(record))
    return draft_item(item, item.id, version=item.version + 1, action=action, reason=reason)


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
