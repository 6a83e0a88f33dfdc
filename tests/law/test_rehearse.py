"""Rehearsals count what comparing each item, one by one, counts; and of a pack with itself nothing changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law import rehearse as rehearse_module
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.pack_reader import parse_pack
from sharing.law.rehearse import (
    NOT_CONSIDERED,
    Aspect,
    Difference,
    Rehearsal,
    RuleEdit,
    Shift,
    TermChange,
    compare_rest,
    compare_rules,
)
from sharing.model.audience import Audience
from sharing.model.decision import Reason
from sharing.model.times import utc_day
from sharing.model.vocabulary import Outcome, RelevanceKind
from tests.law.shipped import STATES, find_law, items, some
from tests.law.strategies import AUDIENCES, AUTHORITIES, COMMONS, DAY, NOW_MS, TREATIES, dump, packs, records, searched
from tests.law.test_explain import APPROVAL, CONDITION, DERIVED, PERMIT, RECORD, TO_US, law_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sharing.model.record import WireRecord

QUIET = list(HealthCheck)
Items = list[tuple[dict[str, Any], Audience]]


def rehearse(
    before: DisclosureFilter,
    after: DisclosureFilter,
    pairs: Iterable[tuple[WireRecord, Audience]],
    examples_max: int = 3,
) -> Difference:
    rehearsal = Rehearsal(before, after, examples_max)
    for record, audience in pairs:
        rehearsal.replay(record, audience, NOW_MS)
    return rehearsal.difference()


@st.composite
def situations(draw: st.DrawFn) -> tuple[DisclosureFilter, DisclosureFilter, Items]:
    """Return two laws on one day, and items with ids of their own."""
    names = tuple(draw(st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True)))
    authorities = draw(AUTHORITIES)
    laws = []
    for _ in range(2):
        pack = parse_pack(dump(draw(packs(names))), "ch.yaml", TREATIES["small"], COMMONS["small"])
        laws.append(DisclosureFilter(pack, TREATIES["small"], DAY, authorities))
    pairs = draw(st.lists(st.tuples(records(names), AUDIENCES), min_size=1, max_size=6))
    numbered = [({**record, "id": f"item {number}"}, audience) for number, (record, audience) in enumerate(pairs * 2)]
    return laws[0], laws[1], numbered


class Naive:
    """Counts each item by itself, from what its decision says."""

    def __init__(self, before: DisclosureFilter, after: DisclosureFilter, pairs: Items) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.states: Counter[tuple[str, Shift]] = Counter()
        self.ids: dict[tuple[str, Shift], set[str]] = {}
        self.comes: Counter[str] = Counter()
        self.ceases: Counter[str] = Counter()
        self.conditions: Counter[tuple[str, bool]] = Counter()
        self.approvers: Counter[tuple[str | None, str | None]] = Counter()
        self.altered = 0
        for record, audience in pairs:
            before.forget()
            after.forget()
            now, then = (law.decide(record, audience, NOW_MS) for law in (before, after))
            self.outcomes[now.outcome, then.outcome] += 1
            self._count(record["id"], {one.state: one for one in now.recipients}, {o.state: o for o in then.recipients})

    def _count(self, identity: str, now: dict[str, Any], then: dict[str, Any]) -> None:
        altered_for = set()
        for state in {*now, *then}:
            old, new = (without_relevance(side.get(state)) for side in (now, then))
            if old != new:
                altered_for.add(state)
            shift = Shift(old.get("outcome", NOT_CONSIDERED), new.get("outcome", NOT_CONSIDERED), old != new)
            self.states[state, shift] += 1
            self.ids.setdefault((state, shift), set()).add(identity)
            rules = [{rule["id"] for rule in side.get("rules", ())} for side in (old, new)]
            self.comes.update(rules[1] - rules[0])
            self.ceases.update(rules[0] - rules[1])
            codes = [{one["code"]: one for one in side.get("conditions", ())} for side in (old, new)]
            self.conditions.update((code, True) for code in codes[1].keys() - codes[0].keys())
            self.conditions.update((code, False) for code in codes[0].keys() - codes[1].keys())
            approvers = old.get("approver"), new.get("approver")
            if approvers[0] != approvers[1]:
                self.approvers[approvers] += 1
        self.altered += bool(altered_for)


def without_relevance(decision: Any) -> dict[str, Any]:
    if decision is None:
        return {}
    return {
        "outcome": str(decision.outcome),
        "basis": decision.basis,
        "condition_model": decision.condition_model,
        "rules": [{"id": rule.id, "citation": rule.citation, "effect": rule.effect} for rule in decision.rules],
        "undecided": [(entry.rule, entry.fact) for entry in decision.undecided],
        "conditions": [{"code": one.code, "kind": one.kind, "text": one.text} for one in decision.conditions],
        "approver": decision.approver,
        "obligation": decision.obligation,
        "redacted": list(decision.redacted),
    }


@settings(searched(0.03), suppress_health_check=QUIET)
@given(situations(), st.integers(0, 3), st.integers(1, 4))
def test_the_tallies_are_those_of_comparing_item_by_item(
    situation: tuple[DisclosureFilter, DisclosureFilter, Items], examples_max: int, pairs_max: int
) -> None:
    before, after, pairs = situation
    naive = Naive(before, after, pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearse_module, "PAIRS_MAX", pairs_max)
        found = rehearse(before, after, pairs, examples_max)
    assert found.items == len(pairs)
    assert found.altered == naive.altered
    assert found.outcomes == naive.outcomes
    tallies = {(state, shift): tally for state, shifts in found.states.items() for shift, tally in shifts.items()}
    assert {key: tally.count for key, tally in tallies.items()} == naive.states
    for key, tally in tallies.items():
        assert set(tally.examples) <= naive.ids[key]
        assert len(tally.examples) == len(set(tally.examples)) == min(examples_max, tally.count, len(tally.examples))
        assert bool(tally.examples) is bool(examples_max)
    assert +Counter({name: tally.comes.count for name, tally in found.rules.items()}) == naive.comes
    assert +Counter({name: tally.ceases.count for name, tally in found.rules.items()}) == naive.ceases
    conditions = {
        (change.name, not change.before): tally.count
        for change, tally in found.terms.items()
        if change.aspect is Aspect.CONDITION and not (change.before and change.after)
    }
    for code, comes in naive.conditions:
        assert conditions[code, comes] == naive.conditions[code, comes]
    approvers = {
        (change.before or None, change.after or None): tally.count
        for change, tally in found.terms.items()
        if change.aspect is Aspect.APPROVER
    }
    assert approvers == naive.approvers


@settings(searched(0.03), suppress_health_check=QUIET)
@given(situations())
def test_of_a_pack_with_itself_nothing_changes(situation: tuple[DisclosureFilter, DisclosureFilter, Items]) -> None:
    law, _, pairs = situation
    again = DisclosureFilter(law.pack, law.treaties, law.day, law.authorities)
    check_no_change(rehearse(law, again, pairs), len(pairs))
    assert compare_rules(law, again) == []
    assert compare_rest(law, again) == []


@pytest.mark.parametrize("state", STATES)
def test_of_a_shipped_pack_with_itself_nothing_changes(state: str) -> None:
    found = find_law(state)
    every = items(state)
    day = utc_day(every[0].now_ms)
    authorities = {item.recipient: item.authority for item in every}
    law, again = (DisclosureFilter(found.pack, found.treaties, day, authorities) for _ in range(2))
    pairs = [
        (item.record(), Audience([(item.recipient, DERIVED)]))
        for item in some(state, 20)
        if utc_day(item.now_ms) == day
    ]
    check_no_change(rehearse(law, again, pairs), len(pairs))


def check_no_change(found: Difference, count: int) -> None:
    assert (found.items, found.altered, found.terms) == (count, 0, {})
    assert all(now is then for now, then in found.outcomes)
    assert not any(shift.altered for shifts in found.states.values() for shift in shifts)
    assert not any(tally.comes.count or tally.ceases.count for tally in found.rules.values())


def changes(before: DisclosureFilter, after: DisclosureFilter, **facts: Any) -> dict[TermChange, int]:
    found = rehearse(before, after, [({**RECORD, **facts}, TO_US)])
    return {change: tally.count for change, tally in found.terms.items()}


REDACT = {"effect": "REDACT", "needs": {"redact": ["summary"]}}
REWORDED = {"effect": "CONDITION", "needs": {"condition": {"kind": "PURPOSE", "text": "Only otherwise."}}}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ([PERMIT], [PERMIT, CONDITION], (Aspect.CONDITION, "t.1", "", "(PURPOSE) Only so.")),
        ([PERMIT, CONDITION], [PERMIT, REWORDED],
         (Aspect.CONDITION, "t.1", "(PURPOSE) Only so.", "(PURPOSE) Only otherwise.")),
        ([PERMIT], [PERMIT, APPROVAL], (Aspect.APPROVER, "", "", "JUDGE")),
        ([PERMIT, REDACT], [PERMIT], (Aspect.REDACTION, "summary", "taken out", "")),
        ([PERMIT], [PERMIT, {"effect": "OBLIGE"}], (Aspect.OBLIGATION, "", "", "yes")),
        ([PERMIT], [{**PERMIT, "when": {"urgency": "URGENT"}}], (Aspect.FACT, "urgency", "", "missing")),
        ([PERMIT, {"effect": "OBLIGE"}], [PERMIT, {"effect": "RECORD"}], (Aspect.EFFECT, "t.1", "OBLIGE", "RECORD")),
        ([PERMIT], [{**PERMIT, "citation": "art. 9"}], (Aspect.CITATION, "t.0", "art. 0", "art. 9")),
    ],
)  # fmt: skip
def test_each_aspect_that_changes_is_told(
    before: list[dict[str, Any]], after: list[dict[str, Any]], told: tuple[Aspect, str, str, str]
) -> None:
    assert changes(law_of(*before), law_of(*after), urgency="UNKNOWN")[TermChange(*told)] == 1
    assert changes(law_of(*before), law_of(*before), urgency="UNKNOWN") == {}


def test_another_basis_is_told() -> None:
    before, after = law_of(PERMIT, GB="POLICE"), law_of(PERMIT, GB="POLICE")
    turned = replace(after.pack, treaty_preference=("UNCAC",))
    after = DisclosureFilter(turned, after.treaties, after.day, after.authorities)
    found = rehearse(before, after, [(RECORD, Audience([("GB", DERIVED)]))])
    assert [(*change,) for change in found.terms] == [(Aspect.BASIS, "", "BUDAPEST", "")]
    assert compare_rest(before, after) == ["treaty_preference"]


def test_another_treaty_table_is_told() -> None:
    small = law_of(PERMIT)
    shipped = DisclosureFilter(small.pack, TREATIES["shipped"], small.day, small.authorities)
    assert compare_rest(small, shipped) == ["treaty table"]


def test_a_state_that_only_the_candidate_brings_into_consideration_is_told() -> None:
    before = law_of(PERMIT)
    after = law_of(PERMIT, {"effect": "OBLIGE", "when": {"recipient.state": "GB"}}, US="POLICE", GB="POLICE")
    found = rehearse(before, after, [(RECORD, TO_US)])
    assert list(found.states["GB"]) == [Shift(NOT_CONSIDERED, "DISCLOSE", altered=True)]
    assert list(found.states["US"]) == [Shift("DISCLOSE", "DISCLOSE", altered=False)]
    assert found.rules["t.1"].comes.count == 1
    assert found.outcomes == {(Outcome.DISCLOSE, Outcome.DISCLOSE): 1}


def test_why_a_state_is_considered_is_no_change() -> None:
    law = law_of(PERMIT)
    found = rehearse(law, law, [(RECORD, TO_US), (RECORD, Audience([("US", (Reason(RelevanceKind.INTEREST, "i"),))]))])
    assert {shift: tally.count for shift, tally in found.states["US"].items()} == {
        Shift("DISCLOSE", "DISCLOSE", altered=False): 2
    }


def test_rules_that_differ_are_told_whatever_is_rehearsed() -> None:
    before = law_of(PERMIT, {**APPROVAL, "when": {"form": "EVIDENCE"}}, {"effect": "DENY", "when": {"tlp": "RED"}})
    after = law_of(PERMIT, {**APPROVAL, "when": {}, "citation": "art. 1 bis"}, {"id": "t.new", "effect": "RECORD"})
    assert compare_rules(before, after) == [
        RuleEdit("t.1", ("citation", "when")),
        RuleEdit("t.2", ("gone",)),
        RuleEdit("t.new", ("new",)),
    ]


def test_what_was_told_once_is_told_again_with_more() -> None:
    rehearsal = Rehearsal(law_of(PERMIT), law_of({**PERMIT, "when": {"form": "EVIDENCE"}}))
    for number in range(5):
        rehearsal.replay({**RECORD, "id": f"item {number}"}, TO_US, NOW_MS)
        assert rehearsal.difference().altered == number + 1
    (tally,) = rehearsal.difference().states["US"].values()
    assert (tally.count, tally.examples) == (5, ["item 0", "item 1", "item 2"])
