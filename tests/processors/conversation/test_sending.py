"""Each effect that sends something has exactly one record, which its recipient can open. Nothing leaves otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.conversation.message_building import MessageBuilder, MessagePlace
from processors.conversation.release_terms import restrict_recipient
from processors.conversation.sending import MessageWriter, Written, find_addressee
from processors.exactly_once.batch import OutputLimits, OutputRecord
from processors.inbox.refusals import RefusalError
from sharing.conversation.asks import Officer
from sharing.conversation.effects import Answered, Changed, Effect, Ended, Opened, Refused, Send
from sharing.conversation.events import RecallOrdered, Replied, TimePassed
from sharing.conversation.received_events import Blocked, PutInInbox, ReceivedEffect, Reply
from sharing.conversation.revision import Revision
from sharing.conversation.turn import Turn
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus, Refusal, ReplyResult
from sharing.errors import DecodeError
from sharing.law.redaction import CONTENT_FIELDS
from sharing.model.recipient_terms import Condition
from sharing.model.times import DAY_MS, from_milliseconds
from sharing.model.vocabulary import Authority, ConditionKind, NoticeKind, Outcome, Urgency
from sharing.rulings.reply import ReplyKind, ReplyMessage
from sharing.rulings.signing import VerifiedRuling
from sharing.serialization.cloud_events import find_header
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from tests.processors.conversation.sending_fixtures import (
    DIGEST,
    FULL_OF_CANARIES,
    INDICATOR,
    JUDGE,
    NO_CONDITIONS,
    PARTITION,
    STATE,
    TWO_CONDITIONS,
    ReceivedSide,
    SendingItem,
    answering,
    has_canary,
    list_records,
    make_ruling,
    open_law,
    open_message,
    seal,
    write_draft,
)
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    EMERGENCY,
    HELD,
    LAW,
    NOW_MS,
    OFFERED,
    PACK,
    make_message,
    make_pack,
    process_messages,
)
from tests.rulings.ruling_fixtures import EXAMPLES

NEXUS_IE = [{"state": "IE", "reason": "seen there"}]
HELD_OFFER: dict[str, Any] = {**HELD, **OFFERED, "nexus": NEXUS_IE}


def approve(item: SendingItem) -> list[Written]:
    return item.answer(Answer.APPROVED)


def only(written: list[Written]) -> OutputRecord:
    (record,) = list_records(written)
    return record


def begin(**changes: Any) -> SendingItem:
    item = SendingItem()
    assert list_records(item.decide(**changes)) == []
    return item


def offer_to_ireland(**options: Any) -> tuple[SendingItem, OutputRecord]:
    """Return an item that is held, and offered to Ireland once it is approved."""
    item = SendingItem(**options)
    item.decide(**HELD_OFFER)
    ask = next(ask for ask in item.conversation.asks.values() if ask.recipients == {"IE"})
    item.conversation = replace(item.conversation, asks={ask.id: ask})
    return item, only(approve(item))


def accept(item: SendingItem, given: Answer = Answer.ACCEPTED) -> list[Written]:
    return item.happen(Replied(item.ask.id, "IE", given, NOW_MS))


def expect_refusal(cause: str, item: SendingItem, effect: Any, **options: Any) -> None:
    with pytest.raises(RefusalError) as caught:
        item.write(effect, **options)
    assert caught.value.cause == cause
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("is_sealed", [True, False])
def test_what_is_approved_is_sent(is_sealed: bool) -> None:
    item = begin(**HELD)
    unsealed = only(approve(item))
    (output,) = seal(unsealed) if is_sealed else (unsealed,)
    assert (output.topic, output.key, output.partition) == ("exchange.us.notices", INDICATOR.encode(), PARTITION)
    notice = open_message(output, is_sealed=is_sealed)
    assert (notice["kind"], notice["item_id"], notice["version"], notice["amendment"]) == ("ITEM", item.item, 1, 0)
    assert (notice["from_state"], notice["to_state"], notice["to_authority"]) == ("CH", "US", "POLICE")
    assert sorted(notice["redacted"]) == ["offence_codes", "summary"]
    content = get_codec("notice_content").decode(notice["content"])
    assert (content["value"], content["summary"], content["offence_codes"]) == ("malware.example.org", None, [])
    assert content["relevance"] == [{"kind": "NEXUS_STATED", "detail": "seen there"}]
    assert "ch.approval" in [rule["id"] for rule in notice["rules"]]
    assert find_header(output.headers, "ce_id") == notice["id"].encode()
    assert find_header(output.headers, "ce_subject") == INDICATOR.encode()
    trace = (find_header(output.headers, "traceparent") or b"").decode()
    assert trace.split("-")[1] == item.item.replace("-", "")


def find_gate_output(topic: str, **changes: Any) -> OutputRecord:
    outputs = process_messages(make_message(1, **changes)).output_records
    (output,) = (each for each in outputs if each.topic == topic)
    return output


def make_builder_arguments(state: str, **changes: Any) -> tuple[Any, ...]:
    item = SendingItem()
    item.decide(**changes)
    opened = item.open_law().open_item()
    assert opened is not None
    place = MessagePlace(item.item, PARTITION, NOW_MS)
    return item, place, opened[0].record, opened[1].find_recipient(state), LAW.reference


def test_a_notice_has_the_bytes_that_the_gate_would_have_written() -> None:
    _, place, record, recipient, pack = make_builder_arguments("US")
    built = MessageBuilder(STATE, SINGLE_OBJECT_FRAMING).build_notice(
        place, record, recipient, Revision(1), NoticeKind.ITEM, pack
    )
    expected = find_gate_output("exchange.us.notices")
    assert (built.value, built.key) == (expected.value, expected.key)


def test_an_offer_has_the_bytes_that_the_gate_has_written() -> None:
    item, place, record, recipient, pack = make_builder_arguments("IE", **OFFERED, nexus=NEXUS_IE)
    ask = next(ask for ask in item.conversation.asks.values() if ask.state == "IE")
    built = MessageBuilder(STATE, SINGLE_OBJECT_FRAMING).build_offer(place, record, recipient, ask, pack)
    expected = find_gate_output("exchange.ie.offers", **OFFERED, nexus=NEXUS_IE)
    assert (built.value, built.key, built.topic) == (expected.value, expected.key, expected.topic)


@pytest.mark.parametrize("is_sealed", [True, False])
def test_an_offer_has_conditions_and_no_content(is_sealed: bool) -> None:
    item = SendingItem()
    item.decide(**{**HELD_OFFER, **FULL_OF_CANARIES, **HELD, "nexus": NEXUS_IE})
    ask = next(ask for ask in item.conversation.asks.values() if ask.recipients == {"IE"})
    item.conversation = replace(item.conversation, asks={ask.id: ask})
    unsealed = only(approve(item))
    (output,) = seal(unsealed) if is_sealed else (unsealed,)
    offer = open_message(output, is_sealed=is_sealed)
    assert output.topic == "exchange.ie.offers"
    accepting = item.ask
    assert accepting.kind is AskKind.ACCEPT
    assert (offer["id"], offer["item_id"], offer["version"], offer["amendment"]) == (accepting.id, item.item, 1, 0)
    assert offer["expires_at"] == from_milliseconds(accepting.expires_at)
    assert [condition["text"] for condition in offer["conditions"]] == ["Only so."]
    assert not has_canary(unsealed)


def test_an_accepted_item_is_sent_under_its_conditions() -> None:
    item, _ = offer_to_ireland()
    written = accept(item)
    notice_record, result = list_records(written)
    notice = open_message(notice_record, is_sealed=False)
    assert [(each["code"], each["text"]) for each in notice["conditions"]] == [("ch.condition", "Only so.")]
    assert open_message(result, is_sealed=False)["result"] == "TAKEN"


def test_conditions_that_an_officer_does_without_are_in_neither_offer_nor_notice() -> None:
    item, first = offer_to_ireland(pack=TWO_CONDITIONS)
    codes = [each["code"] for each in open_message(first, is_sealed=False)["conditions"]]
    assert codes == ["ch.condition", "ch.secrecy"]
    accept(item, Answer.CANNOT_COMPLY)
    again = only(item.answer(Answer.RELAX, relaxed=frozenset({"ch.condition"})))
    offer = open_message(again, is_sealed=False)
    assert [each["code"] for each in offer["conditions"]] == ["ch.condition"]
    assert offer["id"] == item.ask.id != open_message(first, is_sealed=False)["id"]
    notice = open_message(list_records(accept(item))[0], is_sealed=False)
    assert [each["code"] for each in notice["conditions"]] == ["ch.condition"]


def test_a_condition_that_the_law_no_longer_imposes_has_the_text_of_the_draft() -> None:
    item, _ = offer_to_ireland()
    item.pack = NO_CONDITIONS
    notice = open_message(list_records(accept(item))[0], is_sealed=False)
    assert [(each["code"], each["text"]) for each in notice["conditions"]] == [("ch.condition", "Only so.")]


def test_a_condition_without_a_text_stops_what_is_sent() -> None:
    item = begin(**HELD)
    law = item.open_law()
    approve(item)
    (send,) = (effect for effect in item.effects if isinstance(effect, Send))
    key = ("US", Revision(1))
    delivery = item.conversation.deliveries[key]
    terms = replace(delivery.terms, conditions=frozenset({"ch.gone"}))
    deliveries = {**item.conversation.deliveries, key: replace(delivery, terms=terms)}
    item.conversation = replace(item.conversation, deliveries=deliveries)
    expect_refusal("NO_CONDITION_TEXT", item, send, law=law)


NAMES = st.frozensets(st.sampled_from(sorted(CONTENT_FIELDS)), max_size=6)


@settings(max_examples=EXAMPLES, deadline=None)
@given(NAMES, st.permutations(["ch.condition", "ch.secrecy", "ch.gone"]), st.integers(0, 3))
def test_redactions_are_never_fewer_and_conditions_those_of_the_terms(
    redacted: frozenset[str], codes: list[str], count: int
) -> None:
    item = SendingItem(pack=TWO_CONDITIONS)
    item.decide(**OFFERED)
    opened = item.open_law().open_item()
    assert opened is not None
    draft, law = opened
    for recipient in law.verdict.recipients:
        drafted = next(each for each in draft.recipients if each.state == recipient.state)
        terms = replace(law(recipient.state), redacted=redacted, conditions=frozenset(codes[:count]))
        if "ch.gone" in terms.conditions:
            with pytest.raises(RefusalError, match="text of a condition"):
                restrict_recipient(recipient, terms, drafted)
            continue
        restricted = restrict_recipient(recipient, terms, drafted)
        assert set(restricted.redacted) == redacted | set(recipient.redacted)
        assert {condition.code for condition in restricted.conditions} == terms.conditions
        assert (restricted.outcome, restricted.rules) == (recipient.outcome, recipient.rules)
        built = MessageBuilder(STATE, SINGLE_OBJECT_FRAMING).build_notice(
            MessagePlace(item.item, PARTITION, NOW_MS), draft.record, restricted, Revision(1), NoticeKind.ITEM,
            TWO_CONDITIONS.reference,
        )  # fmt: skip
        content = get_codec("notice_content").decode(open_message(built, is_sealed=False)["content"])
        assert not any(content[name] for name in restricted.redacted)


def test_the_text_of_the_law_in_force_counts() -> None:
    item = SendingItem()
    item.decide(**OFFERED)
    opened = item.open_law().open_item()
    assert opened is not None
    recipient, terms = opened[1].find_recipient("FR"), opened[1]("FR")
    old = Condition("ch.condition", ConditionKind.PURPOSE, "As it was.")
    drafted = recipient._replace(terms=replace(recipient.terms, conditions=(old,)))
    assert [each.text for each in restrict_recipient(recipient, terms, drafted).conditions] == ["Only so."]


def test_what_is_sent_earlier_than_the_redaction_is_approved_without_it_and_left_out() -> None:
    """A redaction of the terms holds although the law in force no longer asks for it."""
    item = begin(**HELD)
    key = ("US", Revision(1))
    delivery = item.conversation.deliveries[key]
    terms = replace(delivery.terms, redacted=delivery.terms.redacted | {"value"})
    item.conversation = replace(item.conversation, deliveries={key: replace(delivery, terms=terms)})
    notice = open_message(only(approve(item)), is_sealed=False)
    assert sorted(notice["redacted"]) == ["offence_codes", "summary", "value"]
    assert get_codec("notice_content").decode(notice["content"])["value"] is None


def list_approved() -> tuple[SendingItem, Send]:
    item = begin(**HELD)
    approve(item)
    (send,) = (effect for effect in item.effects if isinstance(effect, Send))
    return item, send


def test_nothing_is_sent_where_the_law_now_withholds() -> None:
    item, send = list_approved()
    assert item.write(send, item.open_law()).records
    item.now_ms = NOW_MS + DAY_MS  # a rule that denies everything is in force
    expect_refusal("LAW_STRICTER", item, send, law=item.open_law())


def test_nothing_is_sent_where_the_law_now_asks_for_a_further_condition() -> None:
    item = SendingItem(pack=NO_CONDITIONS)
    item.decide(**{**HELD, **OFFERED, "nexus": NEXUS_IE})
    ask = next(ask for ask in item.conversation.asks.values() if ask.recipients == {"IE"})
    item.conversation = replace(item.conversation, asks={ask.id: ask})
    approve(item)
    (send,) = (effect for effect in item.effects if isinstance(effect, Send))
    assert item.write(send, item.open_law()).records
    item.pack = LAW
    expect_refusal("LAW_STRICTER", item, send, law=item.open_law())


def test_nothing_is_sent_where_the_approver_has_not_approved() -> None:
    item, send = list_approved()
    key = ("US", Revision(1))
    unapproved = replace(item.conversation.deliveries[key], approved=frozenset())
    item.conversation = replace(item.conversation, deliveries={key: unapproved})
    expect_refusal("LAW_STRICTER", item, send, law=item.open_law())


def test_nothing_is_sent_that_still_waits() -> None:
    item, send = list_approved()
    key = ("US", Revision(1))
    waiting = replace(item.conversation.deliveries[key], status=DeliveryStatus.WAITING)
    item.conversation = replace(item.conversation, deliveries={key: waiting})
    with pytest.raises(ValueError, match="something blocks it"):
        item.write(send, item.open_law())


def test_nothing_is_sent_without_the_draft_of_its_revision() -> None:
    item, send = list_approved()
    expect_refusal("NO_DRAFT", item, send)
    drafts, item.drafts = item.drafts, {}
    expect_refusal("NO_DRAFT", item, send, law=item.open_law())
    item.drafts = {Revision(1): write_draft(version=2, action="SUPERSEDE")}
    expect_refusal("NO_DRAFT", item, send, law=item.open_law())
    item.drafts = {Revision(1): drafts[Revision(1)][:-3]}
    with pytest.raises(DecodeError):
        item.write(send, item.open_law())


def test_nothing_is_sent_to_a_state_without_a_seal_key() -> None:
    item, send = list_approved()
    item.directory = replace(DIRECTORY, receiving_states=frozenset({"DE"}))
    expect_refusal("NO_SEAL_KEY", item, send, law=item.open_law())


def test_the_law_closes_what_was_approved_for_a_state_that_has_lost_its_key() -> None:
    item = begin(**HELD)
    item.directory = replace(DIRECTORY, receiving_states=frozenset({"DE"}))
    assert list_records(approve(item)) == []
    assert item.ask.kind is AskKind.REDECIDE


def test_a_record_that_would_not_fit_once_it_is_sealed_is_not_written() -> None:
    item, send = list_approved()
    item.limits = OutputLimits(value_bytes={"notices": 100})
    expect_refusal("TOO_LARGE", item, send, law=item.open_law())


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_recall_names_the_item_and_has_nothing_of_it(is_sealed: bool) -> None:
    item = SendingItem()
    item.decide(**FULL_OF_CANARIES)
    written = item.happen(RecallOrdered(JUDGE, roles=frozenset({"JUDGE"})))
    assert [type(effect) for effect in item.effects] == [Send, Opened]
    assert written[0] == Written(())  # the recall is the record of the Ask
    unsealed = only(written)
    assert not has_canary(unsealed)
    (output,) = seal(unsealed) if is_sealed else (unsealed,)
    recall = open_message(output, is_sealed=is_sealed)
    assert (recall["id"], recall["kind"], recall["item_id"]) == (item.ask.id, "RECALL", item.item)
    assert (recall["indicator_id"], recall["version"], recall["amendment"]) == (INDICATOR, 1, 0)
    content = get_codec("notice_content").decode(recall["content"])
    assert not any(content.values())
    empty = ("rules", "conditions", "relevance", "redacted", "basis", "to_authority", "review_at", "retain_until")
    assert not any(recall[name] for name in empty)
    assert (output.topic, output.key) == ("exchange.us.notices", INDICATOR.encode())


def test_a_recall_needs_neither_draft_nor_law() -> None:
    item = SendingItem()
    item.decide()
    item.drafts = {}
    item.happen(RecallOrdered(JUDGE, roles=frozenset({"JUDGE"})))
    (opened,) = (effect for effect in item.effects if isinstance(effect, Opened))
    assert item.write(opened).records


def test_a_recall_that_is_not_acknowledged_is_put_again_with_another_id() -> None:
    item = SendingItem()
    item.decide()
    first = only(item.happen(RecallOrdered(JUDGE, roles=frozenset({"JUDGE"}))))
    item.now_ms = item.ask.closes_at
    again = only(item.happen(TimePassed()))
    ids = {open_message(each, is_sealed=False)["id"] for each in (first, again)}
    assert len(ids) == 2


def test_a_recall_to_a_state_without_a_seal_key_is_noted_and_put_again() -> None:
    item = SendingItem()
    item.decide()
    item.directory = replace(DIRECTORY, receiving_states=frozenset({"DE"}))
    assert item.happen(RecallOrdered(JUDGE, roles=frozenset({"JUDGE"}))) == [Written((), False), Written((), False)]
    item.directory = DIRECTORY
    item.now_ms = item.ask.closes_at
    assert only(item.happen(TimePassed()))


def test_a_correction_is_sent_to_the_state_that_has_the_item() -> None:
    item = SendingItem()
    item.decide()
    output = only(item.decide(version=2, action="SUPERSEDE", summary="another summary"))
    notice = open_message(output, is_sealed=False)
    assert (notice["kind"], notice["version"], output.topic) == ("CORRECTION", 2, "exchange.us.notices")


@pytest.mark.parametrize(
    ("urgency", "names"),
    [({}, {"notices", "offers", "replies"}), ({"urgency": "URGENT"}, {"urgent"}), (EMERGENCY, {"urgent"})],
)
def test_what_is_urgent_goes_on_the_urgent_topic(urgency: dict[str, Any], names: set[str]) -> None:
    item = SendingItem()
    item.decide(**{**HELD_OFFER, **urgency})
    ask = next(ask for ask in item.conversation.asks.values() if ask.recipients == {"IE"})
    item.conversation = replace(item.conversation, asks={ask.id: ask})
    offer = only(approve(item))
    notice, result = list_records(accept(item))
    sent = [offer, notice, result]
    assert {each.topic.rpartition(".")[2] for each in sent} == names
    for output in seal(*sent):
        open_message(output)
    roles = frozenset({"JUDGE"})
    recalls = item.happen(RecallOrdered(JUDGE, roles=roles))
    (recall,) = (each for each in list_records(recalls) if each.topic.rpartition(".")[2] in {"notices", "urgent"})
    assert recall.topic == notice.topic
    open_message(*seal(recall))


def test_an_offer_that_is_cancelled_is_withdrawn() -> None:
    item, _ = offer_to_ireland()
    ask = item.ask
    written = item.decide(**{**HELD, "version": 2, "action": "SUPERSEDE", "nexus": NEXUS_IE})
    reply = ReplyMessage.from_record(open_message(*seal(only(written))))
    assert (reply.kind, reply.ask, reply.to_state, reply.item_id) == (ReplyKind.WITHDRAWAL, ask.id, "IE", item.item)


def test_each_reply_has_its_result() -> None:
    item, _ = offer_to_ireland()
    ask = item.ask
    for state, ask_id, result in (
        ("IE", ask.id, ReplyResult.TAKEN),
        ("IE", "00000000-0000-5000-8000-000000000001", ReplyResult.UNKNOWN),
        ("DE", ask.id, ReplyResult.UNKNOWN),
    ):
        written = item.write(Answered(ask_id, state, result))
        (output,) = written.records
        reply = ReplyMessage.from_record(open_message(output, is_sealed=False))
        assert (reply.kind, reply.result, reply.to_state) == (ReplyKind.RESULT, result, state)
        assert (output.topic, output.key) == (f"exchange.{state.lower()}.replies", item.item.encode())
        assert find_header(output.headers, "ce_subject") == item.item.encode()
        assert find_header(output.headers, "ce_type") == b"sharing.v1.Reply"


def test_what_sends_nothing_has_no_record() -> None:
    item = SendingItem()
    item.decide(**OFFERED)
    (ask, *_) = item.conversation.asks.values()
    sent = Opened(ask, is_sent=True)
    nothing: list[Effect] = [sent, Changed(ask), Ended(ask), Ended(replace(ask, status=AskStatus.EXPIRED))]
    assert [item.write(effect) for effect in nothing] == [Written(())] * 4
    assert [find_addressee(effect, STATE, STATE) for effect in nothing] == [None] * 4


def test_a_kind_of_ask_that_is_put_to_another_state_and_has_no_message_is_noticed() -> None:
    item = SendingItem()
    item.decide(**OFFERED)
    (ask, *_) = item.conversation.asks.values()
    with pytest.raises(ValueError, match="nothing waits"):
        item.write(Opened(ask.__class__(**{**_list_fields(ask), "id": "another"})))


def _list_fields(ask: Any) -> dict[str, Any]:
    return {name: getattr(ask, name) for name in ask.__dataclass_fields__}


def test_an_unapproved_hold_is_offered_to_nobody() -> None:
    """What an officer has relaxed leaves as an offer only if the law would let it leave."""
    item = SendingItem(pack=TWO_CONDITIONS)
    item.decide(**OFFERED, nexus=NEXUS_IE)
    turn = Turn(item.conversation, NOW_MS, open_law().at)  # type: ignore[arg-type]
    delivery = item.conversation.deliveries["IE", Revision(1)]
    held = replace(delivery.terms, outcome=Outcome.HOLD, approver="JUDGE")
    turn.offer(replace(delivery, terms=held))
    item.conversation = turn.conversation
    (opened,) = turn.effects
    assert isinstance(opened, Opened)
    item.now_ms = NOW_MS + DAY_MS
    expect_refusal("LAW_STRICTER", item, opened, law=item.open_law())


def test_a_writer_of_another_state_writes_nothing_for_it() -> None:
    item, send = list_approved()
    context = replace(item.make_context(item.open_law()), after=SendingItem().conversation)
    with pytest.raises(ValueError, match="something blocks it"):
        MessageWriter(STATE, SINGLE_OBJECT_FRAMING).write(send, context)


def test_the_officer_of_a_feed_is_not_named_in_what_leaves() -> None:
    item = begin(**HELD)
    written = item.answer(Answer.APPROVED, Officer("o-very-secret", "court", frozenset({"JUDGE"})))
    for output in list_records(written):
        assert b"o-very-secret" not in (output.value or b"") + repr(output.headers).encode()


def test_an_urgency_that_is_not_known_hurries_nobody() -> None:
    item = SendingItem()
    item.decide(urgency="UNKNOWN")
    assert item.conversation.urgency is Urgency.ORDINARY
    output = only(item.decide(version=2, action="SUPERSEDE", urgency="UNKNOWN"))
    assert output.topic == "exchange.us.notices"
    assert open_message(*seal(output))["urgency"] == "UNKNOWN"


def accept_as_receiver(side: ReceivedSide) -> tuple[Reply, VerifiedRuling]:
    act = answering(side.item, side.ask, Answer.ACCEPTED)
    return Reply(side.ask.id, "DE", Answer.ACCEPTED), make_ruling(act)


@pytest.mark.parametrize(("urgency", "topic"), [(Urgency.ORDINARY, "replies"), (Urgency.EMERGENCY, "urgent")])
def test_an_answer_goes_to_the_state_that_asks(urgency: Urgency, topic: str) -> None:
    side = ReceivedSide(urgency)
    effect, ruling = accept_as_receiver(side)
    (output,) = seal(*side.write(effect, ruling).records)
    assert (output.topic, output.key, output.partition) == (f"exchange.de.{topic}", side.item.encode(), PARTITION)
    reply = ReplyMessage.from_record(open_message(output))
    assert (reply.kind, reply.ask, reply.answer) == (ReplyKind.ANSWER, side.ask.id, Answer.ACCEPTED)
    assert (reply.authority, reply.conditions_hash) == (Authority.COURT, DIGEST)
    assert JUDGE.id.encode() not in (output.value or b"") + repr(output.headers).encode()


def test_what_is_put_to_people_is_confirmed_and_nothing_else_is() -> None:
    side = ReceivedSide()
    (output,) = side.write(Opened(side.ask)).records
    reply = ReplyMessage.from_record(open_message(output, is_sealed=False))
    assert (reply.kind, reply.ask, reply.to_state) == (ReplyKind.RECEIPT, side.ask.id, "DE")
    cancelled = replace(side.ask, status=AskStatus.CANCELLED)
    silent: list[ReceivedEffect] = [Ended(cancelled), Changed(side.ask), PutInInbox(Revision(1)), Blocked(Revision(1))]
    assert [side.write(effect) for effect in silent] == [Written(())] * 4


def test_an_answer_to_a_state_without_a_seal_key_is_refused_and_a_receipt_is_not_sent() -> None:
    side = ReceivedSide(receiving=frozenset({"FR"}))
    effect, ruling = accept_as_receiver(side)
    with pytest.raises(RefusalError, match="no verified seal key") as caught:
        side.write(effect, ruling)
    assert caught.value.cause == "NO_SEAL_KEY"
    assert side.write(Opened(side.ask)) == Written((), is_delivered=False)


def test_a_recall_of_a_state_that_has_left_is_acknowledged_without_telling_it() -> None:
    side = ReceivedSide(receiving=frozenset({"FR"}), pinned=frozenset({"CH", "FR"}))
    assert side.write(Reply(side.ask.id, "DE", Answer.ACKNOWLEDGED)) == Written((), is_delivered=False)
    with pytest.raises(RefusalError, match="no verified seal key"):
        side.write(Reply(side.ask.id, "DE", Answer.ACCEPTED))
    away = ReceivedSide(receiving=frozenset({"FR"}), pinned=frozenset({"CH", "DE", "FR"}))
    with pytest.raises(RefusalError, match="no verified seal key"):  # it comes back, and must be told then
        away.write(Reply(away.ask.id, "DE", Answer.ACKNOWLEDGED))


def test_a_correction_is_not_offered_where_the_law_has_become_stricter() -> None:
    """The gate has decided on it under a law that is no longer in force: an officer decides again."""
    item, _ = offer_to_ireland()
    item.now_ms = NOW_MS + DAY_MS
    written = item.decide(**OFFERED, nexus=NEXUS_IE, version=2, action="SUPERSEDE")
    assert {record.topic for record in list_records(written)} == {"exchange.ie.replies"}  # the offer is withdrawn
    assert {ask.kind for ask in item.conversation.asks.values() if ask.is_open} == {AskKind.REDECIDE}


def decline(item: SendingItem) -> None:
    accept(item, Answer.CANNOT_COMPLY)
    assert item.ask.kind is AskKind.REDECIDE


def test_what_the_law_withholds_is_not_offered_again() -> None:
    item, _ = offer_to_ireland(pack=TWO_CONDITIONS)
    decline(item)
    item.now_ms = NOW_MS + DAY_MS
    assert list_records(item.answer(Answer.RELAX, relaxed=frozenset({"ch.condition"}))) == []
    assert [effect.reason for effect in item.effects if isinstance(effect, Refused)] == [Refusal.LAW_FORBIDS]


def test_what_nobody_has_approved_is_approved_before_it_is_offered_again() -> None:
    item, _ = offer_to_ireland(pack=TWO_CONDITIONS)
    decline(item)
    key = ("IE", Revision(1))
    unapproved = replace(item.conversation.deliveries[key], approved=frozenset())
    item.conversation = replace(item.conversation, deliveries={key: unapproved})
    assert list_records(item.answer(Answer.RELAX, relaxed=frozenset({"ch.condition"}))) == []
    assert item.ask.kind is AskKind.APPROVE
    assert only(approve(item)).topic == "exchange.ie.offers"


OTHER_TEXT = make_pack(PACK.replace("Only so.", "Quite otherwise."))


def test_a_text_that_nobody_has_accepted_is_not_sent() -> None:
    item, _ = offer_to_ireland()
    item.pack = OTHER_TEXT
    assert [record.topic for record in list_records(accept(item))] == ["exchange.ie.replies"]
    assert item.ask.kind == AskKind.REDECIDE
    assert list_records(item.answer(Answer.PROVIDE_ANYWAY)) == []
    offer = open_message(only(approve(item)), is_sealed=False)
    assert [each["text"] for each in offer["conditions"]] == ["Quite otherwise."]


def test_an_optional_condition_is_sent_with_the_text_that_was_accepted() -> None:
    item = SendingItem(pack=TWO_CONDITIONS)
    item.decide(**OFFERED)
    opened = item.open_law().open_item()
    assert opened is not None
    recipient, terms = opened[1].find_recipient("FR"), opened[1]("FR")
    other = tuple(replace(each, text="other") for each in recipient.conditions)
    changed = recipient._replace(terms=replace(recipient.terms, conditions=other))
    restricted = restrict_recipient(changed, terms, recipient)
    assert {each.text for each in restricted.conditions} == {"Only so.", "Tell nobody."}
    with pytest.raises(RefusalError, match="text of a condition"):
        restrict_recipient(changed, terms, changed)
