"""`sharing law lint`: what it prints, how it exits, and packs of a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sharing.packs.library import shipped_packs
from sharing.testing.samples import smoke_packs
from tests.cli.conftest import Call

PACK = """\
state: CH
version: "7"
title: A pack
disclaimer: An illustration.
consolidated_at: 2026-01-01
maintainers: [someone]
treaty_preference: [UNCAC]
assessments:
  - states: [DE]
    date: 2020-01-01
    source: test
    facts: {mistreatment_risk: false, persecution_risk: false}
rules:
  - id: ch.test-1
    citation: Test Act art. 1
    paraphrase: Information goes.
    source: S1
    verified: true
    valid: {from: 2020-01-01}
    when: {form: INFORMATION}
    effect: PERMIT
"""

NEVER = """\
  - id: ch.test-2
    citation: Test Act art. 2
    paraphrase: Evidence that is information stays.
    source: S1
    verified: true
    valid: {from: 2020-01-01}
    when:
      form: EVIDENCE
      any_of: [{form: INFORMATION}]
    effect: DENY
"""

BASE = """\
base:
  indicator:
    type: mutex
    value: x
    source: {state: CH, agency: Police, authority: POLICE}
  recipient: DE
  authority: POLICE
  at: 2026-03-02T09:00:00Z
cases:
"""


def cases(*rules: str) -> str:
    entry = "  - {{name: {0} {1}, rule: {0}, kind: {1}, expect: {{outcome: WITHHOLD}}}}\n"
    kinds = ("decides", "outside", "boundary", "missing")
    return BASE + "".join(entry.format(rule, kind) for rule in rules for kind in kinds)


@pytest.fixture
def packs(clean: Path) -> Path:
    folder = clean / "packs"
    folder.mkdir()
    (folder / "ch.yaml").write_text(PACK)
    (folder / "ch.cases.yaml").write_text(cases("ch.test-1"))
    return folder


def spoil(packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK + NEVER)
    (packs / "ch.cases.yaml").write_text(cases("ch.test-1", "ch.test-2"))


def of_pack(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in document["findings"] if finding["file"] != "common.yaml"]


def test_the_shipped_packs_have_no_errors(call: Call) -> None:
    done = call("law", "lint", "--at", "2026-11-25", "--json")
    assert done.code == 0
    assert done.document["packs"] == len(shipped_packs())
    assert done.document["errors"] == 0
    assert done.document["warnings"] > 0
    files = {finding["file"] for finding in done.document["findings"]}
    assert files == {"common.yaml", *(f"{code.lower()}.yaml" for code in shipped_packs())}
    # Of the common rules each finding is told once.
    common = [tuple(map(str, one.values())) for one in done.document["findings"] if one["file"] == "common.yaml"]
    assert len(common) == len(set(common))


def test_a_pack_of_ones_own_is_linted_with_the_common_rules(call: Call, packs: Path) -> None:
    done = call("law", "lint", "--packs", packs, "--json")
    assert done.code == 0
    assert of_pack(done.document) == []
    done = call("law", "lint", "--packs", packs)
    assert "ch.yaml: 0 errors, 0 warnings, 0 notices" in done.out
    assert done.out.splitlines()[-1].startswith("1 pack: 0 errors, ")


def test_an_error_exits_with_1_and_says_where_and_why(call: Call, packs: Path) -> None:
    spoil(packs)
    line = next(number for number, text in enumerate((PACK + NEVER).splitlines(), 1) if text == "    when:")
    done = call("law", "lint", "ch", "--packs", packs)
    assert done.code == 1
    assert (
        f"error unreachable, ch.yaml:{line} [ch.test-2]: it can never hold: no combination of facts allows for "
        "form is EVIDENCE and form is INFORMATION"
    ) in done.out
    done = call("law", "lint", "--packs", packs, "--json")
    assert done.code == 1
    assert done.document["errors"] == 1
    (finding,) = of_pack(done.document)
    assert finding == {
        "file": "ch.yaml",
        "line": line,
        "rule": "ch.test-2",
        "severity": "error",
        "code": "unreachable",
        "sentence": "it can never hold: no combination of facts allows for form is EVIDENCE and form is INFORMATION",
        "combination": None,
    }


def test_a_combination_is_shown_with_the_facts_that_matter(call: Call, packs: Path) -> None:
    duty = NEVER.replace("DENY", "OBLIGE").replace("      any_of: [{form: INFORMATION}]\n", "")
    (packs / "ch.yaml").write_text(PACK + duty)
    (packs / "ch.cases.yaml").write_text(cases("ch.test-1", "ch.test-2"))
    done = call("law", "lint", "--packs", packs, "--json")
    (finding,) = of_pack(done.document)
    assert finding["code"] == "unfulfillable"
    assert finding["combination"]["facts"] == {"form": "EVIDENCE"}
    done = call("law", "lint", "--packs", packs)
    assert f"with form EVIDENCE; to {finding['combination']['recipient']} on " in done.out


def test_strict_counts_warnings(call: Call, packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK.replace("verified: true", "verified: false"))
    done = call("law", "lint", "--packs", packs)
    assert done.code == 0
    assert "warning unverified: not checked against a published text: ch.test-1" in done.out
    assert call("law", "lint", "--packs", packs, "--strict").code == 1


def test_a_pack_without_cases_is_an_error(call: Call, packs: Path) -> None:
    (packs / "ch.cases.yaml").unlink()
    done = call("law", "lint", "--packs", packs, "--json")
    assert done.code == 1
    assert [(one["code"], one["sentence"]) for one in of_pack(done.document)] == [
        ("no-cases", "no case proves what it does")
    ]


def test_the_day_may_be_given(call: Call, packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK.replace("{from: 2020-01-01}", "{from: 2020-01-01, to: 2026-06-30}"))
    for day, codes in (("2026-06-30", []), ("2026-07-01", ["expired"])):
        document = call("law", "lint", "--packs", packs, "--at", day, "--json").document
        assert [one["code"] for one in of_pack(document)] == codes
    done = call("law", "lint", "--packs", packs, "--at", "July")
    assert (done.code, "--at must be a day, such as 2026-03-01" in done.error) == (2, True)


def test_a_state_without_a_pack_is_not_passed_over(call: Call, packs: Path) -> None:
    done = call("law", "lint", "DE", "--packs", packs)
    assert done.code == 2
    assert "there is no pack of DE" in done.error


def test_a_table_of_few_states_is_no_fault_of_the_common_rules(call: Call) -> None:
    """They are shipped, and so judged with what is shipped: the test States' table knows one recipient."""
    done = call("law", "lint", "XA", "--packs", smoke_packs(), "--json")
    assert done.code == 0, done
    assert done.document["errors"] == 0
    shipped = call("law", "lint", "CH", "--json").document["findings"]
    common = [one for one in shipped if one["file"] == "common.yaml"]
    assert [one for one in done.document["findings"] if one["file"] == "common.yaml"] == common
    assert [one for one in done.document["findings"] if one["file"] == "xa.yaml"] == []
