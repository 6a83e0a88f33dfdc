"""Engine and oracle agree: on generated law, and on the packs that are shipped."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.pack_reader import parse_pack
from sharing.model.audience import Audience
from sharing.model.decision import Reason, RecipientDecision
from sharing.model.times import utc_day
from sharing.model.vocabulary import Outcome, RelevanceKind
from tests.law import oracle as oracle_module
from tests.law.oracle import Oracle
from tests.law.shipped import STATES, TEXTS, find_law, some
from tests.law.strategies import (
    AUDIENCES,
    AUTHORITIES,
    COMMON_FACTS,
    COMMON_TEXTS,
    COMMONS,
    DAY,
    NOW_MS,
    SHIPPED_COMMON,
    SHIPPED_TREATIES,
    TREATIES,
    TREATY_TEXTS,
    dump,
    packs,
    records,
    searched,
)

ITEMS = 6


def plain(decision: RecipientDecision) -> dict[str, Any]:
    """Return a decision in the oracle's words."""
    return {
        "state": decision.state,
        "outcome": str(decision.outcome),
        "basis": decision.basis,
        "condition_model": None if decision.condition_model is None else str(decision.condition_model),
        "rules": [(rule.id, rule.citation, str(rule.effect)) for rule in decision.rules],
        "undecided": [(entry.rule, entry.fact) for entry in decision.undecided],
        "conditions": [(entry.code, str(entry.kind), entry.text) for entry in decision.conditions],
        "approver": decision.approver,
        "obligation": decision.obligation,
        "relevance": [(str(reason.kind), reason.detail) for reason in decision.relevance],
        "redacted": list(decision.redacted),
    }


def reasons(audience: Audience) -> dict[str, list[tuple[str, str]]]:
    """Return an audience in the oracle's words."""
    return {state: [(str(one.kind), one.detail) for one in found] for state, found in audience.states}


def known(authorities: dict[str, str]) -> dict[str, str]:
    """Return the authorities without those of unknown kind."""
    return {state: kind for state, kind in authorities.items() if kind != "UNKNOWN"}


@st.composite
def situations(draw: st.DrawFn) -> tuple[Any, ...]:
    """Return a pack, what it stands on, a directory, and some items with their audiences."""
    names = tuple(draw(st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True)))
    common, table = draw(st.sampled_from(["small", "small", "asking", "shipped"])), draw(st.sampled_from([*TREATIES]))
    # The shipped common rules let nothing out that is silent on what they ask for.
    asked = (*names, *COMMON_FACTS) if common == "shipped" else names
    items = st.lists(st.tuples(records(asked), AUDIENCES), min_size=ITEMS, max_size=ITEMS)
    return draw(packs(names)), common, table, draw(AUTHORITIES), draw(items)


def test_engine_and_oracle_agree_on_generated_law() -> None:
    came: Counter[str] = Counter()

    @settings(searched(1 / ITEMS), suppress_health_check=list(HealthCheck))
    @given(situations())
    def agree(situation: tuple[Any, ...]) -> None:
        data, common, table, authorities, items = situation
        text = dump(data)
        pack = parse_pack(text, "ch.yaml", TREATIES[table], COMMONS[common])
        engine = DisclosureFilter(pack, TREATIES[table], DAY, authorities)
        oracle = Oracle(text, COMMON_TEXTS[common], TREATY_TEXTS[table], known(authorities), NOW_MS)
        for record, audience in items:
            verdict = engine.decide(record, audience, NOW_MS)
            expected = oracle.decide(record, reasons(audience))
            assert [plain(recipient) for recipient in verdict.recipients] == expected
            came.update(entry["outcome"] for entry in expected)
            came.update("undecided" for entry in expected if entry["undecided"])
            came.update("redacted" for entry in expected if entry["redacted"])
            came.update("obligation" for entry in expected if entry["obligation"])
            came.update("own approver" for entry in expected if common == "asking" and entry["approver"] == "JUDGE")
        assert not engine.rule_errors

    agree()
    # An oracle that only ever withholds would prove nothing.
    assert all(
        came[what] > 0 for what in [*map(str, Outcome), "undecided", "redacted", "obligation", "own approver"]
    ), came


@pytest.mark.parametrize("state", STATES)
def test_engine_and_oracle_agree_on_the_items_of_the_shipped_cases(state: str) -> None:
    law = find_law(state)
    came: Counter[str] = Counter()
    for item in some(state, 40):
        record = item.record()
        audience = Audience(
            (name, (Reason(RelevanceKind.NEXUS_STATED, "named") if named else Reason(RelevanceKind.INTEREST, "i"),))
            for name, named in ((item.recipient, True), ("US", False), ("SO", True), ("AT", False))
        )
        authorities = {item.recipient: item.authority, "US": "PROSECUTOR", "AT": "POLICE"}
        day = utc_day(item.now_ms)
        engine = DisclosureFilter(law.pack, law.treaties, day, authorities)
        oracle = Oracle(TEXTS[state], SHIPPED_COMMON, SHIPPED_TREATIES, authorities, item.now_ms)
        verdict = engine.decide(record, audience, item.now_ms)
        expected = oracle.decide(record, reasons(audience))
        assert [plain(recipient) for recipient in verdict.recipients] == expected, item.name
        came.update(entry["outcome"] for entry in expected)
    assert came["DISCLOSE"] + came["OFFER"] + came["HOLD"] > 3, came
    assert came["WITHHOLD"] > 3, came


def test_the_oracle_imports_nothing_of_the_project() -> None:
    tree = ast.parse(inspect.getsource(oracle_module))
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert names == {"__future__", "datetime", "functools", "typing", "yaml"}
