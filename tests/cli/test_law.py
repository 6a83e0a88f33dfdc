"""`sharing law list`, `show` and `test`, for the shipped packs and for custom ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from sharing.packs.library import list_shipped_pack_codes
from tests.cli.conftest import Call

PACK = """\
state: CH
version: "7"
title: A small pack [and a bracket]
disclaimer: An illustration.
consolidated_at: 2026-01-01
maintainers: [someone]
treaty_preference: [UNCAC]
assessments:
  - states: [DE]
    date: 2026-01-01
    source: test
    facts: {death_penalty_risk: false, mistreatment_risk: false, persecution_risk: false}
rules:
  - id: ch.test-1
    citation: "Test Act art. 1 [as amended]"
    nature: statute
    paraphrase: Information goes.
    source: test
    verified: false
    valid: {from: 2020-01-01}
    when: {form: INFORMATION}
    effect: PERMIT
"""

CASES = """\
base:
  indicator:
    type: domain-name
    value: host.example.org
    source: {state: CH, agency: Police, authority: POLICE}
    form: INFORMATION
    offence: {codes: [ILLEGAL_ACCESS]}
    live_case_harm: false
    character: []
  recipient: DE
  authority: POLICE
  at: 2026-03-02T09:00:00Z
cases:
  - name: Information goes
    rule: ch.test-1
    kind: decides
    expect: {outcome: DISCLOSE}
  - name: Evidence does not
    rule: ch.test-1
    kind: outside
    given: {form: EVIDENCE}
    expect: {outcome: WITHHOLD}
"""


@pytest.fixture
def packs(empty_folder: Path) -> Path:
    folder = empty_folder / "packs"
    folder.mkdir()
    (folder / "ch.yaml").write_text(PACK)
    (folder / "ch.cases.yaml").write_text(CASES)
    return folder


def test_list_shows_every_pack(call: Call) -> None:
    rows = call("law", "list", "--json").json_document
    assert [row["state"] for row in rows] == list(list_shipped_pack_codes())
    for row in rows:
        assert set(row) == {"state", "version", "sha256", "rules", "verified", "cases", "signed"}
        assert len(row["sha256"]) == 64
        assert 0 < row["verified"] < row["rules"]
    result = call("law", "list")
    assert result.code == 0
    assert "not legal advice" in result.err
    assert all(row["sha256"][:16] in result.out for row in rows)


def test_custom_packs_replace_the_shipped_ones(call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = call("law", "list", "--packs", packs, "--json").json_document
    assert (row["state"], row["version"], row["cases"]) == ("CH", "7", 2)
    monkeypatch.setenv("SHARING_PACKS", str(packs))
    assert call("law", "list", "--json").json_document == [row]
    result = call("law", "show", "DE")
    assert result.code == 2
    assert "there is no law pack for DE; available packs: CH" in result.error


def test_show_prints_every_field_and_interprets_no_markup(call: Call, packs: Path) -> None:
    result = call("law", "show", "CH", "--packs", packs)
    assert "A small pack [and a bracket] 7, consolidated 2026-01-01" in result.out
    assert "PERMIT ch.test-1: Test Act art. 1 [as amended]" in result.out
    assert "not checked against a text (test)" in result.out
    document = call("law", "show", "ch", "--packs", packs, "--json").json_document
    rule = next(rule for rule in document["rules"] if rule["id"] == "ch.test-1")
    assert (rule["effect"], rule["from"], rule["to"], rule["verified"]) == ("PERMIT", "2020-01-01", None, False)
    assert any(rule["id"].startswith("common.") for rule in document["rules"])


@pytest.mark.parametrize("state", list_shipped_pack_codes())
def test_every_shipped_pack_can_be_shown(call: Call, state: str) -> None:
    assert call("law", "show", state).code == 0


def test_passing_cases_exit_with_0(call: Call, packs: Path) -> None:
    result = call("law", "test", "--packs", packs)
    assert (result.code, result.err) == (0, "")
    assert "ch.cases.yaml: 2 passed" in result.out
    assert result.out.endswith("2 passed, 0 failed\n")
    assert call("law", "test", "--packs", packs, "--json").json_document == {"cases": 2, "failed": []}


def test_a_failing_case_is_reported_with_its_line_and_exits_with_1(call: Call, packs: Path) -> None:
    cases = packs / "ch.cases.yaml"
    cases.write_text(CASES.replace("{outcome: DISCLOSE}", "{outcome: HOLD}"))
    line = next(number for number, text in enumerate(CASES.splitlines(), 1) if "name: Information goes" in text)
    result = call("law", "test", "--packs", packs)
    assert result.code == 1
    assert f"ch.cases.yaml:{line}: Information goes [ch.test-1]" in result.out
    assert "HOLD" in result.out
    assert "DISCLOSE" in result.out
    assert result.out.endswith("1 passed, 1 failed\n")
    result = call("law", "test", "CH", "--packs", packs, "--json")
    assert result.code == 1
    (failed,) = result.json_document["failed"]
    assert (failed["file"], failed["line"], failed["rule"]) == ("ch.cases.yaml", line, "ch.test-1")
    assert failed["differences"]


def test_a_pack_without_cases_exits_with_1(call: Call, packs: Path) -> None:
    (packs / "ch.cases.yaml").unlink()
    result = call("law", "test", "--packs", packs)
    assert result.code == 1
    assert "ch.yaml: there is no file with its cases" in result.err


def test_state_codes_are_normalised(call: Call, packs: Path) -> None:
    assert call("law", "test", "ch", "CH", "--packs", packs, "--json").json_document["cases"] == 2
    (packs / "gb.yaml").write_text(PACK.replace("state: CH", "state: GB"))
    (packs / "gb.cases.yaml").write_text(CASES.replace("state: CH", "state: GB"))
    assert call("law", "test", "UK", "--packs", packs, "--json").json_document["cases"] == 2


@pytest.mark.parametrize("states", [("DE",), ("CH", "DE")])
def test_a_state_without_a_pack_is_an_error(call: Call, packs: Path, states: tuple[str, ...]) -> None:
    result = call("law", "test", *states, "--packs", packs)
    assert result.code == 2
    assert "there is no pack for DE" in result.error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("effect: PERMIT", "efect: PERMIT"), "ch.yaml:22: rules.0.efect: unknown field; did you mean 'effect'?"),
        (("form: INFORMATION", "from: INFORMATION"), "ch.yaml:21: "),
        (("rules:", "rules: []\nrulez:"), "ch.yaml:"),
        (('version: "7"', 'version: "7"\nversion: "8"'), "ch.yaml:3: version: is a duplicate key; keep one"),
        (("state: CH", "state: CH\n\ttab: 1"), "is not YAML"),
    ],
)
def test_an_invalid_pack_is_reported_with_its_line(
    call: Call, packs: Path, change: tuple[str, str], message: str
) -> None:
    (packs / "ch.yaml").write_text(PACK.replace(*change))
    for command in (("list",), ("test",), ("show", "CH")):
        result = call("law", *command, "--packs", packs)
        assert result.code == 2
        assert message in result.error


def test_a_folder_without_packs_is_an_error(call: Call, empty_folder: Path) -> None:
    result = call("law", "list", "--packs", empty_folder / "nowhere")
    assert result.code == 2
    assert "is not a folder of packs" in result.error
    (empty_folder / "empty").mkdir()
    assert "there is no pack for any State" in call("law", "test", "--packs", empty_folder / "empty").error


def test_control_characters_do_not_reach_a_terminal(call: Call, packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK.replace("Information goes.", '"Information\\e[2J goes \\u202E back"'))
    result = call("law", "show", "CH", "--packs", packs)
    assert "Information?[2J goes ? back" in result.out
