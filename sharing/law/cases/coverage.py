"""Decision coverage of a pack by its cases: which branches of each rule some case exercises.

The branches of a rule:

- its `when` is true, false, and undecided;
- each test in it is true, and is false; each alternative of an `any_of` is true;
- its exception is true, false, and undecided, where the rule holds or is undecided; and so is each test in it;
- it is decisive: without the rule the decision on some case would differ, in its outcome or in its terms.

Branches that cannot exist are not counted: a `when` without tests is never false, a test that lists every value is
never false, a fact that is always known leaves nothing undecided, and a RECORD decides nothing. Whether the parts of a
rule can be true together is what lint examines.

A branch that was exercised is not yet tested: a case may reach it and expect nothing that depends on it. Mutation
(`sharing.law.mutation`) shows that; coverage shows earlier where cases are missing altogether.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sharing.law.cases.runs import CaseRun
from sharing.law.combination import RuleResult
from sharing.law.constraints import AnyOf, Conjunction, FactTest, Operator
from sharing.law.fact_groups import NEVER_UNKNOWN
from sharing.law.fact_values import Facts
from sharing.law.facts import FACTS, FactKind
from sharing.law.pack import Rule
from sharing.model.decision import RecipientDecision
from sharing.model.vocabulary import Effect


class BranchKind(StrEnum):
    """What a branch is a value of. `docs/law.md` explains each."""

    RULE = "rule"
    TEST = "test"
    ALTERNATIVE = "alternative"
    EXCEPTION = "exception"
    DECISIVE = "decisive"


_ANSWERS = {True: "true", False: "false", None: "undecided"}
_EXCEPTION_ANSWERS = {True: "YES", False: "NO", None: "UNKNOWN"}


class Branch(NamedTuple):
    """A branch of a rule.

    Attributes:
        kind: What it is a value of.
        subject: The test or the alternative in words; empty if the kind says it.
        value: The value that it represents.
    """

    kind: BranchKind
    subject: str
    value: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.kind, self.subject, self.value) if part)


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """The branches of one rule, of one of its versions if it has several.

    Attributes:
        covered: Branches that some case exercises.
        missing: The others.
    """

    rule: Rule
    covered: tuple[Branch, ...]
    missing: tuple[Branch, ...]


def measure_coverage(rules: Iterable[Rule], runs: Sequence[CaseRun]) -> list[RuleCoverage]:
    """Return which branches of some rules the cases exercise.

    Args:
        rules: The rules, of the pack that the cases ran with.
        runs: The cases.
    """
    measured = []
    for rule in rules:
        in_force = [run for run in runs if rule.valid.contains(run.law.day)]
        exercised = {branch for run in in_force for branch in _iter_exercised(rule, run)}
        branches = tuple(dict.fromkeys(_list_branches(rule)))
        measured.append(
            RuleCoverage(
                rule,
                tuple(branch for branch in branches if branch in exercised),
                tuple(branch for branch in branches if branch not in exercised),
            )
        )
    return measured


def compute_percentage(coverage: Iterable[RuleCoverage]) -> float:
    """Return the percentage of branches that the cases exercise; 100 if there are none."""
    counts = [(len(entry.covered), len(entry.missing)) for entry in coverage]
    covered, missing = sum(count for count, _ in counts), sum(count for _, count in counts)
    return 100.0 * covered / (covered + missing) if covered + missing else 100.0


def _list_branches(rule: Rule) -> Iterator[Branch]:
    """Yield every branch of a rule that can exist."""
    for answer in _list_answers(rule.when):
        yield Branch(BranchKind.RULE, "", _ANSWERS[answer])
    yield from _list_parts(rule.when, "")
    if rule.exception is not None:
        for answer in _list_answers(rule.exception.when):
            yield Branch(BranchKind.EXCEPTION, "", _EXCEPTION_ANSWERS[answer])
        yield from _list_parts(rule.exception.when, "in the exception: ")
    if rule.effect is not Effect.RECORD:
        yield Branch(BranchKind.DECISIVE, "", "")


def _list_answers(when: Conjunction) -> list[bool | None]:
    answers: list[bool | None] = []
    required = [part for part in when.parts if isinstance(part, FactTest)]
    if all(_can_answer(test, answer=True) for test in required):
        answers.append(True)
    if any(_can_answer(test, answer=False) for test in required) or len(required) < len(when.parts):
        answers.append(False)
    if when.list_fact_names() - NEVER_UNKNOWN:
        answers.append(None)
    return answers


def _list_parts(when: Conjunction, prefix: str) -> Iterator[Branch]:
    for test in when.iter_tests():
        for answer in (True, False):
            if _can_answer(test, answer=answer):
                yield Branch(BranchKind.TEST, f"{prefix}{test}", _ANSWERS[answer])
    for alternative in _iter_alternatives(when):
        yield Branch(BranchKind.ALTERNATIVE, f"{prefix}({alternative})", _ANSWERS[True])


def _can_answer(test: FactTest, *, answer: bool) -> bool:
    """Return whether some known value of the fact gives this answer."""
    fact = FACTS[test.fact]
    if not isinstance(test.operand, frozenset) or test.operator is not Operator.ANY_OF or not fact.values:
        return True
    if fact.kind is FactKind.SET and fact.name != "offence.codes":  # others may be empty
        return True
    return not test.operand >= fact.values or answer is not test.negated


def _iter_alternatives(when: Conjunction) -> Iterator[Conjunction]:
    """Yield the alternatives of each `any_of`, at any depth."""
    for part in when.parts:
        if isinstance(part, AnyOf):
            for alternative in part.alternatives:
                yield alternative
                yield from _iter_alternatives(alternative)


def _iter_exercised(rule: Rule, run: CaseRun) -> Iterator[Branch]:
    """Yield the branches that a case exercises. An evaluation that fails counts as undecided."""
    held = _evaluate(rule.when, run.facts)
    yield Branch(BranchKind.RULE, "", _ANSWERS[held])
    yield from _iter_exercised_parts(rule.when, run.facts, "")
    if held is False:
        return
    if rule.exception is not None:
        yield Branch(BranchKind.EXCEPTION, "", _EXCEPTION_ANSWERS[_evaluate(rule.exception.when, run.facts)])
        yield from _iter_exercised_parts(rule.exception.when, run.facts, "in the exception: ")
    if _is_decisive(rule, run):
        yield Branch(BranchKind.DECISIVE, "", "")


def _iter_exercised_parts(when: Conjunction, facts: Facts, prefix: str) -> Iterator[Branch]:
    for test in when.iter_tests():
        yield Branch(BranchKind.TEST, f"{prefix}{test}", _ANSWERS[_evaluate(test, facts)])
    for alternative in _iter_alternatives(when):
        yield Branch(BranchKind.ALTERNATIVE, f"{prefix}({alternative})", _ANSWERS[_evaluate(alternative, facts)])


def _evaluate(constraint: Conjunction | FactTest, facts: Facts) -> bool | None:
    try:
        return constraint.evaluate(facts)
    except TypeError:
        return None


def _is_decisive(rule: Rule, run: CaseRun) -> bool:
    """Return whether the decision on a case would differ without a rule."""
    result = run.results.get(rule.id)
    if result is None or result.rule is not rule:
        return False
    others = [other for other in run.results.values() if other is not result]
    return _list_terms(run, run.results.values()) != _list_terms(run, others)


def _list_terms(run: CaseRun, results: Iterable[RuleResult]) -> tuple[Any, ...]:
    """Return what a decision means for the recipient; which rules it names does not count."""
    decision: RecipientDecision = run.decide(results)
    return (
        decision.outcome, decision.approver, decision.approvals, decision.is_obligatory, decision.redacted,
        [(condition.kind, condition.text) for condition in decision.conditions],
    )  # fmt: skip
