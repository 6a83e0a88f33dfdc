"""A preferred agreement that stops everything to a State is found, and one that leaves something open is not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sharing.law.lint import LintCode, LintFinding
from tests.law.lint.lint_packs import lint, rule, summarise

EVERY_KIND = ["POLICE", "PROSECUTOR", "COURT", "CUSTOMS", "FIU", "TAX", "INTELLIGENCE", "OTHER"]
MLAT = "BILATERAL:MLAT"


def agreement(scope: dict[str, Any] | None = None, kinds: list[str] | None = None) -> dict[str, Any]:
    kinds = kinds or EVERY_KIND
    return {
        "MLAT": {
            "state": "US", "valid": {"from": dt.date(2000, 1, 1)}, "condition_model": "PRE_ACCEPT",
            "scope": scope or {}, "authorities": {"from": kinds, "to": kinds}, "source": "K", "verified": False,
        }
    }  # fmt: skip


def permit(basis: Any, **more: Any) -> dict[str, Any]:
    return rule("ch.permit", "PERMIT", {"treaty_basis": basis, **more})


def find(*rules: dict[str, Any], preference: list[str], **options: Any) -> list[LintFinding]:
    findings, _ = lint(*rules, treaty_preference=preference, bilateral=agreement(**options))
    return [finding for finding in findings if finding.code is LintCode.PREFERRED_TREATY]


def test_a_preferred_agreement_that_always_covers_the_item_is_found() -> None:
    (finding,) = find(permit("BUDAPEST"), preference=[MLAT, "BUDAPEST", "UNTOC"])
    assert summarise(finding) == ("warning", "preferred-treaty", "ch.permit")
    assert finding.sentence == (
        f"the rule can never apply for US: BUDAPEST covers the item, but the pack prefers {MLAT}, which always covers "
        "it as well; nothing else is permitted to US"
    )


def test_an_agreement_that_comes_later_cuts_nothing_off() -> None:
    assert find(permit("BUDAPEST"), preference=["BUDAPEST", MLAT]) == []


def test_a_rule_that_also_tests_the_agreement_is_not_cut_off() -> None:
    assert find(permit(["BUDAPEST", MLAT]), preference=[MLAT, "BUDAPEST"]) == []
    alternatives = {"any_of": [{"treaty_basis": "BUDAPEST"}, {"treaty_basis": MLAT, "form": "EVIDENCE"}]}
    assert find(rule("ch.permit", "PERMIT", alternatives), preference=[MLAT, "BUDAPEST"]) == []
    both = {"any_of": [{"treaty_basis": "BUDAPEST"}, {"treaty_basis": "UNTOC", "form": "EVIDENCE"}]}
    (finding,) = find(rule("ch.permit", "PERMIT", both), preference=[MLAT, "BUDAPEST", "UNTOC"])
    assert "BUDAPEST or UNTOC covers the item" in finding.sentence


def test_it_is_said_whether_something_else_is_permitted() -> None:
    other = rule("ch.other", "PERMIT", {"treaty_basis": MLAT, "form": "EXISTENCE"})
    (finding,) = find(permit("BUDAPEST"), other, preference=[MLAT, "BUDAPEST"])
    assert finding.sentence.endswith("which always covers it as well")


@pytest.mark.parametrize(
    ("options", "more", "is_cut_off"),
    [
        ({"scope": {"offence.codes": ["LAUNDERING"]}}, {}, False),
        ({"scope": {"form": "EVIDENCE"}}, {"form": "INFORMATION"}, False),
        ({"scope": {"form": "EVIDENCE"}}, {"form": "EVIDENCE"}, True),
        ({"kinds": ["POLICE"]}, {}, False),
        ({"kinds": ["POLICE"]}, {"source.authority": "POLICE", "recipient.authority": "POLICE"}, True),
        ({"kinds": ["POLICE"]}, {"source.authority": "POLICE"}, False),
        ({}, {"recipient.state": "US"}, True),  # unreachable, too, which is an error: this says why
        ({}, {"recipient.state": ["US", "DE"]}, True),
        ({}, {"recipient.state": "DE"}, False),
        ({}, {"recipient.eu": True}, False),
    ],
    ids=str,
)
def test_what_the_rule_and_the_agreement_cover_decides(
    options: dict[str, Any], more: dict[str, Any], is_cut_off: bool
) -> None:
    found = find(permit("BUDAPEST", **more), preference=[MLAT, "BUDAPEST"], **options)
    assert bool(found) is is_cut_off


def test_a_rule_for_that_state_alone_is_also_unreachable() -> None:
    findings, _ = lint(
        permit("BUDAPEST", **{"recipient.state": "US"}), treaty_preference=[MLAT, "BUDAPEST"], bilateral=agreement()
    )
    assert ("error", "unreachable", "ch.permit") in [summarise(finding) for finding in findings]


def test_two_preferred_agreements_can_cover_the_item_together() -> None:
    agreements = {
        "A": agreement({"form": ["EVIDENCE", "EXISTENCE"]})["MLAT"],
        "B": agreement({"form": "INFORMATION"})["MLAT"],
    }
    preference = ["BILATERAL:A", "BILATERAL:B", "BUDAPEST"]
    findings, _ = lint(permit("BUDAPEST"), treaty_preference=preference, bilateral=agreements)
    (finding,) = (finding for finding in findings if finding.code is LintCode.PREFERRED_TREATY)
    assert "prefers BILATERAL:A and BILATERAL:B" in finding.sentence
