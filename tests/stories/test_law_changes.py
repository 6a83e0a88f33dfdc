"""The law of a State changes while items and questions about them are under way."""

from __future__ import annotations

import pytest

from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus, ReplyResult
from sharing.rulings.vocabulary import OpeningKind
from tests.stories.cases import MORNING, NOT_PERSONAL, make_swiss_notice, make_swiss_offer
from tests.stories.law_versions import make_law
from tests.stories.partner_fixtures import list_open, list_results, make_world
from tests.stories.people import Answering, accepting
from tests.stories.test_corrections import make_dutch_item
from tests.stories.world import World


def change_law(world: World, version: str, state: str = "CH") -> None:
    world[state].change_law(make_law(state, version))


def test_what_is_held_and_then_offered_by_the_gate_waits_for_the_acceptance_alone() -> None:
    """Under the law of the second publication, no officer has to approve: the gate has made the offer."""
    world = make_world()
    change_law(world, "asks officers")
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    assert list_open(world, "CH") == [AskKind.APPROVE]
    change_law(world, "shipped")
    world["CH"].publish(make_swiss_offer())
    world.settle()
    assert (list_open(world, "CH"), list_open(world, "DE")) == ([], [AskKind.ACCEPT])
    (asked,) = world["DE"].list_questions()
    world["DE"].answer(asked, Answer.ACCEPTED)
    world.settle()
    assert (list_results(world), len(world["DE"].read_content(item))) == ([ReplyResult.TAKEN], 1)


@pytest.mark.parametrize("given", [Answer.ACCEPTED, None])
def test_an_offer_of_what_a_state_has_is_withdrawn_at_once(given: Answer | None) -> None:
    """The gate does not know what became of the first publication. Nobody is asked about what is there."""
    world = make_world()
    change_law(world, "has fewer conditions")
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    assert len(world["DE"].read_content(item)) == 1
    change_law(world, "shipped")
    world["CH"].publish(make_swiss_offer())
    if given is not None:
        world["CH"].is_conversing = False  # it reads of its gate's offer last
        world.process()
        (asked,) = world["DE"].list_questions()
        world["DE"].answer(asked, given)
        world.process()
        world["CH"].is_conversing = True
    world.settle()
    assert (list_open(world, "CH"), list_open(world, "DE")) == ([], [])
    assert len(world["DE"].read_content(item)) == 1
    assert list_results(world) == ([] if given is None else [ReplyResult.WITHDRAWN])


def test_an_offer_of_what_an_officer_has_refused_is_withdrawn_at_once() -> None:
    world = make_world(CH=Answering({AskKind.APPROVE: Answer.REFUSED}))
    change_law(world, "asks officers")
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    change_law(world, "shipped")
    world["CH"].publish(make_swiss_offer())
    world.settle()
    assert (list_open(world, "CH"), list_open(world, "DE")) == ([], [])
    assert world["DE"].read_content(item) == []


def test_an_offer_by_another_publishing_officer_does_not_count_and_is_withdrawn_at_once() -> None:
    world = make_world()
    change_law(world, "asks officers")
    form = make_swiss_offer()
    world["CH"].publish(form)
    world.settle()
    change_law(world, "shipped")
    world["CH"].publish({**form, "source": {**form["source"], "officer": "ch-3"}})
    world.settle()
    assert (list_open(world, "CH"), list_open(world, "DE")) == ([AskKind.APPROVE], [])


def test_what_officers_have_withdrawn_when_the_law_became_stricter_is_not_offered_again() -> None:
    """They could only withdraw it then. A repetition under a law that permits it again offers nothing."""
    world = make_world(CH=Answering({AskKind.REDECIDE: Answer.WITHDRAW}))
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    change_law(world, "permits nothing")
    world.people["DE"] = accepting()
    world.settle()
    assert world["DE"].read_content(item) == []
    change_law(world, "shipped")
    world["CH"].publish(make_swiss_offer())
    world.settle()
    assert (list_open(world, "CH"), list_open(world, "DE")) == ([], [])
    statuses = [each.status for each in world["CH"].find_own(item).conversation.deliveries.values()]
    assert statuses == [DeliveryStatus.CLOSED]


def test_what_an_officer_has_recalled_while_facts_were_missing_is_not_offered_again() -> None:
    world = World({"NL": "POLICE", "DE": "POLICE"}, MORNING)
    world["NL"].change_law(make_law("NL", "shipped"))
    form = make_dutch_item(**NOT_PERSONAL, nexus=[{"state": "DE", "reason": "seen there"}])
    del form["live_case_harm"]
    item = world["NL"].publish(form)
    world.settle()
    assert list_open(world, "NL") == [AskKind.SUPPLY_FACT]
    world["NL"].open(OpeningKind.RECALL, item)
    world.settle()
    assert list_open(world, "NL") == []
    world["NL"].change_law(make_law("NL", "asks officers"))
    world["NL"].publish({**form, "live_case_harm": False})
    world.settle()
    assert list_open(world, "NL") == []


@pytest.mark.parametrize("version", ["permits nothing", "asks officers", "redacts more"])
def test_the_rules_of_the_stories_find_what_leaves_under_a_law_of_the_past(version: str) -> None:
    world = make_world()
    world["CH"].law = make_law("CH", version)  # the gate goes on under the law before
    world["CH"].publish(make_swiss_notice())
    with pytest.raises(AssertionError, match="does not let leave"):
        world.settle()
