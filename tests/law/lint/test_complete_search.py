"""The search of lint agrees with brute force, and its counterexamples can occur, as the engine shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law.authorities import list_sole_authorities
from sharing.law.fact_values import PartialValue
from sharing.law.facts import FACTS, FactScope
from sharing.law.filter import DisclosureFilter
from sharing.law.lint import Counterexample, LintCode, LintFinding, LintSeverity, LintSubject, lint_pack
from sharing.law.lint.analysis import analyse_pack
from sharing.law.lint.findings import RuleLocator
from sharing.law.lint.reachability import find_unreachable
from sharing.law.lint.redundancy import RedundancyKind, find_redundant_rules
from sharing.law.pack import Pack
from sharing.law.reading.pack_reader import parse_pack, read_pack_yaml
from sharing.law.treaties import TreatyTable
from sharing.model.indicator import Indicator
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Effect
from sharing.packs.library import list_pack_files, load_cases, load_common_rules, load_law, read_law_file
from tests.law.lint.brute_force import ASKS, enumerate_evaluations, evaluate_rule
from tests.law.strategies import COMMON_RULES, TREATIES, dump_yaml, packs, search_settings

COMMON = len(COMMON_RULES["small"].rules)
DAY = dt.date(2026, 11, 25)

# Each group of facts is small enough for a full enumeration.
GROUPS = (
    ("form", "personal_data", "recipient.eu", "treaty_basis"),
    ("form", "offence.max_penalty_years", "recipient.named"),
    ("origin.state", "origin.foreign", "origin.consent", "collection"),
    ("grading.source", "grading.information", "recipient.adequacy"),
    ("offence.codes", "recipient.dual_criminality", "personal_data"),
    ("handling", "recipient.authority", "tlp"),
    ("recipient.treaties", "recipient.state", "condition_model", "urgency"),
)


@given(st.data())
@settings(parent=search_settings(0.06), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_search_agrees_with_brute_force(data: st.DataObject) -> None:
    text = dump_yaml(data.draw(packs(data.draw(st.sampled_from(GROUPS)))))
    treaties = TREATIES["small"]
    pack = parse_pack(text, "ch.yaml", treaties, COMMON_RULES["small"])
    analysis = analyse_pack(pack, treaties, COMMON)
    brute_force = enumerate_evaluations(pack, treaties)
    for number, rule in enumerate(pack.rules):
        values = brute_force.truth_values(number)
        assert bool(analysis.holds_in[number]) is (True in values), rule
        assert bool(analysis.undecided_in[number]) is (None in values), rule
        if rule.exception is not None or rule.asks_undecided:
            asks = ASKS in values or (True in values and rule.effect is Effect.APPROVAL)
            assert bool(analysis.asks_in[number]) is asks, rule
        for cube, value in (
            *((cube, True) for cube in analysis.holds_in[number]),
            *((cube, None) for cube in analysis.undecided_in[number]),
            *((cube, ASKS) for cube in analysis.asks_in[number]),
        ):
            example = analysis.build_counterexample(cube, number)
            assert rule.valid.contains(example.day)
            evaluated = evaluate_rule(rule, example.facts)
            asks = evaluated is ASKS or (evaluated is True and rule.effect is Effect.APPROVAL)
            assert asks if value is ASKS else evaluated == value
    locator = RuleLocator(read_pack_yaml(text, "ch.yaml"), COMMON)
    redundant = {}
    for finding in find_redundant_rules(analysis, locator):
        if finding.code is LintCode.REDUNDANT:
            (kind,) = (kind for kind in RedundancyKind if matches_kind(kind, finding.sentence))
            redundant[find_rule_number(finding, locator, pack)] = kind.name
    assert redundant == brute_force.find_redundant(COMMON)
    unreachable = {
        find_rule_number(finding, locator, pack)
        for finding in find_unreachable(analysis, locator)
        if is_about_whole_rule(finding)
    }
    assert unreachable == {n for n in range(COMMON, len(pack.rules)) if True not in brute_force.truth_values(n)}


def matches_kind(kind: RedundancyKind, sentence: str) -> bool:
    before, after = kind.value.split("{}")
    return sentence.startswith(before) and sentence.endswith(after)


def is_about_whole_rule(finding: LintFinding) -> bool:
    return "alternative" not in finding.sentence and not finding.sentence.startswith("its exception")


def find_rule_number(finding: LintFinding, locator: RuleLocator, pack: Pack) -> int:
    """Return the number of the rule that a finding is about: the last one that begins at its line or above."""
    lines = [locator.document.line_of(("rules", index)) for index in range(len(pack.rules) - COMMON)]
    return COMMON + max(index for index, line in enumerate(lines) if line <= finding.line)


# --- Counterexamples can occur ---


def lint_shipped_pack(file: Any) -> tuple[Pack, TreatyTable, list[LintFinding]]:
    law = load_law(file)
    subject = LintSubject(
        law.pack, read_pack_yaml(read_law_file(file), file.name), load_cases(file), len(load_common_rules().rules)
    )
    return law.pack, law.treaties, lint_pack(subject, law.treaties, DAY)


@pytest.mark.parametrize("file", [pytest.param(file, id=file.name) for file in list_pack_files()])
def test_shipped_packs_are_strictly_clean_and_every_counterexample_can_occur(file: Any) -> None:
    pack, treaties, findings = lint_shipped_pack(file)
    assert [finding for finding in findings if finding.severity is LintSeverity.ERROR] == []
    warnings = [finding for finding in findings if finding.severity is LintSeverity.WARNING]
    assert [(str(finding.code), finding.rule) for finding in warnings if not finding.accepted] == []
    for finding in findings:
        if finding.counterexample is None or pack.is_template:
            continue
        assert_can_occur(finding.counterexample, pack, treaties)
        (rule,) = (rule for rule in pack.list_rules_in_force(finding.counterexample.day) if rule.id == finding.rule)
        value = rule.when.evaluate(finding.counterexample.facts)
        if finding.code is LintCode.ONLY_UNDECIDED:
            assert value is None, finding
        else:  # a rule that is undecided asks too, if its exception does, or if it is an approval in an emergency
            asks = rule.exception is not None or evaluate_rule(rule, finding.counterexample.facts) is ASKS
            assert value is True or (value is None and asks), finding


def assert_can_occur(combination: Counterexample, pack: Pack, treaties: TreatyTable) -> None:
    """Check that a record, a directory and a day have exactly these facts."""
    facts = combination.facts
    now_ms = int(dt.datetime.combine(combination.day, dt.time(12), dt.UTC).timestamp() * 1000)
    authority = facts.get("recipient.authority") or "UNKNOWN"
    law = DisclosureFilter(pack, treaties, combination.day, list_sole_authorities({combination.state: str(authority)}))
    record = Indicator.parse(make_indicator_data(facts, pack.state)).to_record()
    item = {**dict.fromkeys(law.recipient_inputs), **facts}
    recipient = law.profile_recipient(combination.state, item, named=facts.get("recipient.named") == "YES").facts
    for name, value in facts.items():
        fact = FACTS[name]
        if fact.scope is FactScope.INDICATOR:
            assert fact.read_raw is not None
            assert fact.interpret_raw(fact.read_raw(record, now_ms)) == value, name
        elif name == "recipient.treaties" and name in combination.relevant:
            # After the treaty basis, only instruments that a rule asks for are in a combination.
            asked = pack.list_tested_values(name)
            assert select_instruments(recipient[name], asked) == select_instruments(value, asked)
        elif name in combination.relevant or name == "condition_model":
            assert drop_missing(recipient[name]) == drop_missing(value), name


def select_instruments(value: Any, asked: Collection[str]) -> Any:
    known, possible = (value.known, value.possible) if isinstance(value, PartialValue) else (value, value)
    return frozenset(known or ()) & set(asked), frozenset(possible or ()) & set(asked)


def drop_missing(value: Any) -> Any:
    """Return a value without the facts that leave it undecided: a combination stands for all in which it is that."""
    if isinstance(value, PartialValue):
        return None if value.is_open else (value.known, value.possible)
    return value


def make_indicator_data(facts: Any, state: str) -> dict[str, Any]:
    """Return the JSON form of an indicator with these facts."""
    data: dict[str, Any] = {
        "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "version": 2, "reason": "r", "value": "x", "handling_text": "t",
        "source": {"state": state, "agency": "a", "officer": "o"}, "urgency_reason": "r", "offence": {}, "grading": {},
        "origin": {}, "findings": {},
    }  # fmt: skip
    for name, value in facts.items():
        if FACTS[name].scope is not FactScope.INDICATOR or name == "origin.foreign" or value is None:
            continue
        plain = (
            sorted(value)
            if isinstance(value, frozenset)
            else None
            if value == "NONE" and name != "subject_class"
            else value
        )
        plain = {"YES": True, "NO": False}.get(plain, plain) if isinstance(plain, str) else plain
        if name == "retention_expired":
            data["retain_until"] = "1971-01-01T00:00:00Z" if plain else None
            continue
        first, _, rest = name.partition(".")
        if rest:
            data[first][rest] = round(value) if isinstance(value, float) and name == "grading.information" else plain
        else:
            data[first] = plain
    data["type"] = data.get("type", "mutex")
    data["value"] = VALUE_TYPES[data["type"]].example
    return data
