"""The checker of conversations must find each violation: what the pure rules produce is corrupted in one way at a time.

CH has one item: DE accepts its offer, NL gets it at once; version 2 corrects what DE has, and is withheld from NL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sharing.conversation.deliveries import Conversation
from sharing.conversation.effects import Opened, Send
from sharing.conversation.events import Replied
from sharing.conversation.provider import advance
from sharing.conversation.received_events import OfferWithdrawn
from sharing.conversation.received_item import ReceivedItem
from sharing.conversation.receiver import advance_received
from sharing.conversation.revision import Revision
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus, ReplyResult
from sharing.conversation_state.entries import KeptConversation
from sharing.conversation_state.item_keys import make_own_key
from sharing.ids import make_item_id, make_notice_id
from sharing.model.vocabulary import NoticeKind
from sharing.rulings.act import Act, ActKind
from sharing.rulings.effect_acts import ActContext, to_act
from tests.conversation.people import NOW, ChangingLaw, decide, disclosed, offered, withheld
from tests.faults.contents import CommittedRecord
from tests.faults.sealed.conversation_checker import find_conversation_violations
from tests.faults.sealed.conversation_records import ConversationContents, PlacedAct
from tests.faults.sealed.exchange_checker import find_reply_violations, find_ruling_violations
from tests.faults.sealed.officer_journal import JournaledRuling
from tests.faults.violations import Breach
from tests.faults.workload import make_marker

INDICATOR = "6f0c2f3e-54b7-4d0c-9a0e-5b8b6c8b2a41"
ITEM = make_item_id("CH", "agency", INDICATOR)
KEY = make_own_key(ITEM)


def make_record(offset: int, **data: Any) -> CommittedRecord:
    fields = {"indicator_id": INDICATOR, "item_id": ITEM, "version": 1, "amendment": 0, **data}
    return CommittedRecord(0, offset, 0, INDICATOR.encode(), b"", fields)


def make_decision(offset: int, version: int, **outcomes: str) -> CommittedRecord:
    recipients = [{"state": state, "outcome": outcome, "undecided": []} for state, outcome in outcomes.items()]
    return make_record(offset, version=version, recipients=recipients)


def make_notice(offset: int, to: str, revision: Revision, kind: NoticeKind, identity: str = "") -> CommittedRecord:
    identity = identity or make_notice_id("CH", "agency", INDICATOR, revision.version, to, revision.amendment)
    version, amendment = revision
    fields = {"id": identity, "from_state": "CH", "to_state": to, "kind": kind}
    return make_record(offset, version=version, amendment=amendment, **fields)


def make_offer(identity: str) -> CommittedRecord:
    return make_record(0, id=identity, from_state="CH", to_state="DE")


def make_reply(offset: int, kind: str, ask: str, sender: str, receiver: str) -> CommittedRecord:
    fields = {"id": f"{kind} {ask}", "kind": kind, "ask": ask, "from_state": sender, "to_state": receiver}
    return make_record(offset, **fields)


class Story:
    """Runs the events of the item through the rules, and keeps what they make of it."""

    def __init__(self) -> None:
        self.law = ChangingLaw({"DE": offered("DE", "c"), "NL": disclosed("NL")})
        self.conversation = Conversation(ITEM, "CH", indicator=INDICATOR)
        self.contents = ConversationContents("CH", items={INDICATOR: ITEM}, agencies={INDICATOR: "agency"})
        self.receiver = ConversationContents("DE")

    def advance(self, event: Any, now: int) -> None:
        self.conversation, effects = advance(self.conversation, event, now, self.law)
        contents = self.contents
        for effect in effects:
            act = to_act(effect, ActContext(ITEM, "CH", "CH", now))
            contents.acts.append(PlacedAct(0, len(contents.acts), 0, act))
            offset = len(contents.notices)
            match effect:
                case Send(state, revision, kind) if kind is not NoticeKind.RECALL:
                    contents.notices.append(make_notice(offset, state, revision, kind))
                case Opened(ask) if ask.kind is AskKind.ACK_RECALL:
                    (to,) = ask.recipients
                    contents.notices.append(make_notice(offset, to, ask.revision, NoticeKind.RECALL, ask.id))
                case Opened(ask) if ask.kind is AskKind.ACCEPT:
                    contents.offers.append(make_offer(ask.id))
        contents.entries[KEY] = KeptConversation(self.conversation)

    def add_reply(self, kind: str, ask: str, sender: str, receiver: str, act: Act) -> None:
        """Add a reply, and the act of its sender."""
        record = make_reply(len(self.contents.replies), kind, ask, sender, receiver)
        self.contents.replies.append(record)
        self.receiver.replies.append(record)
        if sender == "DE":
            self.receiver.acts.append(PlacedAct(0, len(self.receiver.acts), 0, act))


def tell_story() -> Story:
    story = Story()
    contents = story.contents
    first = make_decision(0, 1, DE="OFFER", NL="DISCLOSE")
    contents.decisions.append(first)
    contents.drafts.append(first)
    contents.notices.append(make_notice(0, "NL", Revision(1), NoticeKind.ITEM))
    story.advance(decide(offered("DE", "c"), disclosed("NL")), NOW)
    (ask,) = story.conversation.asks
    replied = Act(ActKind.REPLIED, ITEM, "CH", "DE", NOW, ask=ask, states=("CH",), answer=Answer.ACCEPTED)
    story.add_reply("ANSWER", ask, "DE", "CH", replied)
    story.advance(Replied(ask, "DE", Answer.ACCEPTED, NOW + 1), NOW + 1)
    story.add_reply("RESULT", ask, "CH", "DE", replied)
    told = Act(ActKind.RESULT_TOLD, ITEM, "CH", "DE", NOW, ask=ask, result=ReplyResult.TAKEN)
    story.receiver.acts.append(PlacedAct(0, 1, 0, told))
    second = make_decision(1, 2, DE="DISCLOSE", NL="WITHHOLD")
    contents.decisions.append(second)
    contents.drafts.append(second)
    story.law.terms = {"DE": disclosed("DE"), "NL": withheld("NL")}
    story.advance(decide(disclosed("DE"), version=2), NOW + 2)
    contents.rulings.append(JournaledRuling("digest", 0, 7, "RECALL", must_fail=False))
    contents.quarantined.add(("national.ch.rulings", 0, 7))
    return story


@pytest.fixture
def contents() -> ConversationContents:
    return tell_story().contents


def test_what_the_rules_produce_has_no_violation(contents: ConversationContents) -> None:
    kinds = [str(record.data["kind"]) for record in contents.notices]
    assert sorted(kinds) == ["CORRECTION", "ITEM", "ITEM", "RECALL"]
    assert find_conversation_violations(contents) == []
    assert find_ruling_violations(contents) == []
    story = tell_story()
    assert find_reply_violations("DE", {"CH": story.contents, "DE": story.receiver}) == []


def put_acts_in_one_block(contents: ConversationContents) -> None:
    contents.acts[:] = [placed._replace(offset=0, entry=number) for number, placed in enumerate(contents.acts)]


def test_acts_in_one_block_have_their_order(contents: ConversationContents) -> None:
    put_acts_in_one_block(contents)
    assert find_conversation_violations(contents) == []
    sent = next(index for index, placed in enumerate(contents.acts) if placed.act.kind is ActKind.NOTICE_SENT)
    contents.acts.insert(0, contents.acts.pop(sent))
    put_acts_in_one_block(contents)
    assert Breach.LEAKED in {violation.breach for violation in find_conversation_violations(contents)}


def _find_notice(contents: ConversationContents, kind: NoticeKind, to: str) -> int:
    return next(
        index
        for index, record in enumerate(contents.notices)
        if (record.data["kind"], record.data["to_state"]) == (kind, to)
    )


def _change_conversation(contents: ConversationContents, **changes: Any) -> None:
    kept = contents.entries[KEY]
    assert isinstance(kept, KeptConversation)
    contents.entries[KEY] = KeptConversation(replace(kept.conversation, **changes))


def _get_conversation(contents: ConversationContents) -> Conversation:
    kept = contents.entries[KEY]
    assert isinstance(kept, KeptConversation)
    return kept.conversation


def _drop_acts(contents: ConversationContents, kind: ActKind) -> None:
    contents.acts[:] = [placed for placed in contents.acts if placed.act.kind is not kind]


def lose_correction(contents: ConversationContents) -> None:
    del contents.notices[_find_notice(contents, NoticeKind.CORRECTION, "DE")]


def lose_recall(contents: ConversationContents) -> None:
    del contents.notices[_find_notice(contents, NoticeKind.RECALL, "NL")]


def send_twice(contents: ConversationContents) -> None:
    contents.notices.append(contents.notices[_find_notice(contents, NoticeKind.CORRECTION, "DE")])


def send_unasked(contents: ConversationContents) -> None:
    contents.notices.append(make_notice(9, "US", Revision(2), NoticeKind.ITEM))


def send_under_another_id(contents: ConversationContents) -> None:
    index = _find_notice(contents, NoticeKind.ITEM, "DE")
    record = contents.notices[index]
    contents.notices[index] = record._replace(data={**record.data, "id": "another"})


def put_content_into_a_recall(contents: ConversationContents) -> None:
    index = _find_notice(contents, NoticeKind.RECALL, "NL")
    record = contents.notices[index]
    contents.notices[index] = record._replace(raw=make_marker(1, "CH", 1).encode())


def send_before_the_answer(contents: ConversationContents) -> None:
    sent = next(index for index, placed in enumerate(contents.acts) if placed.act.kind is ActKind.NOTICE_SENT)
    contents.acts.insert(0, contents.acts.pop(sent)._replace(offset=-1))


def send_without_an_answer(contents: ConversationContents) -> None:
    for index, placed in enumerate(contents.acts):
        if placed.act.kind is ActKind.ASK_ENDED:
            declined = tuple(given._replace(answer=Answer.DECLINED) for given in placed.act.answers)
            contents.acts[index] = placed._replace(act=replace(placed.act, answers=declined))


def send_what_is_withheld(contents: ConversationContents) -> None:
    contents.decisions[1] = make_decision(1, 2, DE="WITHHOLD", NL="WITHHOLD")


def correct_what_it_never_had(contents: ConversationContents) -> None:
    del contents.notices[_find_notice(contents, NoticeKind.ITEM, "DE")]


def recall_what_it_never_had(contents: ConversationContents) -> None:
    del contents.notices[_find_notice(contents, NoticeKind.ITEM, "NL")]


def forget_an_offer(contents: ConversationContents) -> None:
    contents.offers.clear()


def offer_without_an_ask(contents: ConversationContents) -> None:
    contents.offers.append(make_offer("another"))


def forget_that_it_was_sent(contents: ConversationContents) -> None:
    deliveries = _get_conversation(contents).deliveries
    _change_conversation(contents, deliveries={key: each for key, each in deliveries.items() if key[0] != "DE"})


def have_two_effective_revisions(contents: ConversationContents) -> None:
    deliveries = {
        key: replace(each, status=DeliveryStatus.SENT) if key[0] == "DE" else each
        for key, each in _get_conversation(contents).deliveries.items()
    }
    _change_conversation(contents, deliveries=deliveries)


def wait_for_nobody(contents: ConversationContents) -> None:
    deliveries = dict(_get_conversation(contents).deliveries)
    key = ("DE", Revision(2))
    deliveries[key] = replace(deliveries[key], status=DeliveryStatus.WAITING, guards=frozenset())
    _change_conversation(contents, deliveries=deliveries)


def lose_a_draft(contents: ConversationContents) -> None:
    contents.drafts.pop()


def write_a_draft_twice(contents: ConversationContents) -> None:
    contents.drafts.append(contents.drafts[-1])


def overlook_a_draft(contents: ConversationContents) -> None:
    _change_conversation(contents, revision=Revision(1))


def forget_the_conversation(contents: ConversationContents) -> None:
    contents.entries.clear()


def open_an_ask_without_an_act(contents: ConversationContents) -> None:
    _drop_acts(contents, ActKind.ASK_OPENED)


def open_an_ask_twice(contents: ConversationContents) -> None:
    contents.acts.append(next(each for each in contents.acts if each.act.kind is ActKind.ASK_OPENED))


def keep_an_ended_ask_open(contents: ConversationContents) -> None:
    asks = _get_conversation(contents).asks
    _change_conversation(contents, asks={key: replace(ask, status=AskStatus.OPEN) for key, ask in asks.items()})


def lose_an_amendment(contents: ConversationContents) -> None:
    contents.amendments.append(make_record(0, version=2, amendment=1))


def decide_an_amendment_twice(contents: ConversationContents) -> None:
    lose_an_amendment(contents)
    decision = make_decision(2, 2, DE="WITHHOLD")
    decision = decision._replace(data={**decision.data, "amendment": 1})
    contents.decisions += [decision, decision]


def come_back(contents: ConversationContents) -> None:
    contents.decisions.append(contents.decisions[0])


@pytest.mark.parametrize(
    ("corrupt", "breach"),
    [
        (lose_correction, Breach.LOST),
        (lose_recall, Breach.LOST),
        (send_twice, Breach.DUPLICATED),
        (send_unasked, Breach.LEAKED),
        (send_under_another_id, Breach.UNFOUNDED),
        (put_content_into_a_recall, Breach.LEAKED),
        (send_before_the_answer, Breach.LEAKED),
        (send_without_an_answer, Breach.LEAKED),
        (send_what_is_withheld, Breach.LEAKED),
        (correct_what_it_never_had, Breach.LEAKED),
        (recall_what_it_never_had, Breach.UNFOUNDED),
        (forget_an_offer, Breach.LOST),
        (offer_without_an_ask, Breach.LEAKED),
        (forget_that_it_was_sent, Breach.LOST),
        (have_two_effective_revisions, Breach.DUPLICATED),
        (wait_for_nobody, Breach.LOST),
        (lose_a_draft, Breach.LOST),
        (write_a_draft_twice, Breach.DUPLICATED),
        (overlook_a_draft, Breach.LOST),
        (forget_the_conversation, Breach.LOST),
        (open_an_ask_without_an_act, Breach.LOST),
        (open_an_ask_twice, Breach.DUPLICATED),
        (keep_an_ended_ask_open, Breach.LOST),
        (lose_an_amendment, Breach.LOST),
        (decide_an_amendment_twice, Breach.DUPLICATED),
        (come_back, Breach.LEAKED),
    ],
)
def test_each_violation_is_found(
    corrupt: Callable[[ConversationContents], None], breach: Breach, contents: ConversationContents
) -> None:
    corrupt(contents)
    assert breach in {violation.breach for violation in find_conversation_violations(contents)}


def test_an_offer_that_its_withdrawal_overtook_was_never_opened(contents: ConversationContents) -> None:
    received, _ = advance_received(ReceivedItem(ITEM, "DE", "CH"), OfferWithdrawn("an ask"), NOW)
    contents.entries[b"in/DE"] = received
    assert find_conversation_violations(contents) == []


@pytest.mark.parametrize(("side", "position"), [("replies", 0), ("replies", 1), ("acts", 0), ("acts", 1)])
def test_a_lost_reply_or_result_is_found(side: str, position: int) -> None:
    story = tell_story()
    del getattr(story.receiver, side)[position]
    assert find_reply_violations("DE", {"CH": story.contents, "DE": story.receiver})


def test_an_answer_that_is_sent_again_has_one_result() -> None:
    story = tell_story()
    story.receiver.replies.append(story.receiver.replies[0])
    story.receiver.acts.append(story.receiver.acts[0])
    assert find_reply_violations("DE", {"CH": story.contents, "DE": story.receiver}) == []


@pytest.mark.parametrize(("fact", "breaches"), [("live_case_harm", [Breach.LOST]), ("recipient.state", [])])
def test_a_draft_is_required_for_a_fact_that_people_can_supply(
    fact: str, breaches: list[Breach], contents: ConversationContents
) -> None:
    decision = make_decision(9, 1, DE="WITHHOLD")
    (recipient,) = decision.data["recipients"]
    recipient["undecided"] = [{"rule": "a rule", "fact": fact}]
    contents.decisions.append(decision._replace(data={**decision.data, "indicator_id": "another"}))
    assert [each.breach for each in find_conversation_violations(contents)] == breaches


def test_a_second_result_is_found() -> None:
    story = tell_story()
    result = next(each for each in story.contents.acts if each.act.kind is ActKind.REPLY_RESULT)
    story.contents.acts.append(result)
    violations = find_reply_violations("DE", {"CH": story.contents, "DE": story.receiver})
    assert Breach.DUPLICATED in {violation.breach for violation in violations}


def test_rulings_that_were_lost_forged_or_counted_twice_are_found(contents: ConversationContents) -> None:
    ended = next(each for each in contents.acts if each.act.kind is ActKind.ASK_ENDED)
    contents.quarantined.clear()
    assert [each.breach for each in find_ruling_violations(contents)] == [Breach.LOST]
    contents.acts.append(ended._replace(act=replace(ended.act, ruling="digest")))
    assert find_ruling_violations(contents) == []
    contents.rulings[0] = contents.rulings[0]._replace(must_fail=True)
    assert [each.breach for each in find_ruling_violations(contents)] == [Breach.LEAKED]
    contents.rulings[0] = contents.rulings[0]._replace(must_fail=False)
    contents.acts.append(contents.acts[-1])
    assert [each.breach for each in find_ruling_violations(contents)] == [Breach.DUPLICATED]
