"""A rule whose evaluation fails withholds, is counted and named, and permits nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.law.authorities import list_sole_authorities
from sharing.law.constraints import Conjunction, FactTest, Operator
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack
from sharing.model.effects import RESTRICTING_EFFECTS
from sharing.model.vocabulary import Effect, Outcome
from tests.law.filter_fixtures import PERMIT, RECORD, TO_US, make_pack, make_pack_data
from tests.law.strategies import DAY, NOW_MS, TREATIES


class FailingConjunction(Conjunction):
    """A conjunction whose evaluation always fails."""

    def evaluate(self, facts: Any) -> bool | None:
        raise ZeroDivisionError("secret value in a message")


def with_rule(pack: Pack, effect: Effect, when: Conjunction) -> Pack:
    rule = next(rule for rule in pack.rules if rule.id == "t.0")
    needs: dict[str, Any] = {"approver": "JUDGE"} if effect is Effect.APPROVAL else {}
    return replace(pack, rules=(*pack.rules, replace(rule, id="t.broken", effect=effect, when=when, **needs)))


WRONG_KIND = FactTest("form", Operator.AT_LEAST, 3.0)
FALSE = FactTest("action", Operator.ANY_OF, frozenset({"WITHDRAW"}))
TRUE = FactTest("action", Operator.ANY_OF, frozenset({"PUBLISH"}))


@pytest.mark.parametrize("effect", sorted(RESTRICTING_EFFECTS))
@pytest.mark.parametrize(
    "when",
    [
        FailingConjunction(()),
        Conjunction((WRONG_KIND,)),
        Conjunction((TRUE, WRONG_KIND)),
        Conjunction((WRONG_KIND, FALSE)),
    ],
    ids=["raises", "wrong kind", "true and wrong kind", "wrong kind and false"],
)
def test_a_failing_restriction_withholds_and_is_counted_and_named(effect: Effect, when: Conjunction) -> None:
    pack = with_rule(make_pack(make_pack_data(PERMIT)), effect, when)
    law = DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities({"US": "POLICE"}))
    (decision,) = law.decide(RECORD, TO_US, NOW_MS).recipients
    assert decision.outcome is Outcome.WITHHOLD
    assert [(entry.rule, entry.fact) for entry in decision.undecided] == [("t.broken", "error")]
    assert decision.explanation == "evaluation failed: t.broken"
    assert law.rule_errors == {"t.broken": 1}
    assert "secret" not in repr(decision)


def test_a_failing_permission_does_not_permit() -> None:
    pack = with_rule(make_pack(make_pack_data({"effect": "RECORD"})), Effect.PERMIT, FailingConjunction(()))
    law = DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities({"US": "POLICE"}))
    assert law.decide(RECORD, TO_US, NOW_MS).outcome is Outcome.WITHHOLD
    assert law.rule_errors == {"t.broken": 1}


def test_a_failing_obligation_changes_nothing() -> None:
    names_france = FactTest("recipient.state", Operator.ANY_OF, frozenset({"FR"}))
    pack = with_rule(make_pack(make_pack_data(PERMIT)), Effect.OBLIGE, Conjunction((WRONG_KIND, names_france)))
    law = DisclosureFilter(pack, TREATIES["small"], DAY, list_sole_authorities({"US": "POLICE"}))
    (decision,) = law.decide(RECORD, TO_US, NOW_MS).recipients
    assert decision.outcome is Outcome.DISCLOSE
    assert law.rule_errors["t.broken"] >= 1
