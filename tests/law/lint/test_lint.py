"""The findings of lint: for each kind a pack with that flaw, and the expected finding, word for word."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sharing.law.cases import parse_cases
from sharing.law.lint import (
    LintCode,
    LintFinding,
    LintSeverity,
    LintSubject,
    describe_counterexample,
    lint_common_rules,
    lint_pack,
)
from sharing.law.reading.pack_reader import parse_pack, read_pack_yaml
from sharing.packs.library import (
    list_pack_files,
    load_common_cases,
    load_common_rules,
    load_law,
    load_shipped_treaties,
    read_common_rules_text,
)
from tests.law.strategies import dump_yaml

DAY = dt.date(2026, 11, 25)
COMMON = len(load_common_rules().rules)
ALWAYS = {"from": dt.date(2020, 1, 1)}


def rule(rule_id: str, effect: str, when: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": rule_id, "citation": "Test Act art. 1", "nature": "statute", "paraphrase": "A rule.",
        "source": "S1", "verified": True, "valid": ALWAYS, "when": when or {}, "effect": effect, **fields,
    }  # fmt: skip


def approval(rule_id: str, role: str, when: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return rule(rule_id, "APPROVAL", when, needs={"approver": role}, **fields)


def condition(rule_id: str, kind: str, text: str, when: dict[str, Any] | None = None) -> dict[str, Any]:
    return rule(rule_id, "CONDITION", when, needs={"condition": {"kind": kind, "text": text}})


PERMIT = rule("ch.permit", "PERMIT", {"form": ["INFORMATION", "EVIDENCE"]})

PACK: dict[str, Any] = {
    "state": "CH", "version": "1", "title": "A pack", "disclaimer": "An illustration.",
    "consolidated_at": dt.date(2026, 1, 1), "maintainers": [], "treaty_preference": ["BUDAPEST", "UNTOC", "UNCAC"],
    "approvers": {"JUDGE": "A judge", "MINISTER": "A minister"},
    "assessments": [
        {
            "states": ["DE", "FR"], "date": dt.date(2020, 1, 1), "source": "test",
            "facts": {"mistreatment_risk": False, "persecution_risk": False},
            "dual_criminality": {"ILLEGAL_ACCESS": True},
        },
        {
            "states": ["US"], "date": dt.date(2020, 1, 1), "source": "test",
            "facts": {"mistreatment_risk": False, "persecution_risk": False, "death_penalty_risk": True},
        },
    ],
}  # fmt: skip

BASE = {
    "indicator": {"type": "mutex", "value": "x", "source": {"state": "CH", "agency": "a"}},
    "recipient": "DE",
    "authority": "POLICE",
    "at": "2026-03-01T12:00:00Z",
}
KINDS = ("decides", "outside", "boundary", "missing")


def cases_for(rules: list[dict[str, Any]]) -> dict[str, Any]:
    expected = {"outcome": "WITHHOLD"}
    cases = [
        {"name": f"{rule['id']} {kind} {index}", "rule": rule["id"], "kind": kind, "expect": expected}
        for index, rule in enumerate(rules)
        for kind in KINDS
    ]
    return {"base": BASE, "cases": cases}


def lint(*rules: dict[str, Any], cases: dict[str, Any] | None = None, **changes: Any) -> tuple[list[LintFinding], str]:
    """Return the findings in a pack with these rules, and the text of the pack."""
    text = dump_yaml({**PACK, **changes, "rules": list(rules)})
    pack = parse_pack(text, "ch.yaml", load_shipped_treaties(), load_common_rules())
    file = parse_cases(dump_yaml(cases or cases_for(list(rules))), "ch.cases.yaml")
    return lint_pack(
        LintSubject(pack, read_pack_yaml(text, "ch.yaml"), file, COMMON), load_shipped_treaties(), DAY
    ), text


def summarise(finding: LintFinding) -> tuple[str, str, str]:
    return (str(finding.severity), str(finding.code), finding.rule)


def lint_single(code: LintCode, *rules: dict[str, Any], **options: Any) -> LintFinding:
    """Return the only finding, which has this code."""
    findings, _ = lint(*rules, **options)
    assert [finding.code for finding in findings] == [code], [
        (summarise(finding), finding.sentence) for finding in findings
    ]
    return findings[0]


def test_a_sound_pack_has_no_findings() -> None:
    assert lint(PERMIT)[0] == []
    assert lint(PERMIT, rule("ch.deny", "DENY", {"form": "EVIDENCE", "secrecy_domain": True}))[0] == []


# --- Unreachable ---

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
    assert "no combination of facts meets these requirements: assertion is none of its values" in finding.sentence


# --- Alternatives ---


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


# --- Facts that are never known ---


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


# --- Redundant ---


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


# --- Conflicts ---


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


# --- Maintenance: citations, checks, dates, cases ---


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


# --- Shipped rules ---


def test_the_common_rules_on_their_own_are_sound_under_all_assessments() -> None:
    law = load_law(list_pack_files()[0])
    subject = LintSubject(
        law.pack, read_pack_yaml(read_common_rules_text(), "common.yaml"), load_common_cases(), COMMON
    )
    findings = lint_common_rules(subject, law.treaties, DAY)
    assert {summarise(finding) for finding in findings if finding.code is not LintCode.UNVERIFIED} == {
        ("notice", "only-undecided", "common.offence-stated"),
    }
    assert {finding.source for finding in findings} == {"common.yaml"}
