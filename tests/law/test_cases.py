"""Case files: what they check, and how a broken file is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.errors import PackError
from sharing.law.cases import parse_cases
from sharing.law.cases.runs import CaseResult, run_cases
from sharing.law.reading.pack_reader import parse_pack
from tests.law.strategies import COMMON_RULES, TREATIES

PACK = """\
state: CH
version: 1
title: A pack for cases
disclaimer: None of this is law.
consolidated_at: 2026-01-01
maintainers: []
treaty_preference: [BUDAPEST, UNCAC]
approvers: {JUDGE: A judge}
rules:
  - {id: ch.1, citation: c, nature: statute, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {form: INFORMATION, recipient.adequacy: true}, effect: PERMIT}
  - {id: ch.2, citation: c, nature: statute, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {treaty_basis: BUDAPEST}, effect: CONDITION,
     needs: {condition: {kind: PURPOSE, text: Only so.}}}
  - {id: ch.3, citation: c, nature: statute, paraphrase: p, source: K, verified: false, valid: {from: 2026-03-01},
     when: {urgency: URGENT}, effect: APPROVAL, needs: {approver: JUDGE}}
  - {id: ch.4, citation: c, nature: statute, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {recipient.treaties: {includes: BUDAPEST}}, effect: REDACT, needs: {redact: [summary]}}
  - {id: ch.5, citation: c, nature: statute, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     when: {recipient.named: true}, effect: OBLIGE}
"""

BASE = """\
base:
  indicator:
    type: domain-name
    value: example.org
    source: {state: CH, agency: Police, authority: POLICE}
    form: INFORMATION
    offence: {codes: [ILLEGAL_ACCESS]}
    collection: SEARCH
    urgency: ORDINARY
    nexus: []
  recipient: DE
  authority: POLICE
  at: 2026-02-28T23:59:59Z
cases:
  - name: one
    rule: ch.1
    kind: decides
"""

LAW = parse_pack(PACK, "ch.yaml", TREATIES["shipped"], COMMON_RULES["small"])


def run_case(given: str = "{recipient.adequacy: true}", expect: str = "{outcome: OFFER}", more: str = "") -> CaseResult:
    """Run one case and return its result."""
    text = f"{BASE}    given: {given}\n    expect: {expect}\n" + (f"    {more}\n" if more else "")
    (result,) = run_cases(parse_cases(text, "ch.cases.yaml"), LAW, TREATIES["shipped"])
    return result


def run_and_fail(text: str) -> PackError:
    with pytest.raises(PackError) as caught:
        list(run_cases(parse_cases(text, "ch.cases.yaml"), LAW, TREATIES["shipped"]))
    return caught.value


# --- The checks of a case ---


def test_a_passing_case_has_no_differences_and_its_line() -> None:
    result = run_case()
    assert result.differences == ()
    assert result.line == 15
    assert result.decision.state == "DE"


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("{outcome: DISCLOSE}", "outcome: expected DISCLOSE, got OFFER"),
        ("{outcome: OFFER, rules: [ch.1]}", "rules: expected ['ch.1'], got ['ch.1', 'ch.2', 'ch.4', 'common.audit']"),
        ("{outcome: OFFER, rules: []}", "rules: expected []"),
        ("{outcome: OFFER, undecided: {ch.1: [form]}}", "undecided: expected {'ch.1': ['form']}, got {}"),
        ("{outcome: OFFER, conditions: []}", "conditions: expected [], got ['ch.2']"),
        ("{outcome: OFFER, conditions: {}}", "conditions: expected [], got ['ch.2']"),
        ("{outcome: OFFER, conditions: {ch.2: {kind: OTHER}}}", "conditions: ch.2: expected kind OTHER, got PURPOSE"),
        (
            "{outcome: OFFER, conditions: {ch.2: {kind: PURPOSE, text: Only that.}}}",
            "conditions: ch.2: expected text 'Only that.', got 'Only so.'",
        ),
        ("{outcome: OFFER, redacted: [value]}", "redacted: expected ['value'], got ['summary']"),
        ("{outcome: OFFER, approver: JUDGE}", "approver: expected JUDGE, got None"),
        ("{outcome: OFFER, obligation: true}", "obligation: expected True, got False"),
        ("{outcome: OFFER, basis: UNCAC}", "basis: expected UNCAC, got BUDAPEST"),
        ("{outcome: OFFER, condition_model: ATTACHED_BINDING}", "condition_model: expected ATTACHED_BINDING"),
    ],
)
def test_each_difference_is_reported(expect: str, difference: str) -> None:
    (reported,) = run_case(expect=expect).differences
    assert reported.startswith(difference)


def test_lists_are_compared_in_any_order() -> None:
    assert not run_case(expect="{outcome: OFFER, rules: [common.audit, ch.4, ch.2, ch.1]}").differences


@pytest.mark.parametrize("condition", ["{kind: PURPOSE}", "{kind: PURPOSE, text: Only so.}"])
def test_a_condition_may_be_expected_with_its_text(condition: str) -> None:
    assert not run_case(expect=f"{{outcome: OFFER, conditions: {{ch.2: {condition}}}}}").differences


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ("{ch.2: {text: Only so.}}", "conditions.ch.2.kind: is missing"),
        ("{ch.2: {kind: PURPOSES}}", "did you mean 'PURPOSE'"),
        ("{ch.2: PURPOSE}", "conditions.ch.2: must be"),
        ("ch.2", "must be a list of rule ids"),
        ("[1]", "must be a list of rule ids"),
        ("[ch.2, ch.2]", "the same id is listed twice"),
    ],
)
def test_an_invalid_expectation_of_conditions_is_refused_with_its_line(conditions: str, message: str) -> None:
    caught = run_and_fail(f"{BASE}    given: {{}}\n    expect: {{outcome: OFFER, conditions: {conditions}}}\n")
    assert message in str(caught)
    assert caught.line == BASE.count("\n") + 2


def test_an_unexpected_approver_or_obligation_is_a_difference() -> None:
    given = "{recipient.adequacy: true, urgency: URGENT}"
    result = run_case(given, "{outcome: HOLD}", "at: 2026-03-01T00:00:00Z")
    assert result.differences == ("approver: expected None, got JUDGE",)
    named = "{recipient.adequacy: true, nexus: [{state: DE, reason: r}]}"
    assert run_case(named).differences == ("obligation: expected False, got True",)


@pytest.mark.parametrize(("at", "outcome"), [("2026-02-28T23:59:59.999Z", "OFFER"), ("2026-03-01T00:00:00Z", "HOLD"),
                                             ("2026-03-01T00:30:00+01:00", "OFFER")])  # fmt: skip
def test_the_day_of_a_case_is_in_utc(at: str, outcome: str) -> None:
    given = "{recipient.adequacy: true, urgency: URGENT}"
    assert run_case(given, f"{{outcome: {outcome}}}", f"at: {at}").decision.outcome == outcome


def test_null_removes_a_fact() -> None:
    result = run_case(
        "{recipient.adequacy: null, form: null}", "{outcome: WITHHOLD, undecided: {ch.1: [form, recipient.adequacy]}}"
    )
    assert result.differences == ()


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ("treaty_basis: UNCAC", "{outcome: DISCLOSE, basis: UNCAC, condition_model: ATTACHED_BINDING, conditions: []}"),
        ("treaty_basis: NONE", "{outcome: DISCLOSE, condition_model: PRE_ACCEPT, conditions: []}"),
        ("treaty_basis: null", "{outcome: WITHHOLD, undecided: {ch.2: [treaty_basis]}}"),
        ("recipient.treaties: [UNCAC]", "{outcome: OFFER, redacted: []}"),
        ("recipient.treaties: BUDAPEST", "{outcome: OFFER, redacted: [summary]}"),
        ("recipient.treaties: []", "{outcome: OFFER, redacted: []}"),
        ("recipient.treaties: null", "{outcome: WITHHOLD, undecided: {ch.4: [recipient.treaties]}}"),
    ],
)
def test_treaty_facts_may_be_overridden(given: str, expect: str) -> None:
    assert run_case(f"{{recipient.adequacy: true, {given}}}", expect).differences == ()


def test_a_case_may_have_another_recipient() -> None:
    result = run_case(expect="{outcome: WITHHOLD}", more="recipient: so")
    assert result.decision.state == "SO"
    assert not result.differences


# --- Refusals ---


def make_broken(old: str, new: str) -> str:
    text = f"{BASE}    given: {{recipient.adequacy: true}}\n    expect: {{outcome: OFFER}}\n"
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "message"),
    [
        ("rule: ch.1", "rule: ch.9", 16, "cases.0.rule", "the pack has no rule 'ch.9'; did you mean 'ch."),
        ("kind: decides", "kind: decide", 17, "cases.0.kind", "did you mean 'decides'?"),
        ("given:", "givn:", 18, "cases.0.givn", "did you mean 'given'?"),
        ("outcome: OFFER", "outcome: OFER", 19, "cases.0.expect.outcome", "did you mean 'OFFER'?"),
        ("outcome: OFFER", "outcome: OFFER, rule: [ch.1]", 19, "cases.0.expect.rule", "did you mean 'rules'?"),
        ("outcome: OFFER", "rules: [ch.1]", 19, "cases.0.expect.outcome", "is missing"),
        ("recipient: DE", "recipient: Germany", 11, "base.recipient", "did you mean DE (Germany)?"),
        ("authority: POLICE\n  at", "authority: POLISE\n  at", 12, "base.authority", "did you mean 'POLICE'?"),
        ("at: 2026-02-28T23:59:59Z", "at: 2026-02-28T23:59:59", 13, "base.at", "must have a time zone"),
        ("at: 2026-02-28T23:59:59Z", "at: 2026-02-28", 13, "base.at", "must be an RFC 3339 time with a time zone"),
        ("at: 2026-02-28T23:59:59Z", "at: 0001-01-01T00:00:00+01:00", 13, "base.at", "in the years 1 to 9999 in UTC"),
        ("recipient.adequacy: true", "recipient.adequate: true", 18, "cases.0.given", "recipient: unknown field"),
        ("adequacy: true", "adequacy: maybe", 18, "cases.0.given.recipient.adequacy", "'maybe' is"),
        ("adequacy: true", "adequacy: [true]", 18, "cases.0.given.recipient.adequacy", "has a single value"),
        ("adequacy: true", "treaties: [BUDAPST]", 18, "cases.0.given.recipient.treaties", "did you mean 'BUDAPEST'?"),
        ("recipient.adequacy: true", "treaty_basis: UNKAC", 18, "cases.0.given.treaty_basis", "did you mean 'UNCAC'?"),
        ("recipient.adequacy: true", "urgency: URGNT", 18, "cases.0.given", "did you mean 'URGENT'?"),
        ("recipient.adequacy: true", "origin.foreign: true", 18, "cases.0.given", "origin.foreign: unknown field"),
        ("recipient.adequacy: true", "value.part: x", 18, "cases.0.given.value.part", "value has no fields"),
        ("value: example.org", "value: example", 18, "cases.0.given", "not a valid domain-name"),
    ],
)  # fmt: skip
def test_a_broken_case_file_is_refused(old: str, new: str, line: int, key: str, message: str) -> None:
    caught = run_and_fail(make_broken(old, new))
    assert message in str(caught)
    assert (caught.source, caught.line, caught.key) == ("ch.cases.yaml", line, key)


def test_two_cases_with_the_same_name_are_refused() -> None:
    case = "  - {name: one, rule: ch.1, kind: outside, expect: {outcome: WITHHOLD}}\n"
    caught = run_and_fail(make_broken("given:", "given:") + case)
    assert "two cases have this name" in str(caught)
    assert caught.key == "cases.1.name"


def test_a_case_file_without_cases_is_refused() -> None:
    caught = run_and_fail(BASE[: BASE.index("cases:")] + "cases: []\n")
    assert caught.key == "cases"


def test_a_case_does_not_change_the_base() -> None:
    text = make_broken(
        "recipient.adequacy: true", "recipient.adequacy: true, source.authority: COURT, offence.codes: [LAUNDERING]"
    )
    file = parse_cases(text, "ch.cases.yaml")
    before: dict[str, Any] = file.base.indicator
    list(run_cases(file, LAW, TREATIES["shipped"]))
    assert before["source"]["authority"] == "POLICE"
    assert before["offence"] == {"codes": ["ILLEGAL_ACCESS"]}
