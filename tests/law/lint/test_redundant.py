"""Rules that change nothing beside the others of their pack."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sharing.law.lint import LintCode, describe_counterexample
from tests.law.lint.lint_packs import PERMIT, approval, condition, lint, lint_single, rule, summarise


def test_a_permission_that_is_always_forbidden_is_an_error() -> None:
    deny = rule("ch.deny", "DENY", {"form": "EVIDENCE"})
    finding = lint_single(
        LintCode.REDUNDANT, PERMIT, rule("ch.evidence", "PERMIT", {"form": "EVIDENCE", "urgency": "URGENT"}), deny
    )
    assert summarise(finding) == ("error", "redundant", "ch.evidence")
    assert finding.sentence == "whenever this rule applies, sharing is already prevented by ch.deny"
    assert finding.counterexample is not None
    assert describe_counterexample(finding.counterexample).startswith("form EVIDENCE; urgency URGENT; to ")


@pytest.mark.parametrize(
    "bound",
    [
        condition("ch.bound", "PURPOSE", "Used so.", {"form": "EVIDENCE", "tlp": "RED"}),
        approval("ch.bound", "JUDGE", {"form": "EVIDENCE", "tlp": "RED"}),
        rule("ch.bound", "REDACT", {"form": "EVIDENCE", "tlp": "RED"}, needs={"redact": ["summary"]}),
    ],
)
def test_a_restriction_of_something_always_forbidden_is_an_error(bound: dict[str, Any]) -> None:
    """When a fact is missing, both rules withhold, so the restriction is not needed there either."""
    finding = lint_single(LintCode.REDUNDANT, PERMIT, rule("ch.deny", "DENY", {"form": "EVIDENCE"}), bound)
    assert summarise(finding) == ("error", "redundant", "ch.bound")
    assert finding.sentence == "whenever this rule applies, sharing is already prevented by ch.deny"


def test_a_prohibition_in_force_for_part_of_the_time_makes_nothing_redundant() -> None:
    deny = rule("ch.deny", "DENY", {"form": "EVIDENCE"}, valid={"from": dt.date(2022, 1, 1)})
    evidence = rule("ch.evidence", "PERMIT", {"form": "EVIDENCE", "urgency": "URGENT"})
    narrow = rule("ch.permit", "PERMIT", {"form": "INFORMATION"})
    assert lint(narrow, evidence, deny)[0] == []


def test_several_prohibitions_together_make_a_permission_redundant() -> None:
    ordinary = rule("ch.not-ordinary", "DENY", {"urgency": ["ORDINARY", "URGENT"], "form": "EVIDENCE"})
    emergency = rule("ch.not-emergency", "DENY", {"urgency": "EMERGENCY", "form": "EVIDENCE"})
    evidence = rule("ch.evidence", "PERMIT", {"form": "EVIDENCE", "urgency": {"not": "URGENT"}})
    finding = lint_single(LintCode.REDUNDANT, PERMIT, evidence, ordinary, emergency)
    assert summarise(finding) == ("error", "redundant", "ch.evidence")
    assert finding.sentence == (
        "whenever this rule applies, sharing is already prevented by ch.not-ordinary and ch.not-emergency"
    )


def test_a_permission_blocked_by_a_missing_assessment_is_a_warning() -> None:
    narrow = rule("ch.narrow", "PERMIT", {"recipient.state": "JP"})
    finding = lint_single(LintCode.REDUNDANT, PERMIT, narrow)
    assert summarise(finding) == ("warning", "redundant", "ch.narrow")
    assert finding.sentence == (
        "whenever this rule applies, nothing can be shared: a fact required by common.mistreatment is unknown for "
        "every State concerned"
    )


def test_a_subsumed_rule_is_a_warning_and_of_two_equal_rules_the_later_is_reported() -> None:
    wide = rule("ch.wide", "PERMIT")
    finding = lint_single(LintCode.REDUNDANT, wide, rule("ch.same", "PERMIT", {"form": "EVIDENCE"}))
    assert summarise(finding) == ("warning", "redundant", "ch.same")
    assert (
        finding.sentence == "removing this rule would change no decision: the same effect already follows from ch.wide"
    )
    assert lint_single(LintCode.REDUNDANT, wide, rule("ch.again", "PERMIT")).rule == "ch.again"


def test_overlapping_permissions_are_a_notice() -> None:
    first = rule("ch.first", "PERMIT", {"form": ["EVIDENCE", "INFORMATION"]})
    second = rule("ch.second", "PERMIT", {"form": ["EXISTENCE"]})
    both = rule("ch.both", "PERMIT", {"form": ["INFORMATION", "EXISTENCE"]})
    finding = lint_single(LintCode.REDUNDANT, first, second, both)
    assert summarise(finding) == ("notice", "redundant", "ch.both")


def test_a_prohibition_matters_when_it_is_undecided() -> None:
    """Whenever it holds, another prohibition does, but when it is undecided it alone withholds."""
    wide = rule("ch.wide", "DENY", {"form": "EVIDENCE", "any_of": [{"tlp": "RED"}, {"urgency": {"not": "URGENT"}}]})
    narrow = rule("ch.narrow", "DENY", {"form": "EVIDENCE", "tlp": "RED"})
    assert lint_single(LintCode.REDUNDANT, PERMIT, wide, narrow).rule == "ch.narrow"
    undecided = rule("ch.undecided", "DENY", {"form": "EVIDENCE", "tlp": "RED", "secrecy_domain": True})
    assert lint_single(LintCode.REDUNDANT, PERMIT, wide, undecided).rule == "ch.undecided"
    origin = rule("ch.origin", "DENY", {"origin.foreign": True, "urgency": "URGENT"})
    named = rule(
        "ch.named", "DENY", {"origin.state": {"not": ["NONE", "CH"]}, "urgency": "URGENT", "secrecy_domain": False}
    )
    abroad = rule("ch.abroad", "DENY", {"any_of": [{"origin.foreign": True}, {"urgency": "ORDINARY"}], "tlp": "RED"})
    assert [summarise(finding) for finding in lint(PERMIT, origin, named)[0]] == [("warning", "redundant", "ch.named")]
    assert lint(PERMIT, origin, abroad)[0] == []


def test_a_rule_that_is_redundant_except_when_undecided_is_a_notice() -> None:
    every = [{"assertion": "FACT"}, {"assertion": "ASSESSMENT"}]
    wide = rule("ch.wide", "DENY", {"form": "EVIDENCE"})
    asks = rule("ch.asks", "DENY", {"form": "EVIDENCE", "any_of": every})
    assert lint_single(LintCode.REDUNDANT, PERMIT, wide, asks).rule == "ch.asks"
    fact = rule("ch.fact", "APPROVAL", {"form": "EVIDENCE", "assertion": "FACT"}, needs={"approver": "JUDGE"})
    both = approval("ch.both", "JUDGE", {"form": "EVIDENCE"})
    findings = [finding for finding in lint(PERMIT, both, fact)[0] if "common.h3" not in finding.sentence]
    (finding,) = findings
    assert summarise(finding) == ("notice", "only-undecided", "ch.fact")
    assert finding.sentence == (
        "whenever this rule applies, the same effect already follows from ch.both; "
        "this rule's only effect is to withhold when a fact is unknown"
    )
    assert finding.counterexample is not None
    assert describe_counterexample(finding.counterexample).startswith(
        "assertion unknown; form EVIDENCE; urgency ORDINARY; to "
    )


def test_a_condition_is_redundant_only_if_the_texts_are_equal() -> None:
    first = condition("ch.a", "PURPOSE", "Used so.", {"personal_data": True})
    same = condition("ch.b", "PURPOSE", "Used so.", {"personal_data": True})
    other = condition("ch.b", "PURPOSE", "Used otherwise.", {"personal_data": True})
    assert summarise(lint_single(LintCode.REDUNDANT, PERMIT, first, same)) == ("warning", "redundant", "ch.b")
    assert lint(PERMIT, first, other)[0] == []


def test_redactions_are_compared_field_by_field() -> None:
    def redact(rule_id: str, *fields: str) -> dict[str, Any]:
        return rule(rule_id, "REDACT", {"personal_data": True}, needs={"redact": list(fields)})

    finding = lint_single(
        LintCode.REDUNDANT,
        PERMIT,
        redact("ch.a", "summary"),
        redact("ch.b", "value"),
        redact("ch.c", "summary", "value"),
    )
    assert summarise(finding) == ("notice", "redundant", "ch.c")
    assert lint(PERMIT, redact("ch.a", "summary"), redact("ch.c", "summary", "value"))[0][0].rule == "ch.a"


def test_a_record_rule_is_never_redundant_and_a_prohibition_without_permission_is_idle() -> None:
    assert lint(PERMIT, rule("ch.log", "RECORD"), rule("ch.audit", "RECORD"))[0] == []
    finding = lint_single(LintCode.IDLE, PERMIT, rule("ch.deny", "DENY", {"form": "EXISTENCE"}))
    assert summarise(finding) == ("notice", "idle", "ch.deny")
    assert finding.sentence == "the restriction has no effect: whenever it applies, nothing is permitted anyway"
