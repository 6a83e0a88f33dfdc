"""The shipped packs: valid, cited, and with cases that test each rule."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest

from sharing.law.cases import runs as case_runs
from sharing.law.cases.runs import CaseResult, run_cases
from sharing.law.combination import RuleResult, combine_results
from sharing.law.constraints import FactTest
from sharing.law.facts import FACTS
from sharing.law.pack import Rule
from sharing.model.countries import COUNTRIES
from sharing.model.decision import RecipientDecision
from sharing.model.vocabulary import Authority, Character, Effect, Handling, OffenceCode
from sharing.packs.library import (
    find_law_by_code,
    list_pack_files,
    list_shipped_pack_codes,
    load_cases,
    load_common_cases,
    load_common_rules,
    load_law,
    load_shipped_treaties,
    read_law_file,
)
from tests.law.shipped import load_case_files

STATES = list_shipped_pack_codes()
PACKS = [pytest.param(file, id=file.name) for file in list_pack_files()]
FILES = [pytest.param(state, name, id=name) for state in STATES for name in load_case_files(state)]

NEVER_MISSING = {
    "action", "type", "handling", "tlp", "pap", "retention_expired", "recipient.state", "recipient.named",
    "recipient.eu", "recipient.schengen",
}  # fmt: skip
"""Facts that are never unknown, because the record or the treaty table always has them."""

DAY = dt.timedelta(days=1)


def list_tested_rules(state: str, name: str) -> list[Rule]:
    """Return the rules that a case file tests."""
    if name == "common.yaml":
        return list(load_common_rules().rules)
    ids = {rule.id for rule in load_common_rules().rules}
    return [rule for rule in find_law_by_code(state).pack.rules if rule.id not in ids]


# --- The shipped files ---


def test_ten_packs_are_shipped_with_their_cases() -> None:
    assert {"AU", "CA", "CH", "DE", "EU", "FR", "GB", "JP", "NL", "US"} <= set(STATES)
    for file in list_pack_files():
        assert load_cases(file) is not None, file.name
    assert load_common_cases() is not None


@pytest.mark.parametrize("file", PACKS)
def test_a_pack_is_valid_and_has_a_disclaimer(file: Any) -> None:
    pack = load_law(file).pack
    assert file.name == f"{pack.state.lower()}.yaml"
    assert "illustration" in pack.disclaimer
    assert "not legal advice" in pack.disclaimer
    assert pack.consolidated_at < dt.date(2027, 1, 1)
    assert pack.treaty_preference
    assert pack.rules
    assert any(rule.effect is Effect.PERMIT for rule in pack.rules)


@pytest.mark.parametrize("file", PACKS)
def test_every_rule_has_citation_source_and_paraphrase(file: Any) -> None:
    pack = load_law(file).pack
    prefix = f"{pack.state.lower()}."
    for rule in pack.rules:
        assert rule.id.startswith((prefix, "common.")), rule.id
        for text in (rule.citation, rule.paraphrase, rule.source):
            assert text.strip() == text, rule.id
            assert text, rule.id
        assert rule.paraphrase.endswith("."), rule.id
        assert isinstance(rule.verified, bool), rule.id
        # K is general knowledge, which was not checked against a text.
        assert not (rule.verified and rule.source.startswith("K")), rule.id
        assert rule.condition is None or rule.condition.text.endswith("."), rule.id


@pytest.mark.parametrize("file", PACKS)
def test_every_listed_role_is_used(file: Any) -> None:
    pack = load_law(file).pack
    used = {rule.approver for rule in pack.rules if rule.approver}
    used |= {rule.exception.approver for rule in pack.rules if rule.exception}
    assert used == set(pack.approvers)


@pytest.mark.parametrize("file", PACKS)
def test_every_assessed_state_has_looked_up_treaties(file: Any) -> None:
    pack = load_law(file).pack
    for assessment in pack.assessments:
        assert assessment.states <= COUNTRIES
        assert pack.state not in assessment.states
        assert assessment.facts or assessment.dual_criminality or assessment.capital_offence
        assert all(load_shipped_treaties().covers(state) for state in assessment.states), assessment.states


@pytest.mark.parametrize("state", STATES)
def test_the_common_rules_list_every_value_of_their_facts(state: str) -> None:
    """Then only an unknown value leaves a rule undecided, and no known value is refused.

    `NONE` is no authority: it says that none is competent, and is refused.
    """
    assert FACTS["recipient.authority"].values - FACTS["source.authority"].values == {"NONE"}
    rules = {rule.id: rule for rule in find_law_by_code(state).pack.rules}
    for rule_id, fact, members in (
        ("common.offence-stated", "offence.codes", OffenceCode),
        ("common.authority-known", "recipient.authority", Authority),
        ("common.character", "character", Character),
    ):
        (test,) = rules[rule_id].when.parts
        assert getattr(test, "fact", None) == fact
        assert getattr(test, "operand", None) == set(map(str, members)) - {"UNKNOWN"}
        assert FACTS[fact].values - {"NONE"} == set(map(str, members)) - {"UNKNOWN"}
    assert {f"common.{code.lower()}" for code in Handling} <= rules.keys()


# --- The cases ---


@cache
def run_all_cases(state: str, name: str) -> list[tuple[CaseResult, list[RuleResult]]]:
    """Return the result of each case, with the results of its rules."""
    recorded: list[list[RuleResult]] = []

    def record_and_combine(recipient: str, rule_results: list[RuleResult], *arguments: Any) -> RecipientDecision:
        recorded.append(rule_results)
        return combine_results(recipient, rule_results, *arguments)

    law = find_law_by_code(state)
    with patch.object(case_runs, "combine_results", record_and_combine):
        return list(zip(run_cases(load_case_files(state)[name], law.pack, law.treaties), recorded, strict=True))


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_case_passes(state: str, name: str) -> None:
    file = load_case_files(state)[name].document.source
    failed = [
        f"{file}:{result.line}: {result.case.name}: {'; '.join(result.differences)}"
        for result, _ in run_all_cases(state, name)
        if result.differences
    ]
    assert failed == []


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_rule_has_cases_of_every_kind(state: str, name: str) -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for case in load_case_files(state)[name].cases:
        kinds[case.rule].add(case.kind)
    lacking = {}
    for rule in list_tested_rules(state, name):
        needed = {"decides", "outside", "boundary"}
        if set(rule.when.list_fact_names()) - NEVER_MISSING:
            needed.add("missing")
        if not rule.when.parts:
            needed.discard("outside")  # a rule that holds always has no outside but its days
        if needed - kinds[rule.id]:
            lacking[rule.id] = sorted(needed - kinds[rule.id])
    assert lacking == {}


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_case_tests_its_rule(state: str, name: str) -> None:
    """The rule holds in "decides", not in "outside", is undecided in "missing", and starts or ends in "boundary".

    A rule that lists every known value applies if the value is unknown. A rule that tests only facts that are never
    missing is decided whatever is missing. One with an exception also decides while it is undecided, and what is
    missing may be a fact of the exception.
    """
    rules = {rule.id: rule for rule in list_tested_rules(state, name)}
    edges, wrong = defaultdict(set), []
    for result, rule_results in run_all_cases(state, name):
        case = result.case
        held = {rule_result.rule.id: rule_result.held for rule_result in rule_results}.get(case.rule, False)
        rule = rules[case.rule]
        allowed = {
            "decides": {True, None} if lists_every_value(rule) or rule.exception else {True},
            "outside": {False} if rule.when.parts else {True},
            "missing": {
                None,
                *((True,) if rule.exception else ()),
                *(() if set(rule.when.list_fact_names()) - NEVER_MISSING else (False,)),
            },
        }.get(case.kind, {held})
        if held not in allowed:
            wrong.append(f"{result.line}: {case.kind}: {case.rule} is {held}: {case.name}")
        if case.kind == "boundary":
            edges[case.rule].add(get_case_day(state, name, result))
    wrong += [f"no boundary case of {rule_id} is on one of its days" for rule_id, rule in rules.items()
              if not edges[rule_id] & list_edge_days(rule)]  # fmt: skip
    assert wrong == [], "\n".join(wrong)


def get_case_day(state: str, name: str, result: CaseResult) -> dt.date:
    return (result.case.at or load_case_files(state)[name].base.at).astimezone(dt.UTC).date()


def list_edge_days(rule: Rule) -> set[dt.date]:
    """Return the first and last day of a rule, the day before the first, and the day after the last."""
    last = {rule.valid.end, rule.valid.end + DAY} if rule.valid.end else set()
    return {rule.valid.start - DAY, rule.valid.start, *last}


def lists_every_value(rule: Rule) -> bool:
    """Return whether a part of the rule has one answer for every known value, so that only an unknown one matters."""
    return any(
        (isinstance(part, FactTest) and part.operand == FACTS[part.fact].values) or is_contradicted(rule, part)
        for part in rule.when.parts
    )


def is_contradicted(rule: Rule, part: Any) -> bool:
    """Return whether parts contradict each other: an item from abroad that has no State of origin."""
    return (
        isinstance(part, FactTest)
        and part.fact == "origin.state"
        and part.operand == frozenset({"NONE"})
        and any(isinstance(other, FactTest) and other.fact == "collection" for other in rule.when.parts)
    )


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_deciding_case_expects_its_rules(state: str, name: str) -> None:
    """For each rule there is a case that it decides, or leaves undecided if the rule lists every value."""
    deciding = [result for result, _ in run_all_cases(state, name) if result.case.kind == "decides"]
    assert [result.case.name for result in deciding if result.case.expect.rules is None] == []
    made = {result.case.rule for result in deciding if result.case.rule in {r.id for r in result.decision.rules}}
    assert [
        rule.id for rule in list_tested_rules(state, name) if rule.id not in made and not lists_every_value(rule)
    ] == []


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_fact_of_a_rule_is_missing_in_a_case(state: str, name: str) -> None:
    """The rule is then undecided because of that fact."""
    missing_facts: dict[str, set[str]] = defaultdict(set)
    for result, rule_results in run_all_cases(state, name):
        for rule_result in rule_results:
            if rule_result.rule.id == result.case.rule:
                missing_facts[rule_result.rule.id] |= set(rule_result.missing)
    lacking = {
        rule.id: sorted(facts)
        for rule in list_tested_rules(state, name)
        if (facts := set(rule.when.list_fact_names()) - NEVER_MISSING - missing_facts[rule.id])
    }
    assert lacking == {}


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_rule_is_tested_on_its_first_and_last_days(state: str, name: str) -> None:
    """A rule applies on its first and last day, and does not apply on the day before and the day after."""
    tested = defaultdict(set)
    for result, rule_results in run_all_cases(state, name):
        applies = result.case.rule in {rule_result.rule.id for rule_result in rule_results}
        tested[result.case.rule, get_case_day(state, name, result)].add(applies)
    untested = [
        f"{rule.id} is not tested to {'apply' if applies else 'be out of force'} on {day}"
        for rule in list_tested_rules(state, name)
        for day, applies in (
            (rule.valid.start - DAY, False),
            (rule.valid.start, True),
            *(((rule.valid.end, True), (rule.valid.end + DAY, False)) if rule.valid.end else ()),
        )
        if applies not in tested[rule.id, day]
    ]
    assert untested == [], "\n".join(untested)


@pytest.mark.parametrize("state", STATES)
def test_every_rule_affects_a_decision(state: str) -> None:
    """Each rule determines the decision of a case, or leaves it undecided."""
    reached: set[str] = set()
    for name in load_case_files(state):
        for result, _ in run_all_cases(state, name):
            reached |= {rule.id for rule in result.decision.rules}
            reached |= {entry.rule for entry in result.decision.undecided}
    for name in load_case_files(state):
        unreached = [rule.id for rule in list_tested_rules(state, name) if rule.id not in reached]
        assert unreached == []


def test_the_texts_of_packs_have_no_tabs_or_carriage_returns() -> None:
    for file in list_pack_files():
        assert "\t" not in read_law_file(file), file.name
        assert "\r" not in read_law_file(file), file.name
