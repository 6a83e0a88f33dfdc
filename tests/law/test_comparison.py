"""The comparison of two packs: agreement with brute force, and known changes of the shipped packs."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import combine_terms
from sharing.law.comparison import compare_laws
from sharing.law.comparison.differences import Comparison, DifferenceKind, LawVersion
from sharing.law.fact_values import NONE, FactValue
from sharing.law.facts import FACTS, FactScope
from sharing.law.filter import DisclosureFilter
from sharing.law.mutation import make_mutants
from sharing.law.pack import Pack
from sharing.law.reading.pack_reader import parse_pack
from sharing.model.effects import FORBIDDING_EFFECTS
from sharing.model.recipient_terms import RecipientTerms
from sharing.model.vocabulary import Effect, Outcome
from sharing.packs.library import find_law_by_code, list_shipped_pack_codes
from tests.law.strategies import COMMON_RULES, DAY, DAYS, STATES, TREATIES, dump_yaml, packs, search_settings

OPENNESS = [Outcome.WITHHOLD, Outcome.HOLD, Outcome.OFFER, Outcome.DISCLOSE]
TODAY = dt.date(2026, 11, 25)
NEVER_UNKNOWN: dict[str, FactValue] = {"tlp": NONE, "handling": frozenset()}

# Each group of facts is small enough for a full enumeration.
GROUPS = (
    ("form", "personal_data", "recipient.eu"),
    ("offence.max_penalty_years", "treaty_basis"),
    ("origin.consent", "tlp", "condition_model"),
    ("personal_data", "recipient.dual_criminality", "offence.codes"),
    ("live_case_harm", "recipient.capital_offence", "recipient.treaties"),
    ("urgency", "recipient.state", "recipient.named"),
    ("character", "recipient.authority", "source.authority"),
)


# --- Against brute force ---


@st.composite
def pairs_of_packs(draw: st.DrawFn) -> tuple[str, str]:
    """Return two packs: the second is the first with one thing changed, or another one."""
    names = draw(st.sampled_from(GROUPS))
    first, other = draw(packs(names)), draw(packs(names))
    key = draw(st.sampled_from(["rules", "rule", "assessments", "treaty_preference", "bilateral", "without a rule"]))
    second = dict(first)
    if key == "without a rule":
        removed = draw(st.integers(0, len(first["rules"]) - 1))
        second["rules"] = [rule for index, rule in enumerate(first["rules"]) if index != removed] or other["rules"]
    elif key == "rule":
        added = {**other["rules"][0], "id": "t.added"}
        second["rules"] = [*first["rules"], added]
    else:
        second[key] = other[key]
    return dump_yaml(first), dump_yaml(second)


@given(pairs_of_packs())
@settings(
    parent=search_settings(0.005),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
def test_the_comparison_agrees_with_brute_force(texts: tuple[str, str]) -> None:
    table = TREATIES["small"]
    old, new = (LawVersion(parse_pack(text, "ch.yaml", table, COMMON_RULES["small"]), table) for text in texts)
    comparison = compare_laws(old, new, DAY)
    assert comparison.complete
    differences = enumerate_differences(old, new)
    for found, sign in ((comparison.opens, 1), (comparison.closes, -1)):
        expected = {key: cost for (direction, key), cost in differences.items() if direction == sign}
        kinds = {(str(one.kind), one.detail if one.kind is not DifferenceKind.APPROVER else "") for one in found}
        assert kinds == expected.keys()
        outcomes = [one for one in found if one.kind is DifferenceKind.OUTCOME]
        if outcomes:
            smallest = min(count_stated(dict(one.facts)) for one in outcomes)
            assert smallest == expected["outcome", ""]


def enumerate_differences(old: LawVersion, new: LawVersion) -> dict[tuple[int, tuple[str, str]], int]:
    """Return every kind of difference between two laws, with the size of the smallest item, item by item."""
    smallest: dict[tuple[int, tuple[str, str]], int] = {}
    for facts, was, is_ in iter_decisions(old, new):
        cost = count_stated(facts)
        for direction, kind in iter_changes(was, is_):
            key = (direction, kind)
            smallest[key] = min(smallest.get(key, cost), cost)
    return smallest


def iter_changes(was: RecipientTerms, is_: RecipientTerms) -> Iterator[tuple[int, tuple[str, str]]]:
    for direction, before, after in ((1, was, is_), (-1, is_, was)):
        if OPENNESS.index(after.outcome) > OPENNESS.index(before.outcome):
            yield direction, ("outcome", "")
        if after.is_obligatory and not before.is_obligatory and after.outcome is not Outcome.WITHHOLD:
            yield direction, ("duty to send", "")
        if Outcome.WITHHOLD in {before.outcome, after.outcome}:
            continue
        imposed, imposes = ({f"({one.kind}) {one.text}" for one in terms.conditions} for terms in (before, after))
        for condition in imposed - imposes:
            yield direction, ("condition", condition)
        for name in set(before.redacted) - set(after.redacted):
            yield direction, ("redaction", name)
        if before.approver and after.approver and before.approver != after.approver:
            yield direction, ("approver", "")
        if (before.approvals, after.approvals) == (2, 1):
            yield direction, ("approvals", "")


def iter_decisions(
    old: LawVersion, new: LawVersion
) -> Iterator[tuple[dict[str, FactValue], RecipientTerms, RecipientTerms]]:
    """Yield every item with the terms of every recipient under two laws, on every day that matters."""
    seen: dict[Any, set[Any]] = defaultdict(set)
    authorities = [None, NONE, "POLICE", "COURT", "TAX"]
    items = list(iter_items(old, new))
    for day, authority in product(DAYS[2:], authorities):
        kinds = list_sole_authorities(dict.fromkeys(STATES, authority))
        laws = [DisclosureFilter(pack, table, day, kinds) for pack, table in (old, new)]
        for item in items:
            for state, named in product(set(STATES) - {"CH"}, (False, True)):
                profiles = [law.profile_recipient(state, item, named=named) for law in laws]
                key = tuple((id(profile.recipient_class), profile.basis) for profile in profiles)
                facts = {**item, "recipient.named": "YES" if named else "NO"}
                if key in seen[day, authority, tuple(facts.values())]:
                    continue
                seen[day, authority, tuple(facts.values())].add(key)
                was, is_ = (
                    combine_terms(law.evaluate_rules(item, profile.facts), profile.basis)
                    for law, profile in zip(laws, profiles, strict=True)
                )
                yield facts, was, is_


def iter_items(old: LawVersion, new: LawVersion) -> Iterator[dict[str, FactValue]]:
    """Yield the facts of every item that the two laws may tell apart."""
    tested = {test.fact for pack, _ in (old, new) for rule in pack.rules for test in rule.iter_tests()}
    if tested & {"recipient.dual_criminality", "recipient.capital_offence"}:
        tested.add("offence.codes")
    # Without a known sender it is unknown which treaty covers the item.
    tested |= {"source.authority"} if {old.pack.treaty_preference, new.pack.treaty_preference} != {()} else set()
    for pack, _ in (old, new):
        tested |= {name for one in pack.bilateral.values() for name in one.coverage.scope.list_fact_names()}
    names = sorted(name for name in tested if FACTS[name].scope is FactScope.INDICATOR)
    unknown: dict[str, FactValue] = {"offence.codes": None, "source.authority": None, "offence.organised_group": None}
    for values in product(*(list_values(name) for name in names)):
        yield unknown | dict(zip(names, values, strict=True))


def list_values(name: str) -> list[FactValue]:
    """Return values of a fact, one at least of each class that the packs tell apart."""
    match name:
        case "offence.codes":
            return [None, *make_sets("ILLEGAL_ACCESS LAUNDERING COPYRIGHT"), frozenset({"CORRUPTION"})]
        case "source.authority":
            return [None, "POLICE", "COURT", "TAX"]
        case "offence.max_penalty_years":
            return [None, 0.0, 1.0, 2.0, 4.0, 5.0]
        case "character":
            return [None, frozenset(), *make_sets("MILITARY POLITICAL RACIAL")]
        case _:
            unknown: list[FactValue] = [] if name in NEVER_UNKNOWN else [None]
            return [*unknown, *sorted(FACTS[name].values)]


def make_sets(words: str) -> list[frozenset[str]]:
    """Return every set of one to three of some words."""
    listed = words.split()
    return [frozenset(chosen) for size in (1, 2, 3) for chosen in combinations(listed, size)]


def count_stated(facts: dict[str, FactValue]) -> int:
    """Return how many facts an item states; each offence and each character counts."""
    count = 0
    for name, value in facts.items():
        if value is None or value == NEVER_UNKNOWN.get(name) or (name, value) == ("recipient.named", "NO"):
            continue
        if isinstance(value, frozenset):
            count += len(value) + (name == "character")
        else:
            count += 1
    return count


# --- The shipped packs ---


@cache
def load_shipped(code: str) -> LawVersion:
    law = find_law_by_code(code)
    pack = law.pack.adopt_for("IE", law.treaties) if law.pack.is_template else law.pack
    return LawVersion(pack, law.treaties)


def amend(law: LawVersion, **changes: Any) -> LawVersion:
    return law._replace(pack=replace(law.pack, **changes))


@pytest.mark.parametrize("code", list_shipped_pack_codes())
def test_a_pack_compared_with_itself_opens_and_closes_nothing(code: str) -> None:
    law = load_shipped(code)
    assert compare_laws(law, law, TODAY) == Comparison((), (), complete=True)


def test_a_removed_prohibition_is_found_with_the_smallest_item_and_the_rule() -> None:
    law = load_shipped("CH")
    rules = tuple(rule for rule in law.pack.rules if rule.id != "ch.imac-37-3")
    assert len(rules) == len(law.pack.rules) - 1
    comparison = compare_laws(law, amend(law, rules=rules), TODAY)
    opened = comparison.opens[0]
    assert opened.kind is DifferenceKind.OUTCOME
    assert (opened.was, opened.rules) == (Outcome.WITHHOLD, ("ch.imac-37-3",))
    assert opened.is_ is not Outcome.WITHHOLD
    assert comparison.closes == ()
    # Each fact of the smallest item is needed.
    assert opened.item["live_case_harm"] is False
    reverse = compare_laws(amend(law, rules=rules), law, TODAY)
    assert reverse.opens == ()
    assert (reverse.closes[0].was, reverse.closes[0].is_) == (opened.is_, opened.was)


def change_rule(pack: Pack, rule_id: str, **changes: Any) -> tuple[Any, ...]:
    return tuple(replace(rule, **changes) if rule.id == rule_id else rule for rule in pack.rules)


def test_lost_conditions_redactions_and_other_approvers_are_shown_apart() -> None:
    law = load_shipped("CH")
    condition = next(rule for rule in law.pack.rules if rule.effect is Effect.CONDITION and not rule.is_common)
    assert condition.condition is not None
    texts = {
        one.detail for one in find(law, condition.id, DifferenceKind.CONDITION, effect=Effect.RECORD, condition=None)
    }
    assert texts == {f"({condition.condition.kind}) {condition.condition.text}"}
    approval = next(rule for rule in law.pack.rules if rule.effect is Effect.APPROVAL and not rule.is_common)
    roles = [one.detail for one in find(law, approval.id, DifferenceKind.APPROVER, approver="SOMEBODY_ELSE")]
    assert roles == [f"{approval.approver} → SOMEBODY_ELSE"]


def find(law: LawVersion, rule_id: str, kind: DifferenceKind, **changes: Any) -> list[Any]:
    comparison = compare_laws(law, amend(law, rules=change_rule(law.pack, rule_id, **changes)), TODAY)
    assert comparison.complete
    found = [one for one in comparison.opens if one.kind is kind]
    assert all(rule_id in one.rules for one in found)
    return found


def test_an_item_that_names_its_recipient_says_so() -> None:
    rule = {
        "citation": "art. 1", "nature": "statute", "paraphrase": "p", "source": "S", "verified": False,
        "valid": {"from": dt.date(2025, 1, 1)},
    }  # fmt: skip
    permit = {"id": "t.permit", "when": {}, "effect": "PERMIT", **rule}
    deny = {"id": "t.named", "when": {"recipient.named": True}, "effect": "DENY", **rule}
    head = {
        "state": "ch", "version": "2026.10", "title": "A pack", "disclaimer": "None of this is law.",
        "consolidated_at": dt.date(2026, 3, 1), "maintainers": [], "treaty_preference": [], "assessments": [],
    }  # fmt: skip
    table = TREATIES["small"]
    old, new = (
        LawVersion(parse_pack(dump_yaml(head | {"rules": rules}), "ch.yaml", table, COMMON_RULES["small"]), table)
        for rules in ([permit], [permit, deny])
    )
    (closed,) = compare_laws(old, new, DAY).closes
    assert closed.facts == {"recipient.named": "YES"}
    assert [one["state"] for one in closed.item["nexus"]] == [closed.to]


def test_treaties_and_the_preference_count() -> None:
    law = load_shipped("CH")
    budapest = law.treaties.instruments["BUDAPEST"]
    parties = {state: period for state, period in budapest.parties.items() if state != "US"}
    instruments = {**law.treaties.instruments, "BUDAPEST": replace(budapest, parties=parties)}
    without = LawVersion(law.pack, replace(law.treaties, instruments=instruments))
    assert {one.to for one in compare_laws(law, without, TODAY).closes} == {"US"} or not compare_laws(
        without, law, TODAY
    ).opens
    empty = amend(law, treaty_preference=())
    changed = compare_laws(law, empty, TODAY)
    assert changed.opens or changed.closes


def test_a_change_that_begins_later_is_found() -> None:
    law = load_shipped("CH")
    rule = next(rule for rule in law.pack.rules if rule.id == "ch.scc-349c")
    ends = replace(rule.valid, end=dt.date(2031, 12, 31))
    comparison = compare_laws(law, amend(law, rules=change_rule(law.pack, rule.id, valid=ends)), TODAY)
    assert {one.day for one in comparison.opens} == {dt.date(2032, 1, 1)}


def test_a_search_that_was_cut_short_says_so() -> None:
    law = load_shipped("CH")
    rules = tuple(rule for rule in law.pack.rules if rule.effect not in FORBIDDING_EFFECTS)
    assert not compare_laws(law, amend(law, rules=rules), TODAY, steps_max=3).complete


def test_packs_of_two_states_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="CH and US: only packs of one State can be compared"):
        compare_laws(load_shipped("CH"), load_shipped("US"), TODAY)


SAMPLE_STEP = 150
"""Every n-th mutation of a pack is tried."""


@pytest.mark.parametrize("code", ["CH", "JP"])
def test_mutations_of_single_rules_are_found(code: str) -> None:
    """Most mutations change a decision; the others are equivalent, or change only rules that are recorded."""
    law = load_shipped(code)
    mutants = [
        mutant
        for rule in law.pack.rules
        if rule.effect is not Effect.RECORD
        for mutant in make_mutants(rule, law.pack, law.treaties)
        if not mutant.change.startswith(("from ", "to "))  # past days do not count
    ][::SAMPLE_STEP]
    found = 0
    assert mutants
    for mutant in mutants:
        rules = tuple(
            mutant.rule if rule is mutant.original else rule
            for rule in law.pack.rules
            if rule is not mutant.original or mutant.rule is not None
        )
        comparison = compare_laws(law, amend(law, rules=rules), TODAY)
        assert comparison.complete
        found += bool(comparison.opens or comparison.closes)
    assert found >= len(mutants) * 0.6, f"{found} of {len(mutants)}"
