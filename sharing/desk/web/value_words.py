"""The values of facts in words: what a code is called on a page."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from sharing.desk.web.catalogue import _
from sharing.desk.web.code_words import name_country
from sharing.law.fact_values import NONE
from sharing.law.facts import FACTS, FactKind
from sharing.model.countries import STATES
from sharing.model.item_code_words import HANDLING_WORDS, PAP_WORDS, TLP_WORDS
from sharing.sentences import say

_SPECIAL: Final = MappingProxyType(
    {
        "FIU": "Financial intelligence unit",
        "FIU_REPORT": "Report to a financial intelligence unit",
        "TAX": "Tax authority",
        "CUSTOMS": "Customs",
        "FOREIGN_STATE": "From another State",
        "ICT_FORGERY": "ICT forgery",
        "ICT_FRAUD_THEFT": "ICT fraud or theft",
        "OTHER": "Other",
        "EXISTENCE": "Only the fact that something exists",
        "EMERGENCY": "Emergency: significant and imminent risk to life or safety",
        "A": "A: no doubt about the source",
        "B": "B: reliable in most instances",
        "C": "C: not reliable in most instances",
        "X": "X: the reliability cannot be assessed",
        "1": "1: accurate",
        "2": "2: known personally to the source, not to the officer",
        "3": "3: not known personally to the source, but corroborated",
        "4": "4: not known personally to the source, and not corroborated",
    }
)

_MARKINGS: Final = MappingProxyType({"handling": HANDLING_WORDS, "tlp": TLP_WORDS, "pap": PAP_WORDS})
"""Whose codes are known by themselves: each is shown with its meaning."""

_GRADES: Final = frozenset({"grading.information"})
"""Numbers that have a meaning each. Any other is an amount."""


def name_value(value: str, fact: str) -> str:
    """Return what a value is called on a page.

    Args:
        value: The value, as the vocabulary has it.
        fact: The fact that has it.
    """
    if fact == "origin.state" and value in STATES:
        return name_country(value)
    if fact == "origin.state" and value == NONE:
        return _("It belongs to no other State")
    if value in _MARKINGS.get(fact, ()):
        return _(say("%(code)s: %(words)s", code=value, words=_MARKINGS[fact][value]))
    if fact == "subject_class" and value == NONE:
        return _("Nobody")
    if fact in FACTS and FACTS[fact].kind is FactKind.NUMBER and fact not in _GRADES:
        return value
    plain = _SPECIAL.get(value) or value.replace("_", " ").capitalize()
    return _(plain)


def name_values(fact: str, text: str) -> str:
    """Return what the values of a fact are called, from their text in an explanation of the law."""
    return ", ".join(name_value(value, fact) for value in text.split(", "))
