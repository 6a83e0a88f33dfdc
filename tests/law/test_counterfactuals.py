"""Counterfactuals: the search finds the same results as trying every set of values, in fewer steps."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations, islice, product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from sharing.law import counterfactuals as counterfactuals_module
from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import combine_results
from sharing.law.counterfactuals import COUNTERFACTUALS_MAX, Counterfactual, find_counterfactuals, format_fact_value
from sharing.law.fact_values import FactValue
from sharing.law.facts import FACTS, FactKind, FactScope
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Assessment
from sharing.law.reading.constraint_reader import read_conjunction
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Effect
from tests.law.shipped import STATES, find_law, sample_items
from tests.law.strategies import COMMON_RULES, DAY, NOW_MS, TREATIES, dump_yaml, search_settings
from tests.law.test_explanation import RECORD, SITUATIONS, make_filter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sharing.model.decision import RecipientDecision

QUIET = list(HealthCheck)
TRIALS_MAX = 3_000
"""The naive search stops after this many trials."""

HIDEABLE_FACTS = [
    fact.name
    for fact in FACTS.values()
    if fact.scope is FactScope.INDICATOR and fact.name not in {"type", "action", "retention_expired", "origin.foreign"}
]


def search_naively(
    law: DisclosureFilter, facts: Mapping[str, FactValue], decision: RecipientDecision
) -> Iterator[Counterfactual | None]:
    """Try every value of every set of missing facts, smallest sets first; a last None means that it stopped early."""
    missing = sorted({entry.fact for entry in decision.undecided if entry.fact in FACTS})
    trials = 0
    for size in range(1, len(missing) + 1):
        found = False
        for names in combinations(missing, size):
            for values in product(*(list_possible_values(law, name) for name in names)):
                trials += 1
                if trials > TRIALS_MAX:
                    yield None
                    return
                known = dict(zip(names, values, strict=True))
                outcome = outcome_if(law, facts, known, decision.state)
                if outcome != decision.outcome:
                    found = True
                    yield Counterfactual(
                        tuple((name, format_fact_value(value)) for name, value in known.items()), outcome
                    )
        if found:
            return


def list_possible_values(law: DisclosureFilter, name: str) -> Sequence[FactValue]:
    fact = FACTS[name]
    tests = [*(test for rule in law.rules for test in rule.iter_tests()), *law.scope_tests]
    operands = [test.operand for test in tests if test.fact == name]
    if fact.kind is FactKind.NUMBER:
        return sorted({0.0, *(bound for bound in operands if isinstance(bound, float))})
    if fact.kind is FactKind.SET:
        tested_sets = {operand for operand in operands if isinstance(operand, frozenset)}
        sets = {frozenset(), *tested_sets, *(frozenset({value}) for value in fact.values)}
        return sorted(sets, key=lambda values: (len(values), sorted(values)))
    return sorted(fact.values)


def outcome_if(
    law: DisclosureFilter, facts: Mapping[str, FactValue], known: Mapping[str, FactValue], state: str
) -> str:
    recipient, basis, *_ = law.profile_recipient(state, {**facts, **known}, named=facts["recipient.named"] == "YES")
    return str(combine_results(state, law.evaluate_rules({**facts, **recipient}, known), basis, ()).outcome)


def compare_searches(law: DisclosureFilter, record: Mapping[str, Any], state: str, now_ms: int) -> int:
    """Compare the two searches for one State, and return the number of results."""
    item = law.read_item_facts(record, now_ms)
    recipient, basis, *_ = law.profile_recipient(state, item, named=False)
    rule_results = law.evaluate_rules(item, recipient)
    decision = combine_results(state, rule_results, basis, ())
    facts = {**item, **recipient}
    results = find_counterfactuals(law, facts, rule_results, decision)
    expected = list(islice(search_naively(law, facts, decision), COUNTERFACTUALS_MAX))
    if expected and expected[-1] is None:
        assert list(results[: len(expected) - 1]) == expected[:-1]
    else:
        assert list(results) == expected
    return len(results)


@settings(search_settings(0.04), suppress_health_check=QUIET)
@given(SITUATIONS)
def test_the_search_finds_every_counterfactual_of_generated_packs(situation: Any) -> None:
    data, authorities, pairs = situation
    pack = parse_pack(dump_yaml(data), "ch.yaml", TREATIES["small"], COMMON_RULES["small"])
    law = DisclosureFilter(pack, TREATIES["small"], DAY, authorities)
    for record, audience in pairs:
        for state in {"US", *(state for state, _ in audience.reasons_by_state)}:
            compare_searches(law, record, state, NOW_MS)


def test_the_search_finds_every_counterfactual_of_the_shipped_packs() -> None:
    draw = random.Random(5)
    total = 0
    for state in STATES:
        shipped = find_law(state)
        for item in sample_items(state, 4):
            law = DisclosureFilter(
                shipped.pack,
                shipped.treaties,
                to_utc_day(item.now_ms),
                list_sole_authorities({item.recipient: item.authority}),
            )
            hidden = draw.sample(HIDEABLE_FACTS, draw.choice((1, 2, 3)))
            total += compare_searches(law, item.record(**dict.fromkeys(hidden)), item.recipient, item.now_ms)
    assert total > 30


def test_a_rule_whose_evaluation_fails_does_not_hide_counterfactuals() -> None:
    law = make_filter({"effect": "PERMIT", "when": {"urgency": "URGENT", "assertion": "FACT"}})
    record = {**RECORD, "urgency": "UNKNOWN", "assertion": "UNKNOWN", "purpose": 5}
    assert compare_searches(law, record, "US", NOW_MS) == 1
    failing = make_filter(
        {"effect": "PERMIT", "when": {"urgency": "URGENT"}},
        {"effect": "DENY", "when": {"urgency": "ORDINARY", "purpose": "DETECTION"}},
    )
    assert compare_searches(failing, record, "US", NOW_MS) == 1  # URGENT excludes the failing rule


def test_offence_codes_determine_dual_criminality() -> None:
    rules = make_filter({"effect": "PERMIT", "when": {"recipient.dual_criminality": True}}).pack
    answers = {"ILLEGAL_ACCESS": "YES", "LAUNDERING": "YES", "COPYRIGHT": "NO"}
    assessed = replace(rules, assessments=(Assessment(frozenset({"US"}), DAY, "K", {}, answers),))
    law = DisclosureFilter(assessed, TREATIES["small"], DAY, list_sole_authorities({"US": "POLICE"}))
    record = {**RECORD, "offence": {**RECORD["offence"], "codes": []}}
    assert compare_searches(law, record, "US", NOW_MS) == 1  # dual criminality: no rule tests the codes
    when = read_conjunction({"offence.codes": "LAUNDERING"}, ())
    forbidding = replace(assessed.rules[-1], id="t.codes", effect=Effect.DENY, when=when)
    asking = replace(assessed, rules=(*assessed.rules, forbidding))
    law = DisclosureFilter(asking, TREATIES["small"], DAY, list_sole_authorities({"US": "POLICE"}))
    assert compare_searches(law, record, "US", NOW_MS) == 1  # ILLEGAL_ACCESS: criminal in that State, and not forbidden


def test_a_set_of_many_missing_facts_is_found() -> None:
    names = ["urgency", "assertion", "secrecy_domain", "personal_data", "live_case_harm", "enables_request"]
    values = ["URGENT", "FACT", False, False, False, True]
    law = make_filter(
        {"effect": "PERMIT", "when": dict(zip(names, values, strict=True))},
        *({"effect": "DENY", "when": {f"findings.{name}": True}} for name in ("serious_offence", "routine_use")),
    )
    record = {**RECORD, **dict.fromkeys(names, "UNKNOWN"), "findings": {}}
    item = law.read_item_facts(record, NOW_MS)
    recipient, basis, *_ = law.profile_recipient("US", item, named=False)
    rule_results = law.evaluate_rules(item, recipient)
    (change,) = find_counterfactuals(
        law, {**item, **recipient}, rule_results, combine_results("US", rule_results, basis, ())
    )
    assert len(change.facts) == 8
    assert dict(change.facts)["findings.routine_use"] == "NO"
    assert change.outcome == "DISCLOSE"


def test_a_search_that_exceeds_its_limits_returns_the_results_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    law = make_filter(
        {"effect": "PERMIT", "when": {"live_case_harm": False}}, {"effect": "PERMIT", "when": {"origin.state": "CH"}}
    )
    record = {
        **RECORD, "live_case_harm": "UNKNOWN", "collection": "UNKNOWN", "origin": {"state": None, "consent": "UNKNOWN"},
    }  # fmt: skip
    item = law.read_item_facts(record, NOW_MS)
    recipient, basis, *_ = law.profile_recipient("US", item, named=False)
    rule_results = law.evaluate_rules(item, recipient)

    def list_changes() -> list[str]:
        found = find_counterfactuals(
            law, {**item, **recipient}, rule_results, combine_results("US", rule_results, basis, ())
        )
        return [change.facts[0][0] for change in found]

    assert list_changes() == ["live_case_harm", "origin.state"]
    monkeypatch.setattr(counterfactuals_module, "STEPS_MAX", 4)
    assert list_changes() == ["live_case_harm"]
    monkeypatch.setattr(counterfactuals_module, "STEPS_MAX", 0)
    assert list_changes() == []
    monkeypatch.setattr(counterfactuals_module, "STEPS_MAX", 1_000)
    monkeypatch.setattr(counterfactuals_module, "COUNTERFACTUALS_MAX", 1)
    assert list_changes() == ["live_case_harm"]
