"""The codes of the page of an item in words, by the field. A code that is not known is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sharing.model import item_code_words
from sharing.model.code_words import AUTHORITY_WORDS, MESSAGE_WORDS

CODE_WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "type": item_code_words.TYPE_WORDS,
        "form": item_code_words.FORM_WORDS,
        "assertion": item_code_words.ASSERTION_WORDS,
        "subject_class": item_code_words.SUBJECT_WORDS,
        "grading_source": item_code_words.SOURCE_GRADE_WORDS,
        "grading_information": item_code_words.INFORMATION_GRADE_WORDS,
        "admiralty_source": item_code_words.ADMIRALTY_SOURCE_WORDS,
        "admiralty_information": item_code_words.ADMIRALTY_INFORMATION_WORDS,
        "handling": item_code_words.HANDLING_WORDS,
        "tlp": item_code_words.TLP_WORDS,
        "pap": item_code_words.PAP_WORDS,
        "collection": item_code_words.COLLECTION_WORDS,
        "purpose": item_code_words.PURPOSE_WORDS,
        "source_authority": AUTHORITY_WORDS,
        "tristate": {"YES": "yes", "NO": "no", "UNKNOWN": "not stated"},
        "urgency": item_code_words.URGENCY_WORDS,
        "delivery": {
            "WAITING": "waits",
            "SENT": "has it",
            "REPLACED": "has a newer version",
            "RECALLED": "recalled: must use it no longer",
            "CLOSED": "gets nothing",
        },
        "outcome": {
            "DISCLOSE": "it is sent",
            "OFFER": "it is offered: conditions must be accepted first",
            "HOLD": "it is held until a person approves",
            "HOLD_BY_TWO": "it is held until two officers approve",
            "WITHHOLD": "it is withheld",
        },
        "effect": {
            "PERMIT": "permits it",
            "OBLIGE": "obliges the State to send it",
            "CONDITION": "permits it under a condition",
            "APPROVAL": "requires that a person approves it first",
            "APPROVAL_BY_TWO": "requires that two officers approve it first",
            "DENY": "forbids it",
            "REDACT": "requires that a part is left out",
            "RECORD": "was looked at, and changes nothing",
        },
        "message": MESSAGE_WORDS,
        "relevance": {
            "NEXUS_STATED": "the agency has stated that it concerns this State",
            "NEXUS_DERIVED": "it points to this State",
            "INTEREST": "it meets an interest that this State has declared",
            "OBLIGATION": "the providing State is obliged to send it",
            "MATCH": "it matches what this State looks for",
        },
    }
)
"""The words of each code, by the field. They are messages of the catalogue."""

_GRADES: Final = 2
"""How many characters a grade of the Admiralty system has."""


def describe_code(field: str, code: object) -> str:
    """Return a code in words, as a message of the catalogue; the code itself if it is not known."""
    return CODE_WORDS[field].get(str(code), str(code))


def split_admiralty(grade: Any) -> tuple[str, str] | None:
    """Return the source's and the information's grade of the Admiralty system; None if it is none of them."""
    text = str(grade)
    if len(text) != _GRADES:
        return None
    is_known = text[0] in CODE_WORDS["admiralty_source"] and text[1] in CODE_WORDS["admiralty_information"]
    return (text[0], text[1]) if is_known else None
