"""A threat to life: a number leaves at once, or is held for the role that the law names, for two hours at most."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus
from sharing.conversation_state.escalations import EscalationCause
from sharing.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from sharing.model.vocabulary import Outcome
from sharing.rulings.act import ActKind
from sharing.topology.topics import URGENT
from tests.stories.cases import DUTCH_FINDINGS, MORNING, make_item
from tests.stories.world import World

THREAT: dict[str, Any] = {
    "type": "phone-number", "value": "+4930901820", "urgency": "EMERGENCY", "purpose": "PREVENTION",
    "urgency_reason": "a child has announced on the telephone that it will be killed tonight",
}  # fmt: skip
ANSWERED = {"findings": {**DUTCH_FINDINGS, "own_task_need": True}}
UNANSWERED = {
    "findings": {
        name: answer
        for name, answer in DUTCH_FINDINGS.items()
        if name not in {"own_task_need", "recipient_task_need", "serious_offence", "grave_public_order_danger"}
    }
}


def begin(**changes: Any) -> tuple[World, str]:
    """Let the Dutch police publish the number for the German police."""
    world = World({"NL": "POLICE", "DE": "POLICE"}, MORNING)
    item = world["NL"].publish(make_item("NL", "POLICE", **{**THREAT, **changes}))
    world.settle()
    return world, item


def get_outcome(world: World) -> Outcome:
    (decided,) = world["NL"].read_decisions()[0]["recipients"]
    return Outcome(decided["outcome"])


def test_it_leaves_at_once_and_somebody_confirms_it_in_writing_afterwards() -> None:
    """Between police of the Union the conditions bind on receipt, so nobody needs to be asked first."""
    world, item = begin(**ANSWERED)
    assert (get_outcome(world), world.minutes) == (Outcome.DISCLOSE, 0)
    (content,) = world["DE"].read_content(item)
    assert content["value"] == "+4930901820"
    assert content["conditions"]
    assert [message.fields["id"] for message in world.invariants.messages if message.has_content] == [content["id"]]
    assert len(list(world.bus.select(URGENT.topic("DE")))) > 0
    (asked,) = world["NL"].list_questions()
    assert (asked.ask.kind, asked.ask.expires_at) == (AskKind.CONFIRM_IN_WRITING, MORNING + 3 * DAY_MS)
    world.pass_time(3 * DAY_MS / MINUTE_MS + 2)
    overdue = [act for act in world.invariants.acts["NL"] if act.kind is ActKind.OVERDUE]
    assert len(overdue) == 1, "it is chased: asked again, with an alert"
    told = [escalation.mark.cause for escalation in world["NL"].sender.submitted]
    assert EscalationCause.UNANSWERED in told
    assert EscalationCause.OVERDUE in told
    (again,) = world["NL"].list_questions()
    assert (again.ask.kind, again.ask.round) == (AskKind.CONFIRM_IN_WRITING, 2)
    world["NL"].answer(again, Answer.CONFIRMED)
    world.pass_time(6 * DAY_MS / MINUTE_MS)
    assert world["NL"].list_questions() == []
    assert len(world["DE"].read_content(item)) == 1


def test_it_is_held_for_the_public_prosecutor_where_the_officer_has_not_answered() -> None:
    """nl.bpg-5-1.emergency-need: whether a police task requires it, the prosecutor decides while nobody has."""
    world, item = begin(**UNANSWERED)
    assert get_outcome(world) is Outcome.HOLD
    (asked,) = world["NL"].list_questions()
    assert (asked.ask.kind, asked.ask.role) == (AskKind.APPROVE, "PUBLIC_PROSECUTOR")
    assert asked.ask.expires_at == MORNING + 2 * HOUR_MS
    world.pass_time(20)
    assert world["DE"].read_inbox() == []
    world["NL"].answer(asked, Answer.APPROVED)
    world.settle()
    assert len(world["DE"].read_content(item)) == 1
    assert [question.ask.kind for question in world["NL"].list_questions()] == [AskKind.CONFIRM_IN_WRITING]


def test_what_is_held_is_escalated_twice_and_ends_after_two_hours_without_having_left() -> None:
    world, item = begin(**UNANSWERED)
    acts = world.invariants.acts["NL"]
    for minutes, escalations in ((59, 0), (2, 1), (34, 1), (2, 2), (23, 2)):
        world.pass_time(minutes)
        assert sum(act.kind is ActKind.ESCALATED for act in acts) == escalations, world.minutes
    assert world.minutes == 120
    assert len(world["NL"].list_questions()) == 1, "an answer of these two hours may still be under way"
    world.pass_time(1)
    assert world["NL"].list_questions() == []
    (ended,) = [act for act in acts if act.kind is ActKind.ASK_ENDED]
    assert ended.ask_status is AskStatus.EXPIRED
    (delivery,) = world["NL"].find_own(item).conversation.deliveries.values()
    assert delivery.status is DeliveryStatus.CLOSED
    assert world["DE"].read_inbox() == []


@pytest.mark.parametrize("missing", ["officer", "urgency_reason"])
def test_an_emergency_that_nobody_answers_for_hurries_nobody(missing: str) -> None:
    """Without a named officer and a reason the law sees no emergency, and the item is withheld or waits as usual."""
    form = make_item("NL", "POLICE", **{**THREAT, **UNANSWERED})
    del (form["source"] if missing == "officer" else form)[missing]
    world = World({"NL": "POLICE", "DE": "POLICE"}, MORNING)
    world["NL"].publish(form)
    world.settle()
    assert get_outcome(world) is Outcome.WITHHOLD
    assert world["DE"].read_inbox() == []
    assert all(question.ask.kind is AskKind.SUPPLY_FACT for question in world["NL"].list_questions())
