"""Who witnesses whom: the same for everybody, and nobody witnesses itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharing.errors import InputError
from sharing.model.countries import STATES
from sharing.topology.partners import Partners, parse_partners
from sharing.topology.witnesses import WITNESSES_DEFAULT, choose_witnesses

CODES = sorted(STATES)[:12]


@given(st.sets(st.sampled_from(CODES), min_size=1))
def test_each_state_has_as_many_witnesses_as_it_witnesses(states: set[str]) -> None:
    partners = Partners.from_states(states)
    expected = min(WITNESSES_DEFAULT, len(states) - 1)
    for state in states:
        plan = partners.plan_witnesses(state)
        assert len(plan.witnesses) == len(plan.witnessed) == expected
        assert state not in {*plan.witnesses, *plan.witnessed}
        assert all(state in partners.plan_witnesses(other).witnessed for other in plan.witnesses)


def test_the_next_two_states_witness_a_state_and_after_the_last_comes_the_first() -> None:
    states = ["CH", "DE", "FR", "JP"]
    assert choose_witnesses(states, "CH") == ("DE", "FR")
    assert choose_witnesses(states, "JP") == ("CH", "DE")


def test_a_partners_file_may_name_other_witnesses() -> None:
    partners = parse_partners("states: {CH: {witnesses: [JP]}, DE: {}, FR: {}, JP: {witnesses: []}}\n", "partners.yaml")
    assert partners.plan_witnesses("CH").witnesses == ("JP",)
    assert partners.plan_witnesses("JP").witnesses == ()
    assert partners.plan_witnesses("FR").witnessed == ("DE",)


@pytest.mark.parametrize("witnesses", ["[CH]", "[US]"])
def test_a_witness_is_another_state_of_the_file(witnesses: str) -> None:
    with pytest.raises(InputError, match="witness"):
        parse_partners(f"states: {{CH: {{witnesses: {witnesses}}}, DE: {{}}}}\n", "partners.yaml")
