"""The questions that an officer answers about an item, in plain words: one for each fact that can be missing.

Those about findings come from `sharing.model.findings`, which also names the law that asks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS
from sharing.model.findings import FINDINGS
from sharing.model.indicator_record import WireRecord

QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "source.authority": "What kind of authority holds the item?",
        "form": "Is it information, evidence, or only the fact that something exists?",
        "offence.codes": "Which offences does it concern?",
        "offence.max_penalty_years": "What is the maximum penalty for the offence under your law, in years?",
        "offence.organised_group": "Is an organised criminal group involved?",
        "collection": "How was it obtained?",
        "secrecy_domain": "Does it touch the secrecy domain?",
        "personal_data": "Is it personal data?",
        "special_category": "Is it a special category of personal data, such as health or political opinion?",
        "subject_class": "To whom does it relate: a suspect, a convict, a victim, someone else, or nobody?",
        "assertion": "Is it a fact, or somebody's assessment?",
        "grading.source": "How reliable is the source (Europol: A, B, C or X)?",
        "grading.information": "How reliable is the information (Europol: 1 to 4)?",
        "origin.state": "Does it belong to another State, and to which?",
        "origin.consent": "Does the State to which it belongs consent to passing it on?",
        "origin.consent_obtainable": "Can the consent of the State to which it belongs be obtained in time?",
        "purpose": "For which purpose is it shared?",
        "urgency": "How urgent is it? An emergency is a significant and imminent risk to life or safety.",
        "minor": "Does it concern a person under 18?",
        "exculpatory": "May it clear a suspect or an accused?",
        "us_person": "Does it concern a person of the United States?",
        "enables_request": "Would it enable the recipient to request assistance?",
        "live_case_harm": "Would sharing it harm a live case?",
        "character": "Is it of a political, military, religious or racial character?",
        **{f"findings.{name}": finding.question for name, finding in FINDINGS.items()},
    }
)
"""Fact to question. Facts that are known for every item, and those that follow from others, have no question."""


def read_all_facts(record: WireRecord, now_ms: int) -> dict[str, FactValue]:
    """Return every fact of an item as the law reads it, whether or not a rule tests it; None if it is unknown.

    Args:
        record: The indicator's record.
        now_ms: The time of the decision, in UTC milliseconds.
    """
    return {
        name: fact.interpret_raw(fact.read_raw(record, now_ms))
        for name, fact in FACTS.items()
        if fact.read_raw is not None
    }
