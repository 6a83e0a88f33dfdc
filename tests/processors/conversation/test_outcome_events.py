"""What the conversation tells the agency of an item: what was asked, answered, sent and closed, and nobody's name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processors.conversation.conversation_result import ConversationResult
from processors.conversation.outcome_events import BatchFollowed, list_followed
from processors.exactly_once.batch import DEFAULT_LIMITS
from processors.gate.outcome_blocks import OutcomeBlocks, OutcomeTopics
from sharing.conversation.asks import Officer, Publisher
from sharing.conversation.deliveries import Conversation
from sharing.conversation.effects import Answered, Changed, Escalate, Overdue, ReceiptNoted, Refused
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, Refusal, ReplyResult
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.outcomes.block_reading import read_block
from sharing.outcomes.outcome import FollowedKind, FollowedOutcome, OutcomeWriter
from sharing.rulings.facts import RuledFact
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from tests.processors.conversation.conversation_driver import (
    AUTHOR,
    JUDGE,
    Driver,
    answer,
    get_item,
    make_draft,
    make_ruling,
    make_withheld_draft,
)
from tests.processors.gate.gate_fixtures import HELD, LAW, NOW_MS, OFFERED, WITHHELD, indicator_form

LATER_MS = NOW_MS + HOUR_MS
INDICATOR = indicator_form(1)["id"]


def tell(result: ConversationResult) -> list[tuple[str, tuple[str, ...], str | None, str | None]]:
    """Return what an agency is told: what, the States, the kind of the question and the answer."""
    assert {(event.indicator, event.agency) for event in result.followed} <= {(INDICATOR, "Police")}
    return [
        (event.outcome.what, event.outcome.states, event.outcome.ask, event.outcome.answer) for event in result.followed
    ]


def rule(driver: Driver, given: Answer, officer: Officer = JUDGE, **changes: Any) -> ConversationResult:
    ruling = make_ruling(answer(get_item(1), driver.get_ask(), given, **changes), officer, at_ms=LATER_MS)
    return driver.process(ruling, now_ms=LATER_MS)


def test_a_held_item_is_asked_approved_and_sent() -> None:
    driver = Driver()
    (opened,) = driver.process(make_draft(1, **HELD)).followed
    assert opened.revision == Revision(1)
    assert opened.outcome == FollowedOutcome(
        FollowedKind.ASKED, ("US",), "APPROVE", driver.get_ask().expires_at, "JUDGE"
    )  # fmt: skip
    assert tell(rule(driver, Answer.APPROVED)) == [
        ("ANSWERED", ("US",), "APPROVE", "APPROVED"), ("SENT", ("US",), None, None),
    ]  # fmt: skip


def test_a_refused_item_is_withheld_for_good() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    assert tell(rule(driver, Answer.REFUSED, grounds=(RefusalGround.LIVE_CASE,))) == [
        ("ANSWERED", ("US",), "APPROVE", "REFUSED"), ("CLOSED", ("US",), None, None),
    ]  # fmt: skip


def test_silence_is_told() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    now_ms = driver.get_ask().closes_at
    assert tell(driver.process("due", now_ms=now_ms)) == [
        ("EXPIRED", ("US",), "APPROVE", None), ("CLOSED", ("US",), None, None),
    ]  # fmt: skip


def test_an_offer_is_told_with_its_end() -> None:
    driver = Driver()
    result = driver.process(make_draft(1, nexus=[{"state": "IE", "reason": "r"}], **OFFERED))
    offered = next(event for event in result.followed if event.outcome.states == ("IE",))
    assert (offered.outcome.what, offered.outcome.states, offered.outcome.ask) == ("OFFERED", ("IE",), "ACCEPT")
    assert offered.outcome.until == NOW_MS + 30 * DAY_MS


def test_facts_that_are_asked_for_are_named_and_what_is_supplied_too() -> None:
    driver = Driver()
    (asked,) = driver.process(make_withheld_draft(1)).followed
    assert (asked.outcome.what, asked.outcome.ask, asked.outcome.facts) == ("ASKED", "SUPPLY_FACT", ("form",))
    result = rule(driver, Answer.SUPPLIED, facts=(RuledFact(name="form", values=("INFORMATION",)),))
    assert [(event.outcome.what, event.outcome.facts, event.revision) for event in result.followed] == [
        ("ANSWERED", (), Revision(1)), ("AMENDED", ("form",), Revision(1, 1)),
    ]  # fmt: skip


def test_a_recall_is_told() -> None:
    driver = Driver()
    assert driver.process(make_draft(1)).followed == []  # the gate has told that it was sent
    opening = Opening(opens=OpeningKind.RECALL, provider="CH", item=get_item(1), partition=0)
    assert tell(driver.process(make_ruling(opening))) == [
        ("RECALLED", ("US",), None, None), ("ASKED", ("US",), "ACK_RECALL", None),
    ]  # fmt: skip


def test_a_later_version_closes_what_waits_of_the_earlier_one() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    later = driver.process(make_draft(1, action="SUPERSEDE", version=2, **WITHHELD))
    assert [(event.outcome.what, event.revision) for event in later.followed] == [
        ("CANCELLED", Revision(1)), ("CLOSED", Revision(1)),
    ]  # fmt: skip


def test_what_cannot_be_delivered_is_told_so() -> None:
    driver = Driver()
    driver.process(make_draft(1))
    opening = Opening(opens=OpeningKind.RECALL, provider="CH", item=get_item(1), partition=0)
    told = tell(driver.process(make_ruling(opening), receiving=["DE"]))
    assert [what for what, *_ in told] == ["UNDELIVERED", "UNDELIVERED"]


def test_nothing_is_told_of_an_item_of_another_state() -> None:
    driver = Driver()
    driver.receive_offer(1, NOW_MS + DAY_MS)
    assert driver.process("due", now_ms=NOW_MS + 2 * DAY_MS).followed == []


def test_nobody_is_named() -> None:
    """Neither an officer, nor who deals with a question, nor the id of an Ask."""
    driver = Driver()
    results = [driver.process(make_draft(1, **HELD)), rule(driver, Answer.APPROVED)]
    outcomes = BatchFollowed("CH", NOW_MS, LAW.reference, DEFAULT_LIMITS)
    for result in results:
        outcomes.add(result.followed)
    (output,) = outcomes.write(OutcomeBlocks(OutcomeTopics("CH")))
    block = read_block(output.value)
    assert (output.topic, output.key, output.partition) == ("national.ch.outcomes", None, 0)
    assert (block.writer, block.state, len(block.items)) == (OutcomeWriter.CONVERSATION, "CH", 3)
    asks = [ask.id for ask in driver.find(1).conversation.asks.values()]
    for name in (JUDGE.id, JUDGE.agency, AUTHOR.id, *asks):
        assert name.encode() not in (output.value or b"")


@pytest.mark.parametrize(
    "effect",
    [Escalate("a", 0), Overdue("a"), Answered("a", "DE", ReplyResult.TAKEN), ReceiptNoted("a", "DE"),
     Refused("a", "o-1", Refusal.WRONG_ROLE)],
)  # fmt: skip
def test_how_people_deal_with_it_is_not_told(effect: Any) -> None:
    conversation = Conversation("item", "CH", publisher=Publisher("Police", "o-1"), indicator=INDICATOR)
    assert list_followed(0, conversation, conversation, [effect]) == []


def test_claims_are_not_told() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    kept = driver.find(1).conversation
    assert list_followed(0, kept, kept, [Changed(replace(driver.get_ask(), claimed_by="o-1"))]) == []


def test_an_item_that_only_another_state_has_named_is_told_to_nobody() -> None:
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    unknown = replace(driver.find(1).conversation, indicator="", publisher=Publisher("", None))
    assert list_followed(0, Conversation("item", "CH"), unknown, []) == []


def test_what_agencies_with_topics_of_their_own_are_told_is_apart() -> None:
    driver = Driver()
    outcomes = BatchFollowed("CH", NOW_MS, LAW.reference, DEFAULT_LIMITS)
    outcomes.add(driver.process(make_draft(1, **HELD)).followed)
    assert list(outcomes.write(OutcomeBlocks(OutcomeTopics("CH", ("customs",))))) == []
    (output,) = outcomes.write(OutcomeBlocks(OutcomeTopics("CH", ("customs", "Police"))))
    assert output.topic == "national.ch.outcomes.Police"
