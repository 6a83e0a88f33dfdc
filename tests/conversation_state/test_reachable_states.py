"""Every state that a conversation can reach is read as it was written.

The states are those of the machines that test the conversation itself.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant

from tests.conversation.test_provider_machine import EXAMPLES, ProviderMachine
from tests.conversation.test_two_sides import TwoStates
from tests.conversation_state.kept_states import check_received_round_trip, check_round_trip


class KeptProviderMachine(ProviderMachine):
    """The providing State's side, written and read after each step; the machine goes on with what was read."""

    @invariant()
    def the_state_is_read_as_it_was_written(self) -> None:
        self.conversation = check_round_trip(self.conversation)


KeptProviderMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
TestKeptProvider: Any = KeptProviderMachine.TestCase


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_both_sides_are_read_as_they_were_written(data: st.DataObject) -> None:
    both = TwoStates(data.draw)
    for _ in both.take_steps():
        both.ch, both.de = check_round_trip(both.ch), check_received_round_trip(both.de)
