"""Whether rules are cited, checked, dated and proved by cases."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from sharing.law.cases import CaseFile
from sharing.law.lint.fact_space import NEVER_UNKNOWN
from sharing.law.lint.findings import LintCode, LintFinding, LintLocation, LintSeverity, listed
from sharing.law.pack import Rule

_DAY = dt.timedelta(days=1)
_NO_CITATION = re.compile(r"[\W_]*|(?:todo|tbd|tba|n/?a|none|unknown|fixme|xxx?)[\W_]*", re.IGNORECASE)
"""What stands where a citation should, but cites nothing."""

_UNCHECKED_SOURCE = re.compile(r"K\b")
"""General knowledge, checked against no text."""


def find_uncited(rules: Sequence[tuple[int, Rule]], place: LintLocation) -> Iterator[LintFinding]:
    """Yield rules that cite nothing, name no source, or were not checked against a text."""
    for number, rule in rules:
        about = (number, rule.id)
        if _NO_CITATION.fullmatch(rule.citation):
            yield place.find(LintSeverity.ERROR, LintCode.UNCITED, about, "it cites no article", within=("citation",))
        if _NO_CITATION.fullmatch(rule.source):
            sentence = "it does not say where it was read; use K for general knowledge"
            yield place.find(LintSeverity.ERROR, LintCode.UNSOURCED, about, sentence, within=("source",))
        elif rule.verified and _UNCHECKED_SOURCE.match(rule.source):
            sentence = "it says that it was checked, and that its source is general knowledge (K); one of them is wrong"
            yield place.find(LintSeverity.ERROR, LintCode.UNSOURCED, about, sentence, within=("verified",))
        if not rule.verified:
            sentence = f"it was not checked against a published text ({rule.source})"
            yield place.find(LintSeverity.WARNING, LintCode.UNVERIFIED, about, sentence, within=("verified",))


def find_ill_dated(
    rules: Sequence[tuple[int, Rule]], place: LintLocation, consolidated_at: dt.date | None, day: dt.date
) -> Iterator[LintFinding]:
    """Yield rules that have ended with none after them, gaps between versions, and rules later than their pack.

    Args:
        rules: With their numbers.
        place: Where they stand.
        consolidated_at: To which day the pack is said to be the law; None: nothing is said.
        day: The day on which one asks.
    """
    versions: dict[str, list[tuple[int, Rule]]] = defaultdict(list)
    for number, rule in rules:
        versions[rule.id].append((number, rule))
    for rule_id, ones in versions.items():
        ones.sort(key=lambda one: one[1].valid.start)
        for (_, before), (number, after) in pairwise(ones):
            end = before.valid.end
            if end is not None and after.valid.start > end + _DAY:
                sentence = f"between its versions it is not in force, from {end + _DAY} to {after.valid.start - _DAY}"
                yield place.find(LintSeverity.WARNING, LintCode.GAP, (number, rule_id), sentence, within=("valid",))
        number, last = ones[-1]
        if last.valid.end is not None and last.valid.end < day:
            sentence = f"it ended on {last.valid.end}, and no version follows; it serves only to replay old decisions"
            yield place.find(LintSeverity.NOTICE, LintCode.EXPIRED, (number, rule_id), sentence, within=("valid",))
        for number, rule in ones:
            if consolidated_at is not None and rule.valid.start > consolidated_at:
                sentence = f"it begins on {rule.valid.start}, later than the pack is consolidated ({consolidated_at})"
                yield place.find(LintSeverity.WARNING, LintCode.LATER, (number, rule_id), sentence, within=("valid",))


def find_unproved(
    rules: Sequence[tuple[int, Rule]], place: LintLocation, cases: CaseFile | None
) -> Iterator[LintFinding]:
    """Yield rules without cases, and the kinds of cases that rules lack."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for case in cases.cases if cases is not None else ():
        kinds[case.rule].add(case.kind)
    told: set[str] = set()
    for number, rule in rules:
        if rule.id in told:
            continue
        told.add(rule.id)
        lacking = [kind for kind in needed_kinds(rule) if kind not in kinds[rule.id]]
        if not kinds[rule.id]:
            yield place.find(LintSeverity.ERROR, LintCode.NO_CASES, (number, rule.id), "no case proves what it does")
        elif lacking:
            sentence = f"it has no case of this kind: {listed(lacking)}"
            yield place.find(LintSeverity.WARNING, LintCode.CASES_LACKING, (number, rule.id), sentence)


def needed_kinds(rule: Rule) -> list[str]:
    """Return the kinds of cases that a rule needs.

    One that holds always has no outside but its days; one that asks only for what is always known misses nothing.
    """
    needed = ["decides", "outside", "boundary", "missing"]
    if not rule.when.parts:
        needed.remove("outside")
    if not set(rule.when.names()) - NEVER_UNKNOWN:
        needed.remove("missing")
    return needed
