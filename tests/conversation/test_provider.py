"""The providing State's side, case by case."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import pytest

from sharing.conversation.asks import CLAIM_MS, GRACE_MS, REMEMBERED_MS, Ask, Officer
from sharing.conversation.deliveries import (
    EARLY_MS,
    FORGOTTEN_MS,
    PENDING_MS,
    SENT_MS,
    Conversation,
    due,
    is_forgettable,
)
from sharing.conversation.early_replies import EARLY_MAX
from sharing.conversation.effects import (
    Amend,
    Answered,
    Changed,
    Effect,
    Ended,
    Escalate,
    GivenUp,
    Opened,
    Overdue,
    ReceiptNoted,
    Refused,
    Send,
)
from sharing.conversation.events import (
    AmendmentOrdered,
    Claimed,
    Event,
    PassedOn,
    RecallOrdered,
    ReceiptReceived,
    Replied,
    Ruled,
    TimePassed,
)
from sharing.conversation.old_revisions import KEPT_REVISIONS
from sharing.conversation.provider import advance
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus, Refusal, ReplyResult
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import NoticeKind, Outcome, Urgency
from tests.conversation.people import (
    AUTHOR,
    CLERK,
    COLLEAGUE,
    FEED,
    JUDGE,
    NOW,
    ROLES,
    SECOND_COLLEAGUE,
    ChangingLaw,
    decide,
    disclosed,
    held,
    offered,
    withdraw,
    withheld,
    write_texts,
)

EffectT = TypeVar("EffectT", bound=Effect)


class Story:
    """A conversation, a law and a clock."""

    def __init__(self, *terms: Terms, **changes: object) -> None:
        self.law = ChangingLaw()
        self.now = NOW
        self.conversation = Conversation("item", "CH")
        self.effects: list[Effect] = []
        if terms:
            self.decide(*terms, **changes)

    def decide(self, *terms: Terms, **changes: object) -> None:
        self.law.terms.update({each.state: each for each in terms})
        self.happen(decide(*terms, **changes))  # type: ignore[arg-type]

    def happen(self, event: Event) -> None:
        self.conversation, effects = advance(self.conversation, event, self.now, self.law)
        self.effects = list(effects)

    def wait(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.happen(TimePassed())

    def find_ask(self, kind: AskKind, state: str | None = None) -> Ask:
        (ask,) = (
            ask
            for ask in self.conversation.asks.values()
            if ask.kind is kind and ask.is_open and (state is None or state in ask.recipients)
        )
        return ask

    def rule(self, kind: AskKind, officer: Officer, answer: Answer, **more: frozenset[str]) -> None:
        ask = self.find_ask(kind)
        self.happen(Ruled(ask.id, officer, answer, self.now, nonce=ask.nonce, **more))

    def reply(self, answer: Answer, state: str = "DE", kind: AskKind = AskKind.ACCEPT) -> None:
        self.happen(Replied(self.find_ask(kind, state).id, state, answer, self.now))

    def list_effects(self, kind: type[EffectT]) -> list[EffectT]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def list_sent(self) -> list[tuple[str, int, NoticeKind]]:
        return [(sent.state, sent.revision.version, sent.kind) for sent in self.list_effects(Send)]

    def get_status(self, state: str = "DE", version: int = 1, amendment: int = 0) -> DeliveryStatus:
        return self.conversation.deliveries[state, Revision(version, amendment)].status


def test_what_the_gate_has_sent_is_not_sent_again() -> None:
    story = Story(disclosed("DE"), offered("FR", "c"))
    assert story.list_sent() == []
    assert [effect.is_sent for effect in story.list_effects(Opened)] == [True]
    assert story.get_status("DE") is DeliveryStatus.SENT
    assert story.get_status("FR") is DeliveryStatus.WAITING
    before = story.conversation
    story.decide(disclosed("DE"), offered("FR", "c"))
    assert (story.conversation, story.effects) == (before, [])


def test_an_accepted_offer_is_sent_once() -> None:
    story = Story(offered("DE", "c"))
    story.reply(Answer.ACCEPTED)
    assert story.list_sent() == [("DE", 1, NoticeKind.ITEM)]
    assert [effect.result for effect in story.list_effects(Answered)] == [ReplyResult.TAKEN]
    ask = next(iter(story.conversation.asks))
    story.happen(Replied(ask, "DE", Answer.ACCEPTED, story.now))
    assert story.list_sent() == []
    assert [effect.result for effect in story.list_effects(Answered)] == [ReplyResult.TAKEN]


@pytest.mark.parametrize("answer", [Answer.CANNOT_COMPLY, Answer.DECLINED])
def test_what_is_not_accepted_is_decided_again(answer: Answer) -> None:
    story = Story(offered("DE", "c"))
    story.reply(answer)
    assert story.list_sent() == []
    story.rule(AskKind.REDECIDE, JUDGE, Answer.PROVIDE_ANYWAY)
    assert story.list_sent() == [("DE", 1, NoticeKind.ITEM)]


def test_conditions_are_relaxed_only_as_far_as_the_law_lets_them() -> None:
    story = Story(offered("DE", "required", optional=("wished", "wished too")))
    story.reply(Answer.CANNOT_COMPLY)
    for relaxed in (frozenset[str](), frozenset({"wished"}), frozenset({"required", "wished", "wished too"})):
        story.rule(AskKind.REDECIDE, JUDGE, Answer.RELAX, relaxed=relaxed)
        assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.LAW_FORBIDS]
    story.rule(AskKind.REDECIDE, JUDGE, Answer.RELAX, relaxed=frozenset({"required", "wished"}))
    assert [effect.ask.kind for effect in story.list_effects(Opened)] == [AskKind.ACCEPT]
    story.reply(Answer.ACCEPTED)
    (sent,) = story.list_effects(Send)
    assert sent.terms.conditions == {"required", "wished"}


def test_silence_is_no_acceptance() -> None:
    story = Story(offered("DE", "c"))
    ask = story.find_ask(AskKind.ACCEPT)
    story.wait(30 * DAY_MS + GRACE_MS - 1)
    assert ask.id in {each.id for each in story.conversation.asks.values() if each.is_open}
    story.wait(1)
    assert story.find_ask(AskKind.REDECIDE).is_open
    story.happen(Replied(ask.id, "DE", Answer.ACCEPTED, story.now))
    assert [effect.result for effect in story.list_effects(Answered)] == [ReplyResult.LATE]
    assert story.list_sent() == []
    story.wait(31 * DAY_MS)
    assert story.get_status() is DeliveryStatus.CLOSED
    assert due(story.conversation) == story.conversation.changed_at + FORGOTTEN_MS


def test_an_answer_counts_by_the_brokers_time_however_late_it_is_read() -> None:
    story = Story(offered("DE", "c"))
    ask = story.find_ask(AskKind.ACCEPT)
    story.now += 40 * DAY_MS  # the worker was away; nothing has expired yet
    story.happen(Replied(ask.id, "DE", Answer.ACCEPTED, ask.expires_at + GRACE_MS - 1))
    assert story.list_sent() == [("DE", 1, NoticeKind.ITEM)]
    other = Story(offered("DE", "c"))
    other.happen(Replied(ask.id, "DE", Answer.ACCEPTED, ask.expires_at + GRACE_MS))
    assert [effect.result for effect in other.list_effects(Answered)] == [ReplyResult.LATE]
    assert other.list_sent() == []


def test_a_second_person_approves() -> None:
    story = Story(held("DE"))
    story.rule(AskKind.APPROVE, AUTHOR, Answer.APPROVED)
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.BARRED]
    story.rule(AskKind.APPROVE, CLERK, Answer.APPROVED)
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.WRONG_ROLE]
    story.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED)
    assert story.list_sent() == [("DE", 1, NoticeKind.ITEM)]


def test_an_item_of_a_feed_needs_another_agency_or_two() -> None:
    story = Story(held("DE"), publisher=FEED)
    story.rule(AskKind.APPROVE, COLLEAGUE, Answer.APPROVED)
    assert story.list_sent() == []
    story.rule(AskKind.APPROVE, COLLEAGUE, Answer.APPROVED)
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.ALREADY_ANSWERED]
    story.rule(AskKind.APPROVE, SECOND_COLLEAGUE, Answer.APPROVED)
    assert story.list_sent() == [("DE", 1, NoticeKind.ITEM)]
    other = Story(held("DE"), publisher=FEED)
    other.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED)
    assert other.list_sent() == [("DE", 1, NoticeKind.ITEM)]


def test_where_two_must_approve_one_refusal_refuses() -> None:
    story = Story(held("DE", needed=2))
    story.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED)
    assert story.list_sent() == []
    story.rule(AskKind.APPROVE, COLLEAGUE, Answer.REFUSED)
    assert story.get_status() is DeliveryStatus.CLOSED
    both = Story(held("DE", needed=2))
    both.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED)
    both.rule(AskKind.APPROVE, COLLEAGUE, Answer.APPROVED)
    assert both.list_sent() == [("DE", 1, NoticeKind.ITEM)]


def test_what_is_held_and_needs_acceptance_is_offered_after_the_approval() -> None:
    story = Story(held("DE", accept_first=True))
    assert [effect.ask.kind for effect in story.list_effects(Opened)] == [AskKind.APPROVE]
    story.rule(AskKind.APPROVE, JUDGE, Answer.APPROVED)
    assert [effect.ask.kind for effect in story.list_effects(Opened)] == [AskKind.ACCEPT]
    story.reply(Answer.ACCEPTED)
    assert story.list_sent() == [("DE", 1, NoticeKind.ITEM)]


@pytest.mark.parametrize(
    "stricter",
    [
        withheld("DE"),
        held("DE"),
        offered("DE", "c", "d"),
        replace(offered("DE", "c"), redacted=frozenset({"summary"})),
    ],
)
def test_a_law_that_has_become_stricter_asks_again(stricter: Terms) -> None:
    story = Story(offered("DE", "c"))
    story.law.terms["DE"] = stricter
    story.reply(Answer.ACCEPTED)
    assert story.list_sent() == []
    assert [effect.result for effect in story.list_effects(Answered)] == [ReplyResult.TAKEN]
    assert story.find_ask(AskKind.REDECIDE).is_open
    story.rule(AskKind.REDECIDE, JUDGE, Answer.PROVIDE_ANYWAY)
    if stricter.outcome is Outcome.WITHHOLD:
        assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.LAW_FORBIDS]
    else:
        expected = AskKind.APPROVE if stricter.outcome is Outcome.HOLD else AskKind.ACCEPT
        assert [effect.ask.kind for effect in story.list_effects(Opened)] == [expected]
    assert story.list_sent() == []


def test_a_more_open_law_delays_nothing() -> None:
    story = Story(offered("DE", "c"))
    story.law.terms["DE"] = disclosed("DE")
    story.reply(Answer.ACCEPTED)
    (sent,) = story.list_effects(Send)
    assert sent.terms.conditions == {"c"}


def test_missing_facts_are_asked_once_for_all_states_and_three_times_at_most() -> None:
    story = Story(withheld("DE", "a"), withheld("FR", "b"), withheld("US"))
    ask = story.find_ask(AskKind.SUPPLY_FACT)
    assert ask.facts == {"a", "b"}
    assert ask.recipients == {"DE", "FR"}
    story.rule(AskKind.SUPPLY_FACT, CLERK, Answer.SUPPLIED, facts=frozenset({"c"}))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.NOTHING_SUPPLIED]
    story.rule(AskKind.SUPPLY_FACT, CLERK, Answer.SUPPLIED, facts=frozenset({"a"}))
    assert story.list_effects(Amend) == [Amend(Revision(1, 1), ask.id, frozenset({"a"}))]
    for amendment in (1, 2):
        story.decide(withheld("DE", "b"), amendment=amendment)
        story.rule(AskKind.SUPPLY_FACT, CLERK, Answer.SUPPLIED, facts=frozenset({"b"}))
    story.decide(withheld("DE", "b"), amendment=3)
    assert story.list_effects(Opened) == []
    assert story.get_status(amendment=3) is DeliveryStatus.CLOSED


def test_supplied_facts_release_only_by_the_gates_decision() -> None:
    story = Story(withheld("DE", "a"))
    story.rule(AskKind.SUPPLY_FACT, CLERK, Answer.SUPPLIED, facts=frozenset({"a"}))
    assert story.list_sent() == []
    assert story.get_status() is DeliveryStatus.WAITING
    story.decide(disclosed("DE"), amendment=1)
    assert story.list_sent() == [("DE", 1, NoticeKind.ITEM)]


def test_an_amendment_does_not_send_again_what_is_unchanged() -> None:
    story = Story(disclosed("DE"), withheld("FR", "a"))
    story.rule(AskKind.SUPPLY_FACT, CLERK, Answer.SUPPLIED, facts=frozenset({"a"}))
    story.decide(disclosed("DE"), offered("FR", "c"), amendment=1)
    assert story.list_sent() == []
    assert [effect.ask.kind for effect in story.list_effects(Opened)] == [AskKind.ACCEPT]
    story.decide(withheld("DE"), amendment=2)
    assert ("DE", 1, NoticeKind.RECALL) in story.list_sent()


def test_an_amendment_that_corrects_content_is_sent_to_those_who_have_the_item() -> None:
    story = Story(disclosed("DE"))
    story.happen(replace(decide(disclosed("DE"), amendment=1), is_corrected=True))
    assert story.list_sent() == [("DE", 1, NoticeKind.CORRECTION)]
    assert story.get_status() is DeliveryStatus.REPLACED


def test_a_correction_goes_to_those_who_have_the_item_and_a_recall_to_those_who_may_not() -> None:
    story = Story(disclosed("DE"), disclosed("FR"), disclosed("US"), withheld("JP"))
    story.law.terms["US"] = disclosed("US")
    story.decide(disclosed("DE"), withheld("FR"), disclosed("JP"), version=2)
    assert set(story.list_sent()) == {
        ("DE", 2, NoticeKind.CORRECTION),
        ("FR", 1, NoticeKind.RECALL),
        ("JP", 2, NoticeKind.ITEM),
        ("US", 2, NoticeKind.CORRECTION),
    }
    assert story.get_status("DE") is DeliveryStatus.REPLACED
    assert story.get_status("FR") is DeliveryStatus.RECALLED


def test_a_correction_that_is_not_approved_recalls_what_it_would_have_corrected() -> None:
    story = Story(disclosed("DE"))
    story.decide(held("DE"), version=2)
    assert story.get_status() is DeliveryStatus.SENT
    story.rule(AskKind.APPROVE, JUDGE, Answer.REFUSED)
    assert story.list_sent() == [("DE", 1, NoticeKind.RECALL)]


def test_an_item_with_many_versions_does_not_grow_without_limit() -> None:
    """Nothing that a State has is forgotten, nor an Ask that may still be answered."""
    story = Story(disclosed("JP"), offered("DE", "H2"))
    sizes = []
    for version in range(2, 60):
        story.wait(DAY_MS * 4)
        story.decide(disclosed("NL", f"H{version}"), offered("DE", "H2"), version=version)
        sizes.append((len(story.conversation.deliveries), len(story.conversation.asks)))
        assert story.conversation.deliveries["NL", Revision(version)].status is DeliveryStatus.SENT
        assert story.conversation.revision == Revision(version)
    largest = max(sizes)
    assert largest in sizes[:30], "it still grows"
    assert sizes[-1][0] <= 2 * KEPT_REVISIONS + REMEMBERED_MS // DAY_MS
    open_asks = [ask for ask in story.conversation.asks.values() if ask.is_open]
    story.happen(RecallOrdered(JUDGE, roles=ROLES))
    assert {send.state for send in story.list_effects(Send) if send.kind is NoticeKind.RECALL} == {"JP", "NL"}
    assert all(ask.revision == Revision(59) or ask.kind is AskKind.ACK_RECALL for ask in open_asks)


def test_a_withdrawal_recalls_what_was_sent_and_cancels_what_waits() -> None:
    story = Story(disclosed("DE"), offered("FR", "c"), held("US"))
    offer = story.find_ask(AskKind.ACCEPT)
    story.happen(withdraw(2))
    assert story.list_sent() == [("DE", 1, NoticeKind.RECALL)]
    assert {effect.ask.status for effect in story.list_effects(Ended)} == {AskStatus.CANCELLED}
    story.happen(Replied(offer.id, "FR", Answer.ACCEPTED, story.now))
    assert [effect.result for effect in story.list_effects(Answered)] == [ReplyResult.WITHDRAWN]
    story.reply(Answer.ACKNOWLEDGED, kind=AskKind.ACK_RECALL)
    assert due(story.conversation) == story.conversation.changed_at + FORGOTTEN_MS


def test_a_recall_that_nobody_acknowledges_is_asked_again() -> None:
    story = Story(disclosed("DE"))
    story.happen(RecallOrdered(JUDGE, roles=ROLES))
    assert story.list_sent() == [("DE", 1, NoticeKind.RECALL)]
    for _ in range(3):
        story.wait(8 * DAY_MS)
        assert len(story.list_effects(Overdue)) == 1
        assert len(story.conversation.asks) == 1
    story.reply(Answer.ACKNOWLEDGED, kind=AskKind.ACK_RECALL)
    story.happen(RecallOrdered(JUDGE, roles=ROLES))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.NOTHING_SENT]


def test_a_recall_is_given_up_where_the_state_has_left_and_only_there() -> None:
    story = Story(disclosed("DE"), disclosed("FR"))
    story.happen(RecallOrdered(JUDGE, roles=ROLES))
    gone = story.find_ask(AskKind.ACK_RECALL, "DE")
    story.now = gone.closes_at - 1
    story.happen(TimePassed(frozenset({"CH", "FR"})))
    assert story.find_ask(AskKind.ACK_RECALL, "DE").is_open, "it may still be acknowledged in time"
    story.now += 1
    story.happen(TimePassed(frozenset({"CH", "FR"})))
    assert [effect.ask.state for effect in story.list_effects(GivenUp)] == ["DE"]
    assert [effect.ask.state for effect in story.list_effects(Opened)] == ["FR"]
    assert story.list_effects(Overdue) == [Overdue(story.find_ask(AskKind.ACK_RECALL, "FR").id)]
    assert story.conversation.asks[gone.id].status is AskStatus.EXPIRED
    assert story.get_status() is DeliveryStatus.RECALLED
    story.happen(Replied(gone.id, "DE", Answer.ACKNOWLEDGED, story.now))
    assert [effect.result for effect in story.list_effects(Answered)] == [ReplyResult.LATE]
    story.reply(Answer.ACKNOWLEDGED, "FR", AskKind.ACK_RECALL)
    assert due(story.conversation) == story.conversation.changed_at + FORGOTTEN_MS, "nothing is left to be asked"


def test_what_the_states_own_people_must_confirm_is_asked_on_after_the_other_has_left() -> None:
    story = Story(disclosed("DE"), urgency=Urgency.EMERGENCY)
    story.now = story.find_ask(AskKind.CONFIRM_IN_WRITING).closes_at
    story.happen(TimePassed(frozenset()))
    assert (story.list_effects(GivenUp), len(story.list_effects(Overdue))) == ([], 1)


def test_an_emergency_is_short_escalated_and_confirmed_in_writing() -> None:
    story = Story(disclosed("DE"), offered("FR", "c"), urgency=Urgency.EMERGENCY)
    assert story.find_ask(AskKind.CONFIRM_IN_WRITING).recipients == {"DE"}
    story.wait(HOUR_MS)
    assert [effect.step for effect in story.list_effects(Escalate)] == [0]
    story.wait(HOUR_MS)
    assert [effect.step for effect in story.list_effects(Escalate)] == [1]
    story.wait(GRACE_MS)
    assert story.find_ask(AskKind.REDECIDE).is_open
    story.wait(4 * DAY_MS)
    assert len(story.list_effects(Overdue)) == 1
    story.rule(AskKind.CONFIRM_IN_WRITING, CLERK, Answer.CONFIRMED)
    assert due(story.conversation) == NOW + SENT_MS, "nothing but the end of what was sent"


@pytest.mark.parametrize(
    ("event", "result"),
    [
        (Replied("unknown", "DE", Answer.ACKNOWLEDGED, NOW), ReplyResult.UNKNOWN),
        (Replied("", "FR", Answer.ACCEPTED, NOW), ReplyResult.UNKNOWN),
        (Replied("", "DE", Answer.ACKNOWLEDGED, NOW), ReplyResult.UNKNOWN),
        (Replied("", "DE", Answer.APPROVED, NOW), ReplyResult.UNKNOWN),
    ],
)
def test_a_reply_to_nothing_changes_nothing(event: Replied, result: ReplyResult) -> None:
    story = Story(offered("DE", "c"))
    before, ask = story.conversation, story.find_ask(AskKind.ACCEPT).id
    story.happen(replace(event, ask=event.ask or ask))
    assert story.conversation == before
    assert [effect.result for effect in story.list_effects(Answered)] == [result]
    assert len(story.effects) == 1


def test_a_second_reply_of_another_kind_is_late() -> None:
    story = Story(offered("DE", "c"))
    ask = story.find_ask(AskKind.ACCEPT).id
    story.reply(Answer.DECLINED)
    before = story.conversation
    story.happen(Replied(ask, "DE", Answer.ACCEPTED, story.now))
    assert story.conversation == before
    assert [effect.result for effect in story.list_effects(Answered)] == [ReplyResult.LATE]


def test_one_officer_cannot_answer_for_the_other_state() -> None:
    story = Story(offered("DE", "c"))
    story.rule(AskKind.ACCEPT, JUDGE, Answer.ACCEPTED)
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.WRONG_STATE]
    story.happen(Ruled("unknown", JUDGE, Answer.ACCEPTED, story.now, nonce=""))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.UNKNOWN_ASK]


def test_a_claim_expires_and_an_ask_is_passed_on_with_its_deadline() -> None:
    story = Story(held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    story.happen(Claimed(ask.id, JUDGE, story.now, nonce=ask.nonce))
    claimed = story.find_ask(AskKind.APPROVE)
    assert claimed.find_claimant(story.now + CLAIM_MS - 1) == JUDGE.id
    assert claimed.find_claimant(story.now + CLAIM_MS) is None
    story.happen(PassedOn(ask.id, JUDGE, "COURT", story.now, nonce=ask.nonce))
    passed = story.find_ask(AskKind.APPROVE)
    assert (passed.authority, passed.expires_at, passed.claimed_by) == ("COURT", ask.expires_at, None)
    story.happen(PassedOn(ask.id, JUDGE, "COURT", story.now, nonce=ask.nonce))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.SAME_AUTHORITY]
    for event in (
        Claimed(ask.id, AUTHOR, story.now, nonce=ask.nonce),
        PassedOn(ask.id, AUTHOR, "POLICE", story.now, nonce=ask.nonce),
    ):
        story.happen(event)
        assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.BARRED]


def test_only_the_claimant_gives_up_a_claim() -> None:
    story = Story(held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    other = replace(JUDGE, id="another judge")

    def give_up(officer: Officer) -> None:
        story.happen(Claimed(ask.id, officer, story.now, is_ended=True, nonce=ask.nonce))

    give_up(JUDGE)
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.NOT_CLAIMED]
    story.happen(Claimed(ask.id, JUDGE, story.now, nonce=ask.nonce))
    give_up(other)
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.NOT_CLAIMED]
    assert story.find_ask(AskKind.APPROVE).find_claimant(story.now) == JUDGE.id
    give_up(JUDGE)
    assert story.find_ask(AskKind.APPROVE).find_claimant(story.now) is None
    assert [effect.is_unclaimed for effect in story.list_effects(Changed)] == [True]


def test_rulings_after_the_end_are_refused() -> None:
    story = Story(held("DE"))
    ask = story.find_ask(AskKind.APPROVE)
    story.happen(Ruled(ask.id, JUDGE, Answer.APPROVED, ask.closes_at, nonce=ask.nonce))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.EXPIRED]
    story.wait(31 * DAY_MS)
    story.happen(Ruled(ask.id, JUDGE, Answer.APPROVED, ask.opened_at, nonce=ask.nonce))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.NOT_OPEN]
    assert story.get_status() is DeliveryStatus.CLOSED
    story.happen(Ruled(ask.id, JUDGE, Answer.ACKNOWLEDGED, ask.opened_at, nonce=ask.nonce))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.WRONG_ANSWER]


def test_a_reply_that_comes_before_its_ask_waits_for_it() -> None:
    known = Story(offered("DE", "c"))
    ask = known.find_ask(AskKind.ACCEPT)
    story = Story()
    early = Replied(ask.id, "DE", Answer.ACCEPTED, NOW)
    story.happen(early)
    assert (story.effects, story.conversation.early) == ([], (early,))
    story.happen(replace(early, at=NOW + 1))  # the same again
    assert (story.effects, story.conversation.early) == ([], (early,))
    story.decide(offered("DE", "c"))
    assert [effect.result for effect in story.list_effects(Answered)] == [ReplyResult.TAKEN]
    assert (story.get_status(), story.conversation.early) == (DeliveryStatus.SENT, ())


def test_a_reply_that_waits_is_answered_after_a_day_and_then_nothing_is_known() -> None:
    story = Story()
    story.happen(Replied("unknown", "DE", Answer.DECLINED, NOW))
    story.wait(EARLY_MS - 1)
    assert story.effects == []
    story.wait(1)
    assert story.effects == [Answered("unknown", "DE", ReplyResult.UNKNOWN)]
    assert is_forgettable(story.conversation, story.now)


def test_few_replies_of_a_state_wait() -> None:
    story = Story()
    for number in range(EARLY_MAX + 3):
        story.happen(Replied(f"unknown {number}", "DE", Answer.ACCEPTED, NOW))
    assert len(story.conversation.early) == EARLY_MAX
    assert story.effects == [Answered(f"unknown {EARLY_MAX + 2}", "DE", ReplyResult.UNKNOWN)]
    story.happen(Replied("unknown", "FR", Answer.ACCEPTED, NOW))
    assert len(story.conversation.early) == EARLY_MAX + 1


@pytest.mark.parametrize("order", [RecallOrdered(CLERK, roles=ROLES), RecallOrdered(JUDGE)])
def test_only_a_role_that_may_approve_recalls(order: RecallOrdered) -> None:
    story = Story(disclosed("DE"))
    story.happen(order)
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.WRONG_ROLE]
    assert story.get_status() is DeliveryStatus.SENT


def test_each_amendment_has_a_number_of_its_own() -> None:
    story = Story(disclosed("DE"))
    for number in (1, 2):
        story.happen(AmendmentOrdered(JUDGE, roles=ROLES))
        assert story.effects == [Amend(Revision(1, number), "", frozenset())]
    story.decide(disclosed("DE"), amendment=2)
    story.happen(AmendmentOrdered(JUDGE, roles=ROLES))
    assert story.effects == [Amend(Revision(1, 3), "", frozenset())]
    story.decide(disclosed("DE"), version=2)
    story.happen(AmendmentOrdered(JUDGE, frozenset({"minor"}), roles=ROLES))
    assert story.effects == [Amend(Revision(2, 1), "", frozenset({"minor"}))]


def test_an_item_of_which_nothing_is_known_is_not_amended() -> None:
    story = Story()
    story.happen(AmendmentOrdered(JUDGE, roles=ROLES))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.UNKNOWN_ITEM]
    story = Story(disclosed("DE"))
    story.happen(AmendmentOrdered(CLERK, roles=ROLES))
    assert [effect.reason for effect in story.list_effects(Refused)] == [Refusal.WRONG_ROLE]


def test_a_receipt_is_recorded_if_that_state_was_asked() -> None:
    story = Story(offered("DE", "c"))
    ask, before = story.find_ask(AskKind.ACCEPT).id, story.conversation
    for state, expected in (("DE", [ReceiptNoted(ask, "DE")]), ("FR", [])):
        story.happen(ReceiptReceived(ask, state))
        assert story.effects == expected
    assert story.conversation == before


def test_an_item_is_forgotten_when_no_state_has_it_and_nobody_is_asked() -> None:
    story = Story(disclosed("DE"))
    story.wait(300 * DAY_MS)
    assert not is_forgettable(story.conversation, story.now), "what a State has can be recalled"
    story.happen(RecallOrdered(JUDGE, roles=ROLES))
    story.reply(Answer.ACKNOWLEDGED, kind=AskKind.ACK_RECALL)
    assert due(story.conversation) == story.now + FORGOTTEN_MS
    assert not is_forgettable(story.conversation, story.now + FORGOTTEN_MS - 1)
    assert is_forgettable(story.conversation, story.now + FORGOTTEN_MS)


@pytest.mark.parametrize("retain_until", [None, NOW + 90 * DAY_MS, NOW + 900 * DAY_MS])
def test_what_was_sent_ends_when_the_receiving_state_has_deleted_it(retain_until: int | None) -> None:
    story = Story(disclosed("DE"), disclosed("FR"), retain_until=retain_until)
    end = NOW + SENT_MS if retain_until is None else retain_until
    assert due(story.conversation) == end
    assert not is_forgettable(story.conversation, end - 1)
    assert is_forgettable(story.conversation, end)


def test_what_ends_soon_is_remembered_like_any_other_item() -> None:
    story = Story(disclosed("DE"), retain_until=NOW + DAY_MS)
    assert due(story.conversation) == NOW + FORGOTTEN_MS
    waiting = Story(disclosed("DE"), held("FR"), retain_until=NOW + DAY_MS)
    assert not is_forgettable(waiting.conversation, NOW + 1_000 * DAY_MS), "something waits"


def test_each_revision_ends_at_its_own_time() -> None:
    story = Story(disclosed("DE"), disclosed("FR"), retain_until=NOW + 100 * DAY_MS)
    story.decide(disclosed("DE", "c"), held("FR"), version=2, retain_until=NOW + 200 * DAY_MS)
    ends = {delivery.key: delivery.ends_at for delivery in story.conversation.list_deliveries(DeliveryStatus.SENT)}
    assert ends == {("DE", Revision(2)): NOW + 200 * DAY_MS, ("FR", Revision(1)): NOW + 100 * DAY_MS}


def test_an_amendment_that_the_gate_has_refused_blocks_the_item_for_a_day() -> None:
    story = Story(disclosed("DE"))
    order = AmendmentOrdered(JUDGE, frozenset({"minor"}), roles=ROLES)
    story.happen(order)
    assert story.effects == [Amend(Revision(1, 1), "", frozenset({"minor"}))]
    story.now += PENDING_MS - 1
    story.happen(order)
    assert story.effects == [Refused("", JUDGE.id, Refusal.AMENDMENT_PENDING)]
    story.now += 1
    story.happen(order)
    assert story.effects == [Amend(Revision(1, 2), "", frozenset({"minor"}))], "its number is above the one refused"
    story.happen(order)
    assert story.effects == [Refused("", JUDGE.id, Refusal.AMENDMENT_PENDING)], "the day begins again"


def test_another_text_under_the_same_code_was_not_accepted() -> None:
    story = Story(offered("DE", "c"))
    story.law.terms["DE"] = replace(offered("DE", "c"), texts=write_texts("c", text="another text of"))
    story.reply(Answer.ACCEPTED)
    assert story.list_sent() == []
    story.rule(AskKind.REDECIDE, JUDGE, Answer.PROVIDE_ANYWAY)
    assert story.list_sent() == []
    story.reply(Answer.ACCEPTED)  # the new text was offered
    assert [sent.terms.texts for sent in story.list_effects(Send)] == [write_texts("c", text="another text of")]


def test_another_text_of_a_condition_that_the_law_does_not_require_changes_nothing() -> None:
    story = Story(offered("DE", "c", optional=("d",)))
    other = write_texts("c") | write_texts("d", text="another text of")
    story.law.terms["DE"] = replace(offered("DE", "c", optional=("d",)), texts=other)
    story.reply(Answer.ACCEPTED)
    assert [sent.terms.texts for sent in story.list_effects(Send)] == [write_texts("c", "d")], "the accepted ones"


def test_relaxed_terms_keep_the_texts_of_the_conditions_that_stay() -> None:
    story = Story(offered("DE", "c", optional=("d",)))
    story.reply(Answer.CANNOT_COMPLY)
    story.law.terms["DE"] = replace(story.law.terms["DE"], texts=write_texts("c") | write_texts("d", text="x"))
    story.rule(AskKind.REDECIDE, JUDGE, Answer.RELAX, relaxed=frozenset("c"))
    (delivery,) = story.conversation.list_deliveries(DeliveryStatus.WAITING)
    assert (delivery.terms.conditions, delivery.terms.texts) == (frozenset("c"), write_texts("c"))
    story.law.terms["DE"] = replace(story.law.terms["DE"], texts=write_texts("c", "d", text="x"))
    story.reply(Answer.ACCEPTED)
    assert story.list_sent() == []
    assert story.find_ask(AskKind.REDECIDE).is_open
