"""Mutation testing of the law packs: each rule is changed in one place, and a case must fail.

    python -m tests.law.mutation [STATE…] [--json FILE]

A mutant is killed when a case of its pack fails, or when the pack reader would refuse the mutated pack. A survivor is
either listed in `equivalent_mutants.yaml`, with the reason why no case can distinguish it from the original rule, or a
case is missing. The exit code is 1 if fewer than 95 % of the mutants of a pack are killed, a survivor is not listed, or
a listed mutant is killed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import yaml

from sharing.law import cases as cases_module
from sharing.law.cases import Case, CaseFile, decide_for_recipient, run_cases
from sharing.law.combine import RuleResult, combine_results
from sharing.law.expectation import compare_decision
from sharing.law.facts import FACTS, FactValue
from sharing.law.filter import DisclosureFilter
from sharing.law.pack import Pack, Rule
from sharing.law.rulebook import evaluate_rule
from sharing.model.decision import RecipientDecision
from sharing.packs.library import Law, find_law_by_code, list_shipped_pack_codes
from tests.law.mutants import Mutant, make_mutants
from tests.law.shipped import load_case_files

MINIMUM_KILLED_PERCENT = 95.0
"""Required for each pack."""

COMMON_PREFIX = "common."
EQUIVALENT_MUTANTS = Path(__file__).with_name("equivalent_mutants.yaml")
MutantName = tuple[str, str]
"""Name of a rule, and the change."""


# --- Case runs ---


class CaseRun(NamedTuple):
    """A case that was run with the unchanged pack, and what is needed to run it again with a mutant.

    Attributes:
        law: The disclosure filter of its day.
        facts: Every fact of its item and recipient, whether a rule tests it or not.
        results: Results of the unchanged rules, by rule id.
        combine_arguments: The arguments of `combine_results` without the results: recipient, basis and relevance.
    """

    case: Case
    law: DisclosureFilter
    facts: dict[str, Any]
    results: dict[str, RuleResult]
    combine_arguments: tuple[Any, ...]

    def kills(self, mutant: Mutant) -> bool:
        """Return whether the case fails under a mutant."""
        original = self.results.get(mutant.original.id)
        if original is not None and original.rule is not mutant.original:
            original = None  # this is another version of the rule, with other dates
        mutated = self._evaluate(mutant.rule)
        if original is mutated or (original and mutated and _relevant_fields(original) == _relevant_fields(mutated)):
            return False
        results = [result for result in self.results.values() if result is not original]
        results += [mutated] if mutated is not None else []
        state, *arguments = self.combine_arguments
        decision = combine_results(state, sorted(results, key=lambda result: result.rule.id), *arguments)
        return next(compare_decision(self.case.expect, decision), None) is not None

    def _evaluate(self, rule: Rule | None) -> RuleResult | None:
        if rule is None or not rule.valid.contains(self.law.day):
            return None
        return evaluate_rule(rule, self.facts)


def _relevant_fields(result: RuleResult) -> tuple[Any, ...]:
    """Return the parts of a rule's result that can influence a decision."""
    rule = result.rule
    return result.held, result.lifted, result.missing, rule.effect, result.approver, rule.condition, rule.redact


def run_unchanged(law: Law, file: CaseFile) -> tuple[Pack, list[CaseRun]]:
    """Run the cases with the unchanged pack and capture the intermediate results.

    Returns:
        The pack that the cases ran with (a template is adopted by a State), and the case runs.

    Raises:
        AssertionError: A case fails although nothing is changed.
    """
    captured: dict[str, Any] = {}

    class CapturingFilter(DisclosureFilter):
        def evaluate_rules(self, item: Any, recipient: Any) -> list[RuleResult]:
            captured["law"], captured["recipient"] = self, recipient
            return DisclosureFilter.evaluate_rules(self, item, recipient)

    def capture_results(state: str, results: list[RuleResult], *rest: Any) -> RecipientDecision:
        captured["results"], captured["combine_arguments"] = results, (state, *rest)
        return combine_results(state, results, *rest)

    def capture_record(*arguments: Any) -> RecipientDecision:
        captured["record"], captured["now_ms"] = arguments[2], arguments[5]
        return decide_for_recipient(*arguments)

    runs = []
    with patch.multiple(
        cases_module,
        DisclosureFilter=CapturingFilter,
        combine_results=capture_results,
        decide_for_recipient=capture_record,
    ):
        for result in run_cases(file, law.pack, law.treaties):
            assert not result.differences, f"{file.document.source}:{result.line}: {result.case.name} fails unchanged"
            facts = {**_read_item_facts(captured["record"], captured["now_ms"]), **captured["recipient"]}
            results = {rule_result.rule.id: rule_result for rule_result in captured["results"]}
            runs.append(CaseRun(result.case, captured["law"], facts, results, captured["combine_arguments"]))
    return runs[0].law.pack, runs


def _read_item_facts(record: dict[str, Any], now_ms: int) -> dict[str, FactValue]:
    reads = [(fact, fact.read_raw) for fact in FACTS.values() if fact.read_raw is not None]
    return {fact.name: fact.interpret_raw(read(record, now_ms)) for fact, read in reads}


# --- The cases of one pack ---


@dataclass
class PackScore:
    """The result of mutation testing for one pack.

    Attributes:
        name: Code of the pack. The common rules count for the pack with which their cases run.
        mutants: Number of mutants.
        survived: Mutants that no case kills.
        equivalent: Listed equivalent mutants, with the reason.
    """

    name: str
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


def score_pack(name: str) -> PackScore:
    """Run every mutant of a shipped pack against its cases."""
    law = find_law_by_code(name)
    return score_rules(name, law, list(load_case_files(name).values()))


def score_rules(name: str, law: Law, files: list[CaseFile]) -> PackScore:
    """Run every mutant of a pack's own rules, and of the common rules if the files contain cases for them."""
    runs_by_file = [run_unchanged(law, file) for file in files]
    pack, runs = runs_by_file[0][0], [run for _, runs in runs_by_file for run in runs]
    with_common = any(run.case.rule.startswith(COMMON_PREFIX) for run in runs)
    rules = [rule for rule in pack.rules if with_common or not rule.id.startswith(COMMON_PREFIX)]
    score = PackScore(name, equivalent=equivalent_mutants_for({name_rule(rule, rules) for rule in rules}))
    for rule in rules:
        own_cases_first = sorted(runs, key=lambda run: run.case.rule != rule.id)
        for mutant in make_mutants(rule, pack, law.treaties):
            score.mutants += 1
            if not is_refused(mutant, pack) and not any(run.kills(mutant) for run in own_cases_first):
                score.survived.append((name_rule(rule, rules), mutant.change))
    return score


def name_rule(rule: Rule, rules: list[Rule]) -> str:
    """Return the id of a rule, with its first day if it has several versions."""
    versions = sum(other.id == rule.id for other in rules)
    return rule.id if versions == 1 else f"{rule.id} from {rule.valid.start}"


def is_refused(mutant: Mutant, pack: Pack) -> bool:
    """Return whether the pack reader would refuse the mutated pack, because two versions of a rule overlap."""
    return mutant.rule is not None and any(
        other is not mutant.original and other.id == mutant.rule.id and other.valid.overlaps(mutant.rule.valid)
        for other in pack.rules
    )


@cache
def equivalent_mutants() -> dict[MutantName, str]:
    """Return the listed equivalent mutants, with the reason."""
    entries = yaml.safe_load(EQUIVALENT_MUTANTS.read_text(encoding="utf-8"))["equivalent"]
    assert all(entry.keys() == {"rule", "changes", "reason"} for entry in entries), (
        "each entry needs exactly: rule, changes, reason"
    )
    return {(entry["rule"], change): entry["reason"] for entry in entries for change in entry["changes"]}


def equivalent_mutants_for(rules: set[str]) -> dict[MutantName, str]:
    """Return the listed equivalent mutants of some rules."""
    return {name: reason for name, reason in equivalent_mutants().items() if name[0] in rules}


# --- Report ---


def format_report(scores: list[PackScore]) -> Iterator[str]:
    """Yield the lines of the report: the table, the survivors, and what is wrong."""
    yield f"{'pack':8}{'mutants':>9}{'killed':>9}{'%':>8}{'survivors':>11}  explained"
    for score in scores:
        survivors = len(score.survived)
        yield (
            f"{score.name:8}{score.mutants:9}{score.mutants - survivors:9}{score.percent:8.1f}{survivors:11}"
            f"  {survivors - len(score.unexplained)}"
        )
    for score in scores:
        for rule, change in score.survived:
            yield f"{score.name}: {rule}: {change}: {score.equivalent.get((rule, change), 'NO CASE FAILS')}"
        for rule, change in score.stale:
            yield f"{score.name}: {rule}: {change}: LISTED AS EQUIVALENT, but killed or not a mutant: remove it"
        if score.percent < MINIMUM_KILLED_PERCENT:
            yield f"{score.name}: FEWER THAN {MINIMUM_KILLED_PERCENT:g} % ARE KILLED"


def to_document(scores: list[PackScore]) -> list[dict[str, Any]]:
    """Return the report as a JSON document."""
    return [
        {
            "pack": score.name,
            "mutants": score.mutants,
            "killed": score.mutants - len(score.survived),
            "percent": round(score.percent, 1),
            "survivors": [
                {"rule": rule, "change": change, "reason": score.equivalent.get((rule, change))}
                for rule, change in score.survived
            ],
            "stale": [{"rule": rule, "change": change} for rule, change in score.stale],
        }
        for score in scores
    ]


def main(arguments: list[str] | None = None) -> int:
    """Score the named packs, or all; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.law.mutation", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "states", nargs="*", metavar="STATE", help=f"one of {', '.join(list_shipped_pack_codes())}; all by default"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the report to a file")
    options = parser.parse_args(arguments)
    wanted = [name.upper() for name in options.states] or list(list_shipped_pack_codes())
    if unknown := sorted(set(wanted) - set(list_shipped_pack_codes())):
        parser.error(f"no pack for {', '.join(unknown)}")
    scores = [score_pack(name) for name in wanted]
    for line in format_report(scores):
        print(line)
    if options.json is not None:
        options.json.write_text(json.dumps(to_document(scores), indent=2) + "\n", encoding="utf-8")
    return 0 if all(score.is_passed for score in scores) else 1


if __name__ == "__main__":
    sys.exit(main())
