"""Replies between two workers: sealed like notices, in the form of their kind, and never answered without end."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation.deliveries import EARLY_MS, Conversation
from sharing.conversation.effects import Answered, Effect, Ended, Opened, Refused
from sharing.conversation.events import ReceiptReceived, Replied, TimePassed
from sharing.conversation.provider import advance
from sharing.conversation.received_events import (
    OfferReceived,
    OfferWithdrawn,
    PutInInbox,
    ReceivedEffect,
    Reply,
    ResultReceived,
)
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, Refusal, ReplyResult
from sharing.errors import DecodeError, InputError
from sharing.model.urgency import URGENT_LEVELS
from sharing.model.vocabulary import Authority, MessageKind, Urgency
from sharing.rulings.reply import NOTE_BYTES_MAX, ReplyKind, ReplyMessage, is_about_audit_log
from sharing.rulings.reply_making import ReplyContext, make_reply
from sharing.seal.envelope import TOPIC_KINDS, OutgoingMessage, Stream
from sharing.seal.faults import SealFault
from sharing.seal.message_content import decode_content
from sharing.serialization.codec import get_codec
from tests.conversation.people import ChangingLaw, offered
from tests.conversation.test_provider import Story
from tests.rulings.ruling_fixtures import EXAMPLES, HASH, make_id
from tests.seal.seal_fixtures import expect_refusal, receive, seal, verify
from tests.trust.trust_fixtures import NOW

ITEM, ASK = make_id(1), make_id(2)
AUDIT_KINDS = (ReplyKind.COSIGNATURE, ReplyKind.FORK)
CONTEXT = ReplyContext(ITEM, "CH", "DE", Urgency.ORDINARY, NOW, Authority.PROSECUTOR, HASH)


def make_message(kind: ReplyKind = ReplyKind.ANSWER, **changes: Any) -> ReplyMessage:
    parts: dict[ReplyKind, dict[str, Any]] = {
        ReplyKind.ANSWER: {"answer": Answer.ACCEPTED, "authority": Authority.COURT, "conditions_hash": HASH},
        ReplyKind.RESULT: {"result": ReplyResult.TAKEN},
        ReplyKind.COSIGNATURE: {"notes": (b"a note",)},
        ReplyKind.FORK: {"notes": (b"a note", b"another")},
    }
    fields = {
        "kind": kind, "item_id": ITEM, "ask": ASK, "from_state": "CH", "to_state": "DE", "sent_at": NOW,
        "urgency": Urgency.ORDINARY, **parts.get(kind, {}), **changes,
    }  # fmt: skip
    return ReplyMessage(**fields)


@st.composite
def draw_reply(draw: st.DrawFn, ask: str = ASK, from_state: str = "CH", to_state: str = "DE") -> ReplyMessage:
    kinds = [kind for kind in ReplyKind if kind not in AUDIT_KINDS]  # those never reach a conversation
    kind, asked = draw(st.sampled_from(kinds)), draw(st.sampled_from([ASK, ask]))
    fields: dict[str, Any] = {
        "ask": asked, "urgency": draw(st.sampled_from(Urgency)), "from_state": from_state, "to_state": to_state,
    }  # fmt: skip
    if kind is ReplyKind.ANSWER:
        fields |= {
            "answer": draw(st.sampled_from(Answer)), "authority": draw(st.sampled_from(Authority)),
            "conditions_hash": draw(st.none() | st.just(HASH)),
        }  # fmt: skip
    if kind is ReplyKind.RECEIPT:
        fields["root"] = draw(st.none() | st.binary(min_size=32, max_size=32))
    if kind is ReplyKind.RESULT:
        fields["result"] = draw(st.sampled_from(ReplyResult))
    return make_message(kind, **fields)


def put_in_envelope(reply: ReplyMessage, **changes: Any) -> OutgoingMessage:
    fields: dict[str, Any] = {
        "id": reply.id, "kind": MessageKind.REPLY, "to_state": reply.to_state, "sent_at": reply.sent_at,
        "stream": Stream("gate", NOW - 1000, 3, reply.topic), "sequence": 1, "content": reply.encode(),
    }  # fmt: skip
    return OutgoingMessage(**(fields | changes))


@settings(max_examples=EXAMPLES, deadline=None)
@given(draw_reply())
def test_a_reply_is_sealed_signed_and_read_on_the_topic_of_its_urgency(reply: ReplyMessage) -> None:
    (value,) = seal(put_in_envelope(reply))
    verified = verify(value, topic=reply.topic)
    assert verified.kind is MessageKind.REPLY
    assert (reply.topic == "urgent") == (reply.urgency in URGENT_LEVELS)
    assert ReplyMessage.from_record(decode_content(verified.envelope, receive(value))) == reply
    for topic in TOPIC_KINDS.keys() - {reply.topic}:
        expect_refusal(SealFault.WRONG_TOPIC, partial(verify, value, topic=topic))


def test_the_kind_in_the_envelope_tells_an_urgent_reply_from_a_notice() -> None:
    reply = make_message(urgency=Urgency.EMERGENCY)
    (value,) = seal(put_in_envelope(reply))
    assert verify(value, topic="urgent").kind is MessageKind.REPLY
    (forged,) = seal(put_in_envelope(reply, kind=MessageKind.NOTICE))
    with pytest.raises(DecodeError):  # a reply in the envelope of a notice is none
        decode_content(verify(forged).envelope, receive(forged))


@pytest.mark.parametrize("topic", ["notices", "offers"])
def test_a_reply_is_sealed_for_no_other_topic(topic: str) -> None:
    stream = Stream("gate", NOW - 1000, 3, topic)
    expect_refusal(SealFault.NOT_SEALABLE, lambda: seal(put_in_envelope(make_message(), stream=stream)))


@pytest.mark.parametrize("kind", [MessageKind.NOTICE, MessageKind.OFFER, MessageKind.UNKNOWN])
def test_nothing_but_replies_is_sealed_for_their_topic(kind: MessageKind) -> None:
    expect_refusal(SealFault.NOT_SEALABLE, lambda: seal(put_in_envelope(make_message(), kind=kind)))


def test_a_reply_of_another_urgency_or_state_than_its_envelope_is_refused() -> None:
    for wrong in (
        make_message(urgency=Urgency.URGENT),
        make_message(to_state="FR"),
        make_message(from_state="US"),
    ):
        (value,) = seal(put_in_envelope(make_message(), id=wrong.id, content=wrong.encode()))
        envelope, content = verify(value).envelope, receive(value)
        expect_refusal(SealFault.CONTENT_MISMATCH, partial(decode_content, envelope, content))


@pytest.mark.parametrize(
    ("kind", "changes", "sentence"),
    [
        (ReplyKind.ANSWER, {"answer": None}, "answer: is missing"),
        (ReplyKind.ANSWER, {"authority": None}, "authority: is missing"),
        (ReplyKind.ANSWER, {"result": ReplyResult.TAKEN}, "result: does not belong"),
        (ReplyKind.ANSWER, {"conditions_hash": "ab"}, "must be a SHA-256"),
        (ReplyKind.RESULT, {"result": None}, "result: is missing"),
        (ReplyKind.RESULT, {"answer": Answer.ACCEPTED}, "answer: does not belong"),
        (ReplyKind.RECEIPT, {"authority": Authority.COURT}, "authority: does not belong"),
        (ReplyKind.WITHDRAWAL, {"conditions_hash": HASH}, "conditions_hash: does not belong"),
        (ReplyKind.RECEIPT, {"to_state": "CH"}, "from one State to another"),
        (ReplyKind.RECEIPT, {"from_state": "XX"}, "from one State to another"),
        (ReplyKind.RECEIPT, {"ask": "ask-1"}, "must be ids"),
        (ReplyKind.RECEIPT, {"item_id": ""}, "must be ids"),
    ],
)
def test_a_reply_has_the_parts_of_its_kind(kind: ReplyKind, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        make_message(kind, **changes)


@pytest.mark.parametrize("name", ["kind", "urgency", "answer", "authority"])
def test_a_word_of_a_later_version_is_refused(name: str) -> None:
    record = make_message().to_record() | {name: "LATER"}
    with pytest.raises(InputError, match=f"{name}: is not known to this version"):
        ReplyMessage.from_record(record)


def test_an_id_that_is_not_that_of_what_is_said_is_refused() -> None:
    record = make_message().to_record() | {"answer": "DECLINED"}
    with pytest.raises(InputError, match="id: is not the id"):
        ReplyMessage.from_record(record)


def test_the_same_reply_has_one_id_and_another_has_another() -> None:
    replies = [
        make_message(), make_message(answer=Answer.DECLINED), make_message(ReplyKind.RESULT),
        make_message(ReplyKind.RESULT, result=ReplyResult.LATE), make_message(ReplyKind.RECEIPT),
        make_message(ReplyKind.WITHDRAWAL), make_message(ask=ITEM), make_message(to_state="FR"),
    ]  # fmt: skip
    assert len({reply.id for reply in replies}) == len(replies)
    assert replace(make_message(), sent_at=NOW + 1).id == make_message().id  # made again after a crash


def test_each_kind_of_reply_is_an_event() -> None:
    assert make_message().to_event(NOW + 7) == Replied(ASK, "CH", Answer.ACCEPTED, NOW + 7)
    assert make_message(ReplyKind.RESULT).to_event(NOW) == ResultReceived(ASK, ReplyResult.TAKEN)
    assert make_message(ReplyKind.WITHDRAWAL).to_event(NOW) == OfferWithdrawn(ASK)
    assert make_message(ReplyKind.RECEIPT).to_event(NOW) == ReceiptReceived(ASK, "CH")


def test_a_receiving_state_sends_answers_and_receipts() -> None:
    answer = make_reply(Reply(ASK, "CH", Answer.DECLINED), CONTEXT)
    assert answer is not None
    assert (answer.kind, answer.from_state, answer.to_state) == (ReplyKind.ANSWER, "DE", "CH")
    assert (answer.answer, answer.authority, answer.conditions_hash) == (Answer.DECLINED, Authority.PROSECUTOR, HASH)
    offer = OfferReceived(ASK, Revision(1), Urgency.URGENT, NOW + 1000)
    received, (opened,) = advance_received(ReceivedItem(ITEM, "CH", "DE"), offer, NOW)
    receipt = make_reply(opened, CONTEXT)
    assert receipt is not None
    assert (receipt.kind, receipt.ask, receipt.to_state) == (ReplyKind.RECEIPT, ASK, "CH")
    _, (ended,) = advance_received(received, OfferWithdrawn(ASK), NOW)
    assert make_reply(ended, CONTEXT) is None
    for effect in (PutInInbox(Revision(1)), Refused(ASK, "o-judge", Refusal.BARRED)):
        assert make_reply(effect, CONTEXT) is None


def test_an_answer_needs_the_authority_of_its_officer() -> None:
    with pytest.raises(InputError, match="authority: is missing"):
        make_reply(Reply(ASK, "CH", Answer.DECLINED), replace(CONTEXT, authority=None))


def test_a_providing_state_sends_results_and_withdrawals() -> None:
    context = replace(CONTEXT, state="CH")
    result = make_reply(Answered(ASK, "DE", ReplyResult.LATE), context)
    assert result is not None
    assert (result.kind, result.to_state, result.result) == (ReplyKind.RESULT, "DE", ReplyResult.LATE)
    ask = Story(offered("DE", "c")).find_ask(AskKind.ACCEPT)
    assert make_reply(Opened(ask), context) is None  # an offer is a message of its own
    withdrawn = make_reply(Ended(replace(ask, status=AskStatus.CANCELLED)), context)
    assert withdrawn is not None
    assert (withdrawn.kind, withdrawn.ask, withdrawn.to_state) == (ReplyKind.WITHDRAWAL, ask.id, "DE")
    for status in (AskStatus.ANSWERED, AskStatus.EXPIRED):
        assert make_reply(Ended(replace(ask, status=status)), context) is None
    own = replace(ask, kind=AskKind.REDECIDE, state="CH", status=AskStatus.CANCELLED)
    assert make_reply(Ended(own), context) is None  # its own people were asked


class TwoWorkers:
    """CH provides, DE receives. Each follows what it is sent, and sends what its effects ask for."""

    def __init__(self) -> None:
        story = Story(offered("DE", "c"))
        self.law: ChangingLaw = story.law
        self.provided: Conversation = story.conversation
        self.offer = story.find_ask(AskKind.ACCEPT)
        offer = OfferReceived(self.offer.id, Revision(1), Urgency.ORDINARY, self.offer.expires_at)
        self.received, _ = advance_received(ReceivedItem(ITEM, "CH", "DE"), offer, story.now)
        self.now = story.now

    def take(self, reply: ReplyMessage) -> list[ReplyMessage]:
        event = reply.to_event(self.now)
        effects: tuple[Effect | ReceivedEffect, ...] = ()
        if reply.to_state == "CH" and isinstance(event, Replied | ReceiptReceived):
            self.provided, effects = advance(self.provided, event, self.now, self.law)
        elif isinstance(event, Replied):
            effects = (Answered(event.ask, event.state, ReplyResult.UNKNOWN),)  # DE has asked nothing
        elif reply.to_state == "DE" and isinstance(event, ResultReceived | OfferWithdrawn):
            self.received, effects = advance_received(self.received, event, self.now)
        return self.make_replies(effects, reply.to_state)

    def wait(self) -> list[ReplyMessage]:
        """Let the time pass for which CH waits for an Ask that it does not know."""
        self.now += EARLY_MS
        self.provided, effects = advance(self.provided, TimePassed(), self.now, self.law)
        return self.make_replies(effects, "CH")

    def make_replies(self, effects: tuple[Effect | ReceivedEffect, ...], state: str) -> list[ReplyMessage]:
        context = replace(CONTEXT, state=state, now=self.now)
        made = (make_reply(effect, context) for effect in effects)
        return [each for each in made if each is not None]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_whatever_two_workers_send_each_other_ends(data: st.DataObject) -> None:
    workers = TwoWorkers()
    to_ch, to_de = draw_reply(workers.offer.id, "DE", "CH"), draw_reply(workers.offer.id, "CH", "DE")
    sent = data.draw(st.lists(to_ch | to_de, max_size=12, unique_by=lambda reply: reply.id))
    under_way, answers = list(sent), sum(reply.kind is ReplyKind.ANSWER for reply in sent)
    made: list[ReplyMessage] = []
    while under_way:
        reply = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
        more = workers.take(reply)
        if reply.kind is not ReplyKind.ANSWER:
            assert more == [], "a result, a receipt or a withdrawal was answered"
        made += more
        under_way += more
        assert len(made) <= len(sent)
    made += workers.wait()
    assert workers.provided.early == ()
    assert len(made) == answers, "each answer gets exactly one result"
    assert all(reply.kind is ReplyKind.RESULT for reply in made)


def test_a_reply_has_no_place_for_text_or_the_name_of_a_person() -> None:
    names = {field["name"] for field in get_codec("reply").schema["fields"]}
    assert not names & {"text", "name", "officer", "grounds"}


@pytest.mark.parametrize("kind", ReplyKind)
def test_a_reply_about_an_audit_log_is_told_from_others_and_is_no_event(kind: ReplyKind) -> None:
    reply = make_message(kind)
    assert ReplyMessage.from_record(get_codec("reply").decode(reply.encode())) == reply
    assert is_about_audit_log(reply.encode()) is (kind in AUDIT_KINDS)
    if kind in AUDIT_KINDS:
        with pytest.raises(InputError, match="audit log"):
            reply.to_event(NOW)


@pytest.mark.parametrize(
    "notes", [None, (), (b"a",) * 3, (bytes(NOTE_BYTES_MAX + 1),)], ids=["none", "empty", "many", "long"]
)
def test_notes_are_few_and_short(notes: tuple[bytes, ...] | None) -> None:
    with pytest.raises(InputError, match="notes"):
        make_message(ReplyKind.COSIGNATURE, notes=notes)


def test_a_receipt_names_the_root_of_the_batch_and_nothing_else_does() -> None:
    context = replace(CONTEXT, root=bytes(range(32)), authority=None, conditions_hash=None)
    story = Story(offered("DE", "c.one"))
    opened = Opened(story.find_ask(AskKind.ACCEPT))
    reply = make_reply(opened, context)
    assert reply is not None
    assert (reply.kind, reply.root) == (ReplyKind.RECEIPT, bytes(range(32)))
    with pytest.raises(InputError, match="root"):
        make_message(ReplyKind.RESULT, root=bytes(32))
    with pytest.raises(InputError, match="root"):
        make_message(ReplyKind.RECEIPT, root=b"short")
