"""Obligations, approvers and conditions that contradict each other."""

from __future__ import annotations

from typing import Any

from sharing.law.lint import LintCode, LintFinding, describe_counterexample
from tests.law.lint.lint_packs import PERMIT, approval, condition, lint, lint_single, rule, summarise


def test_an_obligation_that_is_always_forbidden_is_an_error() -> None:
    duty = rule("ch.duty", "OBLIGE", {"form": "EVIDENCE", "urgency": "EMERGENCY"})
    findings, _ = lint(PERMIT, duty, rule("ch.deny", "DENY", {"form": "EVIDENCE"}))
    (finding,) = findings
    assert summarise(finding) == ("error", "unfulfillable", "ch.duty")
    assert (
        finding.sentence
        == "the obligation can never be fulfilled: whenever it applies, sharing is prevented by ch.deny"
    )
    assert finding.counterexample is not None
    assert describe_counterexample(finding.counterexample).startswith("form EVIDENCE; urgency EMERGENCY; to ")


def test_an_obligation_that_nothing_permits_is_an_error() -> None:
    finding = lint_single(
        LintCode.UNFULFILLABLE, PERMIT, rule("ch.duty", "OBLIGE", {"form": "EXISTENCE", "recipient.state": "DE"})
    )
    assert finding.sentence == "the obligation can never be fulfilled: whenever it applies, no rule permits anything"
    narrow = rule("ch.permit", "PERMIT", {"form": "INFORMATION", "urgency": "URGENT"})
    forbidden = rule("ch.deny", "DENY", {"urgency": "URGENT", "recipient.state": ["DE", "FR"]})
    findings, _ = lint(narrow, rule("ch.duty", "OBLIGE", {"recipient.state": "DE"}), forbidden)
    assert [summarise(finding) for finding in findings] == [("error", "unfulfillable", "ch.duty")]
    assert findings[0].sentence == (
        "the obligation can never be fulfilled: whenever it applies and sharing is permitted, "
        "sharing is prevented by ch.deny"
    )


def test_an_obligation_that_can_be_forbidden_is_a_notice_with_a_counterexample() -> None:
    duty = rule("ch.duty", "OBLIGE", {"recipient.state": "DE", "live_case_harm": False})
    findings, _ = lint(PERMIT, duty, rule("ch.deny", "DENY", {"form": "EVIDENCE", "secrecy_domain": True}))
    own, common = findings
    assert summarise(own) == summarise(common) == ("notice", "duty-forbidden", "ch.duty")
    sentences = {own.sentence: own, common.sentence: common}
    finding = sentences["the obligation is overridden when sharing is forbidden by ch.deny"]
    assert finding.counterexample is not None
    assert describe_counterexample(finding.counterexample).startswith(
        "form EVIDENCE; live_case_harm NO; recipient.state DE; secrecy_domain YES; to DE on "
    )
    assert (
        "the obligation is overridden when sharing is forbidden by common.authority-known, common.withdrawn, "
        "common.retention, common.tlp-red or common.character"
    ) in sentences


def test_competing_approvers_are_a_warning() -> None:
    judge = approval("ch.a", "JUDGE", {"urgency": "URGENT"})
    minister = approval("ch.b", "MINISTER", {"form": "EVIDENCE"})
    findings, _ = lint(PERMIT, judge, minister)
    findings = [finding for finding in findings if "common.h3" not in finding.sentence]
    assert [summarise(finding) for finding in findings] == [("warning", "two-approvers", "ch.b")]
    assert findings[0].sentence == (
        "ch.a and ch.b can apply together; the decision then names JUDGE as approver, and MINISTER is not asked"
    )
    assert findings[0].counterexample is not None
    assert describe_counterexample(findings[0].counterexample).startswith("form EVIDENCE; urgency URGENT; to ")
    apart = approval("ch.b", "MINISTER", {"urgency": "ORDINARY"})
    assert not [finding for finding in lint(PERMIT, judge, apart)[0] if "common.h3" not in finding.sentence]


def test_an_approval_whose_approver_is_never_named_is_redundant() -> None:
    judge, minister = approval("ch.a", "JUDGE"), approval("ch.b", "MINISTER")
    findings = {summarise(finding) for finding in lint(PERMIT, judge, minister)[0]}
    assert ("warning", "redundant", "ch.b") in findings
    assert ("warning", "redundant", "ch.a") not in findings


def two_approvals(rule_id: str, role: str, when: dict[str, Any] | None = None) -> dict[str, Any]:
    return rule(rule_id, "APPROVAL", when, needs={"approver": role, "approvals": 2})


def find_unused(*rules: dict[str, Any], **options: Any) -> list[LintFinding]:
    return [finding for finding in lint(*rules, **options)[0] if finding.code is LintCode.APPROVALS_UNUSED]


def test_two_approvals_of_what_is_never_held_are_a_warning() -> None:
    existence = two_approvals("ch.a", "JUDGE", {"form": "EXISTENCE"})  # nothing permits it
    findings, text = lint(PERMIT, existence)
    (finding,) = (finding for finding in findings if finding.code is LintCode.APPROVALS_UNUSED)
    assert summarise(finding) == ("warning", "approvals-unused", "ch.a")
    assert finding.sentence == "approvals: 2 has no effect: no item is ever held because of this rule"
    assert "approvals: 2" in text.splitlines()[finding.line - 1]
    deny = rule("ch.deny", "DENY", {"form": "EVIDENCE"})
    assert find_unused(PERMIT, deny, two_approvals("ch.a", "JUDGE", {"form": "EVIDENCE"}))
    assert not find_unused(PERMIT, two_approvals("ch.a", "JUDGE", {"form": "EVIDENCE"}))
    assert not find_unused(PERMIT, approval("ch.a", "JUDGE", {"form": "EXISTENCE"}))


def test_two_approvals_of_an_exception_that_is_always_known_are_a_warning() -> None:
    def excepted(fact: str, value: object) -> dict[str, Any]:
        exception = {"when": {fact: value}, "approver": "JUDGE", "approvals": 2}
        return rule("ch.deny", "DENY", {"form": "EVIDENCE"}, exception=exception)

    (finding,) = find_unused(PERMIT, excepted("tlp", "GREEN"))
    assert (finding.rule, finding.sentence.startswith("approvals: 2 has no effect")) == ("ch.deny", True)
    assert not find_unused(PERMIT, excepted("minor", True))


def test_an_approval_that_only_adds_a_second_officer_is_not_redundant() -> None:
    judge, two = approval("ch.a", "JUDGE"), two_approvals("ch.b", "JUDGE")
    assert find_redundant(PERMIT, judge, two) == {"ch.a"}  # the second rule asks for its one officer, too
    assert find_redundant(PERMIT, judge, two, two_approvals("ch.c", "JUDGE")) == {"ch.a", "ch.c"}
    assert find_redundant(PERMIT, judge, approval("ch.b", "JUDGE")) == {"ch.b"}


def find_redundant(*rules: dict[str, Any]) -> set[str]:
    return {finding.rule for finding in lint(*rules)[0] if finding.code is LintCode.REDUNDANT}


def test_conditions_that_clash_are_a_notice() -> None:
    finding = lint_single(
        LintCode.CONDITIONS_CLASH, PERMIT, condition("ch.a", "NO_EVIDENCE", "Not evidence.", {"personal_data": True})
    )
    assert finding.sentence == (
        "this condition forbids the use as evidence, but it can apply to an item in the form EVIDENCE"
    )
    assert finding.counterexample is not None
    assert describe_counterexample(finding.counterexample).startswith("form EVIDENCE; personal_data YES; to ")
    short = condition("ch.a", "RETENTION", "Deleted after a year.", {"personal_data": True})
    long = condition("ch.b", "RETENTION", "Kept for ten years.", {"form": "EVIDENCE"})
    finding = lint_single(LintCode.CONDITIONS_CLASH, PERMIT, short, long)
    assert summarise(finding) == ("notice", "conditions-clash", "ch.b")
    assert finding.sentence == "this condition and ch.a can apply together, and their texts on retention differ"
