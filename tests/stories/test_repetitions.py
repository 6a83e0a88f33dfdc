"""A version that is decided again: by another law or directory, or because its agency has changed it without saying so.

The gate remembers no first version. Whichever States it sends one to, the conversation must know that they have it.
"""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, DeliveryStatus
from sharing.model.times import DAY_MS, MINUTE_MS
from sharing.rulings.facts import RuledFact
from sharing.rulings.vocabulary import OpeningKind
from sharing.topology.topics import AMENDMENTS
from tests.stories.cases import DUTCH_FINDINGS, MORNING, NOT_PERSONAL, make_item
from tests.stories.people import accepting
from tests.stories.test_corrections import find_question, list_sent
from tests.stories.world import World

EMERGENCY: dict[str, Any] = {"urgency": "EMERGENCY", "urgency_reason": "a life is at stake"}


def publish(world: World, *states: str, version: int = 1, **changes: Any) -> str:
    """Publish an item that concerns these States, and let everything settle."""
    nexus = [{"state": state, "reason": "seen there"} for state in states]
    facts = {**NOT_PERSONAL, "findings": DUTCH_FINDINGS, "nexus": nexus, "version": version, **changes}
    item = world["NL"].publish(make_item("NL", "POLICE", **facts))
    world.settle()
    return item


def list_having(world: World, item: str) -> set[str]:
    """Return the States that have the item, as its own State knows them."""
    sent = world["NL"].find_own(item).conversation.list_deliveries(DeliveryStatus.SENT)
    return {delivery.state for delivery in sent}


def open_world() -> World:
    return World({"NL": "POLICE", "DE": "POLICE", "CH": "POLICE", "US": "POLICE"}, MORNING)


def test_a_state_that_is_reached_by_a_repetition_is_recalled_too() -> None:
    world = open_world()
    item = publish(world, "DE")
    publish(world, "DE", "CH")
    assert [len(world[state].read_content(item)) for state in ("DE", "CH")] == [1, 1]
    assert list_having(world, item) == {"DE", "CH"}
    publish(world, version=2, action="WITHDRAW", reason="the wrong server")
    assert list_sent(world, "NL") == [("RECALL", "CH"), ("RECALL", "DE")]


def test_what_a_repetition_lets_a_state_keep_for_longer_can_be_recalled_for_as_long() -> None:
    world = open_world()
    item = publish(world, "DE", retain_until="2026-06-12T00:00:00Z")
    publish(world, "DE", "CH", retain_until="2027-01-01T00:00:00Z")
    world.pass_time(90 * DAY_MS / MINUTE_MS)
    assert len(world["CH"].read_content(item)) == 1
    publish(world, version=2, action="WITHDRAW", reason="the wrong server")
    assert ("RECALL", "CH") in list_sent(world, "NL")


def test_a_repetition_that_a_state_is_no_longer_named_in_takes_nothing_from_it() -> None:
    world = open_world()
    item = publish(world, "DE", "CH")
    publish(world, "CH")
    assert list_having(world, item) == {"DE", "CH"}
    publish(world, version=2, action="WITHDRAW", reason="the wrong server")
    assert list_sent(world, "NL") == [("RECALL", "CH"), ("RECALL", "DE")]


def test_an_offer_that_a_repetition_makes_can_be_accepted() -> None:
    world = open_world()
    item = publish(world, "DE")
    publish(world, "DE", "US")
    world.people["US"] = accepting()
    world.settle()
    assert [len(world[state].read_content(item)) for state in ("DE", "US")] == [1, 1]


def test_nobody_is_asked_any_more_about_what_the_gate_has_sent() -> None:
    world = open_world()
    missing: dict[str, Any] = {"personal_data": True, "subject_class": "OTHER", "live_case_harm": None}
    item = publish(world, "DE", **missing)
    assert [each.ask.kind for each in world["NL"].list_questions()] == [AskKind.SUPPLY_FACT]
    publish(world, "DE")
    assert world["NL"].list_questions() == []
    assert len(world["DE"].read_content(item)) == 1
    assert list_having(world, item) == {"DE"}


def test_what_an_officer_has_recalled_stays_recalled() -> None:
    world = open_world()
    item = publish(world, "DE")
    world["NL"].open(OpeningKind.RECALL, item)
    world.settle()
    world["DE"].answer(find_question(world, "DE"), Answer.ACKNOWLEDGED)
    world.settle()
    publish(world, "DE", "CH")
    assert world["DE"].read_content(item) == []
    assert list_having(world, item) == {"CH"}
    deliveries = world["NL"].find_own(item).conversation.deliveries
    assert deliveries["DE", Revision(1)].status is DeliveryStatus.RECALLED


def test_a_repetition_in_the_name_of_another_officer_opens_nothing_to_approve() -> None:
    """Who may approve depends on who has published, and that is the first one."""
    world = open_world()
    publish(world, "DE")
    source = {"state": "NL", "agency": "Agency", "authority": "POLICE", "officer": "nl-2"}
    publish(world, "DE", "US", source=source, personal_data=True, subject_class="OTHER", live_case_harm=None)
    assert world["NL"].list_questions() == []


def test_an_agency_is_told_of_a_repetition_that_is_decided_before_an_amendment() -> None:
    """What an officer has stated is with the gate, which discloses the version before to a State meanwhile."""
    world = open_world()
    item = publish(world, "DE", personal_data=True, subject_class="OTHER", live_case_harm=None)
    world["NL"].open(OpeningKind.CORRECTION, item, facts=(RuledFact(name="assertion", values=("ASSESSMENT",)),))
    while not list(world.bus.select(AMENDMENTS.topic("NL"))):
        assert world["NL"].take_batch()
    publish(world, "DE")
    assert list_having(world, item) == {"DE"}
    (history,) = world["NL"].read_outcomes().values()
    assert history.deliveries["DE"][1] is DeliveryStatus.SENT


@pytest.mark.parametrize("days", [(64,), (48, 16), (20, 29, 12), (59, 2, 61)])
def test_an_offer_that_is_repeated_after_weeks_waits_for_an_answer_only_if_people_are_asked(
    days: tuple[int, ...],
) -> None:
    """Another State drops an offer that it has opened in the last 30 days; the provider must remember it for longer."""
    world = open_world()
    item = publish(world, "US", **EMERGENCY)
    for later in days:
        world.pass_time(later * DAY_MS / MINUTE_MS)
        publish(world, "US", **EMERGENCY)  # and both sides agree
    waiting = [ask for ask in world["NL"].find_own(item).conversation.asks.values() if ask.is_open]
    assert [ask.id for ask in waiting] == [each.ask.id for each in world["US"].list_questions()]


@pytest.mark.parametrize("days", [(64,), (48, 16), (20, 29, 12), (59, 2, 61)])
def test_what_was_recalled_and_is_published_again_after_weeks_is_there_or_stays_recalled(days: tuple[int, ...]) -> None:
    world = open_world()
    item = publish(world, "DE")
    world["NL"].open(OpeningKind.RECALL, item)
    world.settle()
    world.people["DE"] = accepting()
    world.settle()
    for later in days:
        world.pass_time(later * DAY_MS / MINUTE_MS)
        publish(world, "DE")
        assert len(world["DE"].read_content(item)) == (1 if "DE" in list_having(world, item) else 0)
