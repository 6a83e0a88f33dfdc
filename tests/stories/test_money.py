"""Money on the move: four States pass on what they have found, each under its own law, before the money is gone.

A victim in Japan has paid into a Dutch account. From there the money goes to Germany, to Switzerland and to the United
States; after 40 minutes it is withdrawn there. Each State finds the next account by itself, and publishes what it has
found as an item of its own.
"""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.vocabulary import Answer, AskKind
from sharing.conversation_state.escalations import EscalationCause
from sharing.model.vocabulary import Outcome
from sharing.topology.topics import INBOX_URGENT
from tests.stories.cases import (
    DUTCH_FINDINGS,
    GERMAN_FINDINGS,
    JAPANESE_FINDINGS,
    MORNING,
    SWISS_FINDINGS,
    make_item,
)
from tests.stories.states import PutQuestion
from tests.stories.world import World

GONE_AFTER_MINUTES = 40
AUTHORITIES = {"JP": "POLICE", "NL": "POLICE", "DE": "PROSECUTOR", "CH": "POLICE", "US": "POLICE"}
URGENT: dict[str, Any] = {"urgency": "URGENT"}
FOUND: dict[str, dict[str, Any]] = {
    "JP": {"value": "NL91ABNA0417164300", "findings": JAPANESE_FINDINGS},
    "NL": {"value": "DE89370400440532013000", "findings": DUTCH_FINDINGS},
    "DE": {"value": "CH9300762011623852957", "findings": GERMAN_FINDINGS},
    "CH": {
        "type": "bank-account-nr", "value": "US:1234567890", "findings": SWISS_FINDINGS,
        "collection": "SUBSCRIBER_DATA",
    },
}  # fmt: skip
"""What each State finds: the next account. The Swiss police have it from a bank that had to tell them."""


def publish(world: World, state: str, **changes: Any) -> str:
    item = world[state].publish(make_item(state, AUTHORITIES[state], **URGENT, **{**FOUND[state], **changes}))
    world.settle()
    return item


def find_question(world: World, state: str, kind: AskKind) -> PutQuestion:
    (question,) = world[state].list_questions()
    assert question.ask.kind is kind
    return question


def accept(world: World, state: str, item: str, value: str) -> None:
    """Let a State accept what it is offered: before that it reads nothing of the account, and then all."""
    assert world[state].read_content(item) == []
    world[state].answer(find_question(world, state, AskKind.ACCEPT), Answer.ACCEPTED)
    world.settle()
    (content,) = world[state].read_content(item)
    assert content["value"] == value
    assert content["conditions"], "what was accepted is attached"


def test_the_money_is_found_in_the_fifth_state_before_it_is_gone() -> None:
    """Three laws want their conditions accepted first (Budapest Convention art. 26(2)); the Swiss asks a prosecutor.

    The Dutch law would attach its conditions to an item for the German police at once (Directive (EU) 2023/977). Here
    the German contact point is a prosecutor, so that the Directive is no basis and the conditions are accepted first.
    """
    world = World(AUTHORITIES, MORNING)
    item = publish(world, "JP")
    world.pass_time(5)
    accept(world, "NL", item, "NL91ABNA0417164300")
    world.pass_time(4)  # the Dutch police ask the bank
    item = publish(world, "NL")
    world.pass_time(4)
    accept(world, "DE", item, "DE89370400440532013000")
    world.pass_time(3)
    item = publish(world, "DE")
    world.pass_time(5)
    accept(world, "CH", item, "CH9300762011623852957")
    world.pass_time(4)
    item = publish(world, "CH")
    world.pass_time(6)
    assert world["US"].read_inbox(item) == [], "held: what a bank had to tell belongs to the file (ch.cpc-102)"
    asked = find_question(world, "CH", AskKind.APPROVE)
    assert asked.ask.role == "PUBLIC_PROSECUTOR"
    world["CH"].answer(asked, Answer.APPROVED)
    world.pass_time(4)
    accept(world, "US", item, "US:1234567890")
    assert world.minutes == 35 < GONE_AFTER_MINUTES
    assert world.list_asked() == [
        "  0 min NL ACCEPT of JP: is asked", "  5 min NL ACCEPT of JP: ANSWERED by nl-2",
        "  9 min DE ACCEPT of NL: is asked", " 13 min DE ACCEPT of NL: ANSWERED by de-2",
        " 16 min CH ACCEPT of DE: is asked", " 21 min CH ACCEPT of DE: ANSWERED by ch-2",
        " 25 min CH APPROVE of CH: is asked", " 31 min CH APPROVE of CH: ANSWERED by ch-2",
        " 31 min US ACCEPT of CH: is asked", " 35 min US ACCEPT of CH: ANSWERED by us-2",
    ]  # fmt: skip
    for state in ("NL", "DE", "CH", "US"):
        told = [escalation.mark.cause for escalation in world[state].sender.submitted]
        assert set(told) == {EscalationCause.OPENED}, "an urgent question is told at once, and nobody was late"
        assert {record.topic() for record in world[state].inbox.values()} == {INBOX_URGENT.topic(state)}


def test_without_the_prosecutor_the_account_stays_in_switzerland() -> None:
    world = World(AUTHORITIES, MORNING)
    item = publish(world, "CH")
    asked = find_question(world, "CH", AskKind.APPROVE)
    world["CH"].answer(asked, Answer.APPROVED, officer="1")
    world.pass_time(GONE_AFTER_MINUTES)
    assert world["US"].read_inbox(item) == [], "the officer who has published it does not count"
    assert find_question(world, "CH", AskKind.APPROVE) == asked


@pytest.mark.parametrize(
    ("state", "rule"), [("NL", "nl.led-35.origin"), ("DE", "de.irg-77d-1-3"), ("CH", "ch.scc-349d")]
)
def test_what_another_state_has_supplied_is_not_passed_on_without_its_consent(state: str, rule: str) -> None:
    """The law that stands in the way: each of these laws leaves it to the State of origin (originator control).

    So in the story each State publishes what it has found itself. That another State has led it there does not matter.
    """
    world = World(AUTHORITIES, MORNING)
    origin = {"collection": "FOREIGN_STATE", "origin": {"state": "JP", "consent": False}}
    publish(world, state, **origin)
    (decided,) = world[state].read_decisions()[0]["recipients"]
    assert decided["outcome"] == Outcome.WITHHOLD
    assert rule in {each["id"] for each in decided["rules"]}
