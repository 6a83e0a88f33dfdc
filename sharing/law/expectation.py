"""What a case expects of a decision, and in what a decision differs from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from sharing.model.decision import Condition, RecipientDecision
from sharing.model.strict import StrictModel
from sharing.model.validators import one_of
from sharing.model.vocabulary import ConditionKind, ConditionModel, Outcome


class ExpectedCondition(StrictModel):
    """What a condition binds the receiving State to, as the pack says it; what is left out is not compared."""

    kind: Annotated[ConditionKind, one_of(ConditionKind)]
    text: str | None = None


def _by_id(conditions: Any) -> Any:
    if isinstance(conditions, list) and all(isinstance(one, str) for one in conditions):
        if len(set(conditions)) < len(conditions):
            raise ValueError("the same id stands twice")
        return dict.fromkeys(conditions)
    if conditions is not None and not isinstance(conditions, dict):
        raise ValueError("must be a list of ids of rules, or map each to its kind and text")
    return conditions


class Expectation(StrictModel):
    """What a case expects. What is left out is not compared; lists are compared whole, in any order.

    `conditions` are the ids of their rules, alone or each with its kind and text. No approver and no obligation are
    expected where none is given.
    """

    outcome: Annotated[Outcome, one_of(Outcome)]
    rules: list[str] | None = None
    undecided: dict[str, list[str]] | None = None
    conditions: Annotated[dict[str, ExpectedCondition | None] | None, BeforeValidator(_by_id)] = None
    redacted: list[str] | None = None
    approver: str | None = None
    obligation: bool = False
    basis: str | None = None
    condition_model: Annotated[ConditionModel, one_of(ConditionModel)] | None = None


def compare(expect: Expectation, decision: RecipientDecision) -> Iterator[str]:
    """Yield what differs between expectation and decision."""
    undecided: dict[str, list[str]] = {}
    for entry in decision.undecided:
        undecided.setdefault(entry.rule, []).append(entry.fact)
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("outcome", str(expect.outcome), str(decision.outcome)),
        ("rules", _sorted(expect.rules), sorted(rule.id for rule in decision.rules)),
        ("undecided", _sorted_values(expect.undecided), _sorted_values(undecided)),
        (
            "conditions",
            None if expect.conditions is None else sorted(expect.conditions),
            sorted(condition.code for condition in decision.conditions),
        ),
        ("redacted", _sorted(expect.redacted), sorted(decision.redacted)),
        ("basis", expect.basis, decision.basis),
        ("condition_model", expect.condition_model, decision.condition_model),
    )
    for name, expected, came in pairs:
        if expected is not None and expected != came:
            yield f"{name}: expected {expected}, got {came}"
    if expect.conditions is not None:
        yield from _compare_conditions(expect.conditions, decision.conditions)
    if expect.approver != decision.approver:
        yield f"approver: expected {expect.approver}, got {decision.approver}"
    if expect.obligation != decision.obligation:
        yield f"obligation: expected {expect.obligation}, got {decision.obligation}"


def _compare_conditions(expected: Mapping[str, ExpectedCondition | None], came: Iterable[Condition]) -> Iterator[str]:
    """Yield what differs in the conditions that were expected and came."""
    for condition in came:
        wanted = expected.get(condition.code)
        if wanted is None:
            continue
        if wanted.kind != condition.kind:
            yield f"conditions: {condition.code}: expected kind {wanted.kind}, got {condition.kind}"
        if wanted.text not in {None, condition.text}:
            yield f"conditions: {condition.code}: expected text {wanted.text!r}, got {condition.text!r}"


def _sorted(names: list[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _sorted_values(lists: Mapping[str, list[str]] | None) -> dict[str, list[str]] | None:
    return None if lists is None else {name: sorted(values) for name, values in lists.items()}
