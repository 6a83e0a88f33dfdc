"""Accepted findings carry their reason, and an acceptance that matches nothing any more is an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sharing.errors import PackError
from sharing.law.lint import LintFinding, LintSeverity
from sharing.law.lint.acceptances import apply_acceptances
from sharing.law.lint_codes import LintCode
from sharing.law.reading.pack_reader import parse_common_rules, read_pack_yaml
from sharing.packs.library import load_shipped_treaties, read_common_rules_text
from tests.law.lint.lint_packs import PERMIT, approval, lint, rule, summarise
from tests.law.strategies import dump_yaml

JUDGE = approval("ch.a", "JUDGE", {"form": "EVIDENCE"})
MINISTER = approval("ch.b", "MINISTER", {"urgency": "URGENT"})
UNCHECKED = {**PERMIT, "verified": False, "source": "K"}
REASON = "Somebody thought about it."


def accept(finding: str, *rules: str, **fields: Any) -> dict[str, Any]:
    return {"finding": finding, "rules": list(rules), "reason": REASON, **fields}


def lint_accepting(*rules: dict[str, Any], accepted: list[dict[str, Any]]) -> tuple[list[LintFinding], str]:
    return lint(*rules, accepted=accepted)


def open_findings(findings: list[LintFinding]) -> list[tuple[str, str, str]]:
    return [summarise(finding) for finding in findings if not finding.accepted]


def test_an_accepted_finding_carries_its_reason() -> None:
    (finding,), _ = lint_accepting(UNCHECKED, accepted=[accept("unverified", "ch.permit")])
    assert (summarise(finding), finding.accepted) == (("warning", "unverified", "ch.permit"), REASON)
    (finding,), _ = lint(UNCHECKED)
    assert finding.accepted == ""


def test_a_finding_of_another_kind_or_another_rule_is_not_accepted() -> None:
    other = {**rule("ch.deny", "DENY", {"form": "EVIDENCE", "secrecy_domain": True}), "verified": False}
    findings, _ = lint_accepting(UNCHECKED, other, accepted=[accept("unverified", "ch.permit")])
    assert open_findings(findings) == [("warning", "unverified", "ch.deny")]


def test_an_acceptance_without_a_finding_is_an_error_at_its_line() -> None:
    (finding,), text = lint_accepting(PERMIT, accepted=[accept("unverified", "ch.permit")])
    assert summarise(finding) == ("error", "stale-acceptance", "ch.permit")
    assert finding.sentence == "the rule has no finding unverified any more: remove the acceptance"
    assert "ch.permit" in text.splitlines()[finding.line - 1]
    assert finding.line > text.splitlines().index("accepted:")


def test_of_several_rules_only_those_without_a_finding_are_stale() -> None:
    second = rule("ch.second", "DENY", {"form": "EVIDENCE", "secrecy_domain": True})
    accepted = [accept("unverified", "ch.permit", "ch.second")]
    findings, _ = lint_accepting(UNCHECKED, second, accepted=accepted)
    assert open_findings(findings) == [("error", "stale-acceptance", "ch.second")]


def test_unchecked_rules_may_be_named_by_the_beginning_of_their_ids() -> None:
    second = {**rule("ch.second", "DENY", {"form": "EVIDENCE", "secrecy_domain": True}), "verified": False}
    assert open_findings(lint_accepting(UNCHECKED, second, accepted=[accept("unverified", "ch.*")])[0]) == []
    found = open_findings(lint_accepting(UNCHECKED, second, accepted=[accept("unverified", "ch.p*")])[0])
    assert found == [("warning", "unverified", "ch.second")]
    (stale,), _ = lint_accepting(PERMIT, accepted=[accept("unverified", "ch.*")])
    assert summarise(stale) == ("error", "stale-acceptance", "ch.*")


def test_conflicts_of_approvers_may_be_accepted_together() -> None:
    together = accept("two-approvers", "ch.*", **{"with": ["ch.*", "common.h3"]})
    assert open_findings(lint_accepting(PERMIT, JUDGE, MINISTER, accepted=[together])[0]) == []
    only_own = accept("two-approvers", "ch.*", **{"with": ["ch.*"]})
    found = open_findings(lint_accepting(PERMIT, JUDGE, MINISTER, accepted=[only_own])[0])
    assert {(code, severity) for severity, code, _ in found} == {("two-approvers", "warning")}
    useless = accept("two-approvers", "ch.*", **{"with": ["ch.*", "common.*", "common.retention"]})
    (stale,) = (each for each in lint_accepting(PERMIT, JUDGE, MINISTER, accepted=[useless])[0] if not each.accepted)
    assert stale.sentence == "no accepted two-approvers of these rules is about common.retention: remove it"


def test_an_error_cannot_be_accepted() -> None:
    dead = rule("ch.dead", "PERMIT", {"grading.information": {"below": 1}})
    findings, _ = lint_accepting(PERMIT, dead, accepted=[accept("unreachable", "ch.dead")])
    assert {(*summarise(finding), finding.accepted): finding.sentence for finding in findings} == {
        ("error", "unreachable", "ch.dead", ""): (
            "the rule can never apply: no combination of facts meets these requirements: grading.information below 1"
        ),
        ("error", "stale-acceptance", "ch.dead", ""): "an error cannot be accepted: correct unreachable of ch.dead",
    }


def two_approvers(*with_rules: str) -> list[LintFinding]:
    common = accept("two-approvers", "ch.a", "ch.b", **{"with": ["common.h3"]})
    pair = accept("two-approvers", "ch.b", **({"with": list(with_rules)} if with_rules else {}))
    findings, _ = lint_accepting(PERMIT, JUDGE, MINISTER, accepted=[common, pair])
    return findings


def test_an_acceptance_names_the_other_rules_of_a_finding() -> None:
    """So a new conflict of the same rule is not covered by an old reason."""
    assert open_findings(two_approvers("ch.a")) == []
    findings = two_approvers()
    assert ("warning", "two-approvers", "ch.b") in open_findings(findings)
    (stale,) = (finding for finding in two_approvers("ch.a", "ch.permit") if finding.severity is LintSeverity.ERROR)
    assert stale.sentence == "no accepted two-approvers of these rules is about ch.permit: remove it"


def test_what_an_acceptance_lacks_is_said() -> None:
    findings, _ = lint_accepting(PERMIT, JUDGE, accepted=[accept("two-approvers", "ch.a")])
    (stale,) = (finding for finding in findings if finding.severity is LintSeverity.ERROR)
    assert stale.sentence == "two-approvers of ch.a is also about common.h3: name what is accepted under `with`"


@pytest.mark.parametrize(
    ("accepted", "message"),
    [
        ([accept("unverifed", "ch.permit")], "did you mean 'unverified'?"),
        ([accept("unverified", "ch.permits")], "there is no rule ch.permits; did you mean 'ch.permit'?"),
        ([accept("unverified", "ch.permit", **{"with": ["ch.deny"]})], "there is no rule ch.deny"),
        ([accept("unverified", "ch.permit"), accept("unverified", "ch.permit")], "is accepted twice for ch.permit"),
        ([{"finding": "unverified", "rules": ["ch.permit"]}], "reason"),
        ([accept("unverified", "de.*")], "there is no rule de.*"),
        ([accept("redundant", "ch.*")], "redundant is accepted rule by rule: write the ids out"),
        ([accept("unverified")], "rules: must not be empty"),
        ([accept("unverified", "ch.permit", reason="")], "reason: must not be empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reader_refuses_an_acceptance_that_can_match_nothing(accepted: list[Any], message: str) -> None:
    with pytest.raises(PackError, match="accepted") as caught:
        lint_accepting(UNCHECKED, accepted=accepted)
    assert message in str(caught.value)


def test_a_pack_accepts_findings_about_common_rules_in_it() -> None:
    """A common rule may lack an assessment that only this pack could make."""
    findings, _ = lint(PERMIT, assessments=[])
    assert [summarise(finding) for finding in findings if finding.rule.startswith("common.")]
    with pytest.raises(PackError, match="common\\.persecution"):
        lint(PERMIT, accepted=[accept("never-known", "common.persecutions")])
    lint(PERMIT, accepted=[accept("never-known", "common.persecution")])


def test_the_common_rules_accept_findings_too() -> None:
    document = read_pack_yaml(read_common_rules_text(), "common.yaml")
    finding = LintFinding(LintSeverity.WARNING, LintCode.UNVERIFIED, "common.yaml", 1, "common.retention", "…")
    changed = replace(document, data={**document.data, "accepted": [accept("unverified", "common.retention")]})
    assert [found.accepted for found in apply_acceptances([finding], changed)] == [REASON]


@pytest.mark.parametrize(("name", "is_known"), [("common.retention", True), ("common.retentions", False)])
def test_the_reader_checks_the_acceptances_of_the_common_rules(name: str, is_known: bool) -> None:
    text = dump_yaml({**read_pack_yaml(read_common_rules_text(), "").data, "accepted": [accept("unverified", name)]})
    if is_known:
        assert parse_common_rules(text, "common.yaml", load_shipped_treaties()).rules
    else:
        with pytest.raises(PackError, match=r"there is no rule common\.retentions"):
            parse_common_rules(text, "common.yaml", load_shipped_treaties())
