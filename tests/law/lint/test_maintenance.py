"""Citations, checks, dates and cases of rules: what is missing or out of date."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sharing.law.lint import LintCode, LintSeverity
from tests.law.lint.lint_packs import PERMIT, cases_for, lint, lint_single, rule, summarise


@pytest.mark.parametrize(
    ("changes", "severity", "code", "sentence", "line"),
    [
        ({"citation": "-"}, "error", "uncited", "the rule cites no article", "citation"),
        ({"citation": "TODO"}, "error", "uncited", "the rule cites no article", "citation"),
        (
            {"source": "?"}, "error", "unsourced",
            "the rule names no source; use K for general knowledge", "source",
        ),
        (
            {"source": "K", "verified": True}, "error", "unsourced",
            "the rule is marked as verified, but its source is general knowledge (K); correct one of the two",
            "verified",
        ),
        (
            {"verified": False}, "warning", "unverified",
            "the rule was not checked against a published text (S1)", "verified",
        ),
        (
            {"valid": {"from": dt.date(2020, 1, 1), "to": dt.date(2025, 12, 31)}}, "notice", "expired",
            (
                "the rule ended on 2025-12-31, and no later version or rule replaces it; it only serves to replay old "
                "decisions"
            ),
            "valid",
        ),
        (
            {"valid": {"from": dt.date(2026, 7, 1)}}, "warning", "later-than-pack",
            "the rule begins on 2026-07-01, after the consolidation date of the pack (2026-01-01)", "valid",
        ),
    ],
)  # fmt: skip
def test_maintenance_findings(changes: dict[str, Any], severity: str, code: str, sentence: str, line: str) -> None:
    findings, text = lint(PERMIT, rule("ch.deny", "DENY", {"form": "EVIDENCE", "tlp": "RED"}, **changes))
    (finding,) = findings
    assert (summarise(finding), finding.sentence) == ((severity, code, "ch.deny"), sentence)
    assert text.splitlines()[finding.line - 1].strip().startswith(f"{line}:")


def test_a_rule_with_a_successor_under_another_id_is_not_reported_as_expired() -> None:
    old = rule("ch.old", "DENY", {"form": "EVIDENCE"}, valid={"from": dt.date(2020, 1, 1), "to": dt.date(2025, 12, 31)})
    new = rule("ch.new", "DENY", {"form": "EVIDENCE"}, valid={"from": dt.date(2026, 1, 1)})
    assert [summarise(finding) for finding in lint(PERMIT, old, new)[0]] == [("notice", "expired", "ch.old")]
    assert lint(PERMIT, old, {**new, "replaces": "ch.old"})[0] == []


def test_a_gap_between_versions_is_a_warning() -> None:
    old = rule(
        "ch.deny",
        "DENY",
        {"form": "EVIDENCE", "tlp": "RED"},
        valid={"from": dt.date(2020, 1, 1), "to": dt.date(2022, 12, 31)},
    )
    new = {**old, "valid": {"from": dt.date(2023, 3, 1)}}
    cases = cases_for([PERMIT, old])
    finding = lint_single(LintCode.GAP, PERMIT, old, new, cases=cases)
    assert finding.severity is LintSeverity.WARNING
    assert finding.sentence == "no version of the rule is in force from 2023-01-01 to 2023-02-28"
    assert lint(PERMIT, old, {**old, "valid": {"from": dt.date(2023, 1, 1)}}, cases=cases)[0] == []


def test_a_rule_without_cases_is_an_error_and_missing_kinds_of_cases_are_a_warning() -> None:
    deny = rule("ch.deny", "DENY", {"form": "EVIDENCE", "tlp": "RED"})
    finding = lint_single(LintCode.NO_CASES, PERMIT, deny, cases=cases_for([PERMIT]))
    assert summarise(finding) == ("error", "no-cases", "ch.deny")
    cases = cases_for([PERMIT, deny])
    cases["cases"] = [case for case in cases["cases"] if case["rule"] != "ch.deny" or case["kind"] == "decides"]
    finding = lint_single(LintCode.CASES_MISSING, PERMIT, deny, cases=cases)
    assert finding.severity is LintSeverity.WARNING
    assert finding.sentence == "the rule has no case of kind outside, boundary or missing"


def test_a_rule_without_tests_needs_no_outside_case() -> None:
    log = rule("ch.log", "RECORD")
    cases = cases_for([PERMIT, log])
    kept = [case for case in cases["cases"] if case["rule"] != "ch.log" or case["kind"] in {"decides", "boundary"}]
    assert lint(PERMIT, log, cases={**cases, "cases": kept})[0] == []
