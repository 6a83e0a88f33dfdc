"""Runs the cases of a pack under every mutant of its rules, and counts the mutants that no case notices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sharing.errors import PackError
from sharing.law.cases import CaseFile
from sharing.law.cases.runs import CaseRun, require_passing, run_cases_in_detail
from sharing.law.combination import RuleResult
from sharing.law.mutation.equivalents import EquivalentMutants, MutantName
from sharing.law.mutation.mutants import Mutant, make_mutants
from sharing.law.pack import Pack, Rule
from sharing.law.rulebook import evaluate_rule
from sharing.law.treaties import TreatyTable
from sharing.model.recipient_terms import EVALUATION_FAILED

MINIMUM_KILLED_PERCENT = 95.0
"""Required for each pack, no matter how many survivors are explained."""


@dataclass(slots=True)
class PackScore:
    """The result of mutation testing for one pack.

    Attributes:
        name: Code of the pack.
        rules: Names of the rules that were mutated. Common rules count for the pack with which their cases run.
        mutants: Number of mutants.
        survived: Mutants that no case kills.
        equivalent: Listed equivalent mutants of these rules, with the reason.
    """

    name: str
    rules: frozenset[str] = frozenset()
    mutants: int = 0
    survived: list[MutantName] = field(default_factory=list)
    equivalent: dict[MutantName, str] = field(default_factory=dict)

    @property
    def percent(self) -> float:
        """Percentage of killed mutants."""
        return 100 * (self.mutants - len(self.survived)) / max(self.mutants, 1)

    @property
    def unexplained(self) -> list[MutantName]:
        """Survivors that are not listed as equivalent."""
        return [name for name in self.survived if name not in self.equivalent]

    @property
    def stale(self) -> list[MutantName]:
        """Listed mutants that are killed or do not exist."""
        return sorted(set(self.equivalent) - set(self.survived))

    @property
    def is_passed(self) -> bool:
        """Whether enough mutants are killed and the list of equivalent mutants is correct."""
        return self.percent >= MINIMUM_KILLED_PERCENT and not self.unexplained and not self.stale


def score_rules(
    pack: Pack, treaties: TreatyTable, files: Sequence[CaseFile], equivalents: EquivalentMutants
) -> PackScore:
    """Run every mutant of a pack's own rules, and of the common rules if the files contain cases for them.

    Raises:
        PackError: A case cannot be run, or fails although nothing is changed.
    """
    if not files:
        raise PackError("has no cases", source=pack.source or pack.code)
    adopted = pack
    runs: list[CaseRun] = []
    for file in files:
        adopted, own_runs = run_cases_in_detail(file, pack, treaties)
        require_passing(own_runs)
        runs += own_runs
    common = {rule.id for rule in adopted.rules if rule.is_common}
    with_common = any(run.case.rule in common for run in runs)
    rules = [rule for rule in adopted.rules if with_common or not rule.is_common]
    names = {name_rule(rule, rules) for rule in rules}
    score = PackScore(pack.code, frozenset(names), equivalent=equivalents.select(names))
    for rule in rules:
        own_cases_first = sorted(runs, key=lambda run: run.case.rule != rule.id)
        for mutant in make_mutants(rule, adopted, treaties):
            score.mutants += 1
            if not is_refused(mutant, adopted) and not any(is_killed(mutant, run) for run in own_cases_first):
                score.survived.append((name_rule(rule, rules), mutant.change))
    return score


def name_rule(rule: Rule, rules: Collection[Rule]) -> str:
    """Return the id of a rule, with its first day if it has several versions."""
    versions = sum(other.id == rule.id for other in rules)
    return rule.id if versions == 1 else f"{rule.id} from {rule.valid.start}"


def is_refused(mutant: Mutant, pack: Pack) -> bool:
    """Return whether the pack reader would refuse the mutated pack, because two versions of a rule overlap."""
    return mutant.rule is not None and any(
        other is not mutant.original and other.id == mutant.rule.id and other.valid.overlaps(mutant.rule.valid)
        for other in pack.rules
    )


def is_killed(mutant: Mutant, run: CaseRun) -> bool:
    """Return whether a case fails under a mutant."""
    original = run.results.get(mutant.original.id)
    if original is not None and original.rule is not mutant.original:
        original = None  # this is another version of the rule, with other dates
    mutated = _evaluate(mutant.rule, run)
    if original is mutated or (
        original and mutated and _list_relevant_fields(original) == _list_relevant_fields(mutated)
    ):
        return False
    results = [result for result in run.results.values() if result is not original]
    return run.fails_with([*results, mutated] if mutated is not None else results)


def _evaluate(rule: Rule | None, run: CaseRun) -> RuleResult | None:
    if rule is None or not rule.valid.contains(run.law.day):
        return None
    try:
        return evaluate_rule(rule, run.facts)
    except TypeError:
        return RuleResult(rule, None, (EVALUATION_FAILED,))


def _list_relevant_fields(result: RuleResult) -> tuple[Any, ...]:
    """Return the parts of a rule's result that can influence a decision."""
    rule = result.rule
    return (
        result.held, result.lifted, result.missing, rule.effect, result.approver, result.approvals, rule.condition,
        rule.redact,
    )  # fmt: skip
