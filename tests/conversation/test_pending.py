"""Amendments on which the gate does not decide: nothing waits for ever, and people are told."""

from __future__ import annotations

from sharing.conversation.decisions import ROUNDS_MAX
from sharing.conversation.deliveries import PENDING_MS, due
from sharing.conversation.effects import Amend, Opened, Overdue
from sharing.conversation.events import AmendmentOrdered, TimePassed
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus
from tests.conversation.people import JUDGE, ROLES, disclosed, withheld
from tests.conversation.test_provider import Story


def supply(story: Story) -> None:
    story.rule(AskKind.SUPPLY_FACT, JUDGE, Answer.SUPPLIED, facts=frozenset({"a"}))


def pass_day(story: Story) -> None:
    story.now += PENDING_MS
    story.happen(TimePassed())


def test_facts_on_which_the_gate_does_not_decide_are_asked_for_again_with_an_alert() -> None:
    story = Story(withheld("DE", "a"))
    first = story.find_ask(AskKind.SUPPLY_FACT)
    supply(story)
    assert due(story.conversation) == story.now + PENDING_MS
    pass_day(story)
    opened, overdue = story.effects
    assert isinstance(opened, Opened)
    assert overdue == Overdue(opened.ask.id)
    assert (opened.ask.facts, opened.ask.round, opened.ask.recipients) == (first.facts, 2, first.recipients)
    (delivery,) = story.conversation.list_deliveries(DeliveryStatus.WAITING)
    assert delivery.guards == {opened.ask.id}
    before = story.conversation
    story.happen(TimePassed())
    assert (story.conversation, story.effects) == (before, []), "it is said once"


def test_it_goes_on_until_people_let_it_end() -> None:
    story = Story(withheld("DE", "a"))
    for number in range(1, ROUNDS_MAX + 3):
        supply(story)
        assert story.list_effects(Amend)[-1].revision == Revision(1, number)
        pass_day(story)
        assert story.find_ask(AskKind.SUPPLY_FACT).is_open
    story.now = story.find_ask(AskKind.SUPPLY_FACT).closes_at
    story.happen(TimePassed())
    assert not list(story.conversation.list_deliveries(DeliveryStatus.WAITING)), "silence ends it"


def test_a_decision_that_comes_late_counts() -> None:
    story = Story(withheld("DE", "a"))
    supply(story)
    pass_day(story)
    again = story.find_ask(AskKind.SUPPLY_FACT)
    story.decide(disclosed("DE"), amendment=1)
    assert story.conversation.asks[again.id].status is AskStatus.CANCELLED
    assert [delivery.state for delivery in story.conversation.list_deliveries(DeliveryStatus.SENT)] == ["DE"]


def test_a_decision_in_time_ends_the_waiting() -> None:
    story = Story(withheld("DE", "a"))
    supply(story)
    story.decide(disclosed("DE"), amendment=1)
    pass_day(story)
    assert story.effects == []


def test_a_correction_on_which_the_gate_does_not_decide_is_told() -> None:
    for facts in (frozenset({"minor"}), frozenset[str]()):
        story = Story(disclosed("DE"))
        story.happen(AmendmentOrdered(JUDGE, facts, roles=ROLES))
        assert due(story.conversation) == story.now + PENDING_MS
        pass_day(story)
        assert story.effects == [Overdue("")]
        pass_day(story)
        assert story.effects == []
        story.happen(AmendmentOrdered(JUDGE, facts, roles=ROLES))
        assert story.effects == [Amend(Revision(1, 2), "", facts)], "it can be stated again"
