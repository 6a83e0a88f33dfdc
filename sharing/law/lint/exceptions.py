"""Exceptions that never apply, and alternatives in exceptions that add nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sharing.law.lint.alternatives import (
    ALWAYS_FALSE,
    find_lost,
    get_alternative,
    isolate_alternative,
    iter_alternative_paths,
    rate_redundancy,
    replace_alternative,
)
from sharing.law.lint.analysis import PackAnalysis
from sharing.law.lint.findings import LintFinding, LintSeverity, RuleLocator
from sharing.law.lint_codes import LintCode
from sharing.law.pack import Rule
from sharing.law.search.cubes import Cube, cover_where_true, intersect_covers
from sharing.yaml_files.source import KeyPath


def find_useless_exception(analysis: PackAnalysis, locator: RuleLocator, number: int) -> Iterator[LintFinding]:
    """Yield the exception of a rule, or alternatives in it, if they never lift the rule and never ask a person."""
    rule = analysis.pack.rules[number]
    if rule.exception is None:
        return
    without = analysis.compute_cover(replace(rule, exception=None), include_undecided=True)
    if find_lost(analysis, without, analysis.may_hold_in[number]) is None:
        sentence = "its exception can never apply: under no combination of facts does it lift the rule or ask a person"
        yield locator.make_finding(
            LintSeverity.ERROR, LintCode.UNREACHABLE, (number, rule.id), sentence, within=("exception",)
        )
        return
    yield from _find_useless_alternatives(analysis, locator, number)


def _find_useless_alternatives(analysis: PackAnalysis, locator: RuleLocator, number: int) -> Iterator[LintFinding]:
    """Yield alternatives that can be removed from an exception without changing where it lifts the rule or asks."""
    rule = analysis.pack.rules[number]
    if rule.exception is None:
        return
    exception, when = rule.exception, rule.exception.when
    may_hold = analysis.compute_cover(replace(rule, exception=None), include_undecided=True)
    for path in iter_alternative_paths(when):
        alternative = get_alternative(when, path)
        present = replace(rule, exception=replace(exception, when=when))
        without = replace(rule, exception=replace(exception, when=replace_alternative(when, path, ALWAYS_FALSE)))
        changed = _find_lost_by_exception(analysis, without, present)
        isolated = isolate_alternative(when, path)
        can_lift = analysis.keep_possible(intersect_covers(may_hold, cover_where_true(isolated, analysis.space.masks)))
        if changed is not None and can_lift:
            continue
        if changed is not None:
            severity, code = LintSeverity.NOTICE, LintCode.ONLY_UNDECIDED
            reason = f"can never lift the rule; its only effect is to ask {exception.approver} when a fact is unknown"
        elif can_lift:
            severity, code = rate_redundancy(alternative), LintCode.REDUNDANT_ALTERNATIVE
            reason = "adds nothing: whenever it applies, another alternative does"
            when = replace_alternative(when, path, ALWAYS_FALSE)
        else:
            severity, code = LintSeverity.ERROR, LintCode.UNREACHABLE_ALTERNATIVE
            reason = "can never apply"
        sentence = f"in the exception, the alternative ({alternative}) {reason}"
        within: KeyPath = ("exception", "when", *path)
        yield locator.make_finding(severity, code, (number, rule.id), sentence, within=within)


def _find_lost_by_exception(analysis: PackAnalysis, before: Rule, after: Rule) -> Cube | None:
    """Return combinations under which a rule has a different meaning with another exception, or None.

    The second exception may extend the first: it lifts the rule, or asks, where the first does neither; or it lifts the
    rule where the first asks.
    """
    for include_undecided in (False, True):
        covers = (analysis.compute_cover(rule, include_undecided=include_undecided) for rule in (before, after))
        lost = find_lost(analysis, *covers)
        if lost is not None:
            return lost
    asks_before, asks_after = analysis.compute_asking_cover(before), analysis.compute_asking_cover(after)
    lost = find_lost(analysis, asks_before, asks_after)
    return find_lost(analysis, asks_after, asks_before) if lost is None else lost
