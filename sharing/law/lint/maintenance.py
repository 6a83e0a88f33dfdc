"""Maintenance findings: rules without a citation, a check or test cases, or with inconsistent dates."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sharing.law.cases import CaseFile
from sharing.law.fact_groups import NEVER_UNKNOWN
from sharing.law.lint.findings import LintFinding, LintSeverity, RuleLocator, join_names
from sharing.law.lint_codes import LintCode
from sharing.law.pack import Rule

_DAY = dt.timedelta(days=1)
_PLACEHOLDER = re.compile(r"[\W_]*|(?:todo|tbd|tba|n/?a|none|unknown|fixme|xxx?)[\W_]*", re.IGNORECASE)
"""Text used instead of a citation or source that names nothing."""

_GENERAL_KNOWLEDGE = re.compile(r"K\b")
"""The source K: general knowledge, not checked against a text."""


def find_citation_gaps(rules: Sequence[tuple[int, Rule]], locator: RuleLocator) -> Iterator[LintFinding]:
    """Yield rules that cite no article, name no source, or were not checked against a text.

    Args:
        rules: The rules with their numbers.
        locator: Their location in the file.
    """
    for number, rule in rules:
        subject = (number, rule.id)
        if _PLACEHOLDER.fullmatch(rule.citation):
            sentence = "the rule cites no article"
            yield locator.make_finding(LintSeverity.ERROR, LintCode.UNCITED, subject, sentence, within=("citation",))
        if _PLACEHOLDER.fullmatch(rule.source):
            sentence = "the rule names no source; use K for general knowledge"
            yield locator.make_finding(LintSeverity.ERROR, LintCode.UNSOURCED, subject, sentence, within=("source",))
        elif rule.verified and _GENERAL_KNOWLEDGE.match(rule.source):
            sentence = "the rule is marked as verified, but its source is general knowledge (K); correct one of the two"
            yield locator.make_finding(LintSeverity.ERROR, LintCode.UNSOURCED, subject, sentence, within=("verified",))
        if not rule.verified:
            sentence = f"the rule was not checked against a published text ({rule.source})"
            yield locator.make_finding(
                LintSeverity.WARNING, LintCode.UNVERIFIED, subject, sentence, within=("verified",)
            )


def find_date_problems(
    rules: Sequence[tuple[int, Rule]], locator: RuleLocator, consolidated_at: dt.date | None, day: dt.date
) -> Iterator[LintFinding]:
    """Yield expired rules without a successor, gaps between versions, and rules that are later than their pack.

    Args:
        rules: The rules with their numbers.
        locator: Their location in the file.
        consolidated_at: The day up to which the pack states the law; None for the common rules, which name none.
        day: The day on which rules count as expired.
    """
    replaced = {rule.replaces for _, rule in rules}
    versions_by_id: dict[str, list[tuple[int, Rule]]] = defaultdict(list)
    for number, rule in rules:
        versions_by_id[rule.id].append((number, rule))
    for rule_id, versions in versions_by_id.items():
        versions.sort(key=lambda version: version[1].valid.start)
        for (_, earlier), (number, later) in pairwise(versions):
            end = earlier.valid.end
            if end is not None and later.valid.start > end + _DAY:
                sentence = f"no version of the rule is in force from {end + _DAY} to {later.valid.start - _DAY}"
                yield locator.make_finding(
                    LintSeverity.WARNING, LintCode.GAP, (number, rule_id), sentence, within=("valid",)
                )
        number, last = versions[-1]
        if last.valid.end is not None and last.valid.end < day and rule_id not in replaced:
            sentence = (
                f"the rule ended on {last.valid.end}, and no later version or rule replaces it; it only serves to "
                "replay old decisions"
            )
            yield locator.make_finding(
                LintSeverity.NOTICE, LintCode.EXPIRED, (number, rule_id), sentence, within=("valid",)
            )
        for number, rule in versions:
            if consolidated_at is not None and rule.valid.start > consolidated_at:
                sentence = (
                    f"the rule begins on {rule.valid.start}, after the consolidation date of the pack "
                    f"({consolidated_at})"
                )
                yield locator.make_finding(
                    LintSeverity.WARNING, LintCode.LATER_THAN_PACK, (number, rule_id), sentence, within=("valid",)
                )


def find_missing_cases(
    rules: Sequence[tuple[int, Rule]], locator: RuleLocator, cases: CaseFile | None
) -> Iterator[LintFinding]:
    """Yield rules without test cases, and rules that lack some kinds of cases.

    Args:
        rules: The rules with their numbers.
        locator: Their location in the file.
        cases: The cases of the pack, if it has any.
    """
    kinds: dict[str, set[str]] = defaultdict(set)
    for case in cases.cases if cases is not None else ():
        kinds[case.rule].add(case.kind)
    reported: set[str] = set()
    for number, rule in rules:
        if rule.id in reported:
            continue
        reported.add(rule.id)
        missing = [kind for kind in required_case_kinds(rule) if kind not in kinds[rule.id]]
        if not kinds[rule.id]:
            yield locator.make_finding(
                LintSeverity.ERROR, LintCode.NO_CASES, (number, rule.id), "no case tests this rule"
            )
        elif missing:
            sentence = f"the rule has no case of kind {join_names(missing, 'or')}"
            yield locator.make_finding(LintSeverity.WARNING, LintCode.CASES_MISSING, (number, rule.id), sentence)


def required_case_kinds(rule: Rule) -> list[str]:
    """Return the kinds of cases that a rule needs.

    A rule without tests has no case outside it except before its first day. A rule that tests only facts that are
    always known needs no case in which a fact is missing.
    """
    required = ["decides", "outside", "boundary", "missing"]
    if not rule.when.parts:
        required.remove("outside")
    if not rule.list_fact_names() - NEVER_UNKNOWN:
        required.remove("missing")
    return required
