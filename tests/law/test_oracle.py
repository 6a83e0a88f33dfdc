"""Engine and oracle agree, on generated packs and on the shipped packs."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.authorities import AuthoritiesByState, list_sole_authorities
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.decision import RecipientDecision
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.relevance.audience import Audience
from tests.law import oracle as oracle_module
from tests.law.oracle import Oracle
from tests.law.shipped import STATES, TEXTS, find_law, sample_items
from tests.law.strategies import (
    AUDIENCES,
    AUTHORITIES,
    COMMON_FACTS,
    COMMON_RULES,
    COMMON_TEXTS,
    DAY,
    EXAMPLES,
    NOW_MS,
    SHIPPED_COMMON,
    SHIPPED_TREATIES,
    TREATIES,
    TREATY_TEXTS,
    dump_yaml,
    packs,
    records,
    search_settings,
)

ITEMS = 6
EXAMPLES_FOR_EVERY_KIND = 1_000
"""With this many examples every kind of result must occur; the ordinary run has more."""


def to_oracle_format(decision: RecipientDecision) -> dict[str, Any]:
    """Return a decision in the format of the oracle."""
    return {
        "state": decision.state,
        "to_authority": decision.to_authority,
        "outcome": str(decision.outcome),
        "basis": decision.basis,
        "condition_model": None if decision.condition_model is None else str(decision.condition_model),
        "rules": [(rule.id, rule.citation, str(rule.effect)) for rule in decision.rules],
        "undecided": sorted((entry.rule, entry.fact) for entry in decision.undecided),
        "conditions": [
            (entry.code, str(entry.kind), entry.text, entry.exculpatory_exception) for entry in decision.conditions
        ],
        "approver": decision.approver,
        "approvals": decision.approvals,
        "obligation": decision.is_obligatory,
        "relevance": [(str(reason.kind), reason.detail) for reason in decision.relevance],
        "redacted": list(decision.redacted),
    }


def to_oracle_reasons(audience: Audience) -> dict[str, list[tuple[str, str]]]:
    """Return an audience in the format of the oracle."""
    return {
        state: [(str(reason.kind), reason.detail) for reason in state_reasons]
        for state, state_reasons in audience.reasons_by_state
    }


def to_oracle_authorities(authorities: AuthoritiesByState) -> dict[str, list[dict[str, Any]]]:
    """Return the authorities of each State in the format of the oracle."""
    return {
        state: [authority.model_dump(mode="json", by_alias=True) for authority in of_state]
        for state, of_state in authorities.items()
    }


@st.composite
def situations(draw: st.DrawFn) -> tuple[Any, ...]:
    """Return a pack, the names of its common rules and treaty table, authorities, and items with their audiences."""
    names = tuple(draw(st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True)))
    common, table = (
        draw(st.sampled_from(["small", "small", "approval", "approval", "shipped"])),
        draw(st.sampled_from([*TREATIES])),
    )
    # Under the shipped common rules nothing is shared unless the facts that they test are known.
    used = (*names, *COMMON_FACTS) if common == "shipped" else names
    items = st.lists(st.tuples(records(used), AUDIENCES), min_size=ITEMS, max_size=ITEMS)
    return draw(packs(names)), common, table, draw(AUTHORITIES), draw(items)


def asks_undecided(entry: dict[str, Any], pack: dict[str, Any]) -> bool:
    """Return whether an approval of the pack asks its role although it is undecided."""
    approvals = {rule["id"] for rule in pack["rules"] if rule["effect"] == "APPROVAL"}
    return entry["outcome"] == "HOLD" and any(rule in approvals for rule, _ in entry["undecided"])


def test_engine_and_oracle_agree_on_generated_packs() -> None:
    counts: Counter[str] = Counter()

    @settings(search_settings(1 / ITEMS), suppress_health_check=list(HealthCheck))
    @given(situations())
    def agree(situation: tuple[Any, ...]) -> None:
        data, common, table, authorities, items = situation
        text = dump_yaml(data)
        pack = parse_pack(text, "ch.yaml", TREATIES[table], COMMON_RULES[common])
        engine = DisclosureFilter(pack, TREATIES[table], DAY, authorities)
        oracle = Oracle(text, COMMON_TEXTS[common], TREATY_TEXTS[table], to_oracle_authorities(authorities), NOW_MS)
        for record, audience in items:
            verdict = engine.decide(record, audience, NOW_MS)
            expected = oracle.decide(record, to_oracle_reasons(audience))
            assert [to_oracle_format(recipient) for recipient in verdict.recipients] == expected
            counts.update(entry["outcome"] for entry in expected)
            counts.update("undecided" for entry in expected if entry["undecided"])
            counts.update("redacted" for entry in expected if entry["redacted"])
            counts.update("obligation" for entry in expected if entry["obligation"])
            counts.update("asked in an emergency" for entry in expected if asks_undecided(entry, data))
            counts.update("own approver" for entry in expected if common == "approval" and entry["approver"] == "JUDGE")
        assert not engine.rule_errors

    agree()
    # The agreement means little unless every kind of result occurs; a short run may not meet each of them.
    kinds = {*map(str, Outcome), "undecided", "redacted", "obligation", "own approver", "asked in an emergency"}
    assert EXAMPLES < EXAMPLES_FOR_EVERY_KIND or kinds <= counts.keys(), counts


@pytest.mark.parametrize("state", STATES)
def test_engine_and_oracle_agree_on_the_items_of_the_shipped_cases(state: str) -> None:
    law = find_law(state)
    counts: Counter[str] = Counter()
    for item in sample_items(state, 40):
        record = item.record()
        audience = Audience(
            (name, (Reason(RelevanceKind.NEXUS_STATED, "named") if named else Reason(RelevanceKind.INTEREST, "i"),))
            for name, named in ((item.recipient, True), ("US", False), ("SO", True), ("AT", False))
        )
        authorities = list_sole_authorities({item.recipient: item.authority, "US": "PROSECUTOR", "AT": "POLICE"})
        day = to_utc_day(item.now_ms)
        engine = DisclosureFilter(law.pack, law.treaties, day, authorities)
        oracle = Oracle(TEXTS[state], SHIPPED_COMMON, SHIPPED_TREATIES, to_oracle_authorities(authorities), item.now_ms)
        verdict = engine.decide(record, audience, item.now_ms)
        expected = oracle.decide(record, to_oracle_reasons(audience))
        assert [to_oracle_format(recipient) for recipient in verdict.recipients] == expected, item.name
        counts.update(entry["outcome"] for entry in expected)
    assert counts["DISCLOSE"] + counts["OFFER"] + counts["HOLD"] > 3, counts
    assert counts["WITHHOLD"] > 3, counts


def test_the_oracle_imports_nothing_from_the_project() -> None:
    tree = ast.parse(inspect.getsource(oracle_module))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert names == {"__future__", "datetime", "functools", "typing", "yaml"}
