"""`sharing law mutate`: changes that no case notices, for authors of packs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call

PACK = """\
state: CH
version: "1"
title: A pack
disclaimer: An illustration.
consolidated_at: 2026-01-01
maintainers: []
treaty_preference: [BUDAPEST]
approvers: {}
assessments:
  - {states: [DE], date: 2019-01-01, source: test, facts: {mistreatment_risk: false, persecution_risk: false}}
rules:
  - id: ch.test-1
    citation: Test Act art. 1
    nature: statute
    paraphrase: Information may be passed on.
    source: S1
    verified: true
    valid: {from: 2020-01-01}
    when: {personal_data: false}
    effect: PERMIT
"""
CASES = """\
base:
  indicator:
    type: mutex
    value: x
    source: {state: CH, agency: a, authority: POLICE}
    form: INFORMATION
    offence: {codes: [ILLEGAL_ACCESS]}
    collection: OPEN_SOURCE
    live_case_harm: false
    character: []
    personal_data: false
  recipient: DE
  authority: POLICE
  at: 2026-03-01T12:00:00Z
cases:
  - {name: permitted, rule: ch.test-1, kind: decides, expect: {outcome: DISCLOSE, rules: [ch.test-1]}}
  - name: personal
    rule: ch.test-1
    kind: outside
    given: {personal_data: true}
    expect: {outcome: WITHHOLD, undecided: {}}
  - {name: first, rule: ch.test-1, kind: boundary, at: 2020-01-01T00:00:00Z, expect: {outcome: DISCLOSE}}
"""
BEFORE = "  - {name: before, rule: ch.test-1, kind: boundary, at: 2019-12-31T23:59:59Z, expect: {outcome: WITHHOLD}}\n"
SURVIVOR = "ch.yaml:12: ch.test-1: from a day earlier: NO CASE FAILS"
LISTED = "equivalent:\n  - {rule: ch.test-1, changes: [from a day earlier], reason: Nobody asks.}\n"


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    folder = tmp_path / "packs"
    folder.mkdir()
    (folder / "ch.yaml").write_text(PACK)
    (folder / "ch.cases.yaml").write_text(CASES)
    return folder


def test_a_change_that_no_case_notices_is_shown_with_its_line(call: Call, packs: Path) -> None:
    result = call("law", "mutate", "--packs", packs)
    assert result.code == 1
    assert SURVIVOR in result.out
    assert "1 to correct" in result.out


def test_a_case_more_notices_it(call: Call, packs: Path) -> None:
    (packs / "ch.cases.yaml").write_text(CASES + BEFORE)
    result = call("law", "mutate", "CH", "--packs", packs)
    assert (result.code, result.out.splitlines()[-1]) == (0, "nothing to correct")
    assert "NO CASE FAILS" not in result.out


def test_an_author_lists_changes_that_no_case_can_notice(call: Call, packs: Path) -> None:
    Path("listed.yaml").write_text(LISTED)
    result = call("law", "mutate", "--packs", packs, "--equivalent", "listed.yaml", "--json")
    (document,) = result.json_document
    assert document["survivors"] == [
        {"file": "ch.yaml", "line": 12, "rule": "ch.test-1", "change": "from a day earlier", "reason": "Nobody asks."}
    ]
    assert document["killed"] == document["mutants"] - 1
    # So few mutants: one survivor is more than five in a hundred.
    assert (result.code, document["percent"] < 95) == (1, True)
    result = call("law", "mutate", "--packs", packs, "--equivalent", "listed.yaml")
    assert "ch.test-1: from a day earlier: Nobody asks." in result.out
    assert "CH: FEWER THAN 95 % ARE KILLED" in result.out


def test_a_listed_change_that_a_case_notices_is_out_of_date(call: Call, packs: Path) -> None:
    (packs / "ch.cases.yaml").write_text(CASES + BEFORE)
    Path("listed.yaml").write_text(LISTED)
    result = call("law", "mutate", "--packs", packs, "--equivalent", "listed.yaml")
    assert result.code == 1
    assert "from a day earlier: LISTED AS EQUIVALENT, but killed or not a mutant: remove it" in result.out


def test_bad_input_is_refused(call: Call, packs: Path) -> None:
    arguments = ("law", "mutate", "--packs", packs, "--equivalent", "listed.yaml")
    result = call(*arguments)
    assert (result.code, result.error) == (2, "listed.yaml: cannot be read: No such file or directory")
    Path("listed.yaml").write_text(LISTED.replace("ch.test-1", "ch.test-2"))
    assert "no pack has a rule 'ch.test-2'; did you mean 'ch.test-1'?" in call(*arguments).error
    (packs / "ch.cases.yaml").write_text(CASES.replace("outcome: DISCLOSE}", "outcome: HOLD}"))
    assert (
        "the case 'first' fails; `sharing law test` shows the difference"
        in call("law", "mutate", "--packs", packs).error
    )
    (packs / "ch.cases.yaml").unlink()
    assert "has no cases" in call("law", "mutate", "--packs", packs).error


def test_a_shipped_pack_can_be_mutated_without_the_list(call: Call) -> None:
    (document,) = call("law", "mutate", "JP", "--json").json_document
    assert document["pack"] == "JP"
    assert {survivor["reason"] for survivor in document["survivors"]} <= {None}
    assert document["percent"] >= 95
