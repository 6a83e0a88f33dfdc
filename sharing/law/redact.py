"""What a notice's content may carry: an allow-list, from which a law can take more away.

The content is built field by field from this list; a field that is not on it does not exist for a notice, so a
new field of the indicator stays at home until someone adds it here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

Record = Mapping[str, Any]

CONTENT_FIELDS: Mapping[str, Callable[[Record], Any]] = MappingProxyType(
    {
        "type": lambda r: r["type"],
        "value": lambda r: r["value"],
        "summary": lambda r: r["summary"],
        "source_agency": lambda r: r["source"]["agency"],
        "source_authority": lambda r: r["source"]["authority"],
        "source_case": lambda r: r["source"]["case"],
        "offence_codes": lambda r: r["offence"]["codes"],
        "offence_modifiers": lambda r: r["offence"]["modifiers"],
        "modus_operandi": lambda r: r["offence"]["modus_operandi"],
        "max_penalty_years": lambda r: r["offence"]["max_penalty_years"],
        "collection": lambda r: r["collection"],
        "subject_class": lambda r: r["subject_class"],
        "assertion": lambda r: r["assertion"],
        "grading_source": lambda r: r["grading"]["source"],
        "grading_information": lambda r: r["grading"]["information"],
        "grading_admiralty": lambda r: r["grading"]["admiralty"],
        "origin_state": lambda r: r["origin"]["state"],
        "handling": lambda r: r["handling"],
        "handling_text": lambda r: r["handling_text"],
        "tlp": lambda r: r["tlp"],
        "pap": lambda r: r["pap"],
        "purpose": lambda r: r["purpose"],
        "personal_data": lambda r: r["personal_data"],
        "special_category": lambda r: r["special_category"],
        "observed_at": lambda r: r["observed_at"],
    }
)
"""Field of the notice's content to what it is made from. `source.officer` and the findings are not on the list."""

_EMPTY_LIST = frozenset({"offence_codes", "offence_modifiers", "modus_operandi", "handling"})


def build_content(record: Record, redacted: Collection[str]) -> dict[str, Any]:
    """Return the content that may leave, as the Avro schema `NoticeContent` describes it (but for its reasons).

    Args:
        record: The indicator's record.
        redacted: Fields that the law takes out.
    """
    return {
        name: ([] if name in _EMPTY_LIST else None) if name in redacted else read(record)
        for name, read in CONTENT_FIELDS.items()
    }
