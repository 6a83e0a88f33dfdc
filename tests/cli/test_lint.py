"""`sharing law lint`: output, exit codes and custom packs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sharing.packs.library import list_shipped_pack_codes
from sharing.testing.samples import smoke_test_packs
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
    nature: statute
    paraphrase: Information goes.
    source: S1
    verified: true
    valid: {from: 2020-01-01}
    when: {form: INFORMATION}
    effect: PERMIT
"""

UNREACHABLE = """\
  - id: ch.test-2
    citation: Test Act art. 2
    nature: statute
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
def packs(empty_folder: Path) -> Path:
    folder = empty_folder / "packs"
    folder.mkdir()
    (folder / "ch.yaml").write_text(PACK)
    (folder / "ch.cases.yaml").write_text(cases("ch.test-1"))
    return folder


def add_unreachable_rule(packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK + UNREACHABLE)
    (packs / "ch.cases.yaml").write_text(cases("ch.test-1", "ch.test-2"))


def findings_in_pack(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in document["findings"] if finding["file"] != "common.yaml"]


def test_the_shipped_packs_are_clean(call: Call) -> None:
    result = call("law", "lint", "--at", "2026-11-25", "--json")
    assert result.code == 0
    assert result.json_document["packs"] == len(list_shipped_pack_codes())
    assert result.json_document["errors"] == 0
    assert result.json_document["warnings"] == 0
    files = {finding["file"] for finding in result.json_document["findings"]}
    assert files == {"common.yaml", *(f"{code.lower()}.yaml" for code in list_shipped_pack_codes())}
    # Each finding in the common rules is reported once, not once per pack.
    common = [
        tuple(map(str, finding.values()))
        for finding in result.json_document["findings"]
        if finding["file"] == "common.yaml"
    ]
    assert len(common) == len(set(common))


def test_a_custom_pack_is_checked_with_the_common_rules(call: Call, packs: Path) -> None:
    result = call("law", "lint", "--packs", packs, "--json")
    assert result.code == 0
    assert findings_in_pack(result.json_document) == []
    result = call("law", "lint", "--packs", packs)
    assert "ch.yaml: 0 errors, 0 warnings, 0 notices" in result.out
    assert result.out.splitlines()[-1].startswith("1 pack: 0 errors, ")


def test_an_error_is_reported_with_its_line_and_exits_with_1(call: Call, packs: Path) -> None:
    add_unreachable_rule(packs)
    line = next(number for number, text in enumerate((PACK + UNREACHABLE).splitlines(), 1) if text == "    when:")
    result = call("law", "lint", "ch", "--packs", packs)
    assert result.code == 1
    assert (
        f"error unreachable, ch.yaml:{line} [ch.test-2]: the rule can never apply: no combination of facts meets "
        "these requirements: form is EVIDENCE and form is INFORMATION"
    ) in result.out
    result = call("law", "lint", "--packs", packs, "--json")
    assert result.code == 1
    assert result.json_document["errors"] == 1
    (finding,) = findings_in_pack(result.json_document)
    assert finding == {
        "file": "ch.yaml",
        "line": line,
        "rule": "ch.test-2",
        "severity": "error",
        "code": "unreachable",
        "sentence": (
            "the rule can never apply: no combination of facts meets these requirements: "
            "form is EVIDENCE and form is INFORMATION"
        ),
        "accepted": None,
        "combination": None,
    }


def test_a_counterexample_is_printed_with_the_relevant_facts(call: Call, packs: Path) -> None:
    duty = UNREACHABLE.replace("DENY", "OBLIGE").replace("      any_of: [{form: INFORMATION}]\n", "")
    (packs / "ch.yaml").write_text(PACK + duty)
    (packs / "ch.cases.yaml").write_text(cases("ch.test-1", "ch.test-2"))
    result = call("law", "lint", "--packs", packs, "--json")
    (finding,) = findings_in_pack(result.json_document)
    assert finding["code"] == "unfulfillable"
    assert finding["combination"]["facts"] == {"form": "EVIDENCE"}
    result = call("law", "lint", "--packs", packs)
    assert f"for example: form EVIDENCE; to {finding['combination']['recipient']} on " in result.out


def test_warnings_fail_in_strict_mode(call: Call, packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK.replace("verified: true", "verified: false"))
    result = call("law", "lint", "--packs", packs)
    assert result.code == 0
    assert "warning unverified: not checked against a published text: ch.test-1" in result.out
    assert call("law", "lint", "--packs", packs, "--strict").code == 1


def test_a_pack_without_cases_is_an_error(call: Call, packs: Path) -> None:
    (packs / "ch.cases.yaml").unlink()
    result = call("law", "lint", "--packs", packs, "--json")
    assert result.code == 1
    assert [(finding["code"], finding["sentence"]) for finding in findings_in_pack(result.json_document)] == [
        ("no-cases", "no case tests this rule")
    ]


def test_the_day_of_expiry_can_be_given(call: Call, packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK.replace("{from: 2020-01-01}", "{from: 2020-01-01, to: 2026-06-30}"))
    for day, codes in (("2026-06-30", []), ("2026-07-01", ["expired"])):
        document = call("law", "lint", "--packs", packs, "--at", day, "--json").json_document
        assert [finding["code"] for finding in findings_in_pack(document)] == codes
    result = call("law", "lint", "--packs", packs, "--at", "July")
    assert (result.code, "--at July: must be a day, such as 2026-03-01" in result.error) == (2, True)


def test_a_state_without_a_pack_is_an_error(call: Call, packs: Path) -> None:
    result = call("law", "lint", "DE", "--packs", packs)
    assert result.code == 2
    assert "there is no pack for DE" in result.error


def test_the_common_rules_are_checked_with_the_shipped_treaty_table(call: Call) -> None:
    """A custom table may list few States, as the table of the test States does. That is not an error."""
    result = call("law", "lint", "XA", "--packs", smoke_test_packs(), "--json")
    assert result.code == 0, result
    assert result.json_document["errors"] == 0
    shipped = call("law", "lint", "CH", "--json").json_document["findings"]
    common = [finding for finding in shipped if finding["file"] == "common.yaml"]
    assert [finding for finding in result.json_document["findings"] if finding["file"] == "common.yaml"] == common
    assert [finding for finding in result.json_document["findings"] if finding["file"] == "xa.yaml"] == []


# --- Accepted findings ---

ACCEPTED = "accepted:\n  - {finding: unverified, rules: [ch.test-1], reason: There is no text.}\n"
UNVERIFIED_PACK = PACK.replace("verified: true", "verified: false").replace("source: S1", "source: K")


def test_an_accepted_warning_passes_in_strict_mode_and_its_reason_is_shown(call: Call, packs: Path) -> None:
    (packs / "ch.yaml").write_text(UNVERIFIED_PACK + ACCEPTED)
    result = call("law", "lint", "--packs", packs)
    assert result.code == 0
    assert "ch.yaml: 0 errors, 0 warnings, 0 notices, 1 accepted" in result.out
    assert "accepted unverified [ch.test-1]: There is no text." in result.out
    assert "warning unverified: not checked against a published text: ch.test-1" not in result.out
    document = call("law", "lint", "--packs", packs, "--json").json_document
    (finding,) = findings_in_pack(document)
    assert (finding["severity"], finding["accepted"]) == ("warning", "There is no text.")
    (packs / "ch.yaml").write_text(UNVERIFIED_PACK)
    (finding,) = findings_in_pack(call("law", "lint", "--packs", packs, "--json").json_document)
    assert finding["accepted"] is None


def test_only_what_is_not_accepted_fails_in_strict_mode(call: Call, packs: Path) -> None:
    """The common rules have their own acceptances, so this looks at the pack alone."""
    (packs / "ch.yaml").write_text(UNVERIFIED_PACK + ACCEPTED)
    accepted = call("law", "lint", "--packs", packs, "--strict", "--json").json_document
    (packs / "ch.yaml").write_text(UNVERIFIED_PACK)
    unaccepted = call("law", "lint", "--packs", packs, "--strict", "--json")
    assert unaccepted.code == 1
    assert unaccepted.json_document["warnings"] == accepted["warnings"] + 1
    assert unaccepted.json_document["accepted"] == accepted["accepted"] - 1


def test_an_acceptance_that_matches_nothing_is_an_error(call: Call, packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK + ACCEPTED)
    result = call("law", "lint", "--packs", packs)
    assert result.code == 1
    line = (PACK + ACCEPTED).splitlines().index(ACCEPTED.splitlines()[1]) + 1
    sentence = "the rule has no finding unverified any more: remove the acceptance"
    assert f"error stale-acceptance, ch.yaml:{line} [ch.test-1]: {sentence}" in result.out
