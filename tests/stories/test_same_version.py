"""A first version that its agency publishes again with another urgency, or for another time: it must not, but it may.

The gate remembers no first version, so it sends what it has sent before, and perhaps on another topic: another State
may read the second message first, and drop the first one as a repetition. Both sides must hold the same deadlines.
"""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.asks import REMEMBERED_MS
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus
from sharing.model.times import DAY_MS, MINUTE_MS, to_milliseconds
from sharing.rulings.act import ActKind
from sharing.rulings.vocabulary import OpeningKind
from sharing.topology.topics import INBOX_URGENT, NOTICES, OFFERS, URGENT
from tests.stories.cases import MORNING, make_swiss_notice, make_swiss_offer
from tests.stories.test_corrections import find_question, list_acts, list_sent
from tests.stories.world import World

URGENCIES = [("ORDINARY", "URGENT"), ("URGENT", "ORDINARY")]
LATER = "2027-01-01T00:00:00Z"


def open_world() -> World:
    return World({"CH": "POLICE", "DE": "POLICE"}, MORNING)


def read_last_first(world: World) -> None:
    """Let the second of two messages on different topics be read first."""
    preferred = [OFFERS.topic("DE"), NOTICES.topic("DE"), URGENT.topic("DE")]
    world["DE"].reader.choose = lambda places: min(places, key=lambda place: (*preferred, place[0]).index(place[0]))


def publish_twice(world: World, *forms: dict[str, Any]) -> str:
    """Publish both before anything is read by the other State."""
    world["DE"].is_running = False
    for form in forms:
        item = world["CH"].publish(form)
        world.process()
    world["DE"].is_running = True
    world.settle()
    return item


def list_deadlines(world: World, item: str) -> list[list[int]]:
    """Return until when the acceptance of an offer counts, as its State says, and as the other one does."""
    sides = world["CH"].find_own(item).conversation.asks, world["DE"].find_received(item).asks
    return [[ask.expires_at for ask in asks.values() if ask.is_open] for asks in sides]


@pytest.mark.parametrize("urgencies", URGENCIES)
@pytest.mark.parametrize("is_last_first", [False, True])
def test_an_offer_that_is_repeated_with_another_urgency_is_replaced(
    urgencies: tuple[str, str], is_last_first: bool
) -> None:
    world = open_world()
    if is_last_first:
        read_last_first(world)
    item = publish_twice(world, *(make_swiss_offer(urgency=urgency) for urgency in urgencies))
    ours, theirs = list_deadlines(world, item)
    assert ours == theirs
    assert len(ours) == 1
    world["DE"].answer(find_question(world, "DE"), Answer.ACCEPTED)
    world.settle()
    assert len(world["DE"].read_content(item)) == 1


def test_an_offer_that_is_repeated_as_it_was_stays_as_it_is() -> None:
    world = open_world()
    item = publish_twice(world, make_swiss_offer(), make_swiss_offer())
    assert list_acts(world, "CH", ActKind.ASK_ENDED) == []
    assert len(list_acts(world, "CH", ActKind.ASK_OPENED)) == 1
    ours, theirs = list_deadlines(world, item)
    assert ours == theirs


def test_nobody_is_asked_about_a_repeated_offer_that_has_ended() -> None:
    """The other State remembers for a while only that it was offered."""
    world = open_world()
    item = world["CH"].publish(make_swiss_offer(retain_until=LATER))
    world.settle()
    world["DE"].answer(find_question(world, "DE"), Answer.ACCEPTED)
    world.settle()
    assert len(world["DE"].read_content(item)) == 1
    world.pass_time((REMEMBERED_MS + 40 * DAY_MS) / MINUTE_MS)
    world["CH"].publish(make_swiss_offer(retain_until=LATER))
    world.settle()
    assert world["DE"].list_questions() == []
    assert list_deadlines(world, item) == [[], []]


@pytest.mark.parametrize("answer", [Answer.ACCEPTED, Answer.DECLINED])
def test_the_record_of_an_offer_that_has_ended_and_is_repeated_says_how_it_ended(answer: Answer) -> None:
    """Its withdrawal is sent, in case the other State has forgotten the answer; here it stays answered."""
    world = open_world()
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    world["DE"].answer(find_question(world, "DE"), answer)
    world.settle()
    world["CH"].publish(make_swiss_offer())
    world.settle()
    for state, kept in (("CH", world["CH"].find_own(item).conversation), ("DE", world["DE"].find_received(item))):
        (ask,) = (each for each in kept.asks.values() if each.kind is AskKind.ACCEPT)
        said = [act.ask_status for act in world.invariants.acts[state] if act.ask == ask.id and act.ask_status]
        assert (said[-1], ask.status) == (AskStatus.ANSWERED, AskStatus.ANSWERED)


RETENTIONS = [("2026-06-12T00:00:00Z", LATER), (LATER, "2026-06-12T00:00:00Z"), ("2026-06-12T00:00:00Z", None)]


@pytest.mark.parametrize("retentions", RETENTIONS)
@pytest.mark.parametrize("is_last_first", [False, True])
def test_what_another_state_may_still_have_can_be_recalled(
    retentions: tuple[str | None, str | None], is_last_first: bool
) -> None:
    world = open_world()
    if is_last_first:
        read_last_first(world)
    forms = [
        make_swiss_notice(urgency=urgency, retain_until=until)
        for urgency, until in zip(("URGENT", "ORDINARY"), retentions, strict=True)
    ]
    item = publish_twice(world, *[{k: v for k, v in form.items() if v is not None} for form in forms])
    world.pass_time(100 * DAY_MS / MINUTE_MS)
    if world["DE"].read_content(item):
        world["CH"].open(OpeningKind.RECALL, item)
        world.settle()
        assert list_sent(world, "CH") == [("RECALL", "DE")]


def test_what_was_recalled_does_not_come_back_when_the_other_state_has_forgotten_that() -> None:
    nexus = [{"state": state, "reason": "seen there"} for state in ("DE", "NL")]
    world = World({"CH": "POLICE", "DE": "POLICE", "NL": "POLICE"}, MORNING)
    item = world["CH"].publish(make_swiss_notice(nexus=nexus))
    world.settle()
    world["CH"].open(OpeningKind.RECALL, item, states=("DE",))
    world.settle()
    world["DE"].answer(find_question(world, "DE"), Answer.ACKNOWLEDGED)
    world.pass_time(100 * DAY_MS / MINUTE_MS)
    world["CH"].publish(make_swiss_notice(nexus=nexus))
    world.settle()
    question = find_question(world, "DE")
    assert question.ask.kind is AskKind.ACK_RECALL
    world["DE"].answer(question, Answer.ACKNOWLEDGED)
    world.settle()
    assert world["DE"].read_content(item) == []


def test_what_comes_again_with_another_urgency_is_readable_once_and_can_be_destroyed() -> None:
    """After a month the message's id is no longer remembered, but the item is."""
    world = open_world()
    item = world["CH"].publish(make_swiss_notice())
    world.settle()
    world.pass_time(31 * DAY_MS / MINUTE_MS)
    world["CH"].publish(make_swiss_notice(urgency="URGENT"))
    world.settle()
    assert len(world["DE"].read_content(item)) == 1
    assert list(world.bus.select(INBOX_URGENT.topic("DE"))) == []
    world["CH"].open(OpeningKind.RECALL, item)
    world.settle()
    world["DE"].answer(find_question(world, "DE"), Answer.ACKNOWLEDGED)
    world.settle()
    assert world["DE"].read_content(item) == []


def test_an_offer_that_comes_again_after_a_month_says_what_it_said() -> None:
    """The deadline that people read is the one that counts."""
    world = open_world()
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    world["DE"].answer(find_question(world, "DE"), Answer.DECLINED)
    world.settle()
    world.pass_time(31 * DAY_MS / MINUTE_MS)
    world["CH"].publish(make_swiss_offer())
    world.settle()
    (offer,) = (fields for fields in world["DE"].read_inbox(item) if "expires_at" in fields)
    (ask,) = world["DE"].find_received(item).asks.values()
    assert to_milliseconds(offer["expires_at"]) == ask.expires_at


def test_an_emergency_that_only_the_repetition_names_is_confirmed_in_writing() -> None:
    world = World({"CH": "POLICE", "DE": "POLICE", "NL": "POLICE"}, MORNING)
    item = world["CH"].publish(make_swiss_notice())
    world.settle()
    reached = [{"state": state, "reason": "seen there"} for state in ("DE", "NL")]
    world["CH"].publish(make_swiss_notice(nexus=reached, urgency="EMERGENCY", urgency_reason="a life is at stake"))
    world.settle()
    assert [len(world[state].read_content(item)) for state in ("DE", "NL")] == [1, 1]
    ask = find_question(world, "CH").ask
    assert (ask.kind, ask.recipients) == (AskKind.CONFIRM_IN_WRITING, frozenset({"NL"}))
