"""The decision that a case expects, and its differences from the actual decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from sharing.law.approvals import Approvals
from sharing.model.decision import RecipientDecision
from sharing.model.field_validators import make_enum_validator
from sharing.model.recipient_terms import Condition
from sharing.model.strict_model import StrictModel
from sharing.model.vocabulary import ConditionKind, ConditionModel, Outcome


class ExpectedCondition(StrictModel):
    """The kind and text of a condition, as written in the pack; an omitted text is not compared."""

    kind: Annotated[ConditionKind, make_enum_validator(ConditionKind)]
    text: str | None = None


def _index_conditions(conditions: Any) -> Any:
    if isinstance(conditions, list) and all(isinstance(condition, str) for condition in conditions):
        if len(set(conditions)) < len(conditions):
            raise ValueError("the same id is listed twice")
        return dict.fromkeys(conditions)
    if conditions is not None and not isinstance(conditions, dict):
        raise ValueError("must be a list of rule ids, or a mapping of each rule id to its kind and text")
    return conditions


class Expectation(StrictModel):
    """The decision that a case expects. Omitted fields are not compared; lists must be complete, in any order.

    `conditions` are rule ids, either alone or each with its kind and text. If `approver` or `obligation` is omitted,
    the decision must have none; if `approvals` is omitted, one officer must be enough.
    """

    outcome: Annotated[Outcome, make_enum_validator(Outcome)]
    rules: list[str] | None = None
    undecided: dict[str, list[str]] | None = None
    conditions: Annotated[dict[str, ExpectedCondition | None] | None, BeforeValidator(_index_conditions)] = None
    redacted: list[str] | None = None
    approver: str | None = None
    approvals: Approvals = 1
    obligation: bool = False
    basis: str | None = None
    condition_model: Annotated[ConditionModel, make_enum_validator(ConditionModel)] | None = None


def compare_decision(expect: Expectation, decision: RecipientDecision) -> Iterator[str]:
    """Yield the differences between expectation and decision."""
    undecided: dict[str, list[str]] = {}
    for entry in decision.undecided:
        undecided.setdefault(entry.rule, []).append(entry.fact)
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("outcome", str(expect.outcome), str(decision.outcome)),
        ("rules", _sort_names(expect.rules), sorted(rule.id for rule in decision.rules)),
        ("undecided", _sort_values(expect.undecided), _sort_values(undecided)),
        (
            "conditions",
            None if expect.conditions is None else sorted(expect.conditions),
            sorted(condition.code for condition in decision.conditions),
        ),
        ("redacted", _sort_names(expect.redacted), sorted(decision.redacted)),
        ("basis", expect.basis, decision.basis),
        ("condition_model", expect.condition_model, decision.condition_model),
    )
    for name, expected, actual in pairs:
        if expected is not None and expected != actual:
            yield f"{name}: expected {expected}, got {actual}"
    if expect.conditions is not None:
        yield from _compare_conditions(expect.conditions, decision.conditions)
    if expect.approver != decision.approver:
        yield f"approver: expected {expect.approver}, got {decision.approver}"
    if expect.approvals != (decision.approvals or 1):
        yield f"approvals: expected {expect.approvals}, got {decision.approvals}"
    if expect.obligation != decision.is_obligatory:
        yield f"obligation: expected {expect.obligation}, got {decision.is_obligatory}"


def _compare_conditions(expected: Mapping[str, ExpectedCondition | None], actual: Iterable[Condition]) -> Iterator[str]:
    """Yield the differences in kind and text of the conditions for which both are expected."""
    for condition in actual:
        wanted = expected.get(condition.code)
        if wanted is None:
            continue
        if wanted.kind != condition.kind:
            yield f"conditions: {condition.code}: expected kind {wanted.kind}, got {condition.kind}"
        if wanted.text not in {None, condition.text}:
            yield f"conditions: {condition.code}: expected text {wanted.text!r}, got {condition.text!r}"


def _sort_names(names: list[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _sort_values(lists: Mapping[str, list[str]] | None) -> dict[str, list[str]] | None:
    return None if lists is None else {name: sorted(values) for name, values in lists.items()}
