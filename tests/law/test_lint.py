"""What lint finds: for each kind a pack spoiled in that way, and the finding that is expected, word for word."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sharing.law.cases import parse_cases
from sharing.law.lint import LintCode, LintFinding, LintSeverity, Subject, described, lint_common, lint_pack
from sharing.law.pack_reader import parse_pack
from sharing.packs.library import common_cases, common_rules, common_text, pack_files, read_law, shipped_treaties
from sharing.yaml_source import read_yaml
from tests.law.strategies import dump

DAY = dt.date(2026, 11, 25)
COMMON = len(common_rules().rules)
ALWAYS = {"from": dt.date(2020, 1, 1)}


def rule(rule_id: str, effect: str, when: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    return {
        "id": rule_id, "citation": "Test Act art. 1", "paraphrase": "A rule.", "source": "S1", "verified": True,
        "valid": ALWAYS, "when": when or {}, "effect": effect, **other,
    }  # fmt: skip


def approval(rule_id: str, role: str, when: dict[str, Any] | None = None, **other: Any) -> dict[str, Any]:
    return rule(rule_id, "APPROVAL", when, needs={"approver": role}, **other)


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
        {"name": f"{one['id']} {kind} {index}", "rule": one["id"], "kind": kind, "expect": expected}
        for index, one in enumerate(rules)
        for kind in KINDS
    ]
    return {"base": BASE, "cases": cases}


def lint(*rules: dict[str, Any], cases: dict[str, Any] | None = None, **changed: Any) -> tuple[list[LintFinding], str]:
    """Return what is found in a pack with these rules, and its text."""
    text = dump({**PACK, **changed, "rules": list(rules)})
    pack = parse_pack(text, "ch.yaml", shipped_treaties(), common_rules())
    file = parse_cases(dump(cases or cases_for(list(rules))), "ch.cases.yaml")
    return lint_pack(Subject(pack, read_yaml(text, "ch.yaml"), file, COMMON), shipped_treaties(), DAY), text


def told(finding: LintFinding) -> tuple[str, str, str]:
    return (str(finding.severity), str(finding.code), finding.rule)


def only(code: LintCode, *rules: dict[str, Any], **other: Any) -> LintFinding:
    """Return the only finding, which has this code."""
    found, _ = lint(*rules, **other)
    assert [one.code for one in found] == [code], [(told(one), one.sentence) for one in found]
    return found[0]


def test_a_sound_pack_is_green() -> None:
    assert lint(PERMIT)[0] == []
    assert lint(PERMIT, rule("ch.deny", "DENY", {"form": "EVIDENCE", "secrecy_domain": True}))[0] == []


# --- Unreachable ---

NOWHERE: dict[str, tuple[dict[str, Any], str]] = {
    "two values of one fact": (
        {"any_of": [{"form": "EVIDENCE"}], "form": "INFORMATION"},
        "form is EVIDENCE and form is INFORMATION",
    ),
    "numbers that do not meet": (
        {"offence.max_penalty_years": {"at_least": 5}, "any_of": [{"offence.max_penalty_years": {"below": 5}}]},
        "offence.max_penalty_years at least 5 and offence.max_penalty_years below 5",
    ),
    "a number that no record can hold": (
        {"offence.max_penalty_years": {"at_least": 101}},
        "offence.max_penalty_years at least 101",
    ),
    "a grade that does not exist": ({"grading.information": {"below": 1}}, "grading.information below 1"),
    "an origin that is foreign and nobody's": (
        {"origin.foreign": True, "origin.state": "NONE", "form": "EVIDENCE"},
        "origin.foreign is YES and origin.state is NONE",
    ),
    "its own State's information, as foreign": (
        {"origin.foreign": True, "origin.state": "CH"},
        "origin.foreign is YES and origin.state is CH",
    ),
    "a treaty that is not in force": ({"treaty_basis": "UNCC"}, "treaty_basis is UNCC"),
    "a treaty to which this State is no party": (
        {"recipient.treaties": {"includes": "NAPLES_II"}},
        "recipient.treaties includes NAPLES_II",
    ),
    "itself": ({"recipient.state": "CH"}, "recipient.state is CH"),
    "a Schengen State that is not one": (
        {"recipient.state": "DE", "recipient.schengen": False, "form": "EVIDENCE"},
        "recipient.state is DE and recipient.schengen is NO",
    ),
    "a member of the Union whose assessment says otherwise": (
        {"recipient.eu": True, "recipient.death_penalty_risk": True},
        "recipient.eu is YES and recipient.death_penalty_risk is YES",
    ),
    "an offence that is criminal there by no assessment": (
        {"offence.codes": {"includes": "COPYRIGHT"}, "recipient.dual_criminality": True},
        "offence.codes includes COPYRIGHT and recipient.dual_criminality is YES",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOWHERE)
def test_a_permission_that_can_never_hold_is_an_error(name: str) -> None:
    when, why = NOWHERE[name]
    found, text = lint(PERMIT, rule("ch.never", "PERMIT", when))
    one = next(one for one in found if one.code is LintCode.UNREACHABLE)
    assert one.severity is LintSeverity.ERROR
    assert one.rule == "ch.never"
    assert one.sentence == f"it can never hold: no combination of facts allows for {why}"
    lines = text.splitlines()
    assert lines[one.line - 1].strip() == "when:"
    assert one.line > next(number for number, line in enumerate(lines, 1) if "ch.never" in line)
    assert one.combination is None


def test_days_count() -> None:
    """Great Britain was a member of the Union, but not on the days of this rule."""
    when = {"recipient.state": "GB", "recipient.eu": True}
    over = rule("ch.never", "PERMIT", when)
    assert LintCode.UNREACHABLE in {
        one.code for one in lint(PERMIT, {**over, "valid": {"from": dt.date(2021, 1, 1)}})[0]
    }
    assert LintCode.UNREACHABLE not in {
        one.code for one in lint(PERMIT, {**over, "valid": {"from": dt.date(2019, 1, 1)}})[0]
    }


def test_a_restriction_that_only_ever_is_undecided_is_a_notice() -> None:
    """What is from abroad, of a State that nobody named, is neither."""
    one = only(
        LintCode.ONLY_UNDECIDED,
        PERMIT,
        rule("ch.deny", "DENY", {"collection": "FOREIGN_STATE", "origin.state": "NONE"}),
    )
    assert one.severity is LintSeverity.NOTICE
    assert one.sentence == (
        "it can never hold: no combination of facts allows for collection is FOREIGN_STATE and origin.state is NONE; "
        "it matters only where it is undecided, and so withholds"
    )
    assert one.combination is not None
    assert "collection FOREIGN_STATE; origin.state unknown" in described(one.combination)


def test_a_rule_that_lists_every_value_bites_only_where_it_is_unknown() -> None:
    one = only(LintCode.ONLY_UNDECIDED, PERMIT, rule("ch.deny", "DENY", {"assertion": {"not": ["FACT", "ASSESSMENT"]}}))
    assert "no combination of facts allows for assertion that is none of its values" in one.sentence


# --- Alternatives ---


def test_an_alternative_that_can_never_hold_is_an_error_at_its_line() -> None:
    when = {"form": "EVIDENCE", "any_of": [{"urgency": "EMERGENCY"}, {"form": "INFORMATION", "tlp": "RED"}]}
    found, text = lint(PERMIT, rule("ch.deny", "DENY", when))
    (one,) = found
    assert told(one) == ("error", "unreachable-alternative", "ch.deny")
    assert one.sentence == "the alternative (form is INFORMATION and tlp is RED) can never hold in this rule"
    assert "form: INFORMATION" in text.splitlines()[one.line - 1]


def test_an_alternative_within_an_alternative_is_looked_at_too() -> None:
    inner = [{"tlp": "RED"}, {"urgency": "URGENT"}]
    when = {"any_of": [{"form": "EVIDENCE"}, {"urgency": "EMERGENCY", "any_of": inner}]}
    found, text = lint(PERMIT, rule("ch.deny", "DENY", when))
    (one,) = found
    assert told(one) == ("error", "unreachable-alternative", "ch.deny")
    assert one.sentence == "the alternative (urgency is URGENT) can never hold in this rule"
    assert "urgency: URGENT" in text.splitlines()[one.line - 1]


def test_an_alternative_that_another_holds_is_a_warning_and_of_two_alike_one_is_told() -> None:
    narrow = {"form": "EVIDENCE", "tlp": "RED"}
    one = only(
        LintCode.REDUNDANT_ALTERNATIVE, PERMIT, rule("ch.deny", "DENY", {"any_of": [{"form": "EVIDENCE"}, narrow]})
    )
    assert one.severity is LintSeverity.WARNING
    assert one.sentence == "the alternative (form is EVIDENCE and tlp is RED) holds only where another alternative does"
    same = {"any_of": [{"form": "EVIDENCE"}, {"form": "EVIDENCE"}]}
    assert only(LintCode.REDUNDANT_ALTERNATIVE, PERMIT, rule("ch.deny", "DENY", same)).rule == "ch.deny"


def test_an_alternative_that_matters_by_being_undecided_is_a_notice() -> None:
    when = {"origin.foreign": True, "any_of": [{"origin.consent": False}, {"origin.state": "NONE"}]}
    one = only(LintCode.ONLY_UNDECIDED, PERMIT, rule("ch.deny", "DENY", when))
    assert one.severity is LintSeverity.NOTICE
    assert one.sentence.startswith(
        "the alternative (origin.state is NONE) can never hold in this rule; it matters only"
    )
    assert one.combination is not None
    assert "origin.consent YES; origin.foreign unknown; origin.state unknown" in described(one.combination)


# --- What nobody can answer ---


def test_an_assessment_that_nobody_made_is_an_error() -> None:
    deny = rule("ch.deny", "DENY", {"recipient.sole_purpose": False, "form": "EVIDENCE"})
    one, never = lint(PERMIT, deny)[0]
    assert (told(one), told(never)) == (("error", "never-known", "ch.deny"), ("notice", "only-undecided", "ch.deny"))
    assert one.severity is LintSeverity.ERROR
    assert one.sentence == (
        "recipient.sole_purpose is never known on its days: the pack holds no assessment of it for any State by then; "
        "the rule stays undecided for ever"
    )


def test_common_rules_that_a_pack_leaves_unanswered_are_told_where_it_could_answer() -> None:
    found, text = lint(PERMIT, assessments=[])
    told_of = {one.rule for one in found if one.code is LintCode.NEVER_KNOWN}
    assert told_of == {"common.mistreatment", "common.persecution"}
    assert all(one.source == "ch.yaml" for one in found)
    line = next(one.line for one in found if one.code is LintCode.NEVER_KNOWN)
    assert text.splitlines()[line - 1].startswith("assessments")


def test_an_offence_that_nobody_assessed_is_a_notice() -> None:
    """And so is dual criminality that is assessed for no offence at all an error."""
    asks = rule("ch.deny", "DENY", {"recipient.dual_criminality": False})
    one = next(one for one in lint(PERMIT, asks)[0] if one.code is LintCode.NEVER_KNOWN)
    assert one.severity is LintSeverity.NOTICE
    assert one.sentence.startswith("recipient.dual_criminality is assessed for no State for ILLEGAL_INTERCEPTION, ")
    bare = [{**PACK["assessments"][0], "dual_criminality": {}}]
    one = next(one for one in lint(PERMIT, asks, assessments=bare)[0] if one.code is LintCode.NEVER_KNOWN)
    assert (one.severity, one.rule) == (LintSeverity.ERROR, "ch.deny")
    assert "the pack holds no assessment of it for any State" in one.sentence


def test_one_of_several_treaties_that_never_is_the_basis_is_a_warning() -> None:
    one = only(LintCode.NEVER_OCCURS, rule("ch.permit", "PERMIT", {"treaty_basis": ["BUDAPEST", "UNCC", "NAPLES_II"]}))
    assert one.severity is LintSeverity.WARNING
    assert one.sentence == "treaty_basis is never NAPLES_II or UNCC on its days, for any State"


# --- Shadowed ---


def test_a_permission_that_is_always_forbidden_is_an_error() -> None:
    deny = rule("ch.deny", "DENY", {"form": "EVIDENCE"})
    one = only(
        LintCode.SHADOWED, PERMIT, rule("ch.evidence", "PERMIT", {"form": "EVIDENCE", "urgency": "URGENT"}), deny
    )
    assert told(one) == ("error", "shadowed", "ch.evidence")
    assert one.sentence == "whenever it holds, nothing leaves: it is forbidden by ch.deny"
    assert one.combination is not None
    assert described(one.combination).startswith("form EVIDENCE; urgency URGENT; to ")


@pytest.mark.parametrize(
    "bound",
    [
        condition("ch.bound", "PURPOSE", "Used so.", {"form": "EVIDENCE", "tlp": "RED"}),
        approval("ch.bound", "JUDGE", {"form": "EVIDENCE", "tlp": "RED"}),
        rule("ch.bound", "REDACT", {"form": "EVIDENCE", "tlp": "RED"}, needs={"redact": ["summary"]}),
    ],
)
def test_what_would_bind_what_is_always_forbidden_is_an_error(bound: dict[str, Any]) -> None:
    """But for the fact that it is unknown: where a fact is missing both withhold."""
    one = only(LintCode.SHADOWED, PERMIT, rule("ch.deny", "DENY", {"form": "EVIDENCE"}), bound)
    assert told(one) == ("error", "shadowed", "ch.bound")
    assert one.sentence == "whenever it holds, nothing leaves: it is forbidden by ch.deny"


def test_a_prohibition_of_part_of_its_days_does_not_shadow() -> None:
    deny = rule("ch.deny", "DENY", {"form": "EVIDENCE"}, valid={"from": dt.date(2022, 1, 1)})
    evidence = rule("ch.evidence", "PERMIT", {"form": "EVIDENCE", "urgency": "URGENT"})
    narrow = rule("ch.permit", "PERMIT", {"form": "INFORMATION"})
    assert lint(narrow, evidence, deny)[0] == []


def test_several_prohibitions_shadow_together() -> None:
    ordinary = rule("ch.not-ordinary", "DENY", {"urgency": ["ORDINARY", "URGENT"], "form": "EVIDENCE"})
    emergency = rule("ch.not-emergency", "DENY", {"urgency": "EMERGENCY", "form": "EVIDENCE"})
    evidence = rule("ch.evidence", "PERMIT", {"form": "EVIDENCE", "urgency": {"not": "URGENT"}})
    one = only(LintCode.SHADOWED, PERMIT, evidence, ordinary, emergency)
    assert told(one) == ("error", "shadowed", "ch.evidence")
    assert one.sentence == "whenever it holds, nothing leaves: it is forbidden by ch.not-ordinary and ch.not-emergency"


def test_what_withholds_only_for_want_of_an_assessment_is_a_warning() -> None:
    narrow = rule("ch.narrow", "PERMIT", {"recipient.state": "JP"})
    one = only(LintCode.SHADOWED, PERMIT, narrow)
    assert told(one) == ("warning", "shadowed", "ch.narrow")
    assert one.sentence == (
        "whenever it holds, nothing leaves: of no State to which it applies is known what is asked by "
        "common.mistreatment"
    )


def test_the_same_effect_under_wider_facts_is_a_warning_and_of_two_alike_the_later_is_told() -> None:
    wide = rule("ch.wide", "PERMIT")
    one = only(LintCode.SHADOWED, wide, rule("ch.same", "PERMIT", {"form": "EVIDENCE"}))
    assert told(one) == ("warning", "shadowed", "ch.same")
    assert one.sentence == "whenever it bears on a decision, the same would come without it of ch.wide"
    assert only(LintCode.SHADOWED, wide, rule("ch.again", "PERMIT")).rule == "ch.again"


def test_several_permissions_that_overlap_are_a_notice() -> None:
    first = rule("ch.first", "PERMIT", {"form": ["EVIDENCE", "INFORMATION"]})
    second = rule("ch.second", "PERMIT", {"form": ["EXISTENCE"]})
    both = rule("ch.both", "PERMIT", {"form": ["INFORMATION", "EXISTENCE"]})
    one = only(LintCode.SHADOWED, first, second, both)
    assert told(one) == ("notice", "shadowed", "ch.both")


def test_a_prohibition_matters_where_it_is_undecided() -> None:
    """Where it holds another does, but not where it cannot be decided: there it withholds alone."""
    wide = rule("ch.wide", "DENY", {"form": "EVIDENCE", "any_of": [{"tlp": "RED"}, {"urgency": {"not": "URGENT"}}]})
    narrow = rule("ch.narrow", "DENY", {"form": "EVIDENCE", "tlp": "RED"})
    assert only(LintCode.SHADOWED, PERMIT, wide, narrow).rule == "ch.narrow"
    undecided = rule("ch.undecided", "DENY", {"form": "EVIDENCE", "tlp": "RED", "secrecy_domain": True})
    assert only(LintCode.SHADOWED, PERMIT, wide, undecided).rule == "ch.undecided"
    origin = rule("ch.origin", "DENY", {"origin.foreign": True, "urgency": "URGENT"})
    named = rule(
        "ch.named", "DENY", {"origin.state": {"not": ["NONE", "CH"]}, "urgency": "URGENT", "live_case_harm": False}
    )
    abroad = rule("ch.abroad", "DENY", {"any_of": [{"origin.foreign": True}, {"urgency": "ORDINARY"}], "tlp": "RED"})
    assert [told(one) for one in lint(PERMIT, origin, named)[0]] == [("warning", "shadowed", "ch.named")]
    assert lint(PERMIT, origin, abroad)[0] == []


def test_where_others_hold_but_not_where_it_is_undecided() -> None:
    every = [{"assertion": "FACT"}, {"assertion": "ASSESSMENT"}]
    wide = rule("ch.wide", "DENY", {"form": "EVIDENCE"})
    asks = rule("ch.asks", "DENY", {"form": "EVIDENCE", "any_of": every})
    assert only(LintCode.SHADOWED, PERMIT, wide, asks).rule == "ch.asks"
    fact = rule("ch.fact", "APPROVAL", {"form": "EVIDENCE", "assertion": "FACT"}, needs={"approver": "JUDGE"})
    both = approval("ch.both", "JUDGE", {"form": "EVIDENCE"})
    found = [one for one in lint(PERMIT, both, fact)[0] if "common.h3" not in one.sentence]
    (one,) = found
    assert told(one) == ("notice", "only-undecided", "ch.fact")
    assert one.sentence == "where it holds, ch.both would do the same; it matters only where it is undecided"
    assert one.combination is not None
    assert described(one.combination).startswith("assertion unknown; form EVIDENCE; to ")


def test_conditions_shadow_only_with_the_same_words() -> None:
    words = condition("ch.a", "PURPOSE", "Used so.", {"personal_data": True})
    same = condition("ch.b", "PURPOSE", "Used so.", {"personal_data": True})
    other = condition("ch.b", "PURPOSE", "Used otherwise.", {"personal_data": True})
    assert told(only(LintCode.SHADOWED, PERMIT, words, same)) == ("warning", "shadowed", "ch.b")
    assert lint(PERMIT, words, other)[0] == []


def test_redactions_shadow_field_by_field() -> None:
    def redact(rule_id: str, *fields: str) -> dict[str, Any]:
        return rule(rule_id, "REDACT", {"personal_data": True}, needs={"redact": list(fields)})

    one = only(
        LintCode.SHADOWED,
        PERMIT,
        redact("ch.a", "summary"),
        redact("ch.b", "value"),
        redact("ch.c", "summary", "value"),
    )
    assert told(one) == ("notice", "shadowed", "ch.c")
    assert lint(PERMIT, redact("ch.a", "summary"), redact("ch.c", "summary", "value"))[0][0].rule == "ch.a"


def test_records_are_never_shadowed_and_a_prohibition_of_what_nothing_permits_is_idle() -> None:
    assert lint(PERMIT, rule("ch.log", "RECORD"), rule("ch.minutes", "RECORD"))[0] == []
    one = only(LintCode.IDLE, PERMIT, rule("ch.deny", "DENY", {"form": "EXISTENCE"}))
    assert told(one) == ("notice", "idle", "ch.deny")
    assert one.sentence == "where it holds, no rule permits anything anyway"


# --- Conflicts ---


def test_a_duty_that_is_always_forbidden_is_an_error() -> None:
    duty = rule("ch.duty", "OBLIGE", {"form": "EVIDENCE", "urgency": "EMERGENCY"})
    found, _ = lint(PERMIT, duty, rule("ch.deny", "DENY", {"form": "EVIDENCE"}))
    (one,) = found
    assert told(one) == ("error", "unfulfillable", "ch.duty")
    assert one.sentence == "the duty can never be fulfilled: wherever it holds, it is forbidden by ch.deny"
    assert one.combination is not None
    assert described(one.combination).startswith("form EVIDENCE; urgency EMERGENCY; to ")


def test_a_duty_that_nothing_permits_is_an_error() -> None:
    one = only(
        LintCode.UNFULFILLABLE, PERMIT, rule("ch.duty", "OBLIGE", {"form": "EXISTENCE", "recipient.state": "DE"})
    )
    assert one.sentence == "the duty can never be fulfilled: no rule permits anything where it holds"
    narrow = rule("ch.permit", "PERMIT", {"form": "INFORMATION", "urgency": "URGENT"})
    forbidden = rule("ch.deny", "DENY", {"urgency": "URGENT", "recipient.state": ["DE", "FR"]})
    found, _ = lint(narrow, rule("ch.duty", "OBLIGE", {"recipient.state": "DE"}), forbidden)
    assert [told(one) for one in found] == [("error", "unfulfillable", "ch.duty")]
    assert (
        found[0].sentence
        == "the duty can never be fulfilled: wherever it is permitted, too, it is forbidden by ch.deny"
    )


def test_a_duty_that_can_be_forbidden_is_a_notice_with_the_combination() -> None:
    duty = rule("ch.duty", "OBLIGE", {"recipient.state": "DE", "live_case_harm": False})
    found, _ = lint(PERMIT, duty, rule("ch.deny", "DENY", {"form": "EVIDENCE", "secrecy_domain": True}))
    own, common = found
    assert told(own) == told(common) == ("notice", "duty-forbidden", "ch.duty")
    sentences = {own.sentence: own, common.sentence: common}
    one = sentences["the duty can be forbidden, and then yields, by ch.deny"]
    assert one.combination is not None
    assert described(one.combination).startswith(
        "form EVIDENCE; live_case_harm NO; recipient.state DE; secrecy_domain YES; to DE on "
    )
    assert (
        "the duty can be forbidden, and then yields, by common.withdrawn, common.retention, common.tlp-red and "
        "common.character"
    ) in sentences


def test_two_approvers_of_whom_one_is_not_asked_are_a_warning() -> None:
    judge = approval("ch.a", "JUDGE", {"urgency": "URGENT"})
    minister = approval("ch.b", "MINISTER", {"form": "EVIDENCE"})
    found, _ = lint(PERMIT, judge, minister)
    found = [one for one in found if "common.h3" not in one.sentence]
    assert [told(one) for one in found] == [("warning", "two-approvers", "ch.b")]
    assert found[0].sentence == (
        "ch.a and ch.b can hold together; the decision then names JUDGE as approver, and MINISTER is not asked"
    )
    assert found[0].combination is not None
    assert described(found[0].combination).startswith("form EVIDENCE; urgency URGENT; to ")
    apart = approval("ch.b", "MINISTER", {"urgency": "ORDINARY"})
    assert not [one for one in lint(PERMIT, judge, apart)[0] if "common.h3" not in one.sentence]


def test_an_approver_who_is_never_asked_is_shadowed() -> None:
    judge, minister = approval("ch.a", "JUDGE"), approval("ch.b", "MINISTER")
    found = {told(one) for one in lint(PERMIT, judge, minister)[0]}
    assert ("warning", "shadowed", "ch.b") in found
    assert ("warning", "shadowed", "ch.a") not in found


def test_conditions_that_clash_are_a_notice() -> None:
    one = only(
        LintCode.CONDITIONS_CLASH, PERMIT, condition("ch.a", "NO_EVIDENCE", "Not evidence.", {"personal_data": True})
    )
    assert one.sentence == "what leaves in the form of EVIDENCE can be bound not to be used as evidence"
    assert one.combination is not None
    assert described(one.combination).startswith("form EVIDENCE; personal_data YES; to ")
    short = condition("ch.a", "RETENTION", "Deleted after a year.", {"personal_data": True})
    long = condition("ch.b", "RETENTION", "Kept for ten years.", {"form": "EVIDENCE"})
    one = only(LintCode.CONDITIONS_CLASH, PERMIT, short, long)
    assert told(one) == ("notice", "conditions-clash", "ch.b")
    assert "it and ch.a can bind together" in one.sentence


# --- Cited, checked, dated, proved ---


@pytest.mark.parametrize(
    ("changed", "severity", "code", "sentence", "line"),
    [
        ({"citation": "-"}, "error", "uncited", "it cites no article", "citation"),
        ({"citation": "TODO"}, "error", "uncited", "it cites no article", "citation"),
        (
            {"source": "?"}, "error", "unsourced",
            "it does not say where it was read; use K for general knowledge", "source",
        ),
        (
            {"source": "K", "verified": True}, "error", "unsourced",
            "it says that it was checked, and that its source is general knowledge (K); one of them is wrong",
            "verified",
        ),
        ({"verified": False}, "warning", "unverified", "it was not checked against a published text (S1)", "verified"),
        (
            {"valid": {"from": dt.date(2020, 1, 1), "to": dt.date(2025, 12, 31)}}, "notice", "expired",
            "it ended on 2025-12-31, and no version follows; it serves only to replay old decisions", "valid",
        ),
        (
            {"valid": {"from": dt.date(2026, 7, 1)}}, "warning", "later-than-pack",
            "it begins on 2026-07-01, later than the pack is consolidated (2026-01-01)", "valid",
        ),
    ],
)  # fmt: skip
def test_what_is_owed(changed: dict[str, Any], severity: str, code: str, sentence: str, line: str) -> None:
    found, text = lint(PERMIT, rule("ch.deny", "DENY", {"form": "EVIDENCE", "tlp": "RED"}, **changed))
    (one,) = found
    assert (told(one), one.sentence) == ((severity, code, "ch.deny"), sentence)
    assert text.splitlines()[one.line - 1].strip().startswith(f"{line}:")


def test_a_gap_between_versions_is_a_warning() -> None:
    old = rule(
        "ch.deny",
        "DENY",
        {"form": "EVIDENCE", "tlp": "RED"},
        valid={"from": dt.date(2020, 1, 1), "to": dt.date(2022, 12, 31)},
    )
    new = {**old, "valid": {"from": dt.date(2023, 3, 1)}}
    cases = cases_for([PERMIT, old])
    one = only(LintCode.GAP, PERMIT, old, new, cases=cases)
    assert one.severity is LintSeverity.WARNING
    assert one.sentence == "between its versions it is not in force, from 2023-01-01 to 2023-02-28"
    assert lint(PERMIT, old, {**old, "valid": {"from": dt.date(2023, 1, 1)}}, cases=cases)[0] == []


def test_a_rule_without_cases_is_an_error_and_kinds_that_lack_are_a_warning() -> None:
    deny = rule("ch.deny", "DENY", {"form": "EVIDENCE", "tlp": "RED"})
    one = only(LintCode.NO_CASES, PERMIT, deny, cases=cases_for([PERMIT]))
    assert told(one) == ("error", "no-cases", "ch.deny")
    cases = cases_for([PERMIT, deny])
    cases["cases"] = [case for case in cases["cases"] if case["rule"] != "ch.deny" or case["kind"] == "decides"]
    one = only(LintCode.CASES_LACKING, PERMIT, deny, cases=cases)
    assert one.severity is LintSeverity.WARNING
    assert one.sentence == "it has no case of this kind: outside, boundary and missing"


def test_what_holds_always_needs_no_case_outside_it() -> None:
    log = rule("ch.log", "RECORD")
    cases = cases_for([PERMIT, log])
    kept = [case for case in cases["cases"] if case["rule"] != "ch.log" or case["kind"] in {"decides", "boundary"}]
    assert lint(PERMIT, log, cases={**cases, "cases": kept})[0] == []


# --- What is shipped ---


def test_the_common_rules_are_sound_by_themselves_whatever_a_pack_assesses() -> None:
    law = read_law(pack_files()[0])
    subject = Subject(law.pack, read_yaml(common_text(), "common.yaml"), common_cases(), COMMON)
    found = lint_common(subject, law.treaties, DAY)
    assert {told(one) for one in found if one.code is not LintCode.UNVERIFIED} == {
        ("notice", "only-undecided", "common.offence-stated"),
        ("notice", "only-undecided", "common.authority-known"),
    }
    assert {one.source for one in found} == {"common.yaml"}
