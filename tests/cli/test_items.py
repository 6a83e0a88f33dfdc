"""`sharing items`: what became of an item, and what an officer begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sharing.conversation.received_events import PutInInbox
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.ids import make_item_id
from sharing.kafka.key_partition import find_partition
from sharing.kafka.topic_follower import TopicFollower
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind
from tests.cli.conftest import Call
from tests.cli.conversation_bus import OFFERED_BY, ConversationBus, open_conversation_bus
from tests.conversation.people import JUDGE, disclosed, held, offered

SECRET = "the officer's own words"  # noqa: S105 a text that must not be shown


@pytest.fixture
def ch(call: Call, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConversationBus]:
    with open_conversation_bus(call, empty_folder, monkeypatch) as bus:
        yield bus


def test_one_timeline_tells_what_became_of_an_item(ch: ConversationBus) -> None:
    item, story = ch.publish(1, offered("DE", "c.one"), disclosed("FR"), partition=1)
    ch.publish(2, held("JP"), partition=1)
    ask = story.find_ask(AskKind.ACCEPT)
    story.reply(Answer.ACCEPTED)
    ch.keep(item)
    ch.write_acts(item, "CH", story.effects)
    ch.write_acts(item, "DE", [PutInInbox(Revision(1))])  # an item of DE that has the same id
    shown = ch.run("items", "show", item, "--json").json_document
    assert (shown["id"], shown["version"], shown["state"], shown["partition"]) == (item, 1, "CH", 1)
    assert shown["deliveries"] == {"DE": "SENT", "FR": "SENT"}
    events = [(event["what"], event["state"], event["by"]) for event in shown["timeline"]]
    assert events == [
        ("DECIDED", "DE", None), ("DECIDED", "FR", None), ("ASK_OPENED", "DE", None), ("ASK_ENDED", "DE", "DE"),
        ("NOTICE_SENT", "DE", None), ("REPLY_RESULT", "DE", None),
    ]  # fmt: skip
    assert shown["timeline"][0]["law"][0]["rule"] == OFFERED_BY.id
    assert shown["timeline"][3]["ask"] == ask.id
    by_indicator = ch.run("items", "show", story.conversation.indicator, "--json").json_document
    assert by_indicator == shown
    text = ch.run("items", "show", item).out
    for part in (
        "DE: SENT", "decided for DE: it is offered: conditions must be accepted first (OFFER), IMAC art. 67a(2)",
        "answered by DE, conditions accepted (ACCEPTED)", "item sent (DE)",
    ):  # fmt: skip
        assert part in text
    assert "JP" not in text


def test_two_officers_who_must_approve_are_said_where_it_waits(ch: ConversationBus) -> None:
    item, story = ch.publish(1, held("DE", needed=2))
    ask = story.find_ask(AskKind.APPROVE)
    assert f"asked of CH, 2 officers [ask {ask.id}]" in ch.run("items", "show", item).out
    assert "2 officers must answer" in ch.run("asks", "list").out
    other, one = ch.publish(2, held("FR"), partition=1)
    assert f"asked of CH [ask {one.find_ask(AskKind.APPROVE).id}]" in ch.run("items", "show", other).out


def test_several_items_are_shown_one_a_line(ch: ConversationBus) -> None:
    first, _ = ch.publish(1, held("DE"))
    second, story = ch.publish(2, disclosed("FR"), partition=1)
    shown = ch.run("items", "show", first, story.conversation.indicator, second, "--json").json_lines
    assert [(each["id"], each["deliveries"]) for each in shown] == [
        (first, {"DE": "WAITING"}), (second, {"FR": "SENT"}),
    ]  # fmt: skip
    for each in shown:
        assert {"id", "version", "state", "timeline", "deliveries"} <= set(each)
        assert all({"at", "what", "state", "by", "law"} <= set(event) for event in each["timeline"])
    unknown = ch.run("items", "show", first, str(make_item_id("indicator", "", "never")))
    assert (unknown.code, unknown.out, "has decided on no such item" in unknown.error) == (2, "", True)


def test_what_waits_is_the_end_of_the_timeline(ch: ConversationBus) -> None:
    item, story = ch.publish(1, held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    shown = ch.run("items", "show", item).out
    assert f"[ask {ask.id}]; silence: it ends without disclosure" in shown
    assert ch.run("items", "show", item, "--json").json_document["open_asks"] == [ask.id]


def test_an_item_about_which_nobody_was_asked_has_decisions_on_the_partition_of_its_key(ch: ConversationBus) -> None:
    item, story = ch.publish(1, held("DE"))
    indicator = str(make_item_id("indicator", "", "alone"))
    ch.partitions[item] = find_partition(indicator.encode(), 2)
    story.conversation = replace(story.conversation, indicator=indicator)
    ch.write_decision(item, held("DE"))
    shown = ch.run("items", "show", indicator, "--json").json_document
    assert (shown["version"], shown["deliveries"]) == (1, {})
    assert [event["what"] for event in shown["timeline"]] == ["DECIDED"]
    assert "nobody was ever asked about it" in ch.run("items", "show", indicator).out
    unknown = ch.run("items", "show", str(make_item_id("indicator", "", "never")))
    assert (unknown.code, "has decided on no such item" in unknown.error) == (2, True)


def test_a_watched_item_prints_what_happens_to_it(ch: ConversationBus, monkeypatch: pytest.MonkeyPatch) -> None:
    item, story = ch.publish(1, held("DE"))
    poll, steps = TopicFollower.poll, [lambda: story.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED)]

    def act_and_poll(follower: TopicFollower, seconds: float) -> list[object]:
        if not follower.is_at_end:
            return list(poll(follower, seconds))
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()
        ch.write_acts(item, "CH", story.effects)
        messages: list[object] = []
        while not messages:
            messages = list(poll(follower, seconds))
        return messages

    monkeypatch.setattr(TopicFollower, "poll", act_and_poll)
    watched = ch.run("items", "show", item, "--watch", "--json")
    assert watched.code == 130
    assert [line["what"] for line in watched.json_lines][:3] == ["DECIDED", "ASK_OPENED", "ASK_ENDED"]


def test_items_are_listed_by_where_their_deliveries_stand(ch: ConversationBus) -> None:
    waiting, story = ch.publish(1, held("DE"))
    sent, _ = ch.publish(2, disclosed("FR"), partition=1)
    closed, refused = ch.publish(3, held("DE"))
    refused.rule(AskKind.APPROVE, JUDGE, Answer.REFUSED)
    ch.keep(closed)
    listed = ch.run("items", "list", "--json").json_lines
    assert [(row["id"], row["deliveries"]) for row in listed] == [
        (waiting, {"DE": "WAITING"}), (sent, {"FR": "SENT"}),
    ]  # fmt: skip
    assert listed[0]["open_asks"] == [story.find_ask(AskKind.APPROVE).id]
    assert {row["id"] for row in ch.run("items", "list", "--all", "--json").json_lines} == {waiting, sent, closed}
    (only,) = ch.run("items", "list", "--delivery", "SENT", "--json").json_lines
    assert only["id"] == sent
    text = ch.run("items", "list").out
    assert (waiting in text, "FR SENT" in text, closed in text) == (True, True, False)


def test_an_empty_list_says_whether_there_is_a_conversation_at_all(ch: ConversationBus) -> None:
    """A State without keys has none, though its gate may have sent items."""
    assert "`sharing audit transfers` counts what its gate has sent" in ch.run("items", "list").err
    closed, refused = ch.publish(3, held("DE"))
    refused.rule(AskKind.APPROVE, JUDGE, Answer.REFUSED)
    ch.keep(closed)
    assert (
        ch.run("items", "list").err.strip()
        == "CH: no other State has an item, and there are no open questions about any"
    )


def test_a_recall_is_written_and_what_it_does_is_told(ch: ConversationBus) -> None:
    item, _ = ch.publish(1, disclosed("DE"), disclosed("FR"), partition=1)
    with ch.working():
        recalled = ch.rule("items", "recall", item, "--to", "DE", "--text", SECRET, wait="150")
    assert recalled.code == 0, recalled
    assert "recall sent (DE)" in recalled.out
    assert SECRET not in recalled.out + recalled.err
    (verified,) = ch.read_rulings()
    act = verified.ruling.act
    assert isinstance(act, Opening)
    assert (act.opens, act.item, act.partition, act.states) == (OpeningKind.RECALL, item, 1, ("DE",))
    assert (act.provider, verified.ruling.text) == ("CH", SECRET)
    again = ch.rule("items", "recall", item, "--to", "DE")
    assert (again.code, "there is nothing to recall: DE neither has the item" in again.error) == (2, True)
    assert "; FR does" in again.error
    nowhere = ch.rule("items", "recall", item, "--to", "ZZ")
    assert (nowhere.code, "--to ZZ" in nowhere.error) == (2, True)


def test_a_correction_states_facts_that_an_officer_may_state(ch: ConversationBus) -> None:
    item, story = ch.publish(1, disclosed("DE"))
    absolute = ch.rule("items", "correct", item, "--fact", "character=POLITICAL")
    assert absolute.code == 2, absolute
    own = ch.rule(
        "items", "correct", story.conversation.indicator, "--fact", "offence.codes=ILLEGAL_ACCESS,LAUNDERING", "--json"
    )
    assert own.code == 0, own
    (verified,) = ch.read_rulings()
    act = verified.ruling.act
    assert isinstance(act, Opening)
    assert (act.opens, act.facts[0].name, act.facts[0].values) == (
        OpeningKind.CORRECTION, "offence.codes", ("ILLEGAL_ACCESS", "LAUNDERING"),
    )  # fmt: skip
    twice = ch.rule("items", "correct", item, "--fact", "minor=NO", "--fact", "minor=YES")
    assert (twice.code, "is stated twice" in twice.error) == (2, True)


def test_a_withdrawal_has_a_reason(ch: ConversationBus) -> None:
    item, _ = ch.publish(1, disclosed("DE"))
    empty = ch.rule("items", "withdraw", item, "--reason", " ")
    assert (empty.code, "--reason: must not be empty" in empty.error) == (2, True)
    withdrawn = ch.rule("items", "withdraw", item, "--reason", SECRET)
    assert withdrawn.code == 0, withdrawn
    (verified,) = ch.read_rulings()
    assert isinstance(verified.ruling.act, Opening)
    assert (verified.ruling.act.opens, verified.ruling.text) == (OpeningKind.WITHDRAWAL, SECRET)


def test_only_own_items_with_a_conversation_are_recalled(ch: ConversationBus) -> None:
    unknown = ch.rule("items", "recall", make_item_id("DE", "bka", "other"))
    assert (unknown.code, "CH has no conversation about such an item" in unknown.error) == (2, True)
    assert ch.read_rulings() == []
