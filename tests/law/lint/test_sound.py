"""Packs without a flaw have no findings; nor have the shipped rules."""

from __future__ import annotations

from sharing.law.lint import LintCode, LintSubject, lint_common_rules
from sharing.law.reading.pack_reader import read_pack_yaml
from sharing.packs.library import list_pack_files, load_common_cases, load_law, read_common_rules_text
from tests.law.lint.lint_packs import COMMON, DAY, PERMIT, lint, rule, summarise


def test_a_sound_pack_has_no_findings() -> None:
    assert lint(PERMIT)[0] == []
    assert lint(PERMIT, rule("ch.deny", "DENY", {"form": "EVIDENCE", "secrecy_domain": True}))[0] == []


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
