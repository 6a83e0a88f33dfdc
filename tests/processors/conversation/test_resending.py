"""An officer's order to send again, in the worker: the same messages, to a State that refused them."""

from __future__ import annotations

from typing import Any

from processors.conversation.conversation_result import ConversationOutcome
from sharing.conversation.vocabulary import Answer, AskKind, Refusal
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import ActKind
from sharing.rulings.ruling import Opening
from sharing.rulings.vocabulary import OpeningKind
from tests.processors.conversation.conversation_driver import (
    CLERK,
    JUDGE,
    STATE,
    Driver,
    answer,
    get_item,
    make_draft,
    make_ruling,
    read_acts,
    read_causes,
    read_sent,
    repeat,
)
from tests.processors.conversation.two_workers import Worker, publish, read_message
from tests.processors.conversation.two_workers import arrive as deliver
from tests.processors.gate.gate_fixtures import HELD, NOW_MS, OFFERED

ITEM = get_item(1)
LATER_MS = NOW_MS + HOUR_MS
CHANGED, UNCHANGED = ConversationOutcome.CHANGED, ConversationOutcome.UNCHANGED


def order(provider: str = STATE, **changes: Any) -> Opening:
    return Opening(opens=OpeningKind.RESEND, provider=provider, item=ITEM, partition=0, **changes)


def begin() -> tuple[Driver, tuple[str, dict[str, Any]]]:
    """Return a driver that has sent an item which an officer has approved, and what it has sent."""
    driver = Driver()
    driver.process(make_draft(1, **HELD))
    (sent,) = read_sent(driver.process(make_ruling(answer(ITEM, driver.get_ask(), Answer.APPROVED))))
    return driver, sent


def without_time(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "sent_at"}


def test_the_same_notice_is_sent_again_once_for_each_order() -> None:
    driver, (topic, first) = begin()
    ruling = make_ruling(order(), at_ms=LATER_MS)
    result = driver.process(ruling, now_ms=LATER_MS)
    ((again_topic, again),) = read_sent(result)
    assert (again_topic, without_time(again)) == (topic, without_time(first))
    assert again["sent_at"] > first["sent_at"]
    (act,) = read_acts(result)
    assert (act.kind, act.officer, act.notice_kind) == (ActKind.NOTICE_SENT, JUDGE.id, NoticeKind.ITEM)
    copied = driver.process(repeat(ruling, 9), now_ms=LATER_MS)
    assert (copied.outcomes, copied.outputs) == ([UNCHANGED], [])
    another = driver.process(make_ruling(order(), at_ms=LATER_MS, text="once more"), now_ms=LATER_MS)
    assert len(read_sent(another)) == 1


def test_a_recall_and_its_question_are_sent_again_with_their_id() -> None:
    driver, _ = begin()
    recall = Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0)
    ((_, first),) = read_sent(driver.process(make_ruling(recall)))
    result = driver.process(make_ruling(order(), at_ms=LATER_MS), now_ms=LATER_MS)
    ((_, again),) = read_sent(result)
    assert (again["kind"], without_time(again)) == (NoticeKind.RECALL, without_time(first))
    assert [(act.kind, act.ask) for act in read_acts(result)] == [(ActKind.ASK_REPEATED, first["id"])]


def test_where_the_law_is_stricter_now_nothing_leaves_again() -> None:
    driver, _ = begin()
    tomorrow = NOW_MS + DAY_MS
    result = driver.process(make_ruling(order(), at_ms=tomorrow), now_ms=tomorrow)
    assert ([act.reason for act in read_acts(result)], read_sent(result)) == ([Refusal.LAW_FORBIDS], [])


def test_what_cannot_be_sent_and_who_may_not_order_it_is_refused() -> None:
    driver, _ = begin()
    before = driver.list_entries()
    keyless = driver.process(make_ruling(order(), at_ms=LATER_MS), now_ms=LATER_MS, receiving=frozenset({"DE"}))
    assert read_causes(keyless) == ["NO_SEAL_KEY"]
    clerk = driver.process(make_ruling(order(), CLERK, at_ms=LATER_MS), now_ms=LATER_MS)
    assert [act.reason for act in read_acts(clerk)] == [Refusal.WRONG_ROLE]
    unknown = driver.process(make_ruling(order().model_copy(update={"item": get_item(9)})))
    assert [act.reason for act in read_acts(unknown)] == [Refusal.NOTHING_SENT]
    assert driver.list_entries() == before


def test_two_states_agree_although_each_first_message_was_refused() -> None:
    """The acceptance is refused by the provider, then the item by the receiver; both are sent again."""
    ch, us = Worker(STATE), Worker("US")
    draft, sent = publish(1, **OFFERED)
    (offer,) = (output for output in sent if read_message(output)[1]["to_state"] == "US")
    ch.take(draft, NOW_MS)
    us.take(deliver(offer, NOW_MS), NOW_MS)
    (received,) = us.list_kept()
    asked = next(iter(received.asks.values()))  # type: ignore[union-attr]
    accepting = answer(
        ITEM, asked, Answer.ACCEPTED, conditions_hash=received.conditions[asked.id],  # type: ignore[union-attr]
    )  # fmt: skip
    (lost,) = us.rule(accepting, NOW_MS)
    (again,) = us.rule(order(), LATER_MS)
    first, second = (read_message(output)[1] for output in (lost, again))
    assert {name: first[name] for name in ("id", "answer", "conditions_hash")} == {
        name: second[name] for name in ("id", "answer", "conditions_hash")
    }
    notice, result = ch.take(deliver(again, LATER_MS), LATER_MS)
    assert read_message(result)[1]["result"] == "TAKEN"
    repeated = ch.rule(order(), LATER_MS + 1)
    assert {read_message(output)[1]["id"] for output in repeated} >= {read_message(notice)[1]["id"]}
    for output in (*repeated, notice, result):
        if read_message(output)[1]["to_state"] == "US":
            us.take(deliver(output, LATER_MS + 2), LATER_MS + 2)
    assert us.list_readable(), "the item has arrived"
    (settled,) = us.list_kept()
    assert settled.results == {asked.id: "TAKEN"}  # type: ignore[union-attr]
    assert us.rule(order(), LATER_MS + 3) == [], "nothing is left to be sent again"
    assert {ask.kind for ask in settled.asks.values()} == {AskKind.ACCEPT}  # type: ignore[union-attr]
