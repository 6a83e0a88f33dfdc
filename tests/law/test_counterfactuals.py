"""What would change an outcome: the search finds what trying every set of values finds, and finds more in less."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations, islice, product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from sharing.law import counterfactuals as counterfactuals_module
from sharing.law.combine import combine
from sharing.law.constraints import read_conjunction
from sharing.law.counterfactuals import CHANGES_MAX, FactChange, find_fact_changes, shown
from sharing.law.facts import FACTS, FactKind, FactScope, FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Assessment
from sharing.law.pack_reader import parse_pack
from sharing.model.times import utc_day
from sharing.model.vocabulary import Effect
from tests.law.shipped import STATES, find_law, some
from tests.law.strategies import COMMONS, DAY, NOW_MS, TREATIES, dump, searched
from tests.law.test_explain import RECORD, SITUATIONS, law_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sharing.model.decision import RecipientDecision

QUIET = list(HealthCheck)
TRIALS_MAX = 3_000
"""After how many the naive search gives up."""

ASKED = [
    fact.name
    for fact in FACTS.values()
    if fact.scope is FactScope.INDICATOR and fact.name not in {"type", "action", "retention_expired", "origin.foreign"}
]


def naive_changes(
    law: DisclosureFilter, facts: Mapping[str, FactValue], decision: RecipientDecision
) -> Iterator[FactChange | None]:
    """Try every value of every set of missing facts, smallest sets first; None at the end if it gave up."""
    missing = sorted({entry.fact for entry in decision.undecided if entry.fact in FACTS})
    trials = 0
    for size in range(1, len(missing) + 1):
        found = False
        for names in combinations(missing, size):
            for values in product(*(possible(law, name) for name in names)):
                trials += 1
                if trials > TRIALS_MAX:
                    yield None
                    return
                known = dict(zip(names, values, strict=True))
                outcome = outcome_if(law, facts, known, decision.state)
                if outcome != decision.outcome:
                    found = True
                    yield FactChange(tuple((name, shown(value)) for name, value in known.items()), outcome)
        if found:
            return


def possible(law: DisclosureFilter, name: str) -> Sequence[FactValue]:
    fact = FACTS[name]
    asked = [test.operand for rule in law.rules for test in rule.when.tests() if test.fact == name]
    if fact.kind is FactKind.NUMBER:
        return sorted({0.0, *(bound for bound in asked if isinstance(bound, float))})
    if fact.kind is FactKind.SEVERAL:
        together = {operand for operand in asked if isinstance(operand, frozenset)}
        sets = {frozenset(), *together, *(frozenset({value}) for value in fact.values)}
        return sorted(sets, key=lambda values: (len(values), sorted(values)))
    return sorted(fact.values)


def outcome_if(
    law: DisclosureFilter, facts: Mapping[str, FactValue], known: Mapping[str, FactValue], state: str
) -> str:
    codes = known.get("offence.codes", facts["offence.codes"])
    recipient, basis, _ = law.profile(state, codes, named=facts["recipient.named"] == "YES")
    return str(combine(state, law.findings({**facts, **recipient}, known), basis, ()).outcome)


def compare(law: DisclosureFilter, record: Mapping[str, Any], state: str, now_ms: int) -> int:
    """Compare the two searches for one State; return how many changes were found."""
    item = law.item_facts(record, now_ms)
    recipient, basis, _ = law.profile(state, item["offence.codes"], named=False)
    findings = law.findings(item, recipient)
    decision = combine(state, findings, basis, ())
    facts = {**item, **recipient}
    found = find_fact_changes(law, facts, findings, decision)
    expected = list(islice(naive_changes(law, facts, decision), CHANGES_MAX))
    if expected and expected[-1] is None:
        assert list(found[: len(expected) - 1]) == expected[:-1]
    else:
        assert list(found) == expected
    return len(found)


@settings(searched(0.04), suppress_health_check=QUIET)
@given(SITUATIONS)
def test_of_generated_packs_it_finds_what_trying_everything_finds(situation: Any) -> None:
    data, authorities, pairs = situation
    pack = parse_pack(dump(data), "ch.yaml", TREATIES["small"], COMMONS["small"])
    law = DisclosureFilter(pack, TREATIES["small"], DAY, authorities)
    for record, audience in pairs:
        for state in {"US", *(state for state, _ in audience.states)}:
            compare(law, record, state, NOW_MS)


def test_of_the_shipped_packs_it_finds_what_trying_everything_finds() -> None:
    draw = random.Random(5)
    total = 0
    for state in STATES:
        found = find_law(state)
        for item in some(state, 4):
            law = DisclosureFilter(found.pack, found.treaties, utc_day(item.now_ms), {item.recipient: item.authority})
            left_out = draw.sample(ASKED, draw.choice((1, 2, 3)))
            total += compare(law, item.record(**dict.fromkeys(left_out)), item.recipient, item.now_ms)
    assert total > 30


def test_a_rule_that_fails_to_evaluate_changes_nothing_that_is_found() -> None:
    law = law_of({"effect": "PERMIT", "when": {"urgency": "URGENT", "assertion": "FACT"}})
    record = {**RECORD, "urgency": "UNKNOWN", "assertion": "UNKNOWN", "purpose": 5}
    assert compare(law, record, "US", NOW_MS) == 1
    failing = law_of(
        {"effect": "PERMIT", "when": {"urgency": "URGENT"}},
        {"effect": "DENY", "when": {"urgency": "ORDINARY", "purpose": "DETECTION"}},
    )
    assert compare(failing, record, "US", NOW_MS) == 1  # URGENT rules the failing one out


def test_offence_codes_tell_whether_it_is_criminal_there() -> None:
    rules = law_of({"effect": "PERMIT", "when": {"recipient.dual_criminality": True}}).pack
    answers = {"ILLEGAL_ACCESS": "YES", "LAUNDERING": "YES", "COPYRIGHT": "NO"}
    assessed = replace(rules, assessments=(Assessment(frozenset({"US"}), DAY, "K", {}, answers),))
    law = DisclosureFilter(assessed, TREATIES["small"], DAY, {"US": "POLICE"})
    record = {**RECORD, "offence": {**RECORD["offence"], "codes": []}}
    assert compare(law, record, "US", NOW_MS) == 1  # that it is criminal there: no rule asks for the codes
    when = read_conjunction({"offence.codes": "LAUNDERING"}, ())
    forbidding = replace(assessed.rules[-1], id="t.codes", effect=Effect.DENY, when=when)
    asking = replace(assessed, rules=(*assessed.rules, forbidding))
    law = DisclosureFilter(asking, TREATIES["small"], DAY, {"US": "POLICE"})
    assert compare(law, record, "US", NOW_MS) == 1  # ILLEGAL_ACCESS: criminal there, and not forbidden


def test_many_missing_facts_are_searched_to_the_end() -> None:
    names = ["urgency", "assertion", "secrecy_domain", "personal_data", "live_case_harm", "enables_request"]
    values = ["URGENT", "FACT", False, False, False, True]
    law = law_of(
        {"effect": "PERMIT", "when": dict(zip(names, values, strict=True))},
        *({"effect": "DENY", "when": {f"findings.{name}": True}} for name in ("serious_offence", "routine_use")),
    )
    record = {**RECORD, **dict.fromkeys(names, "UNKNOWN"), "findings": {}}
    item = law.item_facts(record, NOW_MS)
    recipient, basis, _ = law.profile("US", item["offence.codes"], named=False)
    findings = law.findings(item, recipient)
    (change,) = find_fact_changes(law, {**item, **recipient}, findings, combine("US", findings, basis, ()))
    assert len(change.facts) == 8
    assert dict(change.facts)["findings.routine_use"] == "NO"
    assert change.outcome == "DISCLOSE"


def test_a_search_that_grows_too_long_tells_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    law = law_of(
        {"effect": "PERMIT", "when": {"live_case_harm": False}}, {"effect": "PERMIT", "when": {"origin.state": "CH"}}
    )
    record = {
        **RECORD, "live_case_harm": "UNKNOWN", "collection": "UNKNOWN", "origin": {"state": None, "consent": "UNKNOWN"},
    }  # fmt: skip
    item = law.item_facts(record, NOW_MS)
    recipient, basis, _ = law.profile("US", item["offence.codes"], named=False)
    findings = law.findings(item, recipient)

    def told() -> list[str]:
        found = find_fact_changes(law, {**item, **recipient}, findings, combine("US", findings, basis, ()))
        return [change.facts[0][0] for change in found]

    assert told() == ["live_case_harm", "origin.state"]
    monkeypatch.setattr(counterfactuals_module, "STEPS_MAX", 4)
    assert told() == ["live_case_harm"]
    monkeypatch.setattr(counterfactuals_module, "STEPS_MAX", 0)
    assert told() == []
    monkeypatch.setattr(counterfactuals_module, "STEPS_MAX", 1_000)
    monkeypatch.setattr(counterfactuals_module, "CHANGES_MAX", 1)
    assert told() == ["live_case_harm"]
