"""Simulated partners who do not keep to the rules, and a network that repeats and reorders."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from typing import Any

import pytest

from processors.conversation import room
from sharing.conversation.received_bounds import ENDED_MAX
from sharing.conversation.vocabulary import Answer, AskKind, Refusal, ReplyResult
from sharing.conversation_state.entries import encode_received
from sharing.ids import make_ask_id
from sharing.model.times import DAY_MS, MINUTE_MS
from sharing.model.vocabulary import MessageKind, Outcome
from sharing.rulings.act import ActKind
from sharing.rulings.vocabulary import OpeningKind
from sharing.topology.topics import NOTICES, URGENT
from tests.stories.bus import Place
from tests.stories.cases import make_swiss_notice, make_swiss_offer
from tests.stories.hostile import HostileState
from tests.stories.partner_fixtures import (
    URGENTLY,
    list_acts,
    list_causes,
    list_open,
    list_results,
    make_world,
)
from tests.stories.people import ACKNOWLEDGE, Answering, accepting
from tests.trust.trust_fixtures import make_signer

MALFORMED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "an answer of a later version": ("MALFORMED", {"answer": "PERHAPS"}, {}),
    "a kind of a later version": ("MALFORMED", {"kind": "PRAISE"}, {}),
    "an answer without an authority": ("MALFORMED", {"authority": None}, {}),
    "no id of this bus": ("MALFORMED", {"ask": "1; drop"}, {}),
    "an answer that is a result as well": ("MALFORMED", {"result": "TAKEN"}, {}),
    "the name of another State": ("CONTENT_MISMATCH", {"from_state": "NL"}, {}),
    "the name of another addressee": ("CONTENT_MISMATCH", {"to_state": "NL"}, {}),
    "more bytes than a reply": ("CONTENT_MALFORMED", {}, {"tail": b"\x00"}),
    "a key of somebody else": ("UNKNOWN_KEY", {}, {"key": make_signer("somebody")}),
}
"""What is wrong with a reply, why it is refused, and how it is made."""


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_reply_is_refused_by_reference_and_changes_nothing(name: str) -> None:
    cause, changes, options = MALFORMED[name]
    world = make_world()
    world.invariants.hostile.add("DE")
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    (asked,) = world["DE"].list_questions()
    before = world["CH"].list_kept()
    hostile = HostileState(world["DE"])
    hostile.reply("CH", {**hostile.make_answer("CH", item, asked.ask.id, Answer.DECLINED), **changes}, **options)
    world.settle()
    assert list_causes(world, "CH") == [cause]
    assert world["CH"].list_kept() == before
    assert (list_results(world), world["DE"].read_content(item)) == ([], [])
    world["DE"].answer(asked, Answer.ACCEPTED)
    world.settle()
    assert (list_results(world), len(world["DE"].read_content(item))) == ([ReplyResult.TAKEN], 1)


def test_one_that_repeats_every_record_causes_nothing_twice() -> None:
    def list_what_happened(times: int) -> dict[str, Counter[ActKind]]:
        world = make_world(DE=accepting())
        world.bus.twist = lambda writer, output: times if output.topic.startswith("exchange.") else 1
        first = world["CH"].publish(make_swiss_offer())
        second = world["CH"].publish(make_swiss_notice(2), partition=1)
        world.settle()
        for item, partition in ((first, 0), (second, 1)):
            assert len(world["DE"].read_content(item)) == 1
            world["CH"].open(OpeningKind.RECALL, item, partition)
        world.pass_time(30)
        return {state: Counter(act.kind for act in acts) for state, acts in world.invariants.acts.items()}

    once = list_what_happened(1)
    assert once["CH"][ActKind.NOTICE_SENT] == 3
    assert list_what_happened(3) == once


def test_a_ruling_that_is_written_twice_counts_once() -> None:
    world = make_world()
    world.bus.twist = lambda writer, output: 2 if output.topic.endswith(".rulings") else 1
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    (asked,) = world["DE"].list_questions()
    world["DE"].answer(asked, Answer.ACCEPTED)
    world.settle()
    world["CH"].open(OpeningKind.RECALL, item)
    world.settle()
    sent = [(act.notice_kind, act.states) for act in list_acts(world, "CH", ActKind.NOTICE_SENT)]
    assert sent == [("ITEM", ("DE",)), ("RECALL", ("DE",))]
    assert [act.reason for act in list_acts(world, "DE", ActKind.RULING_REFUSED)] == [Refusal.NOT_OPEN]


def test_one_that_answers_for_what_it_never_got_is_told_that_nobody_asked() -> None:
    """It knows all ids: they follow from the item. Germany is asked, and the Netherlands answer."""
    world = make_world()
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    (asked,) = world["DE"].list_questions()
    before = world["CH"].find_own(item).conversation
    hostile = HostileState(world["NL"])
    recall = make_ask_id(item, AskKind.ACK_RECALL, "1.0/DE", 1)
    approval = make_ask_id(item, AskKind.APPROVE, "1.0/DE", 1)
    for ask, given in ((asked.ask.id, Answer.ACCEPTED), (recall, Answer.ACKNOWLEDGED), (approval, Answer.APPROVED)):
        hostile.reply("CH", hostile.make_answer("CH", item, ask, given))
        world.settle()
    assert list_results(world) == [ReplyResult.UNKNOWN] * 3
    assert world["CH"].find_own(item).conversation == before
    later = make_ask_id(item, AskKind.ACCEPT, "2.0/NL", 1)
    hostile.reply("CH", hostile.make_answer("CH", item, later, Answer.ACCEPTED))
    unknown = str(uuid.UUID(int=7, version=4))
    hostile.reply(
        "CH", hostile.make_answer("CH", unknown, make_ask_id(unknown, AskKind.ACCEPT, "1.0/NL", 1), Answer.ACCEPTED)
    )
    world.settle()
    assert list_results(world)[3:] == [], "an answer may come before its question: it waits for a day"
    world.pass_time(DAY_MS / MINUTE_MS + 1)
    assert list_results(world)[3:] == [ReplyResult.UNKNOWN] * 2
    assert all(world[state].read_content(item) == [] for state in ("DE", "NL"))


def test_an_acceptance_that_was_sent_beforehand_releases_nothing_under_other_terms() -> None:
    """Germany accepts a version that is not published yet. That version is held, so somebody must approve it first."""
    world = make_world()
    world.invariants.hostile.add("DE")
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    hostile = HostileState(world["DE"])
    later = make_ask_id(item, AskKind.ACCEPT, "2.0/DE", 1)
    hostile.reply("CH", hostile.make_answer("CH", item, later, Answer.ACCEPTED))
    world.settle()
    held: dict[str, Any] = {"version": 2, "action": "SUPERSEDE", "collection": "SUBSCRIBER_DATA"}
    world["CH"].publish(make_swiss_offer(**held))
    world.settle()
    (decided,) = world["CH"].read_decisions()[1]["recipients"]
    assert decided["outcome"] == Outcome.HOLD
    assert (list_open(world, "CH"), world["DE"].read_content(item)) == ([AskKind.APPROVE], [])


def test_one_that_floods_with_offers_is_refused_at_its_limit_and_holds_up_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "OPEN_MAX", 20)
    world = make_world()
    world.invariants.hostile.add("NL")
    hostile = HostileState(world["NL"])
    for number in range(25):
        record_id, offered = (str(uuid.UUID(int=1000 * each + number, version=4)) for each in (1, 2))
        offer = hostile.make_offer("DE", record_id, offered)
        hostile.send(MessageKind.OFFER, "offers", offer, to_state="DE")
    item = world["CH"].publish(make_swiss_offer())
    world.settle()
    assert Counter(list_causes(world, "DE")) == {"TOO_MANY_OPEN": 5}
    questions = world["DE"].list_questions()
    assert Counter(question.provider for question in questions) == {"NL": 20, "CH": 1}
    (asked,) = [question for question in questions if question.provider == "CH"]
    world["DE"].answer(asked, Answer.ACCEPTED)
    world["DE"].answer(next(each for each in questions if each.provider == "NL"), Answer.DECLINED)
    world.settle()
    assert len(world["DE"].read_content(item)) == 1
    record_id, offered = (str(uuid.UUID(int=1000 * each + 99, version=4)) for each in (1, 2))
    hostile.send(MessageKind.OFFER, "offers", hostile.make_offer("DE", record_id, offered), to_state="DE")
    world.settle()
    assert Counter(list_causes(world, "DE")) == {"TOO_MANY_OPEN": 5}, "one was answered, so there is room for one"


def test_one_that_recalls_the_same_again_and_again_fills_nothing() -> None:
    """Germany is asked once at a time, remembers little, and can still acknowledge: the item is gone."""
    world = make_world()
    world.invariants.hostile.add("CH")
    item = world["CH"].publish(make_swiss_notice())
    world.settle()
    hostile, sizes = HostileState(world["CH"]), []
    for number in range(3 * ENDED_MAX):
        again = str(uuid.UUID(int=number, version=4))
        hostile.send(MessageKind.NOTICE, "notices", hostile.make_recall("DE", again, item), to_state="DE")
        world.settle()
        sizes.append(len(encode_received(world["DE"].find_received(item))))
    assert max(sizes) <= sizes[ENDED_MAX + 1] + 10
    assert (list_causes(world, "DE"), list_open(world, "DE")) == ([], [AskKind.ACK_RECALL])
    assert len(world["DE"].read_content(item)) == 1, "nobody has acknowledged a recall"
    (asked,) = world["DE"].list_questions()
    assert asked.ask.id == again, "the last one counts"
    world["DE"].answer(asked, Answer.ACKNOWLEDGED)
    world.settle()
    assert (world["DE"].read_content(item), list_open(world, "DE")) == ([], [])


def test_a_recall_that_overtakes_its_item_keeps_the_item_out() -> None:
    """The item is ordinary and its withdrawal urgent: they are on two topics, and the urgent one is read first."""
    world = make_world(DE=Answering(ACKNOWLEDGE))
    world["DE"].is_running = False
    item = world["CH"].publish(make_swiss_notice())
    world["CH"].publish(make_swiss_notice(version=2, action="WITHDRAW", reason="wrong", **URGENTLY))
    world.settle()
    world["DE"].is_running = True
    assert {place[0] for place in world["DE"].reader.list_unread()} == {URGENT.topic("DE"), NOTICES.topic("DE")}
    world.settle()
    kinds = [act.kind for act in list_acts(world, "DE", ActKind.ASK_OPENED, ActKind.BLOCKED, ActKind.PUT_IN_INBOX)]
    assert kinds == [ActKind.ASK_OPENED, ActKind.BLOCKED]
    assert world["DE"].read_content(item) == []
    assert list_results(world) == [ReplyResult.TAKEN]


def test_a_withdrawal_that_overtakes_its_offer_spares_people_the_question() -> None:
    """An ordinary offer and its withdrawal are on two topics, and replies are read first."""
    world = make_world()
    world["DE"].is_running = False
    item = world["CH"].publish(make_swiss_offer())
    world["CH"].publish(make_swiss_offer(version=2, action="WITHDRAW", reason="wrong"))
    world.settle()
    world["DE"].is_running = True
    world.settle()
    assert (list_open(world, "DE"), world["DE"].read_inbox(item)) == ([], [])
    assert len(list_acts(world, "DE", ActKind.BLOCKED)) == 1
    world.pass_time(90 * DAY_MS / MINUTE_MS)
    assert world["DE"].list_kept() == [], "it is forgotten like what has ended"


def test_an_acceptance_that_overtakes_the_draft_waits_for_it() -> None:
    """The gate's offer leaves before the conversation has read its draft; the answer comes first."""
    world = make_world()

    def put_off(places: list[Place]) -> Place:
        return min(places, key=lambda place: place[0].endswith(".drafts"))

    world["CH"].reader.choose, world["CH"].is_conversing = put_off, False
    item = world["CH"].publish(make_swiss_offer())
    world.process()
    assert world["CH"].list_kept() == []
    (asked,) = world["DE"].list_questions()
    world["DE"].answer(asked, Answer.ACCEPTED)
    world.process()
    world["CH"].is_conversing = True
    world.settle()
    assert (list_results(world), len(world["DE"].read_content(item))) == ([ReplyResult.TAKEN], 1)
    assert world["CH"].list_kept() != []


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_topics_are_read_makes_no_difference(seed: int) -> None:
    """Germany gets an item that is corrected and one that is recalled, and is offered one that is withdrawn."""
    order = random.Random(seed)
    world = make_world(DE=Answering(ACKNOWLEDGE))
    world["DE"].is_running = False
    recalled = world["CH"].publish(make_swiss_notice(1))
    corrected = world["CH"].publish(make_swiss_notice(2))
    offered = world["CH"].publish(make_swiss_offer(3, **URGENTLY))
    world.settle()
    world["CH"].open(OpeningKind.RECALL, recalled)
    world["CH"].publish(make_swiss_notice(2, version=2, action="SUPERSEDE", **URGENTLY))
    world["CH"].publish(make_swiss_offer(3, version=2, action="WITHDRAW", reason="wrong"))
    world.settle()
    world["DE"].is_running, world["DE"].reader.choose = True, order.choice
    world.settle()
    newest = {item: world["DE"].read_content(item)[-1:] for item in (recalled, corrected, offered)}
    assert [each["version"] for each in newest[corrected]] == [2]
    assert newest[recalled] == newest[offered] == []
    assert list_open(world, "DE") == []
    assert list_causes(world, "DE") == []
