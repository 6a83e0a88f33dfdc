"""Packs and items for the whole filter, and how open its decisions are."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck
from hypothesis import strategies as st

from sharing.law.authorities import AuthoritiesByState
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.relevance_reason import Reason
from sharing.model.vocabulary import Effect, Outcome, RelevanceKind
from sharing.relevance.audience import Audience
from tests.law.shipped import load_items
from tests.law.strategies import AUDIENCES, AUTHORITIES, COMMON_RULES, DAY, DAYS, TREATIES, dump_yaml, packs, records

OPENNESS = {"WITHHOLD": 0, "HOLD": 1, "OFFER": 2, "DISCLOSE": 3}
QUIET = list(HealthCheck)
NAMED = (Reason(RelevanceKind.NEXUS_STATED, "named"),)
READ_RAW = {name: fact.read_raw for name, fact in FACTS.items() if fact.read_raw is not None}


def openness(decision: RecipientDecision | None) -> int:
    """Return how open a decision is; a State that is not considered gets nothing."""
    return 0 if decision is None else OPENNESS[decision.outcome]


def index_by_state(verdict: Verdict) -> dict[str, RecipientDecision]:
    return {recipient.state: recipient for recipient in verdict.recipients}


def make_pack(data: dict[str, Any]) -> Pack:
    return parse_pack(dump_yaml(data), "ch.yaml", TREATIES["small"], COMMON_RULES["small"])


def make_filter(data: dict[str, Any], authorities: AuthoritiesByState) -> DisclosureFilter:
    return DisclosureFilter(make_pack(data), TREATIES["small"], DAY, authorities)


def make_pack_data(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a pack with some rules, for which only `when` and `effect` are needed."""
    return {
        "state": "CH", "version": "1", "title": "t", "disclaimer": "d", "consolidated_at": DAY, "maintainers": [],
        "treaty_preference": ["BUDAPEST", "UNCAC"], "approvers": {"JUDGE": "A judge"},
        "rules": [
            {"id": f"t.{number}", "citation": "c", "nature": "statute", "paraphrase": "p", "source": "K",
             "verified": False, "valid": {"from": DAYS[0]}, "when": {}, **rule}
            for number, rule in enumerate(rules)
        ],
        **changes,
    }  # fmt: skip


PERMIT: dict[str, Any] = {"effect": "PERMIT"}
RECORD: dict[str, Any] = {**load_items("CH")[0].record(), "form": "INFORMATION", "action": "PUBLISH"}
TO_US = Audience([("US", NAMED)])
SITUATIONS = st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True).flatmap(
    lambda names: st.tuples(
        st.just(tuple(names)),
        packs(tuple(names)),
        AUTHORITIES,
        st.lists(st.tuples(records(tuple(names)), AUDIENCES), min_size=2, max_size=4),
    )
)


UNKNOWNS: dict[str, Any] = {
    "source.authority": "UNKNOWN", "offence.codes": [], "offence.max_penalty_years": None, "form": "UNKNOWN",
    "collection": "UNKNOWN", "subject_class": "UNKNOWN", "assertion": "UNKNOWN", "purpose": "UNKNOWN",
    "urgency": "UNKNOWN", "secrecy_domain": "UNKNOWN", "personal_data": "UNKNOWN", "special_category": "UNKNOWN",
    "origin.consent": "UNKNOWN", "enables_request": "UNKNOWN", "live_case_harm": "UNKNOWN", "character": None,
    "grading.source": None, "grading.information": None, "findings": {}, "offence.organised_group": "UNKNOWN",
    "origin.consent_obtainable": "UNKNOWN", "minor": "UNKNOWN", "exculpatory": "UNKNOWN", "us_person": "UNKNOWN",
}  # fmt: skip


def is_no_more_open(after: RecipientDecision, before: RecipientDecision | None) -> bool:
    """Return whether a decision with fewer facts is no more open than the one before.

    Where an exception was ruled out and is unknown now, a person is asked; the item does not leave.
    """
    undecided = {entry.rule for entry in after.undecided}
    asks = any(rule.effect is Effect.APPROVAL and rule.id in undecided for rule in after.rules)
    return openness(after) <= openness(before) or (after.outcome is Outcome.HOLD and asks)


def hide_fact(record: dict[str, Any], name: str) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    *parents, last = name.split(".")
    container = changed
    for parent in parents:
        container = container[parent]
    container[last] = UNKNOWNS[name]
    return changed
