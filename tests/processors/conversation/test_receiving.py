"""What other States send: what it changes, what goes into the inbox, what is refused, and what officers answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processors.conversation import room
from processors.conversation.conversation_result import ConversationOutcome, ConversationResult, MessageOutcome
from processors.conversation.receiving import AWAY_MS
from processors.exactly_once.batch import OutputRecord
from sharing.conversation.asks import Ask
from sharing.conversation.deliveries import EARLY_MS
from sharing.conversation.receiver import FORGOTTEN_MS
from sharing.conversation.vocabulary import Answer, AskKind, ReplyResult
from sharing.ids import make_notice_id
from sharing.model.record_times import CREATE_TIME
from sharing.model.times import DAY_MS, from_milliseconds
from sharing.model.vocabulary import Authority, NoticeKind, Urgency
from sharing.rulings.act import ActKind
from sharing.rulings.reply import ReplyKind, ReplyMessage
from sharing.rulings.ruling import Answering, Opening
from sharing.rulings.vocabulary import OpeningKind, RefusalGround
from sharing.seal.faults import SealError, SealFault
from sharing.serialization.codec import get_codec
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from tests.processors.conversation.conversation_driver import (
    JUDGE,
    STATE,
    Driver,
    StampedMessage,
    answer,
    get_item,
    make_draft,
    make_ruling,
    read_acts,
    read_causes,
    read_sent,
    repeat,
)
from tests.processors.conversation.two_workers import arrive, publish
from tests.processors.gate.gate_fixtures import NOW_MS, OFFERED

ITEM = get_item(1)
OFFER_DRAFT, (OFFER,) = publish(1, **OFFERED, nexus=[])
NOTICE = publish(1)[1][0]
RECEIVER = OFFER.topic.split(".")[1].upper()
CHANGED, UNCHANGED, REFUSED = (
    ConversationOutcome.CHANGED, ConversationOutcome.UNCHANGED, ConversationOutcome.REFUSED
)  # fmt: skip


def change(output: OutputRecord, schema: str, **changes: Any) -> OutputRecord:
    fields = get_codec(schema).decode(output.value) | changes
    return output._replace(value=get_codec(schema).encode(fields))


def make_notice(version: int = 1, **changes: Any) -> StampedMessage:
    """Return a notice of a version, as it arrives in the State that receives the offer."""
    notice_id = make_notice_id(STATE, "Police", ITEM, version, RECEIVER, 0)
    fields = {"id": notice_id, "version": version, "to_state": RECEIVER, **changes}
    topic = f"exchange.{RECEIVER.lower()}.notices"
    return arrive(change(NOTICE, "notice", **fields)._replace(topic=topic, partition=0), NOW_MS)


def make_recall(version: int = 1, number: int = 77, **changes: Any) -> StampedMessage:
    return make_notice(version, id=get_item(number), kind=NoticeKind.RECALL, **changes)


def make_offer(number: int = 1, **changes: Any) -> StampedMessage:
    offer_id = get_codec("offer").decode(OFFER.value)["id"] if number == 1 else get_item(number)
    return arrive(change(OFFER, "offer", id=offer_id, **changes)._replace(partition=0), NOW_MS)


def make_reply(kind: ReplyKind, ask: str, from_state: str, to_state: str, **parts: Any) -> OutputRecord:
    reply = ReplyMessage(kind, ITEM, ask, from_state, to_state, NOW_MS, Urgency.ORDINARY, **parts)
    return OutputRecord(f"exchange.{to_state.lower()}.replies", ITEM.encode(), reply.encode(), None, 0)


def accept(ask: str, from_state: str = RECEIVER, given: Answer = Answer.ACCEPTED) -> OutputRecord:
    return make_reply(ReplyKind.ANSWER, ask, from_state, STATE, answer=given, authority=Authority.COURT)


def receive(*messages: StampedMessage, now_ms: int = NOW_MS) -> tuple[Driver, ConversationResult]:
    """Return a receiving State that has read messages."""
    driver = Driver(state=RECEIVER)
    return driver, driver.process(*messages, now_ms=now_ms)


def find(driver: Driver) -> Any:
    return driver.find_received(1, STATE)


def rule(driver: Driver, act: Any, now_ms: int = NOW_MS) -> ConversationResult:
    return driver.process(make_ruling(act, JUDGE, at_ms=now_ms, state=RECEIVER), now_ms=now_ms)


def respond(driver: Driver, given: Answer, **parts: Any) -> Answering:
    (ask,) = (ask for ask in find(driver).asks.values() if ask.is_open)
    return answer(ITEM, ask, given, provider=STATE, **parts)


def list_kinds(result: ConversationResult, state: str = RECEIVER) -> list[ActKind]:
    return [act.kind for act in read_acts(result, state)]


def test_an_offer_is_put_to_people_and_the_receipt_is_sent() -> None:
    driver, result = receive(make_offer())
    assert driver.messages == [MessageOutcome(CHANGED, is_in_inbox=True)]
    ((topic, receipt),) = read_sent(result)
    (ask,) = find(driver).asks.values()
    assert (topic, receipt["kind"], receipt["ask"]) == ("exchange.ch.replies", ReplyKind.RECEIPT, ask.id)
    assert (ask.kind, ask.state, ask.revision) == (AskKind.ACCEPT, RECEIVER, (1, 0))
    assert list_kinds(result) == [ActKind.ASK_OPENED]
    again = driver.process(repeat(make_offer(), 2))
    assert (driver.messages[-1], again.outputs) == (MessageOutcome(UNCHANGED, is_in_inbox=False), [])


def test_what_an_officer_answers_goes_to_the_state_that_asks() -> None:
    driver, _ = receive(make_offer())
    digest = find(driver).conditions[next(iter(find(driver).asks))]
    result = rule(driver, respond(driver, Answer.ACCEPTED, conditions_hash=digest))
    ((topic, reply),) = read_sent(result)
    assert (topic, reply["kind"], reply["answer"]) == ("exchange.ch.replies", ReplyKind.ANSWER, Answer.ACCEPTED)
    assert (reply["authority"], reply["conditions_hash"]) == (Authority.COURT, digest)
    assert list_kinds(result) == [ActKind.ASK_ENDED, ActKind.REPLIED]
    told = make_reply(ReplyKind.RESULT, reply["ask"], STATE, RECEIVER, result=ReplyResult.TAKEN)
    result = driver.process(arrive(told, NOW_MS))
    assert (list_kinds(result), result.sent) == ([ActKind.RESULT_TOLD], [])
    assert driver.messages[-1] == MessageOutcome(CHANGED, is_in_inbox=False)


@pytest.mark.parametrize(
    ("given", "parts", "cause"),
    [
        (Answer.ACCEPTED, {"conditions_hash": "ab" * 32}, "OTHER_CONDITIONS"),
        (Answer.DECLINED, {"recipients": ("AU",)}, "NOT_ALIKE"),
        (Answer.DECLINED, {"grounds": (RefusalGround.UNCC_40,)}, "NOT_IN_FORCE"),
    ],
)
def test_an_answer_that_does_not_fit_the_offer_is_refused(given: Answer, parts: dict[str, Any], cause: str) -> None:
    driver, _ = receive(make_offer())
    before = driver.list_entries()
    result = rule(driver, respond(driver, given, **parts))
    assert (read_causes(result, RECEIVER), result.sent, driver.list_entries()) == ([cause], [], before)


def test_an_offer_that_is_withdrawn_is_asked_no_more() -> None:
    driver, _ = receive(make_offer())
    (ask,) = find(driver).asks
    result = driver.process(arrive(make_reply(ReplyKind.WITHDRAWAL, ask, STATE, RECEIVER), NOW_MS))
    assert (list_kinds(result), result.sent) == ([ActKind.ASK_ENDED], [])
    assert find(driver).count_open() == 0


def test_a_recall_deletes_what_is_in_the_inbox_once_it_is_acknowledged() -> None:
    driver, _ = receive(make_offer(), make_notice(), make_notice(2, kind=NoticeKind.CORRECTION), make_recall(2))
    assert [each.is_in_inbox for each in driver.messages] == [True] * 4
    for ask in [ask for ask in find(driver).asks.values() if ask.kind is AskKind.ACCEPT]:
        assert not ask.is_open, "what is recalled is accepted no more"
    result = rule(driver, respond(driver, Answer.ACKNOWLEDGED))
    deleted = [output for output in result.outputs if output.topic == f"national.{RECEIVER.lower()}.inbox"]
    expected = [make_offer(), make_notice(), make_notice(2)]
    assert [output.key for output in deleted] == [each.message.id.encode() for each in expected if each.message]
    assert all((output.value, output.partition) == (None, 0) for output in deleted)
    assert list_kinds(result) == [ActKind.ASK_ENDED, ActKind.REPLIED, ActKind.SHREDDED]
    assert [copy.is_recall for copy in find(driver).inbox] == [True]
    driver.process(repeat(make_notice(2), 9))
    assert driver.messages[-1].is_in_inbox is False, "it is not put back"


def test_an_urgent_message_is_deleted_from_the_inbox_of_urgent_ones() -> None:
    driver, _ = receive(make_notice(urgency="URGENT"), make_recall())
    result = rule(driver, respond(driver, Answer.ACKNOWLEDGED))
    topics = [output.topic for output in result.outputs if output.value is None]
    assert topics == [f"national.{RECEIVER.lower()}.inbox.urgent"]


def test_a_recall_that_overtakes_its_item_keeps_it_out() -> None:
    driver, _ = receive(make_recall())
    result = driver.process(make_notice(), make_offer())
    assert [each.is_in_inbox for each in driver.messages] == [True, False, False]
    assert list_kinds(result) == [ActKind.BLOCKED, ActKind.BLOCKED]


def test_what_may_be_kept_no_longer_is_deleted_by_itself_and_then_forgotten() -> None:
    until = NOW_MS + 3 * DAY_MS
    driver, _ = receive(make_notice(retain_until=from_milliseconds(until)))
    assert driver.process("due", now_ms=until - 1).due == []
    result = driver.process("due", now_ms=until)
    assert list_kinds(result) == [ActKind.SHREDDED]
    assert [output.value for output in result.outputs][1:] == [None]
    assert driver.list_entries()[0], "an old message of it may still come"
    result = driver.process("due", now_ms=until + FORGOTTEN_MS)
    assert (len(result.due), result.outputs) == (1, [])
    assert driver.list_entries()[0] == {}


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (make_offer(item_id="no id"), "MALFORMED"),
        (make_notice(0), "MALFORMED"),
        (make_notice(amendment=-1), "MALFORMED"),
        (arrive(make_reply(ReplyKind.RECEIPT, ITEM, STATE, RECEIVER), NOW_MS, time_kind=CREATE_TIME), "NO_BROKER_TIME"),
        (arrive(make_reply(ReplyKind.RECEIPT, ITEM, STATE, RECEIVER), NOW_MS + CLOCK_TOLERANCE_MS + 1),
         "IMPLAUSIBLE_TIME"),
    ],
)  # fmt: skip
def test_a_message_that_is_not_of_this_bus_is_refused_by_reference(message: StampedMessage, cause: str) -> None:
    driver, result = receive(message, make_offer())
    assert (result.outcomes, read_causes(result, RECEIVER)) == ([REFUSED, CHANGED], [cause])
    assert (driver.messages[0], result.refused[0].claimed_state) == (MessageOutcome(REFUSED, is_in_inbox=False), STATE)


def test_a_reply_whose_parts_do_not_fit_is_refused() -> None:
    fields = get_codec("reply").decode(accept(ITEM).value) | {"result": "TAKEN"}
    broken = accept(ITEM)._replace(value=get_codec("reply").encode(fields))
    result = Driver().process(arrive(broken, NOW_MS))
    assert (result.outcomes, read_causes(result)) == ([REFUSED], ["MALFORMED"])


def test_a_state_may_have_so_many_open_offers_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "OPEN_MAX", 2)
    offers = [make_offer(number, item_id=get_item(number)) for number in (2, 3, 4)]
    driver, result = receive(*offers)
    assert (result.outcomes, read_causes(result, RECEIVER)) == ([CHANGED, CHANGED, REFUSED], ["TOO_MANY_OPEN"])
    assert driver.process(repeat(offers[0], 9)).outcomes == [UNCHANGED]  # one that is known is none more
    assert driver.process(make_recall()).outcomes == [CHANGED], "a recall is not refused for that"
    driver.process("due", now_ms=NOW_MS + 40 * DAY_MS)
    later = make_offer(5, item_id=get_item(5), expires_at=from_milliseconds(NOW_MS + 60 * DAY_MS))
    assert driver.process(later, now_ms=NOW_MS + 40 * DAY_MS).outcomes == [CHANGED]


def recall(number: int, item: int, version: int = 1) -> StampedMessage:
    """Return the recall with a number of a version of an item."""
    return make_recall(version, number, item_id=get_item(item))


def send(number: int, item: int, version: int = 1) -> StampedMessage:
    """Return the notice with a number of a version of an item."""
    return make_notice(version, id=get_item(number), item_id=get_item(item))


def test_recalls_of_what_was_never_sent_have_a_limit_beyond_that_of_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "OPEN_MAX", 1)
    monkeypatch.setattr(room, "RECALLS_MAX", 3)
    driver, result = receive(make_offer(2, item_id=get_item(2)), *(recall(60 + number, number) for number in (3, 4, 5)))
    assert (result.outcomes, read_causes(result, RECEIVER)) == ([CHANGED] * 3 + [REFUSED], ["TOO_MANY_OPEN"])
    again = driver.process(recall(70, 4))
    assert again.outcomes == [CHANGED], "the same recall, put again, takes the place of the first"
    other = driver.process(recall(71, 4, version=2), recall(72, 4, version=3))
    assert read_causes(other, RECEIVER) == 2 * ["TOO_MANY_OPEN"], "of an item of which nothing is here, it is one more"
    assert driver.process(repeat(recall(70, 4), 9)).outcomes == [UNCHANGED]
    assert driver.process(recall(73, 2)).outcomes == [CHANGED], "the recall of what is offered ends the offer"


def test_a_recall_of_what_is_here_is_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    driver, _ = receive(send(40, 2), send(41, 3, version=2))
    monkeypatch.setattr(room, "OPEN_MAX", 0)
    monkeypatch.setattr(room, "RECALLS_MAX", 0)
    taken = driver.process(recall(60, 2), recall(61, 3, version=2))
    assert taken.outcomes == [CHANGED, CHANGED]
    kinds = [act.ask_kind for act in read_acts(taken, RECEIVER) if act.kind is ActKind.ASK_OPENED]
    assert kinds == 2 * [AskKind.ACK_RECALL]
    later = driver.process(recall(62, 3, version=5), recall(63, 3, version=1))
    assert read_causes(later, RECEIVER) == 2 * ["TOO_MANY_OPEN"], "it has recalled what is here, and sends no more"
    driver.process(send(42, 3, version=6))
    assert driver.process(recall(64, 3, version=6)).outcomes == [CHANGED]


def withdraw(number: int) -> StampedMessage:
    """Return the withdrawal of the offer of a number."""
    item, kind = get_item(number), ReplyKind.WITHDRAWAL
    reply = ReplyMessage(kind, item, get_item(number), STATE, RECEIVER, NOW_MS, Urgency.ORDINARY)
    return arrive(OutputRecord(f"exchange.{RECEIVER.lower()}.replies", item.encode(), reply.encode(), None, 0), NOW_MS)


def test_withdrawals_of_what_was_never_offered_do_not_fill_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "OPEN_MAX", 2)
    driver, result = receive(withdraw(2), withdraw(3), withdraw(4))
    assert (result.outcomes, read_causes(result, RECEIVER)) == ([CHANGED, CHANGED, REFUSED], ["TOO_MANY_OPEN"])
    blocked = driver.process(make_offer(2, item_id=get_item(2)))
    assert [act.kind for act in read_acts(blocked, RECEIVER)] == [ActKind.BLOCKED], "it was withdrawn before it came"
    assert driver.process(withdraw(4)).outcomes == [CHANGED], "what has come waits for nothing"
    again = driver.process(make_offer(2, item_id=get_item(2)))
    assert (again.outcomes, read_acts(again, RECEIVER)) == ([UNCHANGED], [])


def test_of_one_item_so_many_offers_wait_and_its_recall_is_taken_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "WAITING_MAX", 3)
    driver, result = receive(make_offer(2), withdraw_offer(9), make_offer(3), make_offer(4), withdraw_offer(10))
    assert (result.outcomes, read_causes(result, RECEIVER)) == ([CHANGED] * 3 + [REFUSED] * 2, 2 * ["TOO_MANY_OPEN"])
    assert driver.process(repeat(make_offer(3), 9)).outcomes == [UNCHANGED]
    assert driver.process(make_offer(9)).outcomes == [CHANGED], "its withdrawal came first: it adds nothing"
    assert driver.process(make_offer(5, item_id=get_item(2))).outcomes == [CHANGED], "it is about another item"
    assert driver.process(make_recall()).outcomes == [CHANGED]
    assert [ask.kind for ask in find(driver).asks.values() if ask.is_open] == [AskKind.ACK_RECALL]


def test_of_one_item_so_many_messages_are_in_the_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "COPIES_MAX", 2)
    notices = [make_notice(version, id=get_item(20 + version)) for version in (1, 2, 3)]
    driver, result = receive(*notices, make_offer(5, version=4))
    assert (result.outcomes, read_causes(result, RECEIVER)) == ([CHANGED] * 2 + [REFUSED] * 2, 2 * ["TOO_MANY_OPEN"])
    assert driver.process(make_recall(2)).outcomes == [CHANGED]
    rule(driver, respond(driver, Answer.ACKNOWLEDGED))
    assert driver.process(notices[2]).outcomes == [CHANGED], "what was recalled is deleted, so there is room"


def withdraw_offer(number: int) -> StampedMessage:
    """Return the withdrawal of an offer of the item."""
    return arrive(make_reply(ReplyKind.WITHDRAWAL, get_item(number), STATE, RECEIVER), NOW_MS)


# The providing State's side


def get_offered(driver: Driver) -> Ask:
    return driver.get_ask()


def test_an_acceptance_in_time_releases_the_item() -> None:
    driver = Driver()
    driver.process(OFFER_DRAFT)
    ask = get_offered(driver)
    result = driver.process(arrive(accept(ask.id), NOW_MS))
    kinds = [fields["kind"] for _, fields in read_sent(result)]
    assert kinds == [NoticeKind.ITEM, ReplyKind.RESULT]
    assert read_sent(result)[1][1]["result"] == ReplyResult.TAKEN
    receipt = driver.process(arrive(make_reply(ReplyKind.RECEIPT, ask.id, RECEIVER, STATE), NOW_MS))
    assert (list_kinds(receipt, STATE), receipt.outcomes) == ([ActKind.RECEIPT_RECORDED], [UNCHANGED])


def test_an_acceptance_counts_although_the_draft_cannot_be_opened_and_an_officer_decides_again() -> None:
    keys = [False]

    def open_draft(kept: bytes) -> bytes:
        if not keys[-1]:
            raise SealError(SealFault.UNKNOWN_SEAL_KEY, "the wrapping key is missing")
        return kept

    driver = Driver(open_draft)
    driver.process(OFFER_DRAFT)
    result = driver.process(arrive(accept(get_offered(driver).id), NOW_MS))
    assert [(fields["kind"], fields["result"]) for _, fields in read_sent(result)] == [
        (ReplyKind.RESULT, ReplyResult.TAKEN)
    ]
    assert (result.outcomes, result.refused) == ([CHANGED], [])
    again = driver.get_ask()
    assert again.kind is AskKind.REDECIDE
    keys.append(True)
    act = answer(ITEM, again, Answer.PROVIDE_ANYWAY, provider=STATE)
    released = driver.process(make_ruling(act, JUDGE, text="they have accepted"))
    assert [fields["kind"] for _, fields in read_sent(released)] == [NoticeKind.ITEM], released.refused


def test_a_late_acceptance_is_told_so() -> None:
    driver = Driver()
    driver.process(OFFER_DRAFT)
    late = get_offered(driver).closes_at
    result = driver.process(arrive(accept(get_offered(driver).id), late), now_ms=late)
    assert [fields["result"] for _, fields in read_sent(result)] == [ReplyResult.LATE]


def test_a_state_that_was_not_asked_is_told_so() -> None:
    driver = Driver()
    driver.process(OFFER_DRAFT)
    other = next(state for state in ("US", "DE", "FR", "IE") if state != RECEIVER)
    result = driver.process(arrive(accept(get_offered(driver).id, other), NOW_MS))
    assert [(topic, fields["result"]) for topic, fields in read_sent(result)] == [
        (f"exchange.{other.lower()}.replies", ReplyResult.UNKNOWN)
    ]
    assert get_offered(driver).is_open


def test_an_acceptance_from_before_the_offer_is_refused() -> None:
    driver = Driver()
    driver.process(OFFER_DRAFT)
    ask = get_offered(driver)
    before = ask.opened_at - AWAY_MS - CLOCK_TOLERANCE_MS  # the worker may have been away when the gate put it
    refused = driver.process(arrive(accept(ask.id), before - 1))
    assert read_causes(refused) == ["IMPLAUSIBLE_TIME"]
    assert driver.process(arrive(accept(ask.id), before)).outcomes == [CHANGED]


def test_an_acknowledgement_from_before_the_recall_is_refused() -> None:
    """The conversation itself puts this Ask, so it is known when."""
    driver = Driver()
    driver.process(make_draft(1))
    driver.process(make_ruling(Opening(opens=OpeningKind.RECALL, provider=STATE, item=ITEM, partition=0), at_ms=NOW_MS))
    (ask, *_) = (each for each in driver.find(1).conversation.asks.values() if each.is_open)
    before = ask.opened_at - EARLY_MS - CLOCK_TOLERANCE_MS
    given = accept(ask.id, ask.state, Answer.ACKNOWLEDGED)
    early, in_time = (arrive(given, at_ms) for at_ms in (before - 1, before))
    assert read_causes(driver.process(early)) == ["IMPLAUSIBLE_TIME"]
    assert driver.process(in_time).outcomes == [CHANGED]


def test_an_acceptance_that_comes_before_the_draft_is_read_counts() -> None:
    asked = Driver()
    asked.process(OFFER_DRAFT)
    driver = Driver()
    early = driver.process(arrive(accept(get_offered(asked).id), NOW_MS))
    assert (early.outcomes, early.outputs) == ([CHANGED], [])
    result = driver.process(OFFER_DRAFT)
    assert [fields["kind"] for _, fields in read_sent(result)] == [NoticeKind.ITEM, ReplyKind.RESULT]


def test_an_answer_to_nothing_is_told_so_after_a_day_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    driver.process(arrive(accept(get_item(50)), NOW_MS))
    monkeypatch.setattr(room, "OPEN_MAX", 1)
    assert read_causes(driver.process(arrive(accept(get_item(51)), NOW_MS))) == ["TOO_MANY_OPEN"]
    result = driver.process("due", now_ms=NOW_MS + EARLY_MS)
    assert [fields["result"] for _, fields in read_sent(result)] == [ReplyResult.UNKNOWN]
    assert driver.list_entries()[0] == {}
    unknown = driver.process(arrive(accept(get_item(52), given=Answer.ACKNOWLEDGED), NOW_MS))
    assert ([fields["result"] for _, fields in read_sent(unknown)], unknown.kept) == ([ReplyResult.UNKNOWN], [])


def test_a_draft_of_another_item_is_not_touched_by_a_reply() -> None:
    driver = Driver()
    driver.process(OFFER_DRAFT, make_draft(2))
    before = driver.find(2)
    driver.process(arrive(accept(get_offered(driver).id), NOW_MS))
    assert replace(driver.find(2)) == before
