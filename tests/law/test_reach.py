"""Which States could receive an item: every State once, in groups that a decision of its own would give."""

from __future__ import annotations

import pytest

from sharing.law.combine import combine
from sharing.law.filter import DisclosureFilter
from sharing.law.reach import every_state, find_reach
from sharing.model.audience import NOBODY
from sharing.model.directory import Directory
from sharing.model.times import utc_day
from sharing.model.vocabulary import Outcome
from tests.law.shipped import STATES, find_law, some
from tests.law.strategies import NOW_MS
from tests.law.test_explain import CONDITION, PERMIT, RECORD, TO_US, law_of


@pytest.mark.parametrize("state", STATES)
def test_each_state_stands_once_with_what_it_would_get_alone(state: str) -> None:
    found = find_law(state)
    for item in some(state, 3):
        law = DisclosureFilter(found.pack, found.treaties, utc_day(item.now_ms), {item.recipient: item.authority})
        states = every_state(law, Directory({}, 0))
        record = item.record(nexus=[])
        groups = find_reach(law, record, NOBODY, states, item.now_ms)
        told = {member: group for group in groups for member in group.states}
        assert sum(len(group.states) for group in groups) == len(told)
        assert set(states) <= told.keys()
        facts = law.item_facts(record, item.now_ms)
        for member in states[::9]:
            recipient, basis, _ = law.profile(member, facts["offence.codes"], named=False)
            alone = combine(member, law.findings(facts, recipient), basis, ())
            group = told[member]
            assert group.outcome == alone.outcome
            assert (group.redacted, group.approver) == (alone.redacted, alone.approver or "")
            assert group.conditions == tuple((one.code, one.text) for one in alone.conditions)
            assert bool(group.ground) is (alone.outcome is Outcome.WITHHOLD)
        order = [list(map(str, Outcome)).index(group.outcome) for group in groups]
        assert order == sorted(order)


def test_the_grounds_are_told_and_the_freest_come_first() -> None:
    rules = [
        PERMIT,
        {**CONDITION, "when": {"recipient.state": "GB"}},
        {"effect": "DENY", "when": {"recipient.state": "JP"}},
        {"effect": "DENY", "when": {"recipient.state": "FR", "urgency": "URGENT"}},
    ]
    law = law_of(*rules)
    groups = find_reach(law, {**RECORD, "urgency": "UNKNOWN"}, TO_US, ("FR", "GB", "JP", "SO", "US"), NOW_MS)
    told = {group.states: (group.outcome, group.ground) for group in groups}
    assert groups[0].states == ("US",)
    assert told[("GB",)][0] == "OFFER"
    assert "JP" in {state for states, (_, ground) in told.items() if "t.2" in ground for state in states}
    assert told[("FR",)] == ("WITHHOLD", "not known whether a restriction applies; missing: urgency")
    assert told[("SO",)] == ("WITHHOLD", "treaties not looked up")
