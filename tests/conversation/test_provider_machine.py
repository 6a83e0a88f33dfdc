"""Random conversations against a naive oracle that knows only what was said, not the state.

The oracle reads the history of events and effects, and decides by itself whether content may leave.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sharing.conversation.asks import GRACE_MS, Ask, GivenAnswer
from sharing.conversation.deliveries import EARLY_MS, Conversation, due, is_forgettable
from sharing.conversation.early_replies import EARLY_MAX
from sharing.conversation.effects import Amend, Answered, Changed, Effect, Ended, GivenUp, Opened, Send, SentAgain
from sharing.conversation.events import (
    Covered,
    Decided,
    Event,
    RecallOrdered,
    Replied,
    ResendOrdered,
    Ruled,
    TimePassed,
)
from sharing.conversation.kinds import KINDS
from sharing.conversation.provider import advance
from sharing.conversation.revision import Revision
from sharing.conversation.terms import Terms
from sharing.conversation.turn import GUARDING
from sharing.conversation.vocabulary import Answer, AskKind, AskStatus, DeliveryStatus, ReplyResult
from sharing.ids import make_ask_id
from sharing.model.times import DAY_MS, HOUR_MS
from sharing.model.vocabulary import NoticeKind, Outcome, Urgency
from tests.conversation.people import FEED, NOW, OFFICERS, PUBLISHER, ROLE, ROLES, ChangingLaw, withheld, write_texts

STATES = ("DE", "FR")
PUT_BY_GATE = frozenset(KINDS[AskKind.ACCEPT].answers)
SELDOM = st.sampled_from([False, False, False, True])
EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))


@st.composite
def draw_terms(draw: st.DrawFn, state: str) -> Terms:
    """Draw terms; those under which people are asked more often than the others."""
    outcome = draw(st.sampled_from([*Outcome, Outcome.OFFER, Outcome.HOLD]))
    conditions = draw(st.sampled_from([frozenset[str](), frozenset("c"), frozenset("cd")]))
    is_held = outcome is Outcome.HOLD
    return Terms(
        state,
        outcome,
        conditions,
        optional=draw(st.sampled_from([frozenset[str](), conditions & {"d"}])),
        accept_first=outcome is Outcome.OFFER or (is_held and draw(st.booleans())),
        redacted=draw(st.sampled_from([frozenset[str](), frozenset[str](), frozenset({"summary"})])),
        approver=draw(st.sampled_from([ROLE] * 4 + ["MINISTER"])) if is_held else None,
        approvers_needed=draw(st.sampled_from([1, 1, 2])) if is_held else 1,
        missing=draw(st.frozensets(st.sampled_from("ab"))) if outcome is Outcome.WITHHOLD else frozenset(),
        texts=frozenset().union(
            *(write_texts(code, text=draw(st.sampled_from(["text of"] * 4 + ["other of"]))) for code in conditions)
        ),
    )


def draw_answer(data: st.DataObject, ask: Ask) -> Answer:
    """Return an answer, preferably one that the Ask takes, and among those one that releases."""
    expected = list(ask.row.answers)
    return data.draw(st.sampled_from(4 * expected[:1] + 2 * expected + list(Answer)[:2]))


@dataclass(frozen=True)
class Said:
    """One event, its effects, the law and the time."""

    event: Event
    effects: tuple[Effect, ...]
    law: dict[str, Terms]


class ProviderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.law = ChangingLaw()
        self.conversation = Conversation("item", "CH")
        self.history: list[Said] = []
        self.asks: dict[str, Ask] = {}
        self.opened: dict[str, int] = {}
        self.offered_under: dict[str, Terms] = {}
        self.version = self.amendment = self.decided = 0
        self.early: list[Replied] = []
        self.pinned = frozenset({"CH", *STATES})

    def happen(self, event: Event) -> None:
        law = dict(self.law.terms)
        before = self.conversation
        self.conversation, effects = advance(before, event, self.now, self.law)
        self.history.append(Said(event, effects, law))
        self.check_effects(event, effects)
        again, repeated = advance(self.conversation, event, self.now, self.law)
        if not isinstance(event, RecallOrdered | ResendOrdered):
            assert again == self.conversation, "the same event again changes something"
            assert not [effect for effect in repeated if isinstance(effect, Send | Opened | Ended | Amend)]

    # Events

    @initialize(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        self.decide(data)

    @rule(data=st.data())
    def decide_sometimes(self, data: st.DataObject) -> None:
        if data.draw(SELDOM):
            self.decide(data)

    def decide(self, data: st.DataObject) -> None:
        is_amended = self.version > 0 and self.amendment < 4 and data.draw(st.booleans())
        self.version, self.amendment = (self.version, self.amendment + 1) if is_amended else (self.version + 1, 0)
        self.decided += 1
        states = data.draw(st.sets(st.sampled_from(STATES), min_size=1))
        terms = tuple(data.draw(draw_terms(state)) for state in sorted(states))
        for state in STATES:
            self.law.terms[state] = next((each for each in terms if each.state == state), withheld(state))
        is_withdrawal = self.version > 1 and not is_amended and data.draw(SELDOM)
        publisher, urgency = (
            data.draw(st.sampled_from([PUBLISHER, PUBLISHER, FEED])),
            data.draw(st.sampled_from([*Urgency][:3])),
        )
        is_first = (self.version, self.amendment) == (1, 0)
        revision, decided = Revision(self.version, self.amendment), None if is_withdrawal else terms
        self.happen(Decided(revision, publisher, urgency, decided, is_first))

    @precondition(lambda self: self.version > 0)
    @rule(data=st.data())
    def decide_again_sometimes(self, data: st.DataObject) -> None:
        """The gate decides on the newest revision again; who has it does not lose it, and gets nothing twice."""
        if not data.draw(SELDOM):
            return
        states = data.draw(st.sets(st.sampled_from(STATES), min_size=1))
        terms = tuple(data.draw(draw_terms(state)) for state in sorted(states))
        self.law.terms |= {each.state: each for each in terms}
        publisher = data.draw(st.sampled_from([PUBLISHER, PUBLISHER, FEED]))
        is_first = (self.version, self.amendment) == (1, 0)
        before = self.conversation
        self.happen(Decided(Revision(self.version, self.amendment), publisher, before.urgency, terms, is_first))
        self.check_repetition(before, {each.state for each in terms if each.outcome is Outcome.DISCLOSE and is_first})

    def check_repetition(self, before: Conversation, sent_by_gate: set[str]) -> None:
        after, revision = self.conversation, before.revision
        had = {each.state for each in before.list_deliveries(DeliveryStatus.SENT)}
        has = {each.state for each in after.list_deliveries(DeliveryStatus.SENT)}
        assert had <= has, "a repetition takes nothing from a State"
        for state in sent_by_gate:
            known = before.deliveries.get((state, revision))
            is_recalled = known is not None and known.status is DeliveryStatus.RECALLED
            assert state in has or is_recalled, "the gate has sent it, and nobody knows"
        sent = [each for each in self.history[-1].effects if isinstance(each, Send)]
        assert not {each.state for each in sent} & (had | sent_by_gate), "a State gets a version twice"

    def change_law(self, data: st.DataObject, ask: Ask) -> None:
        """Change the law between the question and the answer, now and then."""
        for state in sorted(ask.recipients):
            if data.draw(SELDOM):
                self.law.terms[state] = data.draw(draw_terms(state))

    @precondition(lambda self: self.list_open(asks_recipient=False))
    @rule(data=st.data())
    def rule_on_an_open_ask(self, data: st.DataObject) -> None:
        ask = data.draw(st.sampled_from(self.list_open(asks_recipient=False)))
        self.change_law(data, ask)
        self.rule_on(data, ask)

    @precondition(lambda self: self.list_open(asks_recipient=True))
    @rule(data=st.data())
    def reply_to_an_open_ask(self, data: st.DataObject) -> None:
        ask = data.draw(st.sampled_from(self.list_open(asks_recipient=True)))
        self.change_law(data, ask)
        self.reply_to(data, ask)

    @precondition(lambda self: self.asks)
    @rule(data=st.data())
    def answer_any_ask_sometimes(self, data: st.DataObject) -> None:
        if not data.draw(SELDOM):
            return
        ask = data.draw(st.sampled_from(list(self.asks.values())))
        data.draw(st.sampled_from([self.rule_on, self.reply_to]))(data, ask)

    @precondition(lambda self: self.asks)
    @rule(data=st.data())
    def answer_beforehand(self, data: st.DataObject) -> None:
        """An earlier answer may only do what a single one would, never in an emergency, and never outside its dates."""
        ask = data.draw(st.sampled_from(list(self.asks.values())))
        self.change_law(data, ask)
        officer, answer = data.draw(st.sampled_from(OFFICERS)), draw_answer(data, ask)
        since = ask.opened_at + data.draw(st.sampled_from([-DAY_MS, 0, 0, 1]))
        until = data.draw(st.sampled_from([self.now, self.now + 1, since + 30 * DAY_MS, since + 30 * DAY_MS + 1]))
        before = self.conversation
        self.happen(Covered(ask.id, officer, answer, since, until, nonce=ask.nonce))
        is_dated = since <= ask.opened_at and self.now < until <= since + 30 * DAY_MS
        is_for_people = ask.kind is AskKind.APPROVE and ask.urgency is not Urgency.EMERGENCY and ask.is_open
        is_able = ROLE in officer.roles and ask.role == ROLE and officer.id != ask.publisher.officer
        is_first = officer.id not in {given.officer for given in ask.given}
        counts = is_dated and is_for_people and is_able and is_first and answer in ask.row.answers
        if self.now < ask.closes_at:
            assert (self.conversation != before) == counts
        assert counts or (self.conversation, self.history[-1].effects) == (before, ())

    def rule_on(self, data: st.DataObject, ask: Ask) -> None:
        facts = data.draw(st.frozensets(st.sampled_from("ab")))
        relaxed = data.draw(st.sampled_from([frozenset("c"), frozenset[str](), frozenset("cd")]))
        officer = data.draw(st.sampled_from(OFFICERS))
        answer, at = draw_answer(data, ask), self.draw_instant(data, ask)
        self.happen(Ruled(ask.id, officer, answer, at, facts, relaxed, nonce=ask.nonce))

    def reply_to(self, data: st.DataObject, ask: Ask) -> None:
        state = data.draw(st.sampled_from([ask.state] * 5 + [*STATES, "US"]))
        self.happen(Replied(ask.id, state, draw_answer(data, ask), self.draw_instant(data, ask)))

    @rule(data=st.data())
    def reply_before_the_ask_is_known(self, data: st.DataObject) -> None:
        state = data.draw(st.sampled_from(STATES))
        version = self.version + data.draw(st.integers(0, 2))
        ask = make_ask_id("item", AskKind.ACCEPT, f"{version}.0/{state}", 1)
        if ask not in self.asks:
            self.happen(Replied(ask, state, data.draw(st.sampled_from(sorted(PUT_BY_GATE))), self.now))

    @precondition(lambda self: any(self.conversation.list_deliveries(DeliveryStatus.SENT)))
    @rule(data=st.data(), states=st.one_of(st.none(), st.frozensets(st.sampled_from(STATES), min_size=1)))
    def order_recall_sometimes(self, data: st.DataObject, states: frozenset[str] | None) -> None:
        if data.draw(SELDOM):
            self.happen(RecallOrdered(OFFICERS[0], states, roles=ROLES))

    @rule(data=st.data(), states=st.one_of(st.none(), st.frozensets(st.sampled_from(STATES), min_size=1)))
    def send_again_sometimes(self, data: st.DataObject, states: frozenset[str] | None) -> None:
        """Nothing changes, and only what a State has is sent, as it has it; whether it may leave is checked again."""
        if not data.draw(SELDOM):
            return
        for state in STATES:
            if data.draw(SELDOM):
                self.law.terms[state] = data.draw(draw_terms(state))
        before = self.conversation
        self.happen(ResendOrdered(OFFICERS[0], states, roles=ROLES))
        assert self.conversation == before
        has = {each.key: each.terms for each in before.list_deliveries(DeliveryStatus.SENT)}
        for effect in self.history[-1].effects:
            if isinstance(effect, Send):
                assert has[effect.state, effect.revision] == effect.terms
                assert states is None or effect.state in states
            elif isinstance(effect, SentAgain):
                assert effect.ask.status in {AskStatus.OPEN, AskStatus.CANCELLED}

    @rule(milliseconds=st.sampled_from([1, 1, GRACE_MS, HOUR_MS, 2 * HOUR_MS, DAY_MS, 31 * DAY_MS]))
    def let_time_pass(self, milliseconds: int) -> None:
        self.now += milliseconds
        expected = Counter(
            (ask.state, ask.state in self.pinned)
            for ask in self.list_open(asks_recipient=True)
            if ask.kind is AskKind.ACK_RECALL and ask.closes_at <= self.now
        )
        self.happen(TimePassed(self.pinned))
        self.check_recalls(expected)
        instant = due(self.conversation)
        if is_forgettable(self.conversation, self.now):
            assert not [*self.list_open(asks_recipient=True), *self.list_open(asks_recipient=False)]
            sent = self.conversation.list_deliveries(DeliveryStatus.SENT)
            assert all(each.ends_at is not None and each.ends_at <= self.now for each in sent)
            return
        assert instant is None or instant > self.now, "what was due is not done"

    @rule(state=st.sampled_from(STATES), data=st.data())
    def leave_sometimes(self, state: str, data: st.DataObject) -> None:
        if data.draw(SELDOM):
            self.pinned -= {state}

    def check_recalls(self, expected: Counter[tuple[str, bool]]) -> None:
        """A recall that has expired is put again, or given up if the State has left: each exactly once."""
        effects = self.history[-1].effects
        given_up = Counter((effect.ask.state, False) for effect in effects if isinstance(effect, GivenUp))
        again = Counter(
            (effect.ask.state, True)
            for effect in effects
            if isinstance(effect, Opened) and effect.ask.kind is AskKind.ACK_RECALL and effect.ask.round > 1
        )
        assert given_up + again == expected

    def list_open(self, *, asks_recipient: bool) -> list[Ask]:
        """Return the open Asks for people of one side."""
        return [ask for ask in self.asks.values() if ask.is_open and ask.row.asks_recipient == asks_recipient]

    def draw_instant(self, data: st.DataObject, ask: Ask) -> int:
        return data.draw(
            st.sampled_from([self.now] * 5 + [ask.expires_at, ask.expires_at + 59_999, ask.expires_at + 60_000])
        )

    # The oracle

    def check_effects(self, event: Event, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            if isinstance(effect, Opened | Ended | Changed):
                known = self.asks.get(effect.ask.id)
                assert isinstance(effect, Opened) == (known is None), "an Ask is opened once"
                assert known is None or known.is_open, "an ended Ask changes"
                self.asks[effect.ask.id] = effect.ask
                self.opened.setdefault(effect.ask.id, self.decided)
                if isinstance(effect, Opened) and effect.ask.kind is AskKind.ACCEPT:
                    self.offered_under[effect.ask.id] = self.read_offer(effect.ask)
            if isinstance(effect, Send) and effect.kind is not NoticeKind.RECALL:
                self.check_release(event, effect)
            if isinstance(effect, Amend):
                ask = self.asks[effect.ask]
                assert effect.facts
                assert effect.facts <= ask.facts
        self.check_results(event, effects)

    def read_offer(self, ask: Ask) -> Terms:
        """Return what an offer says. One that ended in the same event says at least what the law requires."""
        delivery = self.conversation.deliveries.get((ask.state, ask.revision))
        if delivery is not None and ask.id in delivery.guards:
            return delivery.terms
        law = self.law(ask.state)
        return replace(law, conditions=law.required, texts=law.list_texts(law.required))

    def is_offered(self, ask: Ask) -> bool:
        """Return whether an offer has all conditions that the law requires now, with their texts."""
        offer, law = self.offered_under[ask.id], self.law(ask.state)
        return law.required <= offer.conditions and law.list_texts(law.required) <= offer.texts

    def is_known(self, ask_id: str) -> bool:
        """Return whether a reply may find its Ask. One that ended long ago may be forgotten."""
        known = self.asks.get(ask_id)
        return known is not None and not known.is_forgettable(self.now)

    def check_results(self, event: Event, effects: tuple[Effect, ...]) -> None:
        """Each reply has one result: at once; if its Ask is not known yet, when it is, or after a day."""
        results = [effect for effect in effects if isinstance(effect, Answered)]
        said = [(effect.ask, effect.state) for effect in results]
        if isinstance(event, Replied):
            if not results:
                assert not self.is_known(event.ask), "a reply to a known Ask waits"
                assert not effects
                assert event.answer in PUT_BY_GATE
                if not any(replace(each, at=event.at) == event for each in self.early):
                    self.early.append(event)
                return
            assert said == [(event.ask, event.state)]
            assert results[0].result is ReplyResult.TAKEN or len(effects) == 1
            return
        if isinstance(event, ResendOrdered):
            return  # results of replies that were taken, again
        if isinstance(event, Decided):
            expected = [each for each in self.early if self.is_known(each.ask)]
        elif isinstance(event, TimePassed):
            expected = [each for each in self.early if each.at + EARLY_MS <= self.now]
            assert all(effect.result is ReplyResult.UNKNOWN for effect in results)
        else:
            expected = []
        assert said == [(each.ask, each.state) for each in expected], "a reply that waited has no result, or two"
        self.early = [each for each in self.early if each not in expected]

    def check_release(self, event: Event, sent: Send) -> None:
        """Decide from the history alone whether content may leave now."""
        law, terms = self.law(sent.state), sent.terms
        assert law.outcome is not Outcome.WITHHOLD
        assert law.conditions - law.optional <= terms.conditions
        texts = dict(terms.texts)
        assert all(texts[code] == text for code, text in law.texts if code in law.required), "a text nobody accepted"
        assert texts.keys() == terms.conditions
        assert law.redacted <= terms.redacted
        if law.outcome is Outcome.HOLD:
            assert self.is_approved(sent, law), "sent without approval"
        if law.accept_first or law.outcome is Outcome.OFFER:
            assert self.is_settled(sent, event), "sent without acceptance, and nobody decided to"

    def list_given(self, kind: AskKind, sent: Send) -> list[tuple[Ask, GivenAnswer]]:
        """Return the answers to Asks of a kind, for this State, that were opened since the last decision."""
        return [
            (ask, given)
            for ask in self.asks.values()
            if ask.kind is kind and sent.state in ask.recipients and self.opened[ask.id] >= self.decided
            for given in ask.given
        ]

    def is_approved(self, sent: Send, law: Terms) -> bool:
        given = [
            (ask, answer)
            for ask, answer in self.list_given(AskKind.APPROVE, sent)
            if answer.answer is Answer.APPROVED and ask.role == law.approver
        ]
        needed = law.approvers_needed
        if any(ask.publisher == FEED for ask, _ in given) and all(answer.agency == FEED.agency for _, answer in given):
            needed = max(needed, 2)
        people = {answer.officer for _, answer in given}
        holders = {officer.id for officer in OFFICERS if law.approver in officer.roles}
        publishers = {ask.publisher for ask, _ in given}
        if PUBLISHER in publishers:
            assert PUBLISHER.officer not in {answer.officer for ask, answer in given if ask.publisher == PUBLISHER}, (
                "four eyes"
            )
        return people <= holders and len(people) >= needed

    def is_settled(self, sent: Send, event: Event) -> bool:
        accepted = [
            (ask, answer)
            for ask, answer in self.list_given(AskKind.ACCEPT, sent)
            if answer.answer is Answer.ACCEPTED
            and answer.at < ask.expires_at + 60_000
            and answer.officer == sent.state
            and self.is_offered(ask)
        ]
        provided = [
            answer for _, answer in self.list_given(AskKind.REDECIDE, sent) if answer.answer is Answer.PROVIDE_ANYWAY
        ]
        refused = [
            ask
            for ask in self.asks.values()
            if ask.kind is AskKind.ACCEPT and ask.state == sent.state and not ask.is_open
            and self.opened[ask.id] >= self.decided
            and self.is_offered(ask)
        ]  # fmt: skip
        return bool(accepted or (provided and refused))

    @invariant()
    def few_replies_wait(self) -> None:
        assert list(self.conversation.early) == self.early
        counts = Counter(each.state for each in self.early)
        assert all(count <= EARLY_MAX for count in counts.values())

    @invariant()
    def every_waiting_delivery_is_guarded(self) -> None:
        for delivery in self.conversation.list_deliveries(DeliveryStatus.WAITING):
            guards = [self.conversation.asks[guard] for guard in delivery.guards]
            assert guards
            for ask in guards:
                is_amended = ask.kind is AskKind.SUPPLY_FACT and ask.status is AskStatus.ANSWERED
                assert ask.is_open or is_amended, "a delivery waits for an Ask that has ended"
        for ask in self.conversation.asks.values():
            if ask.is_open and ask.kind in GUARDING:
                assert any(
                    ask.id in delivery.guards for delivery in self.conversation.list_deliveries(DeliveryStatus.WAITING)
                ), "an Ask guards nothing"

    @invariant()
    def a_state_has_one_version_at_most(self) -> None:
        counts = Counter(delivery.state for delivery in self.conversation.list_deliveries(DeliveryStatus.SENT))
        assert set(counts.values()) <= {1}

    @invariant()
    def what_was_sent_and_is_not_there_any_more_was_recalled_or_replaced(self) -> None:
        """Follow the notices alone: what a State has, as it would know."""
        held: dict[str, Revision] = {}
        recalled: set[tuple[str, Revision]] = set()
        for said in self.history:
            if isinstance(said.event, ResendOrdered):
                continue  # what a State has, it has
            if isinstance(said.event, Decided) and said.event.is_sent and said.event.terms is not None:
                disclosed = [terms.state for terms in said.event.terms if terms.outcome is Outcome.DISCLOSE]
                # A State drops what was recalled from it, however often it comes.
                held |= {
                    state: revision for state in disclosed if (state, revision := said.event.revision) not in recalled
                }
            for effect in said.effects:
                if isinstance(effect, Send) and effect.kind is NoticeKind.RECALL:
                    assert held.pop(effect.state, None) == effect.revision, "a recall of what the State does not have"
                    recalled.add((effect.state, effect.revision))
                elif isinstance(effect, Send):
                    assert (effect.kind is NoticeKind.CORRECTION) == (effect.state in held)
                    held[effect.state] = effect.revision
        sent = {each.state: each.revision for each in self.conversation.list_deliveries(DeliveryStatus.SENT)}
        assert sent == held


ProviderMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
TestProvider: Any = ProviderMachine.TestCase
