"""Static analysis of a law pack: dead, redundant, contradictory and badly maintained rules.

The rules of a pack are three-valued Boolean functions of finitely many facts, so each question is decided exactly, for
all combinations of facts, not by sampling. The analysis works as follows.

1. **Decision space** (`decision_space`, `recipient_timeline`). Facts that depend on each other form one dimension:
   origin and collection; the two parts of a grading; the recipient State with the day, its treaties, memberships and
   assessments, and dual criminality. Every other fact is a dimension of its own. The points of a dimension are the
   combinations of values that can occur and that at least one rule can tell apart: closed lists, numbers at the bounds
   that rules name, sets by the elements that rules distinguish, real States on real days.
2. **Cubes** (`cubes`). A cube restricts each dimension to a set of its points; a cover is a list of cubes.
   Intersection, difference and containment of covers need no enumeration of combinations.
3. **Analysis** (`analysis`). For each rule it computes covers, on the days on which the rule is in force: where the
   rule holds, where it is undecided because a fact is unknown, and where its exception asks a person. Where its
   exception lifts it or asks, the rule itself neither holds nor is undecided.
4. **Checks**. Each check is a containment question on covers. A dead rule (`unreachable`) has an empty cover. A rule is
   redundant (`redundant`) when its cover is contained in those of other rules that have the same effect or prevent
   sharing. Rules contradict each other (`conflicts`) when their covers overlap where something is shared. The remaining
   combinations are counterexamples, and can occur. Citations, dates and cases (`maintenance`) need no search.
5. **Mistakes of direction** (`direction`). A missing `not` and a weakened prohibition leave the pack consistent. In a
   single version they show in tests of facts whose bad answer is known, in harms that are only recorded, and in words.
6. **Acceptances** (`acceptances`). The pack says which findings it accepts, and why.

The search is complete: every counterexample can occur, and if nothing is found, no combination has the problem.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product

from sharing.law.cases import CaseFile
from sharing.law.facts import ASSESSED_FACTS
from sharing.law.lint.acceptances import apply_acceptances
from sharing.law.lint.analysis import analyse_pack
from sharing.law.lint.conflicts import find_conflicts
from sharing.law.lint.decision_space import Counterexample
from sharing.law.lint.direction import find_mistakes_of_direction
from sharing.law.lint.findings import LintFinding, LintSeverity, RuleLocator, describe_counterexample
from sharing.law.lint.maintenance import find_citation_gaps, find_date_problems, find_missing_cases
from sharing.law.lint.preference import find_permissions_cut_off
from sharing.law.lint.reachability import find_facts_never_known, find_unreachable, find_values_that_never_occur
from sharing.law.lint.redundancy import find_redundant_rules
from sharing.law.lint_codes import LintCode
from sharing.law.pack import Assessment, Pack
from sharing.law.treaties import TreatyTable
from sharing.model.countries import COUNTRIES
from sharing.yaml_files.source import YamlDocument

__all__ = [
    "Counterexample",
    "LintCode",
    "LintFinding",
    "LintSeverity",
    "LintSubject",
    "describe_counterexample",
    "lint_common_rules",
    "lint_pack",
]


@dataclass(frozen=True, slots=True)
class LintSubject:
    """The rules to check.

    Attributes:
        pack: The pack; the common rules come first in it.
        document: The file of the rules to check.
        cases: The cases of that file.
        common_count: Number of common rules.
    """

    pack: Pack
    document: YamlDocument
    cases: CaseFile | None
    common_count: int


def lint_pack(subject: LintSubject, treaties: TreatyTable, day: dt.date) -> list[LintFinding]:
    """Return the findings about a pack's own rules, by severity and line.

    The common rules apply together with them. They are reported only if this pack leaves their facts unknown.

    Args:
        subject: The pack.
        treaties: The treaty table.
        day: The day on which rules count as expired. Nothing else depends on it.
    """
    pack, locator = subject.pack, RuleLocator(subject.document, subject.common_count)
    own_rules = list(enumerate(pack.rules))[subject.common_count :]
    findings = [
        *find_citation_gaps(own_rules, locator),
        *find_date_problems(own_rules, locator, pack.consolidated_at, day),
        *find_missing_cases(own_rules, locator, subject.cases),
        *_search_under_every_provider(subject, treaties, locator, day),
    ]
    return _sort_findings(apply_acceptances(findings, subject.document))


def lint_common_rules(subject: LintSubject, treaties: TreatyTable, day: dt.date) -> list[LintFinding]:
    """Return the findings about the common rules on their own, by severity and line.

    Args:
        subject: Any pack, for its State, with the file and the cases of the common rules.
        treaties: The treaty table.
        day: The day on which rules count as expired.
    """
    rules = subject.pack.rules[: subject.common_count]
    locator = RuleLocator(subject.document, 0)
    numbered = list(enumerate(rules))
    alone = replace(_adopt_for_every_provider(subject.pack, treaties)[0], rules=rules)
    assessed = replace(alone, assessments=_make_assessments(alone, treaties))
    searched = _search(replace(subject, pack=assessed, common_count=0), treaties, locator, day)
    findings = [
        *find_citation_gaps(numbered, locator),
        *find_date_problems(numbered, locator, None, day),
        *find_missing_cases(numbered, locator, subject.cases),
        # The common rules permit nothing, so each of their restrictions would be idle. Packs hold the permissions.
        *(finding for finding in searched if finding.code is not LintCode.IDLE),
    ]
    return _sort_findings(apply_acceptances(findings, subject.document))


def _make_assessments(pack: Pack, treaties: TreatyTable) -> tuple[Assessment, ...]:
    """Return invented assessments: one State for each combination of answers to the assessed facts of the rules."""
    tested = {name.removeprefix("recipient.") for rule in pack.rules for name in rule.list_fact_names()}
    names = sorted(tested & ASSESSED_FACTS)
    states = [state for state in sorted(COUNTRIES - {pack.state}) if treaties.covers(state)]
    combinations = product(("YES", "NO", None), repeat=len(names))
    return tuple(
        Assessment(
            states=frozenset({state}),
            date=dt.date.min,
            source="",
            facts={name: answer for name, answer in zip(names, answers, strict=True) if answer is not None},
            dual_criminality={},
        )
        for state, answers in zip(states, combinations, strict=False)
    )


def _search_under_every_provider(
    subject: LintSubject, treaties: TreatyTable, locator: RuleLocator, day: dt.date
) -> list[LintFinding]:
    """Return what the search finds. For a template this combines the results under each member State that can adopt it.

    A finding that something can occur needs one member State; a finding that something never occurs must hold for all
    of them.
    """
    findings: list[LintFinding] | None = None
    for pack in _adopt_for_every_provider(subject.pack, treaties):
        repeated = list(_search(replace(subject, pack=pack), treaties, locator, day))
        findings = repeated if findings is None else _keep_confirmed(findings, repeated)
        if not any(_must_hold_for_all(finding) for finding in findings):
            break
    return findings or []


def _adopt_for_every_provider(pack: Pack, treaties: TreatyTable) -> list[Pack]:
    """Return the pack itself, or a template as adopted by each State that can adopt it."""
    if not pack.is_template:
        return [pack]
    members = sorted(treaties.memberships[pack.code])
    return [
        pack.adopt_for(state, treaties)
        for state in members
        if treaties.is_member(pack.code, state, pack.consolidated_at)
    ]


def _keep_confirmed(findings: Iterable[LintFinding], repeated: Iterable[LintFinding]) -> list[LintFinding]:
    """Return the findings, except those that must hold for all providers but were not found for each."""
    confirmed = {_identify(finding) for finding in repeated}
    return [finding for finding in findings if not _must_hold_for_all(finding) or _identify(finding) in confirmed]


def _identify(finding: LintFinding) -> tuple[object, ...]:
    return (finding.code, finding.severity, finding.line, finding.rule)


def _must_hold_for_all(finding: LintFinding) -> bool:
    return finding.code in _IMPOSSIBILITIES and finding.severity is not LintSeverity.NOTICE


_IMPOSSIBILITIES = frozenset(
    {
        LintCode.UNREACHABLE,
        LintCode.UNREACHABLE_ALTERNATIVE,
        LintCode.REDUNDANT_ALTERNATIVE,
        LintCode.NEVER_KNOWN,
        LintCode.NEVER_OCCURS,
        LintCode.REDUNDANT,
        LintCode.UNFULFILLABLE,
        LintCode.APPROVALS_UNUSED,
    }
)
"""Codes of findings that something can never occur."""


def _search(subject: LintSubject, treaties: TreatyTable, locator: RuleLocator, day: dt.date) -> Iterator[LintFinding]:
    """Yield the findings of all checks that search the decision space."""
    analysis = analyse_pack(subject.pack, treaties, subject.common_count)
    yield from find_unreachable(analysis, locator)
    yield from find_facts_never_known(analysis, locator, day)
    yield from find_values_that_never_occur(analysis, locator)
    yield from find_permissions_cut_off(analysis, locator)
    yield from find_mistakes_of_direction(analysis, locator)
    yield from find_redundant_rules(analysis, locator)
    yield from find_conflicts(analysis, locator)


def _sort_findings(findings: Iterable[LintFinding]) -> list[LintFinding]:
    severities = list(LintSeverity)
    return sorted(
        findings, key=lambda finding: (severities.index(finding.severity), finding.line, finding.code, finding.sentence)
    )
