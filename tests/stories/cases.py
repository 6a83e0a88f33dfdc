"""Items, and the law that decides on them: the facts with which the shipped packs let them leave."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from tests.stories.invariants import CANARY

MORNING = int(dt.datetime(2026, 6, 2, 9, 0, tzinfo=dt.UTC).timestamp() * 1000)

FRAUD: dict[str, Any] = {"codes": ["ICT_FRAUD_THEFT"], "max_penalty_years": 10}


def make_item(state: str, authority: str, number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the form of an item that says whatever most laws ask for. It was published by the first officer."""
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{state}/{number}")),
        "source": {"state": state, "agency": "Agency", "authority": authority, "officer": f"{state.lower()}-1"},
        "type": "iban",
        "summary": CANARY,
        "form": "INFORMATION",
        "offence": FRAUD,
        "collection": "VOLUNTARY",
        "secrecy_domain": False,
        "personal_data": True,
        "special_category": False,
        "subject_class": "SUSPECT",
        "assertion": "FACT",
        "grading": {"source": "A", "information": 1},
        "purpose": "INVESTIGATION",
        "urgency": "ORDINARY",
        "enables_request": True,
        "live_case_harm": False,
        "character": [],
        **changes,
    }


NOT_PERSONAL: dict[str, Any] = {
    "type": "domain-name", "value": "example.org", "personal_data": False, "subject_class": "NONE",
}  # fmt: skip

SWISS_FINDINGS = {
    "essential_interest_harm": False, "special_circumstances": True, "subject_interests_prevail": False,
}  # fmt: skip
DUTCH_FINDINGS = {
    "recipient_task_need": True, "own_task_need": False, "serious_offence": False, "grave_public_order_danger": False,
    "essential_interest_harm": False, "person_safety_harm": False, "wpg_10_1_a_data": False, "wpg_10_1_b_data": False,
    "wpg_10_1_c_data": False, "europol_data_categories": True, "subject_interests_prevail": False,
    "urgent_weighty_interest": False, "case_specific_safeguards": False,
}  # fmt: skip
GERMAN_FINDINGS = {
    "found_suspicion": True, "domestic_sharing_lawful": True, "request_grantable": True,
    "subject_interests_prevail": False, "serious_offence": True, "essential_interest_harm": False,
}  # fmt: skip
JAPANESE_FINDINGS = {"statutory_ground": False, "special_circumstances": True, "subject_interests_prevail": False}


def make_swiss_offer(number: int = 1, to_state: str = "DE", **changes: Any) -> dict[str, Any]:
    """Return an item that Swiss police offer: their law wants no use as evidence (ch.fd-2006-960-1.evidence)."""
    iban = {"DE": "DE89370400440532013000", "NL": "NL91ABNA0417164300", "JP": ""}[to_state]
    return make_item("CH", "POLICE", number, value=iban, findings=SWISS_FINDINGS, **changes)


def make_swiss_notice(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an item that Swiss police disclose at once to Germany: openly readable, and about nobody."""
    nexus = [{"state": "DE", "reason": "seen there"}]
    fields = {**NOT_PERSONAL, "collection": "OPEN_SOURCE", "nexus": nexus, **changes}
    return make_item("CH", "POLICE", number, **fields)
