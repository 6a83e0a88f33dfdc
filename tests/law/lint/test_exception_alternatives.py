"""Alternatives inside exceptions: those that can never apply, and those that add nothing."""

from __future__ import annotations

from typing import Any

from tests.law.lint.lint_packs import PERMIT, lint, rule


def deny_unless(*alternatives: dict[str, Any], **when: Any) -> dict[str, Any]:
    exception = {"when": {"any_of": list(alternatives)}, "approver": "JUDGE"}
    return rule("ch.deny", "DENY", {"form": "EVIDENCE", **when}, exception=exception)


def find_in_exception(*alternatives: dict[str, Any], **when: Any) -> list[tuple[str, str, str]]:
    findings, text = lint(PERMIT, deny_unless(*alternatives, **when))
    found = [finding for finding in findings if finding.sentence.startswith("in the exception")]
    start = next(number for number, line in enumerate(text.splitlines(), 1) if line.strip() == "exception:")
    assert all(finding.line > start for finding in found)
    return [(str(finding.severity), str(finding.code), finding.sentence) for finding in found]


def test_alternatives_of_an_exception_that_all_matter_are_no_finding() -> None:
    assert find_in_exception({"minor": True}, {"urgency": "EMERGENCY"}) == []
    assert find_in_exception({"minor": True, "urgency": "URGENT"}, {"minor": False, "urgency": "EMERGENCY"}) == []


def test_an_alternative_of_an_exception_that_can_never_apply_is_an_error() -> None:
    assert find_in_exception({"minor": True}, {"tlp": "AMBER"}, tlp="GREEN") == [
        ("error", "unreachable-alternative", "in the exception, the alternative (tlp is AMBER) can never apply")
    ]


def test_an_alternative_of_an_exception_that_adds_nothing_is_a_warning_and_of_two_equal_ones_one_is_reported() -> None:
    adds_nothing = "adds nothing: whenever it applies, another alternative does"
    assert find_in_exception({"minor": True}, {"minor": True, "urgency": "EMERGENCY"}) == [
        (
            "warning",
            "redundant-alternative",
            f"in the exception, the alternative (minor is YES and urgency is EMERGENCY) {adds_nothing}",
        )
    ]
    assert find_in_exception({"minor": True}, {"minor": True}, {"urgency": "EMERGENCY"}) == [
        ("warning", "redundant-alternative", f"in the exception, the alternative (minor is YES) {adds_nothing}")
    ]


def test_an_alternative_of_an_exception_that_only_asks_a_person_is_a_notice() -> None:
    """It never lifts the rule, but where a fact is unknown a person is asked only because of it."""
    only_asks = "can never lift the rule; its only effect is to ask JUDGE when a fact is unknown"
    assert find_in_exception({"minor": True}, {"form": "INFORMATION"}) == [
        ("notice", "only-undecided", f"in the exception, the alternative (form is INFORMATION) {only_asks}")
    ]
    contradiction = {"minor": True, "any_of": [{"minor": False}]}
    found = find_in_exception({"secrecy_domain": True}, contradiction)
    assert {(severity, code) for severity, code, _ in found} == {("notice", "only-undecided")}


def test_a_nested_alternative_of_an_exception_is_checked_too() -> None:
    nested = {"minor": True, "any_of": [{"urgency": "EMERGENCY"}, {"tlp": "AMBER"}]}
    found = find_in_exception(nested, {"secrecy_domain": True}, tlp="GREEN")
    assert [code for _, code, _ in found] == ["unreachable-alternative"]
