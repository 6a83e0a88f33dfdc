"""Rules that can never apply: what is found, word for word."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sharing.law.lint import LintCode, LintSeverity, describe_counterexample
from tests.law.lint.lint_packs import PERMIT, lint, lint_single, rule

UNSATISFIABLE: dict[str, tuple[dict[str, Any], str]] = {
    "two values of one fact": (
        {"any_of": [{"form": "EVIDENCE"}], "form": "INFORMATION"},
        "form is EVIDENCE and form is INFORMATION",
    ),
    "ranges of numbers that do not overlap": (
        {"offence.max_penalty_years": {"at_least": 5}, "any_of": [{"offence.max_penalty_years": {"below": 5}}]},
        "offence.max_penalty_years at least 5 and offence.max_penalty_years below 5",
    ),
    "a number that no record can hold": (
        {"offence.max_penalty_years": {"at_least": 101}},
        "offence.max_penalty_years at least 101",
    ),
    "a grade that does not exist": ({"grading.information": {"below": 1}}, "grading.information below 1"),
    "a foreign origin without a State": (
        {"origin.foreign": True, "origin.state": "NONE", "form": "EVIDENCE"},
        "origin.foreign is YES and origin.state is NONE",
    ),
    "information of the own State as foreign": (
        {"origin.foreign": True, "origin.state": "CH"},
        "origin.foreign is YES and origin.state is CH",
    ),
    "a treaty that is not in force": ({"treaty_basis": "UNCC"}, "treaty_basis is UNCC"),
    "a treaty to which this State is not a party": (
        {"recipient.treaties": {"includes": "NAPLES_II"}},
        "recipient.treaties includes NAPLES_II",
    ),
    "the own State as recipient": ({"recipient.state": "CH"}, "recipient.state is CH"),
    "a Schengen State outside Schengen": (
        {"recipient.state": "DE", "recipient.schengen": False, "form": "EVIDENCE"},
        "recipient.state is DE and recipient.schengen is NO",
    ),
    "a member of the Union with another assessment": (
        {"recipient.eu": True, "recipient.death_penalty_risk": True},
        "recipient.eu is YES and recipient.death_penalty_risk is YES",
    ),
    "an offence without an assessment of dual criminality": (
        {"offence.codes": {"includes": "COPYRIGHT"}, "recipient.dual_criminality": True},
        "offence.codes includes COPYRIGHT and recipient.dual_criminality is YES",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSATISFIABLE)
def test_a_permission_that_can_never_apply_is_an_error(name: str) -> None:
    when, core = UNSATISFIABLE[name]
    findings, text = lint(PERMIT, rule("ch.never", "PERMIT", when))
    finding = next(finding for finding in findings if finding.code is LintCode.UNREACHABLE)
    assert finding.severity is LintSeverity.ERROR
    assert finding.rule == "ch.never"
    assert finding.sentence == f"the rule can never apply: no combination of facts meets these requirements: {core}"
    lines = text.splitlines()
    assert lines[finding.line - 1].strip() == "when:"
    assert finding.line > next(number for number, line in enumerate(lines, 1) if "ch.never" in line)
    assert finding.counterexample is None


def test_the_days_of_a_rule_matter() -> None:
    """Great Britain was a member of the Union, but not while this rule is in force."""
    when = {"recipient.state": "GB", "recipient.eu": True}
    permit = rule("ch.never", "PERMIT", when)
    assert LintCode.UNREACHABLE in {
        finding.code for finding in lint(PERMIT, {**permit, "valid": {"from": dt.date(2021, 1, 1)}})[0]
    }
    assert LintCode.UNREACHABLE not in {
        finding.code for finding in lint(PERMIT, {**permit, "valid": {"from": dt.date(2019, 1, 1)}})[0]
    }


def test_a_restriction_that_is_only_ever_undecided_is_a_notice() -> None:
    """Foreign information without a named State has an unknown origin."""
    finding = lint_single(
        LintCode.ONLY_UNDECIDED,
        PERMIT,
        rule("ch.deny", "DENY", {"collection": "FOREIGN_STATE", "origin.state": "NONE"}),
    )
    assert finding.severity is LintSeverity.NOTICE
    assert finding.sentence == (
        "the rule can never apply: no combination of facts meets these requirements: collection is FOREIGN_STATE and "
        "origin.state is NONE; its only effect is to withhold when a fact is unknown"
    )
    assert finding.counterexample is not None
    assert "collection FOREIGN_STATE; origin.state unknown" in describe_counterexample(finding.counterexample)


def test_a_rule_that_excludes_every_value_matters_only_when_the_fact_is_unknown() -> None:
    finding = lint_single(
        LintCode.ONLY_UNDECIDED, PERMIT, rule("ch.deny", "DENY", {"assertion": {"not": ["FACT", "ASSESSMENT"]}})
    )
    assert "no combination of facts meets these requirements: assertion has none of its values" in finding.sentence
