"""Packs with one flaw, their cases, and what lint finds in them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sharing.law.cases import parse_cases
from sharing.law.lint import LintCode, LintFinding, LintSubject, lint_pack
from sharing.law.reading.pack_reader import parse_pack, read_pack_yaml
from sharing.packs.library import load_common_rules, load_shipped_treaties
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
