"""`sharing law test --coverage`: which branches of the rules no case exercises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.cli.test_law_mutate import CASES, PACK

ADDED = """\
  - id: ch.test-2
    citation: Test Act art. 2
    nature: statute
    paraphrase: Secrets are not passed on.
    source: S1
    verified: true
    valid: {from: 2020-01-01}
    when: {secrecy_domain: true}
    effect: DENY
"""


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    folder = tmp_path / "packs"
    folder.mkdir()
    (folder / "ch.yaml").write_text(PACK + ADDED)
    (folder / "ch.cases.yaml").write_text(
        CASES.replace("    personal_data: false", "    personal_data: false\n    secrecy_domain: false")
    )
    return folder


def squeeze(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_what_is_missing_is_shown_with_its_place_and_a_percentage(call: Call, packs: Path) -> None:
    result = call("law", "test", "--packs", packs, "--coverage")
    assert result.code == 0
    lines = squeeze(result.out)
    assert "3 passed, 0 failed" in lines
    assert "ch.yaml:12 ch.test-1 5 of 6 rule undecided" in lines
    assert "ch.yaml:21 ch.test-2 2 of 6 rule true; rule undecided; test secrecy_domain is YES true; decisive" in lines
    assert "CH: 58.3 % (7 of 12 branches)" in lines
    assert lines[-1] == "coverage: 58.3 % (7 of 12 branches)"
    assert not any("common." in line for line in lines)


def test_without_the_option_nothing_is_measured(call: Call, packs: Path) -> None:
    assert "coverage" not in call("law", "test", "--packs", packs).out
    assert set(call("law", "test", "--packs", packs, "--json").json_document) == {"cases", "failed"}


def test_the_json_document_lists_every_rule(call: Call, packs: Path) -> None:
    document = call("law", "test", "--packs", packs, "--coverage", "--json").json_document
    coverage = document["coverage"]
    assert (document["cases"], document["failed"]) == (3, [])
    assert (coverage["covered"], coverage["branches"], coverage["percent"]) == (7, 12, 58.3)
    assert coverage["packs"] == [{"pack": "CH", "covered": 7, "branches": 12, "percent": 58.3}]
    assert coverage["rules"][1] == {
        "file": "ch.yaml",
        "line": 21,
        "rule": "ch.test-2",
        "covered": ["rule false", "test secrecy_domain is YES false"],
        "missing": ["rule true", "rule undecided", "test secrecy_domain is YES true", "decisive"],
    }


def test_a_failing_case_still_fails_the_command(call: Call, packs: Path) -> None:
    cases = (packs / "ch.cases.yaml").read_text()
    (packs / "ch.cases.yaml").write_text(cases.replace("outcome: DISCLOSE}", "outcome: HOLD}"))
    result = call("law", "test", "--packs", packs, "--coverage")
    assert result.code == 1
    assert "coverage: 58.3 %" in result.out


def test_a_pack_without_cases_has_no_coverage(call: Call, packs: Path) -> None:
    (packs / "ch.cases.yaml").unlink()
    result = call("law", "test", "--packs", packs, "--coverage")
    assert result.code == 1
    assert "coverage: 0.0 % (0 of 12 branches)" in result.out


def test_the_common_rules_count_where_their_cases_run(call: Call) -> None:
    rules = call("law", "test", "CH", "--coverage", "--json").json_document["coverage"]["rules"]
    assert {"common.yaml", "ch.yaml"} == {rule["file"] for rule in rules}
    rules = call("law", "test", "DE", "--coverage", "--json").json_document["coverage"]["rules"]
    assert {rule["file"] for rule in rules} == {"de.yaml"}
