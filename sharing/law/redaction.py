"""The fields that a notice's content may have: an allow-list, from which a law can redact more.

The content is built field by field from this list. A notice never has a field that is not on the list, so a new field
of the indicator stays in the providing State until someone adds it here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from sharing.model.indicator_record import WireRecord, read_path

CONTENT_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "type": ("type",),
        "value": ("value",),
        "summary": ("summary",),
        "source_agency": ("source", "agency"),
        "source_authority": ("source", "authority"),
        "source_case": ("source", "case"),
        "offence_codes": ("offence", "codes"),
        "offence_modifiers": ("offence", "modifiers"),
        "modus_operandi": ("offence", "modus_operandi"),
        "max_penalty_years": ("offence", "max_penalty_years"),
        "collection": ("collection",),
        "subject_class": ("subject_class",),
        "assertion": ("assertion",),
        "grading_source": ("grading", "source"),
        "grading_information": ("grading", "information"),
        "grading_admiralty": ("grading", "admiralty"),
        "origin_state": ("origin", "state"),
        "handling": ("handling",),
        "handling_text": ("handling_text",),
        "tlp": ("tlp",),
        "pap": ("pap",),
        "purpose": ("purpose",),
        "personal_data": ("personal_data",),
        "special_category": ("special_category",),
        "observed_at": ("observed_at",),
    }
)
"""Maps each field of the notice's content to its path in the record. `source.officer` and the findings are absent."""

EMPTIED_FIELDS = frozenset({"offence_codes", "offence_modifiers", "modus_operandi", "handling"})
"""Fields that become an empty list when they are redacted; the others become null."""


def build_content(record: WireRecord, redacted: Collection[str]) -> dict[str, Any]:
    """Return the content that may be sent, as the Avro schema `NoticeContent` describes it, but without `relevance`.

    Args:
        record: The indicator's record.
        redacted: Fields that the law redacts.
    """
    return {
        name: ([] if name in EMPTIED_FIELDS else None) if name in redacted else read_path(record, path)
        for name, path in CONTENT_FIELDS.items()
    }
