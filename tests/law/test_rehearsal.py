"""Rehearsals have the same counts as a comparison of each item; a pack rehearsed against itself has no changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sharing.law import rehearsal as rehearsal_module
from sharing.law.authorities import find_authority_kind, list_sole_authorities
from sharing.law.facts import FACTS
from sharing.law.filter import DisclosureFilter
from sharing.law.reading.pack_reader import parse_pack
from sharing.law.rehearsal import (
    NOT_CONSIDERED,
    OutcomeChange,
    Rehearsal,
    RehearsalSummary,
    RuleEdit,
    TermAspect,
    TermChange,
    compare_rules,
    compare_supporting_data,
    supply_authorities,
)
from sharing.model.relevance_reason import Reason
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Outcome, RelevanceKind
from sharing.relevance.audience import Audience
from tests.law.shipped import STATES, find_law, load_items, sample_items
from tests.law.strategies import (
    AUDIENCES,
    AUTHORITIES,
    COMMON_RULES,
    DAY,
    NOW_MS,
    TREATIES,
    dump_yaml,
    packs,
    records,
    search_settings,
)
from tests.law.test_explanation import APPROVAL, CONDITION, DERIVED, PERMIT, RECORD, TO_US, make_filter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sharing.model.indicator_record import WireRecord

QUIET = list(HealthCheck)
Items = list[tuple[dict[str, Any], Audience]]


def rehearse(
    before: DisclosureFilter,
    after: DisclosureFilter,
    pairs: Iterable[tuple[WireRecord, Audience]],
    examples_max: int = 3,
) -> RehearsalSummary:
    rehearsal = Rehearsal(before, after, examples_max)
    for record, audience in pairs:
        rehearsal.replay_item(record, audience, NOW_MS)
    return rehearsal.summarise()


@st.composite
def situations(draw: st.DrawFn) -> tuple[DisclosureFilter, DisclosureFilter, Items]:
    """Return two laws on one day, and items with distinct ids."""
    names = tuple(draw(st.lists(st.sampled_from(sorted(FACTS)), min_size=2, max_size=4, unique=True)))
    authorities = draw(AUTHORITIES)
    laws = []
    for _ in range(2):
        pack = parse_pack(dump_yaml(draw(packs(names))), "ch.yaml", TREATIES["small"], COMMON_RULES["small"])
        laws.append(DisclosureFilter(pack, TREATIES["small"], DAY, authorities))
    pairs = draw(st.lists(st.tuples(records(names), AUDIENCES), min_size=1, max_size=6))
    numbered = [({**record, "id": f"item {number}"}, audience) for number, (record, audience) in enumerate(pairs * 2)]
    return laws[0], laws[1], numbered


class NaiveCounts:
    """Counts the changes of each item separately, from its decisions."""

    def __init__(self, before: DisclosureFilter, after: DisclosureFilter, pairs: Items) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.states: Counter[tuple[str, OutcomeChange]] = Counter()
        self.ids: dict[tuple[str, OutcomeChange], set[str]] = {}
        self.added: Counter[str] = Counter()
        self.removed: Counter[str] = Counter()
        self.conditions: Counter[tuple[str, bool]] = Counter()
        self.approvers: Counter[tuple[str | None, str | None]] = Counter()
        self.altered = 0
        for record, audience in pairs:
            before.clear_verdicts()
            after.clear_verdicts()
            old, new = (law.decide(record, audience, NOW_MS) for law in (before, after))
            self.outcomes[old.outcome, new.outcome] += 1
            self._count(
                record["id"], *({decision.state: decision for decision in verdict.recipients} for verdict in (old, new))
            )

    def _count(self, item_id: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        altered_for = set()
        for state in {*before, *after}:
            old, new = (list_terms(side.get(state)) for side in (before, after))
            if old != new:
                altered_for.add(state)
            outcome_change = OutcomeChange(
                old.get("outcome", NOT_CONSIDERED), new.get("outcome", NOT_CONSIDERED), old != new
            )
            self.states[state, outcome_change] += 1
            self.ids.setdefault((state, outcome_change), set()).add(item_id)
            rules = [{rule["id"] for rule in side.get("rules", ())} for side in (old, new)]
            self.added.update(rules[1] - rules[0])
            self.removed.update(rules[0] - rules[1])
            codes = [{condition["code"]: condition for condition in side.get("conditions", ())} for side in (old, new)]
            self.conditions.update((code, True) for code in codes[1].keys() - codes[0].keys())
            self.conditions.update((code, False) for code in codes[0].keys() - codes[1].keys())
            approvers = old.get("approver"), new.get("approver")
            if approvers[0] != approvers[1]:
                self.approvers[approvers] += 1
        self.altered += bool(altered_for)


def list_terms(decision: Any) -> dict[str, Any]:
    if decision is None:
        return {}
    return {
        "outcome": str(decision.outcome),
        "basis": decision.basis,
        "condition_model": decision.condition_model,
        "rules": [{"id": rule.id, "citation": rule.citation, "effect": rule.effect} for rule in decision.rules],
        "undecided": [(entry.rule, entry.fact) for entry in decision.undecided],
        "conditions": [
            {"code": condition.code, "kind": condition.kind, "text": condition.text}
            for condition in decision.conditions
        ],
        "approver": decision.approver,
        "approvals": decision.approvals,
        "obligation": decision.is_obligatory,
        "redacted": list(decision.redacted),
        "to_authority": decision.to_authority,
    }


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(situations(), st.integers(0, 3), st.integers(1, 4))
def test_the_tallies_equal_a_comparison_of_each_item(
    situation: tuple[DisclosureFilter, DisclosureFilter, Items], examples_max: int, pairs_max: int
) -> None:
    before, after, pairs = situation
    naive = NaiveCounts(before, after, pairs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearsal_module, "PAIRS_MAX", pairs_max)
        summary = rehearse(before, after, pairs, examples_max)
    assert summary.items == len(pairs)
    assert summary.altered == naive.altered
    assert summary.outcomes == naive.outcomes
    tallies = {
        (state, outcome_change): tally
        for state, changes_of_state in summary.states.items()
        for outcome_change, tally in changes_of_state.items()
    }
    assert {key: tally.count for key, tally in tallies.items()} == naive.states
    for key, tally in tallies.items():
        assert set(tally.examples) <= naive.ids[key]
        assert len(tally.examples) == len(set(tally.examples)) == min(examples_max, tally.count, len(tally.examples))
        assert bool(tally.examples) is bool(examples_max)
    assert +Counter({name: tally.added.count for name, tally in summary.rules.items()}) == naive.added
    assert +Counter({name: tally.removed.count for name, tally in summary.rules.items()}) == naive.removed
    conditions = {
        (change.name, not change.before): tally.count
        for change, tally in summary.terms.items()
        if change.aspect is TermAspect.CONDITION and not (change.before and change.after)
    }
    for code, comes in naive.conditions:
        assert conditions[code, comes] == naive.conditions[code, comes]
    approvers = {
        (change.before or None, change.after or None): tally.count
        for change, tally in summary.terms.items()
        if change.aspect is TermAspect.APPROVER
    }
    assert approvers == naive.approvers


@settings(search_settings(0.03), suppress_health_check=QUIET)
@given(situations())
def test_a_pack_rehearsed_against_itself_has_no_changes(
    situation: tuple[DisclosureFilter, DisclosureFilter, Items],
) -> None:
    law, _, pairs = situation
    again = DisclosureFilter(law.pack, law.treaties, law.day, law.authorities)
    check_no_change(rehearse(law, again, pairs), len(pairs))
    assert compare_rules(law, again) == []
    assert compare_supporting_data(law, again) == []


@pytest.mark.parametrize("state", STATES)
def test_a_shipped_pack_rehearsed_against_itself_has_no_changes(state: str) -> None:
    found = find_law(state)
    all_items = load_items(state)
    day = to_utc_day(all_items[0].now_ms)
    authorities = list_sole_authorities({item.recipient: item.authority for item in all_items})
    law, again = (DisclosureFilter(found.pack, found.treaties, day, authorities) for _ in range(2))
    pairs = [
        (item.record(), Audience([(item.recipient, DERIVED)]))
        for item in sample_items(state, 20)
        if to_utc_day(item.now_ms) == day
    ]
    check_no_change(rehearse(law, again, pairs), len(pairs))


def check_no_change(summary: RehearsalSummary, count: int) -> None:
    assert (summary.items, summary.altered, summary.terms) == (count, 0, {})
    assert all(old is new for old, new in summary.outcomes)
    assert not any(
        outcome_change.altered for changes_of_state in summary.states.values() for outcome_change in changes_of_state
    )
    assert not any(tally.added.count or tally.removed.count for tally in summary.rules.values())


def changes(before: DisclosureFilter, after: DisclosureFilter, **facts: Any) -> dict[TermChange, int]:
    summary = rehearse(before, after, [({**RECORD, **facts}, TO_US)])
    return {change: tally.count for change, tally in summary.terms.items()}


REDACT = {"effect": "REDACT", "needs": {"redact": ["summary"]}}
REWORDED = {"effect": "CONDITION", "needs": {"condition": {"kind": "PURPOSE", "text": "Only otherwise."}}}


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([PERMIT], [PERMIT, CONDITION], (TermAspect.CONDITION, "t.1", "", "(PURPOSE) Only so.")),
        ([PERMIT, CONDITION], [PERMIT, REWORDED],
         (TermAspect.CONDITION, "t.1", "(PURPOSE) Only so.", "(PURPOSE) Only otherwise.")),
        ([PERMIT], [PERMIT, APPROVAL], (TermAspect.APPROVER, "", "", "JUDGE")),
        ([PERMIT, REDACT], [PERMIT], (TermAspect.REDACTION, "summary", "redacted", "")),
        ([PERMIT], [PERMIT, {"effect": "OBLIGE"}], (TermAspect.OBLIGATION, "", "", "yes")),
        ([PERMIT], [{**PERMIT, "when": {"urgency": "URGENT"}}], (TermAspect.FACT, "urgency", "", "missing")),
        ([PERMIT, {"effect": "OBLIGE"}], [PERMIT, {"effect": "RECORD"}],
         (TermAspect.EFFECT, "t.1", "OBLIGE", "RECORD")),
        ([PERMIT], [{**PERMIT, "citation": "art. 9"}], (TermAspect.CITATION, "t.0", "art. 0", "art. 9")),
    ],
)  # fmt: skip
def test_each_changed_aspect_is_reported(
    before: list[dict[str, Any]], after: list[dict[str, Any]], change: tuple[TermAspect, str, str, str]
) -> None:
    assert changes(make_filter(*before), make_filter(*after), urgency="UNKNOWN")[TermChange(*change)] == 1
    assert changes(make_filter(*before), make_filter(*before), urgency="UNKNOWN") == {}


def test_a_changed_basis_is_reported() -> None:
    before, after = make_filter(PERMIT, GB="POLICE"), make_filter(PERMIT, GB="POLICE")
    reordered = replace(after.pack, treaty_preference=("UNCAC",))
    after = DisclosureFilter(reordered, after.treaties, after.day, after.authorities)
    summary = rehearse(before, after, [(RECORD, Audience([("GB", DERIVED)]))])
    assert [(*change,) for change in summary.terms] == [(TermAspect.BASIS, "", "BUDAPEST", "")]
    assert compare_supporting_data(before, after) == ["treaty_preference"]


def test_a_changed_treaty_table_is_reported() -> None:
    small = make_filter(PERMIT)
    shipped = DisclosureFilter(small.pack, TREATIES["shipped"], small.day, small.authorities)
    assert compare_supporting_data(small, shipped) == ["treaty table"]


def test_a_state_that_only_the_candidate_considers_is_reported() -> None:
    before = make_filter(PERMIT)
    after = make_filter(PERMIT, {"effect": "OBLIGE", "when": {"recipient.state": "GB"}}, US="POLICE", GB="POLICE")
    summary = rehearse(before, after, [(RECORD, TO_US)])
    assert list(summary.states["GB"]) == [OutcomeChange(NOT_CONSIDERED, "DISCLOSE", altered=True)]
    assert list(summary.states["US"]) == [OutcomeChange("DISCLOSE", "DISCLOSE", altered=False)]
    assert summary.rules["t.1"].added.count == 1
    assert summary.outcomes == {(Outcome.DISCLOSE, Outcome.DISCLOSE): 1}


def test_another_reason_to_consider_a_state_is_not_a_change() -> None:
    law = make_filter(PERMIT)
    summary = rehearse(
        law, law, [(RECORD, TO_US), (RECORD, Audience([("US", (Reason(RelevanceKind.INTEREST, "i"),))]))]
    )
    assert {outcome_change: tally.count for outcome_change, tally in summary.states["US"].items()} == {
        OutcomeChange("DISCLOSE", "DISCLOSE", altered=False): 2
    }


def test_changed_rules_are_reported_for_any_items() -> None:
    before = make_filter(PERMIT, {**APPROVAL, "when": {"form": "EVIDENCE"}}, {"effect": "DENY", "when": {"tlp": "RED"}})
    after = make_filter(PERMIT, {**APPROVAL, "when": {}, "citation": "art. 1 bis"}, {"id": "t.new", "effect": "RECORD"})
    assert compare_rules(before, after) == [
        RuleEdit("t.1", ("citation", "when")),
        RuleEdit("t.2", ("gone",)),
        RuleEdit("t.new", ("new",)),
    ]


def test_a_summary_includes_the_items_of_earlier_summaries() -> None:
    rehearsal = Rehearsal(make_filter(PERMIT), make_filter({**PERMIT, "when": {"form": "EVIDENCE"}}))
    for number in range(5):
        rehearsal.replay_item({**RECORD, "id": f"item {number}"}, TO_US, NOW_MS)
        assert rehearsal.summarise().altered == number + 1
    (tally,) = rehearsal.summarise().states["US"].values()
    assert (tally.count, tally.examples) == (5, ["item 0", "item 1", "item 2"])


# --- Receiving authorities ---


def test_another_receiving_authority_is_a_change() -> None:
    before, after = make_filter(PERMIT, US="POLICE"), make_filter(PERMIT, US="PROSECUTOR")
    summary = rehearse(before, after, [(RECORD, TO_US)])
    assert {tuple(change): tally.count for change, tally in summary.terms.items()} == {
        (TermAspect.AUTHORITY, "", "POLICE", "PROSECUTOR"): 1
    }
    assert summary.altered == 1


def test_a_state_without_a_competent_authority_is_untested() -> None:
    law = make_filter(PERMIT, US="NONE")
    unknown = make_filter(PERMIT)
    unknown = DisclosureFilter(unknown.pack, unknown.treaties, unknown.day, {})
    for untested in (law, unknown):
        summary = rehearse(untested, untested, [(RECORD, TO_US)] * 2)
        assert {state: tally.count for state, tally in summary.untested.items()} == {"US": 2}
    known = make_filter(PERMIT, US="POLICE")
    assert rehearse(known, known, [(RECORD, TO_US)]).untested == {}


def test_supplied_authorities_are_of_the_kind_of_the_sender_and_replace_none_that_is_announced() -> None:
    announced = list_sole_authorities({"DE": "PROSECUTOR"})
    authorities = supply_authorities(announced, {"DE", "US"})
    assert authorities["DE"] == announced["DE"]
    for sender in FACTS["source.authority"].values - {"OTHER"}:
        assert find_authority_kind(authorities["US"], ["LAUNDERING"], sender) == sender
    assert find_authority_kind(authorities["US"], ["LAUNDERING"], None) is None
    assert find_authority_kind(authorities["US"], None, "FIU") == "FIU"


def test_with_supplied_authorities_the_effect_of_an_amendment_shows() -> None:
    known = {"recipient.authority": {"not": ["NONE"]}}
    laws = [make_filter({**PERMIT, "when": {**known, **more}}) for more in ({}, {"form": "EVIDENCE"})]
    for supplied in (False, True):
        authorities = supply_authorities({}, {"US"}) if supplied else {}
        before, after = (DisclosureFilter(law.pack, law.treaties, law.day, authorities) for law in laws)
        summary = rehearse(before, after, [(RECORD, TO_US)])
        outcomes = {(change.before, change.after) for change in summary.states["US"]}
        assert outcomes == ({("DISCLOSE", "WITHHOLD")} if supplied else {("WITHHOLD", "WITHHOLD")})
        assert bool(summary.untested) is not supplied
