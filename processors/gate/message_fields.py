"""The fields of notices and offers: the gate writes what a decision discloses, the conversation what people release.

Both call these functions, so that a State gets the same fields from either. The gate encodes the fields that many items
share once (`processors.gate.encoded_tails`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from sharing.model.decision import RecipientDecision
from sharing.model.urgency import get_effective_urgency
from sharing.model.values import VALUE_TYPES

OFFENCE_CODES: Final = "offence_codes"
"""The field of an offer that a law may redact, by the name that redactions use."""


def build_notice_head(
    record: Mapping[str, Any], item_id: str, notice_id: str, now_ms: int, content: bytes
) -> dict[str, Any]:
    """Return the first fields of a notice, up to its content.

    Args:
        record: The item.
        item_id: Its id from `make_item_id`.
        notice_id: Id of the notice.
        now_ms: When it is sent, in UTC milliseconds.
        content: What may leave, as an encoded `NoticeContent`.
    """
    return {
        "id": notice_id,
        "indicator_id": record["id"],
        "item_id": item_id,
        "version": record["version"],
        "sent_at": now_ms,
        "review_at": record["review_at"],
        "retain_until": record["retain_until"],
        "content": content,
    }


def build_offer_head(
    record: Mapping[str, Any], item_id: str, offer_id: str, now_ms: int, expires_at: int
) -> dict[str, Any]:
    """Return the first fields of an offer, up to its expiry.

    Args:
        record: The item.
        item_id: Its id from `make_item_id`.
        offer_id: Id of the offer, which is that of the Ask.
        now_ms: When it is sent, in UTC milliseconds.
        expires_at: Until when it can be accepted, in UTC milliseconds.
    """
    return {
        "id": offer_id,
        "indicator_id": record["id"],
        "item_id": item_id,
        "version": record["version"],
        "sent_at": now_ms,
        "expires_at": expires_at,
    }


def build_terms(
    state: str, pack: Mapping[str, Any], record: Mapping[str, Any], recipient: RecipientDecision
) -> dict[str, Any]:
    """Return the fields for routing and the legal terms. They hold no content.

    Args:
        state: The State that provides the item.
        pack: Its law, as a record.
        record: The item.
        recipient: What the law decides for the recipient.
    """
    return {
        "from_state": state,
        "to_state": recipient.state,
        "urgency": get_effective_urgency(record),
        "form": record["form"],
        "pack": pack,
        "relevance": sorted({str(reason.kind) for reason in recipient.relevance}),
        **build_legal_terms(recipient),
    }


def build_legal_terms(recipient: RecipientDecision) -> dict[str, Any]:
    """Return the legal terms for a recipient."""
    return {
        "basis": recipient.basis,
        "condition_model": recipient.condition_model,
        "rules": [asdict(rule) for rule in recipient.rules],
        "conditions": [asdict(condition) for condition in recipient.conditions],
        "obligation": recipient.is_obligatory,
    }


def build_subject(record: Mapping[str, Any], recipient: RecipientDecision) -> dict[str, Any]:
    """Return what an offer says about its item: its category, and the offences if the law does not redact them."""
    codes = () if OFFENCE_CODES in recipient.redacted else tuple(record["offence"]["codes"])
    return {"category": VALUE_TYPES[record["type"]].group, OFFENCE_CODES: codes}
