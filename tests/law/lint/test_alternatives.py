"""Alternatives of a rule that can never apply, or that another one covers."""

from __future__ import annotations

from sharing.law.lint import LintCode, LintSeverity, describe_counterexample
from tests.law.lint.lint_packs import PERMIT, lint, lint_single, rule, summarise


def test_an_alternative_that_can_never_apply_is_an_error_at_its_line() -> None:
    when = {"form": "EVIDENCE", "any_of": [{"urgency": "EMERGENCY"}, {"form": "INFORMATION", "tlp": "RED"}]}
    findings, text = lint(PERMIT, rule("ch.deny", "DENY", when))
    (finding,) = findings
    assert summarise(finding) == ("error", "unreachable-alternative", "ch.deny")
    assert finding.sentence == "the alternative (form is INFORMATION and tlp is RED) can never apply"
    assert "form: INFORMATION" in text.splitlines()[finding.line - 1]


def test_a_nested_alternative_is_checked_too() -> None:
    inner = [{"tlp": "RED"}, {"urgency": "URGENT"}]
    when = {"any_of": [{"form": "EVIDENCE"}, {"urgency": "EMERGENCY", "any_of": inner}]}
    findings, text = lint(PERMIT, rule("ch.deny", "DENY", when))
    (finding,) = findings
    assert summarise(finding) == ("error", "unreachable-alternative", "ch.deny")
    assert finding.sentence == "the alternative (urgency is URGENT) can never apply"
    assert "urgency: URGENT" in text.splitlines()[finding.line - 1]


def test_a_redundant_alternative_is_a_warning_and_of_two_equal_ones_one_is_reported() -> None:
    narrow = {"form": "EVIDENCE", "tlp": "RED"}
    finding = lint_single(
        LintCode.REDUNDANT_ALTERNATIVE, PERMIT, rule("ch.deny", "DENY", {"any_of": [{"form": "EVIDENCE"}, narrow]})
    )
    assert finding.severity is LintSeverity.WARNING
    assert finding.sentence == (
        "the alternative (form is EVIDENCE and tlp is RED) adds nothing: whenever it applies, another alternative does"
    )
    same = {"any_of": [{"form": "EVIDENCE"}, {"form": "EVIDENCE"}]}
    assert lint_single(LintCode.REDUNDANT_ALTERNATIVE, PERMIT, rule("ch.deny", "DENY", same)).rule == "ch.deny"


def test_an_alternative_that_matters_only_when_undecided_is_a_notice() -> None:
    when = {"origin.foreign": True, "any_of": [{"origin.consent": False}, {"origin.state": "NONE"}]}
    finding = lint_single(LintCode.ONLY_UNDECIDED, PERMIT, rule("ch.deny", "DENY", when))
    assert finding.severity is LintSeverity.NOTICE
    assert finding.sentence.startswith("the alternative (origin.state is NONE) can never apply; its only effect is")
    assert finding.counterexample is not None
    assert "origin.consent YES; origin.foreign unknown; origin.state unknown" in describe_counterexample(
        finding.counterexample
    )
