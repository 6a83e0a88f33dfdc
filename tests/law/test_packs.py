"""The shipped packs: sound, cited, and each rule shown by cases that really are about it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest

from sharing.law import cases as cases_module
from sharing.law.cases import CaseResult, run_cases
from sharing.law.combine import RuleFinding
from sharing.law.combine import combine as real_combine
from sharing.law.constraints import Test as Comparison
from sharing.law.facts import FACTS
from sharing.law.pack import Rule
from sharing.model.countries import COUNTRIES
from sharing.model.decision import RecipientDecision
from sharing.model.vocabulary import Authority, Character, Effect, Handling, OffenceCode
from sharing.packs.library import (
    common_cases,
    common_rules,
    find_pack,
    pack_files,
    read_cases,
    read_law,
    read_text,
    shipped_packs,
    shipped_treaties,
)
from tests.law.shipped import case_files

STATES = shipped_packs()
PACKS = [pytest.param(place, id=place.name) for place in pack_files()]
FILES = [pytest.param(state, name, id=name) for state in STATES for name in case_files(state)]

NEVER_MISSING = {
    "action", "type", "handling", "tlp", "pap", "retention_expired", "recipient.state", "recipient.named",
    "recipient.eu", "recipient.schengen",
}  # fmt: skip
"""Facts of which a record, or the directory of States, always says something."""

DAY = dt.timedelta(days=1)


def own_rules(state: str, name: str) -> list[Rule]:
    """Return the rules that a file of cases is about."""
    if name == "common.yaml":
        return list(common_rules().rules)
    ids = {rule.id for rule in common_rules().rules}
    return [rule for rule in find_pack(state).pack.rules if rule.id not in ids]


# --- What is shipped ---


def test_ten_packs_are_shipped_with_their_cases() -> None:
    assert {"AU", "CA", "CH", "DE", "EU", "FR", "GB", "JP", "NL", "US"} <= set(STATES)
    for place in pack_files():
        assert read_cases(place) is not None, place.name
    assert common_cases() is not None


@pytest.mark.parametrize("place", PACKS)
def test_a_pack_is_sound_and_says_what_it_is(place: Any) -> None:
    pack = read_law(place).pack
    assert place.name == f"{pack.state.lower()}.yaml"
    assert "illustration" in pack.disclaimer
    assert "not legal advice" in pack.disclaimer
    assert pack.consolidated_at < dt.date(2027, 1, 1)
    assert pack.treaty_preference
    assert pack.rules
    assert any(rule.effect is Effect.PERMIT for rule in pack.rules)


@pytest.mark.parametrize("place", PACKS)
def test_every_rule_is_cited_dated_paraphrased_and_honest_about_its_source(place: Any) -> None:
    pack = read_law(place).pack
    prefix = f"{pack.state.lower()}."
    for rule in pack.rules:
        assert rule.id.startswith((prefix, "common.")), rule.id
        for text in (rule.citation, rule.paraphrase, rule.source):
            assert text.strip() == text, rule.id
            assert text, rule.id
        assert rule.paraphrase.endswith("."), rule.id
        assert isinstance(rule.verified, bool), rule.id
        # K is general knowledge, checked against nothing.
        assert not (rule.verified and rule.source.startswith("K")), rule.id
        assert rule.condition is None or rule.condition.text.endswith("."), rule.id


@pytest.mark.parametrize("place", PACKS)
def test_every_role_that_a_pack_lists_is_used(place: Any) -> None:
    pack = read_law(place).pack
    used = {rule.approver for rule in pack.rules if rule.approver}
    assert used == set(pack.approvers)


@pytest.mark.parametrize("place", PACKS)
def test_a_packs_assessments_are_of_states_that_were_looked_up(place: Any) -> None:
    pack = read_law(place).pack
    for assessment in pack.assessments:
        assert assessment.states <= COUNTRIES
        assert pack.state not in assessment.states
        assert assessment.facts or assessment.dual_criminality
        assert all(shipped_treaties().covers(state) for state in assessment.states), assessment.states


@pytest.mark.parametrize("state", STATES)
def test_every_member_of_a_closed_list_stands_in_the_common_rules(state: str) -> None:
    """So that only an unknown one is undecided, and nothing that is known is refused."""
    rules = {rule.id: rule for rule in find_pack(state).pack.rules}
    for rule_id, fact, members in (
        ("common.offence-stated", "offence.codes", OffenceCode),
        ("common.authority-known", "recipient.authority", Authority),
        ("common.character", "character", Character),
    ):
        (test,) = rules[rule_id].when.parts
        assert getattr(test, "fact", None) == fact
        assert getattr(test, "operand", None) == FACTS[fact].values == set(map(str, members)) - {"UNKNOWN"}
    assert {f"common.{code.lower()}" for code in Handling} <= rules.keys()


# --- The cases ---


@cache
def results(state: str, name: str) -> list[tuple[CaseResult, list[RuleFinding]]]:
    """Return what became of each case, and what it found of every rule."""
    seen: list[list[RuleFinding]] = []

    def combine(to: str, found: list[RuleFinding], *rest: Any) -> RecipientDecision:
        seen.append(found)
        return real_combine(to, found, *rest)

    law = find_pack(state)
    with patch.object(cases_module, "combine", combine):
        return list(zip(run_cases(case_files(state)[name], law.pack, law.treaties), seen, strict=True))


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_case_holds(state: str, name: str) -> None:
    file = case_files(state)[name].document.source
    failed = [
        f"{file}:{result.line}: {result.case.name}: {'; '.join(result.differences)}"
        for result, _ in results(state, name)
        if result.differences
    ]
    assert failed == []


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_rule_has_cases_of_every_kind(state: str, name: str) -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for case in case_files(state)[name].cases:
        kinds[case.rule].add(case.kind)
    lacking = {}
    for rule in own_rules(state, name):
        needed = {"decides", "outside", "boundary"}
        if set(rule.when.names()) - NEVER_MISSING:
            needed.add("missing")
        if not rule.when.parts:
            needed.discard("outside")  # a rule that holds always has no outside but its days
        if needed - kinds[rule.id]:
            lacking[rule.id] = sorted(needed - kinds[rule.id])
    assert lacking == {}


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_case_is_about_its_rule(state: str, name: str) -> None:
    """It decides: the rule holds. Outside: it does not. Missing: nobody can say. Boundary: its first or last days.

    Two things are as they should be: a rule that lists every known answer bites where the answer is unknown, and a
    rule that asks only for what is never missing is decided whatever is left out.
    """
    rules = {rule.id: rule for rule in own_rules(state, name)}
    edges, wrong = defaultdict(set), []
    for result, found in results(state, name):
        case = result.case
        held = {finding.rule.id: finding.held for finding in found}.get(case.rule, False)
        rule = rules[case.rule]
        allowed = {
            "decides": {True} if not lists_every_answer(rule) else {True, None},
            "outside": {False} if rule.when.parts else {True},
            "missing": {None} if set(rule.when.names()) - NEVER_MISSING else {None, False},
        }.get(case.kind, {held})
        if held not in allowed:
            wrong.append(f"{result.line}: {case.kind}: {case.rule} is {held}: {case.name}")
        if case.kind == "boundary":
            edges[case.rule].add(day_of(state, name, result))
    wrong += [f"no boundary case of {rule_id} is on one of its days" for rule_id, rule in rules.items()
              if not edges[rule_id] & edge_days(rule)]  # fmt: skip
    assert wrong == [], "\n".join(wrong)


def day_of(state: str, name: str, result: CaseResult) -> dt.date:
    return (result.case.at or case_files(state)[name].base.at).astimezone(dt.UTC).date()


def edge_days(rule: Rule) -> set[dt.date]:
    """Return the first and last day of a rule, the day before and the day after."""
    last = {rule.valid.end, rule.valid.end + DAY} if rule.valid.end else set()
    return {rule.valid.start - DAY, rule.valid.start, *last}


def lists_every_answer(rule: Rule) -> bool:
    """Return whether a part of the rule holds for no known answer, or for each: only an unknown one matters."""
    return any(
        (isinstance(part, Comparison) and part.operand == FACTS[part.fact].values) or contradicts(rule, part)
        for part in rule.when.parts
    )


def contradicts(rule: Rule, part: Any) -> bool:
    """Return whether parts deny each other by the nature of the facts: from abroad, but from no State."""
    return (
        isinstance(part, Comparison)
        and part.fact == "origin.state"
        and part.operand == frozenset({"NONE"})
        and any(isinstance(other, Comparison) and other.fact == "collection" for other in rule.when.parts)
    )


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_deciding_case_says_by_which_rules(state: str, name: str) -> None:
    """And for each rule there is one that it makes, or leaves undecided where it lists every answer."""
    deciding = [result for result, _ in results(state, name) if result.case.kind == "decides"]
    assert [result.case.name for result in deciding if result.case.expect.rules is None] == []
    made = {result.case.rule for result in deciding if result.case.rule in {r.id for r in result.decision.rules}}
    assert [rule.id for rule in own_rules(state, name) if rule.id not in made and not lists_every_answer(rule)] == []


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_fact_of_a_rule_is_left_out_once(state: str, name: str) -> None:
    """And the rule is undecided then, for want of that fact."""
    left_out: dict[str, set[str]] = defaultdict(set)
    for result, found in results(state, name):
        for finding in found:
            if finding.rule.id == result.case.rule:
                left_out[finding.rule.id] |= set(finding.missing)
    lacking = {
        rule.id: sorted(facts)
        for rule in own_rules(state, name)
        if (facts := set(rule.when.names()) - NEVER_MISSING - left_out[rule.id])
    }
    assert lacking == {}


@pytest.mark.parametrize(("state", "name"), FILES)
def test_every_rule_is_seen_to_begin_on_its_first_day(state: str, name: str) -> None:
    """On the first day it speaks, on the day before it does not; likewise on its last day and the day after."""
    seen = defaultdict(set)
    for result, found in results(state, name):
        speaks = result.case.rule in {finding.rule.id for finding in found}
        seen[result.case.rule, day_of(state, name, result)].add(speaks)
    unseen = [
        f"{rule.id} is not seen to {'speak' if speaks else 'be silent'} on {day}"
        for rule in own_rules(state, name)
        for day, speaks in (
            (rule.valid.start - DAY, False),
            (rule.valid.start, True),
            *(((rule.valid.end, True), (rule.valid.end + DAY, False)) if rule.valid.end else ()),
        )
        if speaks not in seen[rule.id, day]
    ]
    assert unseen == [], "\n".join(unseen)


@pytest.mark.parametrize("state", STATES)
def test_every_rule_matters_to_some_decision(state: str) -> None:
    """Each rule makes a decision of some case, or leaves one undecided."""
    reached: set[str] = set()
    for name in case_files(state):
        for result, _ in results(state, name):
            reached |= {rule.id for rule in result.decision.rules}
            reached |= {entry.rule for entry in result.decision.undecided}
    for name in case_files(state):
        unreached = [rule.id for rule in own_rules(state, name) if rule.id not in reached]
        assert unreached == []


def test_texts_of_packs_are_what_is_read() -> None:
    for place in pack_files():
        assert "\t" not in read_text(place), place.name
        assert "\r" not in read_text(place), place.name
