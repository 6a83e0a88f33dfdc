"""`sharing law`: what the packs are and say, and whether their cases hold, for a user's own packs, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sharing.law_library import shipped_states
from tests.cli.conftest import Call

PACK = """\
state: CH
version: "7"
title: A pack of three lines [and a bracket]
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

ITEM: dict[str, Any] = {
    "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab",
    "type": "domain-name",
    "value": "update-check[.]example.nl",
    "source": {"authority": "POLICE"},
    "form": "INFORMATION",
    "offence": {"codes": ["ILLEGAL_ACCESS"], "max_penalty_years": 3},
    "collection": "OPEN_SOURCE",
    "purpose": "DETECTION",
    "secrecy_domain": False,
    "personal_data": False,
    "live_case_harm": False,
    "character": [],
    "nexus": [{"state": "NL", "reason": "hosted there"}],
}
AT = ("--at", "2026-03-01T12:00:00Z")


@pytest.fixture
def packs(clean: Path) -> Path:
    folder = clean / "packs"
    folder.mkdir()
    (folder / "ch.yaml").write_text(PACK)
    (folder / "ch.cases.yaml").write_text(CASES)
    return folder


def lay(name: str, *items: dict[str, Any]) -> Path:
    path = Path(name)
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_list_tells_each_pack(call: Call) -> None:
    rows = call("law", "list", "--json").document
    assert [row["state"] for row in rows] == list(shipped_states())
    for row in rows:
        assert set(row) == {"state", "version", "sha256", "rules", "verified", "cases"}
        assert len(row["sha256"]) == 64
        assert 0 < row["verified"] < row["rules"]
    done = call("law", "list")
    assert done.code == 0
    assert "not legal advice" in done.err
    assert all(row["sha256"][:16] in done.out for row in rows)


def test_packs_of_ones_own_stand_for_the_shipped_ones(call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = call("law", "list", "--packs", packs, "--json").document
    assert (row["state"], row["version"], row["cases"]) == ("CH", "7", 2)
    monkeypatch.setenv("SHARING_PACKS", str(packs))
    assert call("law", "list", "--json").document == [row]
    done = call("law", "show", "DE")
    assert done.code == 2
    assert "there is no law pack for DE; there are CH" in done.error


def test_show_says_all_and_reads_nothing_as_markup(call: Call, packs: Path) -> None:
    done = call("law", "show", "CH", "--packs", packs)
    assert "A pack of three lines [and a bracket] 7, consolidated 2026-01-01" in done.out
    assert "PERMIT ch.test-1: Test Act art. 1 [as amended]" in done.out
    assert "not checked against a text (test)" in done.out
    document = call("law", "show", "ch", "--packs", packs, "--json").document
    rule = next(rule for rule in document["rules"] if rule["id"] == "ch.test-1")
    assert (rule["effect"], rule["from"], rule["to"], rule["verified"]) == ("PERMIT", "2020-01-01", None, False)
    assert any(rule["id"].startswith("common.") for rule in document["rules"])


@pytest.mark.parametrize("state", shipped_states())
def test_every_shipped_pack_can_be_shown(call: Call, state: str) -> None:
    assert call("law", "show", state).code == 0


def test_cases_that_hold_exit_with_0(call: Call, packs: Path) -> None:
    done = call("law", "test", "--packs", packs)
    assert (done.code, done.err) == (0, "")
    assert "ch.cases.yaml: 2 passed" in done.out
    assert done.out.endswith("2 passed, 0 failed\n")
    assert call("law", "test", "--packs", packs, "--json").document == {"cases": 2, "failed": []}


def test_a_case_that_fails_says_its_line_and_exits_with_1(call: Call, packs: Path) -> None:
    cases = packs / "ch.cases.yaml"
    cases.write_text(CASES.replace("{outcome: DISCLOSE}", "{outcome: HOLD}"))
    line = next(number for number, text in enumerate(CASES.splitlines(), 1) if "name: Information goes" in text)
    done = call("law", "test", "--packs", packs)
    assert done.code == 1
    assert f"ch.cases.yaml:{line}: Information goes [ch.test-1]" in done.out
    assert "HOLD" in done.out
    assert "DISCLOSE" in done.out
    assert done.out.endswith("1 passed, 1 failed\n")
    done = call("law", "test", "CH", "--packs", packs, "--json")
    assert done.code == 1
    (failed,) = done.document["failed"]
    assert (failed["file"], failed["line"], failed["rule"]) == ("ch.cases.yaml", line, "ch.test-1")
    assert failed["differences"]


def test_a_pack_without_cases_proves_nothing(call: Call, packs: Path) -> None:
    (packs / "ch.cases.yaml").unlink()
    done = call("law", "test", "--packs", packs)
    assert done.code == 1
    assert "ch.yaml: no cases stand beside it" in done.err


def test_states_are_named_as_people_name_them(call: Call, packs: Path) -> None:
    assert call("law", "test", "ch", "CH", "--packs", packs, "--json").document["cases"] == 2
    (packs / "gb.yaml").write_text(PACK.replace("state: CH", "state: GB"))
    (packs / "gb.cases.yaml").write_text(CASES.replace("state: CH", "state: GB"))
    assert call("law", "test", "UK", "--packs", packs, "--json").document["cases"] == 2


@pytest.mark.parametrize("states", [("DE",), ("CH", "DE")])
def test_a_state_without_a_pack_is_not_passed_over(call: Call, packs: Path, states: tuple[str, ...]) -> None:
    done = call("law", "test", *states, "--packs", packs)
    assert done.code == 2
    assert "there is no pack of DE" in done.error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("effect: PERMIT", "efect: PERMIT"), "ch.yaml:21: rules.0.efect: unknown field; did you mean 'effect'?"),
        (("form: INFORMATION", "from: INFORMATION"), "ch.yaml:20: "),
        (("rules:", "rules: []\nrulez:"), "ch.yaml:"),
        (('version: "7"', 'version: "7"\nversion: "8"'), "ch.yaml:3: version: stands twice"),
        (("state: CH", "state: CH\n\ttab: 1"), "is not YAML"),
    ],
)
def test_an_unsound_pack_says_where(call: Call, packs: Path, change: tuple[str, str], message: str) -> None:
    (packs / "ch.yaml").write_text(PACK.replace(*change))
    for command in (("list",), ("test",), ("show", "CH")):
        done = call("law", *command, "--packs", packs)
        assert done.code == 2
        assert message in done.error


def test_a_folder_that_is_none_is_an_error(call: Call, clean: Path) -> None:
    done = call("law", "list", "--packs", clean / "nowhere")
    assert done.code == 2
    assert "is not a folder of packs" in done.error
    (clean / "empty").mkdir()
    assert "there is no pack of any State" in call("law", "test", "--packs", clean / "empty").error


# explain


def test_explain_twice_gives_the_same_bytes(call: Call) -> None:
    file = lay("item.jsonl", ITEM, {**ITEM, "id": None, "value": "other.example.de", "secrecy_domain": None})
    for more in ((), ("--json",), ("--json", "--to", "JP")):
        first = call("law", "explain", file, "--state", "CH", *AT, *more)
        assert first.code == 0
        assert first.out
        assert call("law", "explain", file, "--state", "CH", *AT, *more) == first


def test_explain_says_why_and_why_not(call: Call) -> None:
    (document,) = call("law", "explain", lay("i.jsonl", ITEM), "--state", "CH", *AT, "--json").lines
    assert document["decided_at"] == "2026-03-01T12:00:00.000Z"
    assert [one["state"] for one in document["recipients"]] == [why["state"] for why in document["why"]]
    why = next(why for why in document["why"] if why["state"] == "NL")
    assert (why["considered"], why["outcome"]) == (True, "DISCLOSE")
    assert "ch.siag-7" in {rule["id"] for rule in why["applied"]}
    text = call("law", "explain", lay("i.jsonl", ITEM), "--state", "CH", *AT)
    assert "NL DISCLOSE: NL receives the content at once" in text.out
    assert "[ch.siag-7]" in text.out


def test_explain_tells_the_fact_that_would_change_it(call: Call) -> None:
    item = {**ITEM, "live_case_harm": None}
    text = call("law", "explain", lay("i.jsonl", item), "--state", "CH", "--to", "NL", *AT).out
    assert "missing: live_case_harm" in text
    assert "if live_case_harm were NO: DISCLOSE" in text


def test_explain_of_a_state_that_nothing_points_to(call: Call) -> None:
    (document,) = call("law", "explain", lay("i.jsonl", ITEM), "--state", "CH", "--to", "JP", *AT, "--json").lines
    (why,) = document["why"]
    assert (why["state"], why["considered"]) == ("JP", False)
    assert why["sentence"].startswith("Nothing points to JP, so it is not considered. If it were: ")
    assert "JP" not in {one["state"] for one in document["recipients"]}


def test_explain_of_an_item_that_goes_to_nobody(call: Call) -> None:
    item = {**ITEM, "nexus": [], "value": "nobody.example.org", "offence": {"codes": ["COPYRIGHT"]}}
    done = call("law", "explain", lay("i.jsonl", item), "--state", "CH", *AT)
    assert done.code == 0
    assert "goes to nobody" in done.out


@pytest.mark.parametrize(
    "instant",
    ["2026-03-01T12:00:00", "2026-03-01", "yesterday", "", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_an_instant_needs_its_zone(call: Call, instant: str) -> None:
    done = call("law", "explain", lay("i.jsonl", ITEM), "--state", "CH", "--at", instant)
    assert done.code == 2
    assert "--at must be a time with a zone, such as 2026-03-01T12:00:00Z" in done.error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "domain-name"', "broken.jsonl"),
        ('{"type": "domain-name", "value": "a.example.org", "frm": "X"}', "broken.jsonl:1: frm: unknown field"),
        ('{"type": "domain-name", "value": "a.example.org", "source": {"state": "DE"}}', "source.state"),
        ("", "broken.jsonl: is empty"),
        ("\0\1\2", "is binary"),
    ],
)
def test_what_cannot_be_explained_says_where(call: Call, text: str, message: str) -> None:
    Path("broken.jsonl").write_text(text)
    done = call("law", "explain", "broken.jsonl", "--state", "CH")
    assert done.code == 2
    assert message in done.error
    assert done.out == ""


def test_of_many_wrong_lines_a_few_are_told(call: Call) -> None:
    done = call("law", "explain", lay("i.jsonl", *[{**ITEM, "frm": "X"}] * 12), "--state", "CH")
    assert done.code == 2
    assert done.error.count("i.jsonl:") == 5
    assert done.error.endswith("; and 7 more lines")


def test_explain_names_what_is_missing(call: Call) -> None:
    file = lay("i.jsonl", ITEM)
    for arguments, message in (
        (("nowhere.jsonl", "--state", "CH"), "nowhere.jsonl: cannot be read (No such file or directory)"),
        ((file, "--state", "XX"), "ISO 3166-1"),
        ((file, "--state", "BR"), "there is no law pack for BR"),
        ((file, "--state", "CH", "--to", "Atlantis"), "ISO 3166-1"),
        ((file, "--state", "CH", "--to", ""), "ISO 3166-1"),
        ((file, "--state", "CH", "--directory", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
    ):
        done = call("law", "explain", *arguments)
        assert done.code == 2
        assert message in done.error


def test_a_directory_of_ones_own_counts(call: Call) -> None:
    Path("d.yaml").write_text(
        "entries:\n- {state: NL, announced_at: '2026-01-01T00:00:00Z', authority: {name: x, kind: POLICE}}\n"
    )
    file = lay("i.jsonl", ITEM)
    done = call("law", "explain", file, "--state", "CH", "--directory", "d.yaml", *AT, "--json")
    assert done.err == ""  # the sample directory is not used, so nothing is said of it
    (document,) = done.lines
    assert {one["state"]: one["outcome"] for one in document["recipients"]} == {"NL": "DISCLOSE"}


def test_a_place_that_the_gate_would_look_up_is_looked_up(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    item = {**ITEM, "type": "ipv4-addr", "value": "198.51.100.23", "nexus": [], "offence": {"codes": ["COPYRIGHT"]}}
    file = lay("i.jsonl", item)
    assert call("law", "explain", file, "--state", "CH", *AT, "--json").lines[0]["recipients"] == []
    monkeypatch.setenv("SHARING_GEOIP", "any.mmdb")
    monkeypatch.setattr("sharing.cli.explain.open_lookup", lambda _: lambda _: "NL")
    (document,) = call("law", "explain", file, "--state", "CH", *AT, "--json").lines
    assert [one["state"] for one in document["recipients"]] == ["NL"]


@pytest.mark.parametrize("width", ["80", "140"])
def test_ids_are_whole_in_a_terminal(call: Call, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    item = {**ITEM, "secrecy_domain": None, "personal_data": None}
    (document,) = call("law", "explain", lay("i.jsonl", item), "--state", "CH", *AT, "--json").lines
    done = call("law", "explain", "i.jsonl", "--state", "CH", *AT)
    assert max(map(len, done.out.splitlines())) <= int(width)
    for rule in document["why"][0]["undecided"]:
        assert f"[{rule['id']}]" in done.out


def test_control_characters_do_not_reach_a_terminal(call: Call, packs: Path) -> None:
    (packs / "ch.yaml").write_text(PACK.replace("Information goes.", '"Information\\e[2J goes \\u202E back"'))
    done = call("law", "show", "CH", "--packs", packs)
    assert "Information?[2J goes ? back" in done.out
