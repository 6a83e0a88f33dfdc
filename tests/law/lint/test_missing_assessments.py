"""Facts and treaties that no assessment and no preference ever makes known."""

from __future__ import annotations

from sharing.law.lint import LintCode, LintSeverity
from tests.law.lint.lint_packs import PACK, PERMIT, lint, lint_single, rule, summarise


def test_a_missing_assessment_is_an_error() -> None:
    deny = rule("ch.deny", "DENY", {"recipient.sole_purpose": False, "form": "EVIDENCE"})
    finding, never = lint(PERMIT, deny)[0]
    assert (summarise(finding), summarise(never)) == (
        ("error", "never-known", "ch.deny"),
        ("notice", "only-undecided", "ch.deny"),
    )
    assert finding.severity is LintSeverity.ERROR
    assert finding.sentence == (
        "recipient.sole_purpose is never known while the rule is in force: the pack assesses it for no State in that "
        "time; the rule always stays undecided"
    )


def test_facts_of_common_rules_that_a_pack_never_answers_are_reported_at_its_assessments() -> None:
    findings, text = lint(PERMIT, assessments=[])
    rules = {finding.rule for finding in findings if finding.code is LintCode.NEVER_KNOWN}
    assert rules == {"common.mistreatment", "common.persecution"}
    assert all(finding.source == "ch.yaml" for finding in findings)
    line = next(finding.line for finding in findings if finding.code is LintCode.NEVER_KNOWN)
    assert text.splitlines()[line - 1].startswith("assessments")


def test_an_offence_without_an_assessment_is_a_notice() -> None:
    """Dual criminality without any assessment at all is an error."""
    asks = rule("ch.deny", "DENY", {"recipient.dual_criminality": False})
    finding = next(finding for finding in lint(PERMIT, asks)[0] if finding.code is LintCode.NEVER_KNOWN)
    assert finding.severity is LintSeverity.NOTICE
    assert finding.sentence.startswith(
        "recipient.dual_criminality is not assessed for any State for ILLEGAL_INTERCEPTION, "
    )
    bare = [{**PACK["assessments"][0], "dual_criminality": {}}]
    finding = next(
        finding for finding in lint(PERMIT, asks, assessments=bare)[0] if finding.code is LintCode.NEVER_KNOWN
    )
    assert (finding.severity, finding.rule) == (LintSeverity.ERROR, "ch.deny")
    assert "while the rule is in force: the pack assesses it for no State; the rule" in finding.sentence


def test_a_treaty_that_is_never_the_basis_is_a_warning() -> None:
    finding = lint_single(
        LintCode.NEVER_OCCURS, rule("ch.permit", "PERMIT", {"treaty_basis": ["BUDAPEST", "UNCC", "NAPLES_II"]})
    )
    assert finding.severity is LintSeverity.WARNING
    assert finding.sentence == "while the rule is in force, treaty_basis is never NAPLES_II or UNCC for any State"
