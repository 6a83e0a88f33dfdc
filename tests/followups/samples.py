"""Notices as a receiving State gets them, with half of the facts missing, and what is known beyond them."""

from __future__ import annotations

from typing import Any

from sharing.followups.context import Drafter, FollowUpContext
from sharing.model.directory import DirectoryEntry
from sharing.model.notice import Notice
from sharing.model.vocabulary import Authority
from sharing.serialization.codec import get_codec
from tests.kafka.topic_io import fill_defaults, notice_record

NOW = 1_790_000_000_000
NOTICE_ID = "018f3c1e-7b1a-7c3d-8e2f-0123456789ab"
ITEM_ID = "018f3c1e-7b1a-7c3d-8e2f-00000000000a"
IBAN = "DE89370400440532013000"
DRAFTER = Drafter("A. Muster", "bka", Authority.POLICE)

CONDITIONS: dict[str, dict[str, Any]] = {
    "onward": {"code": "common.h2", "kind": "ONWARD_CONSENT", "text": "Not disseminated without permission."},
    "evidence": {"code": "common.h1", "kind": "NO_EVIDENCE", "text": "Not used in judicial proceedings."},
    "confidential": {"code": "fr.secret", "kind": "CONFIDENTIALITY", "text": "Kept confidential."},
    "purpose": {"code": "ch.speciality", "kind": "PURPOSE", "text": "Used only for the stated purpose."},
    "h0": {"code": "common.h0", "kind": "HANDLING", "text": "Used only to prevent and combat crime."},
    "handling": {"code": "us.guidelines", "kind": "HANDLING", "text": "Used only within guidelines."},
    "retention": {"code": "de.review", "kind": "RETENTION", "text": "Deleted after five years."},
    "correct": {"code": "de.correct", "kind": "DELETE_OR_CORRECT", "text": "Corrected or deleted on notice."},
    "report": {"code": "nl.report", "kind": "REPORT_USE", "text": "Use is reported on request."},
    "other": {"code": "jp.other", "kind": "OTHER", "text": "As agreed."},
}


def make_notice(content: dict[str, Any] | None = None, *conditions: str, **changes: Any) -> Notice:
    """Return a notice of Switzerland to Germany.

    Args:
        content: Fields of its content; the others are not stated.
        conditions: Names in `CONDITIONS`.
        changes: Fields of the envelope.
    """
    filled = fill_defaults("notice_content", {"type": "domain-name", "value": "shop.example", **(content or {})})
    envelope = {
        **notice_record("DE", identity=NOTICE_ID),
        "item_id": ITEM_ID,
        "conditions": [{"exculpatory_exception": False, **CONDITIONS[name]} for name in conditions],
        **changes,
    }
    decoded = get_codec("notice").decode(get_codec("notice").encode(envelope))
    content_record = get_codec("notice_content").decode(get_codec("notice_content").encode(filled))
    return Notice.from_records(decoded, content_record)


def make_domain_notice() -> Notice:
    """Return a notice about a server: offence, time and place are known; no penalty, no case, no facts in words."""
    return make_notice(
        {
            "source_agency": "fedpol",
            "source_authority": "POLICE",
            "offence_codes": ["ILLEGAL_ACCESS", "SYSTEM_INTERFERENCE"],
            "subject_class": "UNKNOWN",
            "assertion": "ASSESSMENT",
            "grading_source": "B",
            "grading_information": 2,
            "tlp": "AMBER",
            "observed_at": 1_789_000_000_000,
            "relevance": [{"kind": "NEXUS_STATED", "detail": "hosted in Frankfurt"}],
        },
        "evidence",
        "retention",
        "h0",
        urgency="URGENT",
        redacted=["source_case"],
        retain_until=1_800_000_000_000,
    )


def make_account_notice() -> Notice:
    """Return a notice about an account: facts in words, case and purpose are known; no offence, no time, no grading."""
    return make_notice(
        {
            "type": "iban",
            "value": IBAN,
            "summary": "Payment of an invoice that was altered.\nThe victim has reported it at once.",
            "source_case": "ZH-2026-1",
            "source_agency": "kapo-zh",
            "max_penalty_years": 5.0,
            "modus_operandi": ["invoice fraud"],
            "assertion": "FACT",
            "purpose": "INVESTIGATION",
            "subject_class": "SUSPECT",
            "handling": ["H0"],
        },
        "purpose",
        "report",
        urgency="EMERGENCY",
    )


def make_entry(state: str) -> DirectoryEntry:
    """Return what a State announces: one authority with one contact point."""
    return DirectoryEntry.parse(
        {
            "state": state,
            "announced_at": "2026-01-01T00:00:00Z",
            "authorities": [
                {
                    "name": f"Police of {state}",
                    "kind": "POLICE",
                    "contact_points": [
                        {
                            "name": "24/7",
                            "hours": "always",
                            "languages": ["en"],
                            "email": f"desk@{state.lower()}.example",
                        }
                    ],
                }
            ],
        }
    )


def make_context(**changes: Any) -> FollowUpContext:
    """Return what is known beyond the notice: by default nothing but who drafts."""
    fields: dict[str, Any] = {"now": NOW, "drafter": DRAFTER, **changes}
    return FollowUpContext(**fields)


def make_full_context(addressee: str = "NL") -> FollowUpContext:
    """Return a context in which every directory entry and the treaties are known."""
    return make_context(
        own=make_entry("DE"),
        provider=make_entry("CH"),
        addressee=addressee,
        requested=make_entry(addressee),
        instruments=frozenset({"BUDAPEST"}),
        extends="NL-24/7-17",
    )
