"""The codes of an item in words: grading, handling, marks, classes. A code that is not known is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sharing.desk.web.code_words import MESSAGE_WORDS
from sharing.model.code_words import AUTHORITY_WORDS

CODE_WORDS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "form": {
            "INFORMATION": "a lead, not evidence",
            "EVIDENCE": "evidence",
            "EXISTENCE": "only that something is held: a lead, not evidence",
            "UNKNOWN": "not stated; treat it as a lead, not as evidence",
        },
        "assertion": {
            "FACT": "stated as a fact",
            "ASSESSMENT": "an assessment, not a fact",
            "UNKNOWN": "not stated whether fact or assessment",
        },
        "subject_class": {
            "SUSPECT": "a suspect",
            "CONVICTED": "a convicted person",
            "VICTIM": "a victim",
            "OTHER": "another person",
            "NONE": "no person",
            "UNKNOWN": "not stated",
        },
        "grading_source": {
            "A": "no doubt that the source is trustworthy",
            "B": "a source that was mostly reliable",
            "C": "a source that was mostly unreliable",
            "X": "the reliability of the source cannot be judged",
        },
        "grading_information": {
            "1": "known to be true without reservation",
            "2": "known to the source personally, not to the officer",
            "3": "not known to the source personally, but supported by other information",
            "4": "not known to the source personally, and cannot be supported",
        },
        "admiralty_source": {
            "A": "completely reliable source",
            "B": "usually reliable source",
            "C": "fairly reliable source",
            "D": "not usually reliable source",
            "E": "unreliable source",
            "F": "reliability of the source cannot be judged",
        },
        "admiralty_information": {
            "1": "confirmed by other sources",
            "2": "probably true",
            "3": "possibly true",
            "4": "doubtful",
            "5": "improbable",
            "6": "truth cannot be judged",
        },
        "handling": {
            "H0": "only to prevent and combat crime",
            "H1": "not in court without permission",
            "H2": "not passed on without permission",
            "H3": "as the handling instructions say",
        },
        "tlp": {
            "CLEAR": "may be shared with anybody",
            "GREEN": "for the professional community only",
            "AMBER": "for your organisation and those it serves who need to know",
            "AMBER+STRICT": "for your organisation only, where it is needed",
            "RED": "for the named recipients only",
        },
        "pap": {
            "CLEAR": "no limit on what you do with it",
            "GREEN": "active steps are permitted, such as blocking",
            "AMBER": "passive steps only, which the target cannot see",
            "RED": "nothing that could be noticed from outside",
        },
        "collection": {
            "OPEN_SOURCE": "from open sources",
            "VOLUNTARY": "given voluntarily",
            "SEARCH": "found in a search",
            "SUBSCRIBER_DATA": "subscriber data",
            "TRAFFIC_DATA": "traffic data",
            "CONTENT_DATA": "content data",
            "INTERCEPTION": "from an interception",
            "GRAND_JURY": "from a grand jury",
            "FIU_REPORT": "from a report to a financial intelligence unit",
            "TAX_RECORD": "from tax records",
            "TRADE_CONTROL": "from trade control",
            "UNDERCOVER": "from an undercover measure",
            "FOREIGN_STATE": "from another State",
            "UNKNOWN": "not stated",
        },
        "purpose": {
            "PREVENTION": "prevention",
            "DETECTION": "detection",
            "INVESTIGATION": "investigation",
            "PROSECUTION": "prosecution",
            "EXECUTION": "execution of sentences",
            "PUBLIC_SECURITY": "public security",
            "UNKNOWN": "not stated",
        },
        "source_authority": AUTHORITY_WORDS,
        "tristate": {"YES": "yes", "NO": "no", "UNKNOWN": "not stated"},
        "urgency": {
            "ORDINARY": "ordinary",
            "URGENT": "urgent",
            "EMERGENCY": "emergency",
            "UNKNOWN": "not stated",
        },
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
