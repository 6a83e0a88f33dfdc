"""Reads the rules of a pack or of the common rules, and checks what needs knowledge of other keys, rules or files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, assert_never

from sharing.law.constraints import Conjunction, FactTest
from sharing.law.fact_groups import is_absolute
from sharing.law.pack import Rule, RuleException
from sharing.law.reading.constraint_reader import ConstraintError, read_conjunction
from sharing.law.reading.pack_models import ExceptionModel, RuleModel
from sharing.law.redaction import CONTENT_FIELDS
from sharing.law.treaties import Period
from sharing.model.recipient_terms import Condition
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import Effect
from sharing.yaml_files.faults import DocumentFaults
from sharing.yaml_files.source import KeyPath

_NEEDS = ("approver", "condition", "redact")
_APPROVALS = "approvals"


class RuleContext(NamedTuple):
    """What rules may name.

    Attributes:
        instruments: Names of the instruments.
        approvers: Names of the roles, in order of precedence; None if they could not be read; then every role is
            accepted.
    """

    instruments: Collection[str]
    approvers: Sequence[str] | None


class LocatedRule(NamedTuple):
    """A rule with its path in the document."""

    path: KeyPath
    rule: Rule


def read_rules(faults: DocumentFaults, context: RuleContext) -> list[LocatedRule]:
    """Read the rules of a document that are valid by themselves. What is wrong with them is added to the faults."""
    located = []
    for path, model in faults.iter_valid_entries("rules", RuleModel):
        rule = _RuleReader(faults, context, path, model).read()
        if rule is not None:
            located.append(LocatedRule(path, rule))
    return located


def check_relations(faults: DocumentFaults, located: Sequence[LocatedRule], common: Sequence[Rule] = ()) -> None:
    """Add a fault for each rule that has the id of another rule on the same day, or leaves a gap after a predecessor.

    Args:
        faults: Receives the faults.
        located: The rules of the document.
        common: The common rules, if the document is a pack.
    """
    rules = [rule for _, rule in located]
    for index, (path, rule) in enumerate(located):
        for other in (*common, *rules[index + 1 :]):
            if other.id == rule.id and other.valid.overlaps(rule.valid):
                message = f"rule {rule.id} is defined twice for the same days; end one before the other starts"
                faults.add(message, (*path, "id"))
        if rule.replaces:
            fault = _find_fault_of_succession(rule, [other for other in rules if other is not rule])
            if fault:
                faults.add(f"{fault} (rule {rule.id})", (*path, "replaces"))


def _find_fault_of_succession(rule: Rule, others: Sequence[Rule]) -> str:
    """Return why a rule does not directly follow the rule that it replaces, or an empty string if it does."""
    replaced = [other for other in others if other.id == rule.replaces]
    if not replaced:
        return f"there is no other rule {rule.replaces}{suggest_nearest(rule.replaces, {other.id for other in others})}"
    try:
        day_before = rule.valid.start - dt.timedelta(days=1)
    except OverflowError:
        return "there is no day before the first day of this rule"
    if any(other.valid.end == day_before for other in replaced):
        return ""
    ends = ", ".join(sorted(str(other.valid.end or "never") for other in replaced))
    return f"rule {rule.replaces} must end on {day_before}, the day before this rule starts; it ends: {ends}"


class _RuleReader:
    """Reads one rule.

    Args:
        faults: Receives what is wrong with it.
        context: What it may name.
        path: Its path in the document.
        model: The rule as written.
    """

    def __init__(self, faults: DocumentFaults, context: RuleContext, path: KeyPath, model: RuleModel) -> None:
        self._faults = faults
        self._context = context
        self._path = path
        self._model = model

    def read(self) -> Rule | None:
        """Return the rule; None if its `when`, its days or its exception cannot be read."""
        model = self._model
        when = self._read_when(model.when, "when")
        valid = self._read_period()
        exception = None if model.exception is None else self._read_exception(model.exception, when)
        self._check_needs()
        condition = model.needs.condition
        if when is None or valid is None or (exception is None) is not (model.exception is None):
            return None
        return Rule(
            id=model.id,
            citation=model.citation,
            paraphrase=model.paraphrase,
            source=model.source,
            verified=model.verified,
            valid=valid,
            when=when,
            effect=model.effect,
            approver=model.needs.approver,
            approvals=model.needs.approvals,
            condition=Condition(model.id, condition.kind, condition.text) if condition else None,
            redact=tuple(sorted(model.needs.redact or ())),
            note=model.note,
            nature=model.nature,
            exception=exception,
            replaces=model.replaces or "",
            role_order=self._find_role_order(),
        )

    def _find_role_order(self) -> int:
        model, approvers = self._model, self._context.approvers or ()
        role = model.needs.approver if model.exception is None else model.exception.approver
        return approvers.index(role) if role in approvers else len(approvers)

    def _add(self, message: str, *path: int | str) -> None:
        self._faults.add(f"{message} (rule {self._model.id})", (*self._path, *path))

    def _read_when(self, when: Any, *path: str) -> Conjunction | None:
        try:
            return read_conjunction(when, self._context.instruments)
        except ConstraintError as error:
            for each in error.list_all():
                self._add(str(each), *path, *each.path)
            return None

    def _read_period(self) -> Period | None:
        try:
            return self._model.valid.to_period()
        except ValueError as error:
            self._add(str(error), "valid")
            return None

    def _read_exception(self, model: ExceptionModel, rule_when: Conjunction | None) -> RuleException | None:
        when = self._read_when(model.when, "exception", "when")
        if self._model.effect is not Effect.DENY:
            self._add(f"effect {self._model.effect} must not have an exception: it lifts a DENY", "exception")
        if when is not None and not when.parts:
            self._add("an exception that always applies lifts the rule for good", "exception", "when")
        tests = [*_iter_tests(rule_when), *_iter_tests(when)]
        for name in sorted({test.fact for test in tests if is_absolute(test.fact)}):
            self._add(f"a rule that tests {name} must not have an exception", "exception")
        self._check_role(model.approver, "exception", "approver")
        return None if when is None else RuleException(when, model.approver, model.approvals)

    def _check_needs(self) -> None:
        model = self._model
        required = _find_required_need(model.effect)
        given = {name for name in _NEEDS if getattr(model.needs, name) is not None}
        if required is not None and required not in given:
            self._add(f"effect {model.effect} needs {required}", "needs")
        if _APPROVALS in model.needs.model_fields_set and required != "approver":
            given.add(_APPROVALS)
        for name in sorted(given - {required}):
            self._add(f"effect {model.effect} must not have {name}", "needs", name)
        if model.needs.approver is not None:
            self._check_role(model.needs.approver, "needs", "approver")
        for index, name in enumerate(model.needs.redact or ()):
            if name not in CONTENT_FIELDS:
                message = f"a notice has no field {name!r}{suggest_nearest(name, CONTENT_FIELDS)}"
                self._add(message, "needs", "redact", index)
            if name in (model.needs.redact or ())[:index]:
                self._add(f"{name} is listed twice; keep one", "needs", "redact", index)

    def _check_role(self, name: str, *path: str) -> None:
        approvers = self._context.approvers
        if approvers is not None and name not in approvers:
            self._add(f"unknown role{suggest_nearest(name, approvers)}; list it under approvers", *path)


def _iter_tests(when: Conjunction | None) -> Iterator[FactTest]:
    if when is not None:
        yield from when.iter_tests()


def _find_required_need(effect: Effect) -> str | None:
    match effect:
        case Effect.APPROVAL:
            return "approver"
        case Effect.CONDITION:
            return "condition"
        case Effect.REDACT:
            return "redact"
        case Effect.DENY | Effect.PERMIT | Effect.OBLIGE | Effect.RECORD:
            return None
        case _:
            assert_never(effect)


def list_role_names(data: Any, common: Mapping[str, str]) -> Sequence[str] | None:
    """Return the roles that a document lists, then those of the common rules; None if they cannot be read."""
    roles = data.get("approvers", {}) if isinstance(data, dict) else None
    return [*roles, *(name for name in common if name not in roles)] if isinstance(roles, dict) else None
