"""A lost `not` and a weakened prohibition: what lint sees of them in one version of a pack, and what it cannot see."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.law.facts import FACTS
from sharing.law.lint import LintCode
from sharing.law.lint.direction import RISKS, SAFEGUARDS
from tests.law.lint.lint_packs import PERMIT, approval, lint, lint_single, rule, summarise

RISK, SAFEGUARD = "findings.essential_interest_harm", "findings.strictly_necessary"


def codes(*rules: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [summarise(finding) for finding in lint(*rules)[0]]


def test_the_facts_with_a_known_direction_exist_and_are_yes_or_no() -> None:
    assert all(FACTS[name].is_tristate for name in RISKS | SAFEGUARDS)
    assert not RISKS & SAFEGUARDS


@pytest.mark.parametrize(
    ("when", "is_inverted"),
    [
        ({RISK: True}, False),
        ({RISK: False}, True),
        ({RISK: {"not": True}}, True),
        ({RISK: {"not": False}}, False),
        ({RISK: [True, False]}, False),
        ({SAFEGUARD: False}, False),
        ({SAFEGUARD: True}, True),
        ({SAFEGUARD: {"not": True}}, False),
        ({"any_of": [{"form": "EVIDENCE", "secrecy_domain": True}, {RISK: False}]}, True),
        ({"secrecy_domain": False}, False),
    ],
    ids=str,
)
def test_a_prohibition_that_requires_the_absence_of_a_harm_is_a_warning(
    when: dict[str, Any], is_inverted: bool
) -> None:
    found = codes(PERMIT, rule("ch.deny", "DENY", when))
    assert (("warning", "inverted-test", "ch.deny") in found) is is_inverted


def test_the_finding_names_the_test_and_its_line() -> None:
    findings, text = lint(PERMIT, rule("ch.deny", "DENY", {RISK: False, "form": "EVIDENCE"}))
    (finding,) = findings
    assert finding.sentence == f"the prohibition applies only if {RISK} is NO, and that is a risk: is a `not` missing?"
    assert RISK in text.splitlines()[finding.line - 1]


def test_a_permission_that_requires_a_risk_is_a_warning_but_a_derogation_is_none() -> None:
    widened = rule("ch.more", "PERMIT", {"form": "EXISTENCE", RISK: True})
    assert codes(PERMIT, widened) == [("warning", "inverted-test", "ch.more")]
    derogation = rule("ch.more", "PERMIT", {"form": "EXISTENCE", SAFEGUARD: False})
    assert codes(PERMIT, derogation) == []


def test_an_exception_that_requires_a_risk_is_a_warning() -> None:
    def deny(when: dict[str, Any]) -> dict[str, Any]:
        return rule("ch.deny", "DENY", {"form": "EVIDENCE"}, exception={"when": when, "approver": "JUDGE"})

    found = codes(PERMIT, deny({RISK: True, "minor": True}))
    assert ("warning", "inverted-test", "ch.deny") in found
    assert not any(code == "inverted-test" for _, code, _ in codes(PERMIT, deny({RISK: False, "minor": True})))


# --- Weakened prohibitions ---

HARM_RECORDED = rule("ch.record", "RECORD", {RISK: True})


def test_a_harm_that_is_only_recorded_is_a_warning_with_an_example_that_leaves() -> None:
    finding = lint_single(LintCode.ONLY_RECORDED, PERMIT, HARM_RECORDED)
    assert summarise(finding) == ("warning", "only-recorded", "ch.record")
    assert finding.sentence == (
        f"the rule tests {RISK} for the answer that speaks against sharing, but only records it: the item can leave, "
        "and nobody is asked"
    )
    assert finding.counterexample is not None
    assert finding.counterexample.facts[RISK] == "YES"
    assert finding.counterexample.facts["form"] in {"INFORMATION", "EVIDENCE"}


@pytest.mark.parametrize(
    "restriction",
    [
        rule("ch.other", "DENY", {RISK: True}),
        rule("ch.other", "DENY", {"form": ["INFORMATION", "EVIDENCE"], "any_of": [{RISK: True}]}),
        approval("ch.other", "JUDGE", {RISK: True}),
        rule("ch.other", "DENY", {RISK: True}, exception={"when": {"minor": True}, "approver": "JUDGE"}),
    ],
    ids=["deny", "deny what is permitted", "approval", "exception"],
)
def test_a_harm_that_another_rule_answers_may_be_recorded(restriction: dict[str, Any]) -> None:
    found = codes(PERMIT, HARM_RECORDED, restriction)
    lifted = "exception" in restriction
    assert (("warning", "only-recorded", "ch.record") in found) is lifted  # where it lifts the rule, the item leaves


def test_a_restriction_that_leaves_a_part_open_does_not_answer_the_harm() -> None:
    partial = rule("ch.other", "DENY", {RISK: True, "form": "EVIDENCE"})
    finding = lint_single(LintCode.ONLY_RECORDED, PERMIT, HARM_RECORDED, partial)
    assert finding.counterexample is not None
    assert finding.counterexample.facts["form"] == "INFORMATION"


def test_a_record_of_a_good_answer_is_no_finding() -> None:
    assert codes(PERMIT, rule("ch.record", "RECORD", {RISK: False})) == []
    assert codes(PERMIT, rule("ch.record", "RECORD", {SAFEGUARD: True})) == []


@pytest.mark.parametrize(
    ("paraphrase", "words"),
    [
        ("Every disclosure is recorded.", None),
        ("Information is passed on without request; a copy goes to the unit.", None),
        ("Nothing goes to a State that is not known; only the court decides.", "nothing», «not», «only"),
        ("Disclosing it is prohibited.", "prohibited"),
    ],
)
def test_a_record_whose_words_forbid_is_a_warning(paraphrase: str, words: str | None) -> None:
    recorded = {**rule("ch.record", "RECORD", {"form": "EVIDENCE"}), "paraphrase": paraphrase}
    findings, _ = lint(PERMIT, recorded)
    if words is None:
        assert findings == []
    else:
        (finding,) = findings
        assert summarise(finding) == ("warning", "words-forbid", "ch.record")
        assert finding.sentence == f"the paraphrase says «{words}», but a RECORD forbids nothing"


def test_words_of_other_effects_are_not_read() -> None:
    forbidding = {**rule("ch.deny", "DENY", {"form": "EVIDENCE", "secrecy_domain": True}), "paraphrase": "Nothing."}
    assert codes({**PERMIT, "paraphrase": "Only so."}, forbidding) == []
