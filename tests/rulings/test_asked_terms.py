"""What a ruling must say of an Ask: the same for the officer who signs and for the worker that checks."""

from __future__ import annotations

from dataclasses import replace

from sharing.conversation.asks import Ask
from sharing.conversation.terms import Terms
from sharing.conversation.vocabulary import Answer, AskKind
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import Condition, RecipientTerms, RuleReference
from sharing.model.vocabulary import ConditionKind, Effect, Outcome
from sharing.rulings.asked_terms import AskedTerms, find_own_terms
from sharing.rulings.ruling import compute_conditions_hash
from tests.conversation.people import held, offered, withheld
from tests.conversation.test_provider import Story

FIRST = RuleReference("ch.first", "Art. 1", Effect.APPROVAL)
SECOND = RuleReference("ch.second", "Art. 2", Effect.APPROVAL)
OTHER = RuleReference("ch.other", "Art. 3", Effect.PERMIT)
ONE, TWO = (Condition(code, ConditionKind.PURPOSE, f"text of {code}") for code in ("c.one", "c.two"))


def decide(state: str, *conditions: Condition, rules: tuple[RuleReference, ...] = ()) -> RecipientDecision:
    terms = RecipientTerms(
        Outcome.HOLD, "UNCAC", None, rules, (), conditions, None, is_obligatory=True, redacted=()
    )  # fmt: skip
    return RecipientDecision(state, (), terms)


def find(terms: Terms, kind: AskKind, *decided: RecipientDecision, named: str | None = None) -> AskedTerms:
    story = Story(terms)
    return find_own_terms(story.conversation, story.find_ask(kind), decided, named)


def test_the_rule_is_the_one_that_is_named_else_the_first_that_asks() -> None:
    decided = decide("DE", rules=(OTHER, FIRST, SECOND))
    assert find(held("DE"), AskKind.APPROVE, decided).rule == FIRST.id
    assert find(held("DE"), AskKind.APPROVE, decided, named=SECOND.id).rule == SECOND.id
    assert find(held("DE"), AskKind.APPROVE, decided, named=OTHER.id).rule == FIRST.id
    assert find(offered("DE", "c.one"), AskKind.ACCEPT, decided).rule is None
    assert find(held("DE"), AskKind.APPROVE, decide("DE", rules=(OTHER,))).rule is None


def test_the_hash_is_of_the_conditions_of_the_delivery_and_only_if_all_texts_are_known() -> None:
    asked = offered("DE", "c.one")
    found = find(asked, AskKind.ACCEPT, decide("FR", TWO), decide("DE", ONE, TWO))
    assert found.conditions_hash == compute_conditions_hash([ONE])
    assert (found.conditions, found.are_read, found.is_obligatory) == ((ONE,), True, True)
    unknown = find(offered("DE", "c.one", "c.new"), AskKind.ACCEPT, decide("DE", ONE, TWO))
    assert (unknown.conditions_hash, unknown.codes, unknown.are_read) == (None, frozenset({"c.one", "c.new"}), False)
    undecided = find(asked, AskKind.ACCEPT)
    assert (undecided.conditions_hash, undecided.are_read) == (None, False)
    none = find(held("DE"), AskKind.APPROVE, decide("DE", ONE))
    assert (none.conditions_hash, none.codes, none.are_read) == (None, frozenset(), True)


def test_an_ask_about_several_states_has_the_rules_of_all_and_no_conditions() -> None:
    story = Story(withheld("DE", "minor"), withheld("FR", "minor"))
    ask: Ask = story.find_ask(AskKind.SUPPLY_FACT)
    found = find_own_terms(story.conversation, ask, [decide("DE", ONE, rules=(FIRST,)), decide("FR", rules=(SECOND,))])
    assert (found.rules, found.rule, found.conditions_hash) == ((FIRST, SECOND), None, None)


def test_what_waits_for_another_decision_keeps_its_conditions() -> None:
    story = Story(offered("DE", "c.one", optional=("c.two",)))
    story.reply(Answer.CANNOT_COMPLY)
    ask = story.find_ask(AskKind.REDECIDE)
    found = find_own_terms(story.conversation, ask, [decide("DE", ONE, TWO)])
    assert found.conditions_hash == compute_conditions_hash([TWO, ONE])
    answered = replace(ask, id="another")
    assert find_own_terms(story.conversation, answered, [decide("DE", ONE, TWO)]).codes == frozenset()


def test_a_text_that_has_changed_since_the_decision_is_not_known() -> None:
    other = replace(ONE, text="another text")
    found = find(offered("DE", "c.one"), AskKind.ACCEPT, decide("DE", other))
    assert (found.conditions_hash, found.conditions, found.are_read) == (None, (), False)
