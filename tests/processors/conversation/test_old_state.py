"""A state store that is a year old, and answers that no urgency changes."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.conversation.asks import Ask
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus, Refusal
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import ActKind
from sharing.rulings.ruling import Answering, Opening
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from tests.processors.conversation.conversation_driver import (
    AUTHOR,
    JUDGE,
    STATE,
    Driver,
    answer,
    get_item,
    make_draft,
    make_ruling,
    make_withheld_draft,
    read_acts,
    read_sent,
)
from tests.processors.gate.gate_fixtures import EMERGENCY, HELD, NOW_MS, OFFERED

A_YEAR_LATER = NOW_MS + 365 * DAY_MS


def begin() -> tuple[Driver, dict[int, Ask]]:
    """Return a driver with an item that is held, one that was offered, one that lacks a fact, and one recalled."""
    driver = Driver()
    driver.process(make_draft(1, **HELD), make_draft(2, **OFFERED), make_withheld_draft(3), make_draft(4))
    recall = Opening(opens=OpeningKind.RECALL, provider=STATE, item=get_item(4), partition=0)
    driver.process(make_ruling(recall))
    asks = {number: list_open(driver, number)[0] for number in (1, 2, 3, 4)}
    covering = answer(get_item(1), asks[1], Answer.APPROVED, covers_until=NOW_MS + 29 * DAY_MS)
    driver.process(make_ruling(covering, partition=1))
    return driver, asks


def list_open(driver: Driver, number: int) -> list[Ask]:
    return [ask for ask in driver.find(number).conversation.asks.values() if ask.is_open]


def pass_time(driver: Driver, now_ms: int) -> list[Any]:
    """Let time pass until nothing is due, as batches without records do. Return what is sent and the alerts."""
    sent, alerts = list[Any](), list[Any]()
    while True:
        result = driver.process("due", now_ms=now_ms)
        if not result.due:
            return [sent, alerts]
        sent += read_sent(result)
        alerts += result.alerts


def test_a_state_store_that_is_a_year_old_releases_nothing_and_says_what_is_overdue() -> None:
    driver, asks = begin()
    sent, alerts = pass_time(driver, A_YEAR_LATER)
    contents = [fields for topic, fields in sent if topic.endswith(".notices") and fields["kind"] != NoticeKind.RECALL]
    assert contents == []
    assert {asks[number].kind for number in asks} == {
        AskKind.APPROVE, AskKind.ACCEPT, AskKind.SUPPLY_FACT, AskKind.ACK_RECALL,
    }  # fmt: skip
    assert alerts, "the recall that nobody has acknowledged"
    (chased,) = list_open(driver, 4)
    assert (chased.kind, chased.opened_at) == (AskKind.ACK_RECALL, A_YEAR_LATER)
    for number in (1, 3):
        assert list_open(driver, number) == []
    assert [ask.kind for ask in list_open(driver, 2)] == [AskKind.REDECIDE] * len(list_open(driver, 2))


@pytest.mark.parametrize("number", [1, 3])
def test_what_was_signed_about_a_year_ago_changes_nothing(number: int) -> None:
    driver, asks = begin()
    pass_time(driver, A_YEAR_LATER)
    given = Answer.APPROVED if number == 1 else Answer.NOT_KNOWN
    late = make_ruling(answer(get_item(number), asks[number], given), at_ms=A_YEAR_LATER)
    result = driver.process(late, now_ms=A_YEAR_LATER)
    assert [(act.kind, act.reason) for act in read_acts(result)] == [(ActKind.RULING_REFUSED, Refusal.NOT_OPEN)]
    assert read_sent(result) == []


def test_an_answer_of_a_year_ago_covers_nothing() -> None:
    driver, _ = begin()
    result = driver.process(make_draft(5, 1, **HELD), now_ms=A_YEAR_LATER)
    assert ActKind.ASK_ENDED not in {act.kind for act in read_acts(result)}
    assert read_sent(result) == []


def test_no_urgency_lifts_a_human_right() -> None:
    """Who refuses because of one ends the disclosure, also in an emergency, and nobody approves after that."""
    driver = Driver()
    driver.process(make_draft(1, **HELD, **EMERGENCY))
    ask = driver.get_ask()
    refusal = answer(get_item(1), ask, Answer.REFUSED, grounds=(RefusalGround.HUMAN_RIGHTS,))
    driver.process(make_ruling(refusal))
    assert driver.find(1).conversation.asks[ask.id].status is AskStatus.ANSWERED
    approval: Answering = answer(get_item(1), ask, Answer.APPROVED)
    for officer in (JUDGE, AUTHOR):
        acts = read_acts(driver.process(make_ruling(approval, officer)))
        assert [act.kind for act in acts] == [ActKind.RULING_REFUSED]
    (delivery,) = driver.find(1).conversation.deliveries.values()
    assert delivery.status is DeliveryStatus.CLOSED
