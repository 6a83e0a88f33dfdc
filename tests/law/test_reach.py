"""Which States could receive an item: each State is in one group, with the terms of its own decision."""

from __future__ import annotations

import pytest

from sharing.law.authorities import list_sole_authorities
from sharing.law.combination import combine_results
from sharing.law.filter import DisclosureFilter
from sharing.law.reach import group_recipients, list_candidate_states
from sharing.model.directory import Directory
from sharing.model.times import to_utc_day
from sharing.model.vocabulary import Outcome
from sharing.relevance.audience import EMPTY_AUDIENCE
from tests.law.shipped import STATES, find_law, sample_items
from tests.law.strategies import NOW_MS
from tests.law.test_explanation import CONDITION, PERMIT, RECORD, TO_US, make_filter


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_in_one_group_with_the_terms_of_its_own_decision(state: str) -> None:
    found = find_law(state)
    for item in sample_items(state, 3):
        law = DisclosureFilter(
            found.pack, found.treaties, to_utc_day(item.now_ms), list_sole_authorities({item.recipient: item.authority})
        )
        states = list_candidate_states(law, Directory({}))
        record = item.record(nexus=[])
        groups = group_recipients(law, record, EMPTY_AUDIENCE, states, item.now_ms)
        by_state = {member: group for group in groups for member in group.states}
        assert sum(len(group.states) for group in groups) == len(by_state)
        assert set(states) <= by_state.keys()
        facts = law.read_item_facts(record, item.now_ms)
        for member in states[::9]:
            recipient, basis, *_ = law.profile_recipient(member, facts, named=False)
            alone = combine_results(member, law.evaluate_rules(facts, recipient), basis, ())
            group = by_state[member]
            assert group.terms.outcome == alone.outcome
            assert (group.terms.redacted, group.terms.approver) == (alone.redacted, alone.approver or "")
            assert group.terms.conditions == tuple((condition.code, condition.text) for condition in alone.conditions)
            assert bool(group.terms.ground) is (alone.outcome is Outcome.WITHHOLD)
        order = [list(map(str, Outcome)).index(group.terms.outcome) for group in groups]
        assert order == sorted(order)


def test_withheld_groups_have_a_ground_and_the_most_open_group_is_first() -> None:
    rules = [
        PERMIT,
        {**CONDITION, "when": {"recipient.state": "GB"}},
        {"effect": "DENY", "when": {"recipient.state": "JP"}},
        {"effect": "DENY", "when": {"recipient.state": "FR", "urgency": "URGENT"}},
    ]
    law = make_filter(*rules)
    groups = group_recipients(law, {**RECORD, "urgency": "UNKNOWN"}, TO_US, ("FR", "GB", "JP", "SO", "US"), NOW_MS)
    grounds = {group.states: (group.terms.outcome, group.terms.ground) for group in groups}
    assert groups[0].states == ("US",)
    assert grounds[("GB",)][0] == "OFFER"
    assert "JP" in {state for states, (_, ground) in grounds.items() if "t.2" in ground for state in states}
    assert grounds[("FR",)] == ("WITHHOLD", "not known whether a restriction applies; missing: urgency")
    assert grounds[("SO",)] == ("WITHHOLD", "treaties not looked up")
