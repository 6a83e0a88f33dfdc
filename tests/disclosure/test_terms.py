"""The terms for a State, and the conditions that its law does not require."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.conversation.terms import Terms, hash_condition, is_no_less_open
from sharing.disclosure.terms import list_optional_conditions, make_terms
from sharing.law.constraints import Conjunction, FactTest, Operator
from sharing.law.pack import Rule
from sharing.law.treaties import Period
from sharing.model.decision import RecipientDecision
from sharing.model.recipient_terms import Condition, RecipientTerms
from sharing.model.vocabulary import ConditionKind, ConditionModel, Effect, Nature, Outcome
from tests.disclosure.situations import list_withheld
from tests.law.scenarios import PROVIDERS, decide_all, get_law
from tests.law.strategies import DAY

CONDITIONS = tuple(Condition(code, ConditionKind.PURPOSE, "text") for code in ("a", "b"))


def make_recipient(
    outcome: Outcome, model: ConditionModel | None = ConditionModel.PRE_ACCEPT, *, bound: bool = True
) -> RecipientDecision:
    terms = RecipientTerms(
        outcome, "BUDAPEST", model, (), (), CONDITIONS if bound else (), "JUDGE", is_obligatory=False,
        redacted=("value", "summary"),
    )  # fmt: skip
    return RecipientDecision("DE", (), terms)


def test_terms_have_what_the_decision_says() -> None:
    assert make_terms(make_recipient(Outcome.OFFER), optional=["b", "c"]) == Terms(
        "DE",
        Outcome.OFFER,
        frozenset("ab"),
        frozenset("b"),
        accept_first=True,
        redacted=frozenset({"value", "summary"}),
        texts=frozenset((code, hash_condition(code, "text")) for code in "ab"),
    )


def test_a_condition_with_another_text_is_another_one() -> None:
    granted = make_terms(make_recipient(Outcome.OFFER), optional=["b"])
    for code, expected in (("a", False), ("b", True)):
        conditions = tuple(replace(each, text="other") if each.code == code else each for each in CONDITIONS)
        recipient = make_recipient(Outcome.OFFER)
        changed = recipient._replace(terms=replace(recipient.terms, conditions=conditions))
        assert is_no_less_open(make_terms(changed, optional=["b"]), granted) is expected
    assert hash_condition("a", "bc") != hash_condition("ab", "c")


@pytest.mark.parametrize(
    ("outcome", "model", "bound", "expected"),
    [
        (Outcome.DISCLOSE, ConditionModel.ATTACHED_BINDING, True, False),
        (Outcome.DISCLOSE, ConditionModel.PRE_ACCEPT, False, False),
        (Outcome.OFFER, ConditionModel.PRE_ACCEPT, True, True),
        (Outcome.HOLD, ConditionModel.PRE_ACCEPT, True, True),
        (Outcome.HOLD, ConditionModel.PRE_ACCEPT, False, False),
        (Outcome.HOLD, ConditionModel.ATTACHED_BINDING, True, False),
    ],
)
def test_conditions_are_accepted_first_as_they_would_be_without_an_approver(
    outcome: Outcome, model: ConditionModel, bound: bool, expected: bool
) -> None:
    assert make_terms(make_recipient(outcome, model, bound=bound)).accept_first is expected


def test_only_a_held_item_has_an_approver_and_only_a_withheld_one_lacks_facts() -> None:
    missing = frozenset({"form"})
    for outcome in Outcome:
        terms = make_terms(make_recipient(outcome), missing=missing, approvals=1)
        assert terms.approver == ("JUDGE" if outcome is Outcome.HOLD else None)
        assert terms.missing == (missing if outcome is Outcome.WITHHOLD else frozenset())
        assert terms.approvers_needed == 1


def test_optional_is_only_what_a_state_asks_for_by_its_practice_and_for_itself() -> None:
    optional = frozenset().union(*(list_optional_conditions(get_law(provider).pack) for provider in PROVIDERS))
    assert optional == {
        "au.afp-60a", "ca.rcmp-caveat", "gb.cca-7.onward", "jp.aptcp-14.onward", "us.budapest-26-2.voluntary",
        "us.third-party.onward",
    }  # fmt: skip


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_law_markings_or_cautions_impose_is_required(provider: str) -> None:
    pack = get_law(provider).pack
    optional = list_optional_conditions(pack)
    for rule in pack.rules:
        if rule.condition is not None and (rule.is_common or rule.nature is not Nature.POLICY):
            assert rule.id not in optional


def make_rule(
    *, kind: ConditionKind = ConditionKind.ONWARD_CONSENT, fact: str = "form", nature: Nature = Nature.POLICY,
    is_common: bool = False,
) -> Rule:  # fmt: skip
    value = "YES" if fact != "form" else "INFORMATION"
    test = FactTest(fact, Operator.ANY_OF, frozenset({value}))
    return Rule(
        "x", "c", "p", "s", verified=True, valid=Period(DAY), when=Conjunction((test,)), effect=Effect.CONDITION,
        condition=Condition("x", kind, "text"), nature=nature, is_common=is_common,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"kind": ConditionKind.CONFIDENTIALITY}, True),
        ({"kind": ConditionKind.PURPOSE}, False),
        ({"kind": ConditionKind.NO_EVIDENCE}, False),
        ({"kind": ConditionKind.DELETE_OR_CORRECT}, False),
        ({"fact": "recipient.death_penalty_risk"}, False),
        ({"fact": "findings.mistreatment_substantial_risk"}, False),
        ({"fact": "origin.foreign"}, False),
        ({"nature": Nature.STATUTE}, False),
        ({"nature": Nature.CAUTION}, False),
        ({"is_common": True}, False),
    ],
)
def test_each_reason_makes_a_condition_required(changes: dict[str, Any], expected: bool) -> None:
    pack = replace(get_law("CH").pack, rules=(make_rule(**changes),))
    assert (list_optional_conditions(pack) == {"x"}) is expected


@pytest.mark.parametrize("provider", PROVIDERS)
def test_terms_of_real_decisions_are_no_less_open_than_themselves(provider: str) -> None:
    optional = list_optional_conditions(get_law(provider).pack)
    for scenario in ("EMERGENCY", "HASH"):
        for (own, _), recipient in decide_all(scenario).items():
            if own == provider:
                terms = make_terms(recipient, optional=optional)
                assert is_no_less_open(terms, terms)
                assert terms.optional <= terms.conditions
                assert terms.accept_first >= (terms.outcome is Outcome.OFFER)


def test_a_withheld_item_has_no_conditions() -> None:
    for situation in list_withheld("CH", 20):
        terms = make_terms(situation.decide(), optional=list_optional_conditions(get_law("CH").pack))
        assert terms == Terms(situation.state, Outcome.WITHHOLD)
        assert replace(terms, missing=frozenset({"form"})) != terms
