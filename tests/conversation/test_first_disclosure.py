"""The shortcut for an item that was simply disclosed comes to what the state machine comes to, step by step."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation import provider
from sharing.conversation.asks import Publisher
from sharing.conversation.deliveries import Conversation
from sharing.conversation.effects import Effect
from sharing.conversation.events import Decided, Replied
from sharing.conversation.first_disclosure import begin_disclosed
from sharing.conversation.provider import advance
from sharing.conversation.revision import NO_REVISION, Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import Answer
from sharing.model.vocabulary import Outcome, Urgency
from tests.conversation.people import NOW
from tests.conversation.test_provider_machine import EXAMPLES, draw_terms

STATES = ("DE", "FR", "NL")
EARLY = Replied("a", "DE", Answer.ACCEPTED, NOW - 5)
DISCLOSED = Terms("DE", Outcome.DISCLOSE, frozenset("c"))


@st.composite
def draw_terms_of_states(draw: st.DrawFn) -> tuple[Terms, ...]:
    """Draw terms for some States, in any order, and perhaps one twice; in most cases all of them disclose."""
    states = draw(st.lists(st.sampled_from(STATES), max_size=4))
    listed = [draw(draw_terms(state)) for state in states]
    if draw(st.sampled_from([True, True, False])):
        listed = [replace(terms, outcome=Outcome.DISCLOSE, accept_first=False, approver=None) for terms in listed]
    return tuple(listed)


DECIDED = st.builds(
    Decided,
    st.sampled_from([Revision(1), Revision(2), Revision(0, 1), NO_REVISION, Revision(1, 1)]),
    st.builds(Publisher, st.sampled_from(["fedpol", "mros"]), st.sampled_from([None, "o-1"])),
    st.sampled_from([*Urgency][:3]),
    st.one_of(st.none(), draw_terms_of_states()),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "indicator"]),
    st.sampled_from([None, NOW - 1, NOW + 5_000]),
)
BEFORE = st.builds(
    Conversation,
    st.just("item"),
    st.just("CH"),
    revision=st.sampled_from([NO_REVISION, NO_REVISION, NO_REVISION, Revision(1)]),
    early=st.sampled_from([(), (), (EARLY,)]),
    rulings=st.sampled_from([{}, {"ab": NOW}]),
    handed_out=st.integers(0, 2),
    handed_out_at=st.sampled_from([0, NOW - 9]),
    indicator=st.sampled_from(["", "known"]),
)


def advance_step_by_step(before: Conversation, event: Decided) -> tuple[Conversation, tuple[Effect, ...]]:
    with patch.object(provider, "begin_disclosed", return_value=None):
        return advance(before, event, NOW, lambda state: replace(DISCLOSED, state=state))


@settings(max_examples=3 * EXAMPLES, deadline=None)
@given(BEFORE, DECIDED)
def test_the_shortcut_changes_no_result(before: Conversation, event: Decided) -> None:
    after, effects = advance(before, event, NOW, lambda state: replace(DISCLOSED, state=state))
    expected, expected_effects = advance_step_by_step(before, event)
    assert (after, effects) == (expected, expected_effects)
    assert list(after.deliveries.items()) == list(expected.deliveries.items())


def test_the_shortcut_is_taken_for_what_was_disclosed_and_sent() -> None:
    event = Decided(Revision(1), Publisher("fedpol", None), Urgency.ORDINARY, (DISCLOSED,), is_sent=True)
    new = Conversation("item", "CH")
    assert begin_disclosed(new, event, NOW) == advance_step_by_step(new, event)[0]
    assert begin_disclosed(replace(new, early=(EARLY,)), event, NOW) is None
    for change in ({"is_sent": False}, {"terms": None}, {"urgency": Urgency.EMERGENCY}, {"revision": NO_REVISION}):
        assert begin_disclosed(new, replace(event, **change), NOW) is None
    offered = replace(DISCLOSED, state="FR", outcome=Outcome.OFFER, accept_first=True)
    assert begin_disclosed(new, replace(event, terms=(DISCLOSED, offered)), NOW) is None
