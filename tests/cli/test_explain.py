"""`sharing law explain`: why a State receives an item or not, and what would change the outcome."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sharing.cli.law.explain import CHANGES_SHOWN
from sharing.law.constraints import Conjunction
from sharing.packs.library import find_law
from tests.cli.conftest import Call

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


def write_items(name: str, *items: dict[str, Any]) -> Path:
    path = Path(name)
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_explain_is_deterministic(call: Call) -> None:
    file = write_items("item.jsonl", ITEM, {**ITEM, "id": None, "value": "other.example.de", "secrecy_domain": None})
    for options in ((), ("--json",), ("--json", "--to", "JP")):
        first = call("law", "explain", file, "--state", "CH", *AT, *options)
        assert first.code == 0
        assert first.out
        assert call("law", "explain", file, "--state", "CH", *AT, *options) == first


def test_without_the_option_it_is_the_state_of_the_settings(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_items("item.jsonl", ITEM)
    nobody = call("law", "explain", file, *AT)
    assert (nobody.code, nobody.error) == (2, "which State? give --state CH, or set SHARING_STATE")
    swiss = call("law", "explain", file, "--state", "CH", *AT)
    assert "under the law of Switzerland" in swiss.out
    monkeypatch.setenv("SHARING_STATE", "ch")
    assert call("law", "explain", file, *AT) == swiss
    monkeypatch.setenv("SHARING_STATE", "DE")
    assert call("law", "explain", file, "--state", "CH", *AT) == swiss


def test_explain_shows_the_rules_behind_each_outcome(call: Call) -> None:
    (document,) = call("law", "explain", write_items("i.jsonl", ITEM), "--state", "CH", *AT, "--json").json_lines
    assert document["decided_at"] == "2026-03-01T12:00:00.000Z"
    assert [recipient["state"] for recipient in document["recipients"]] == [why["state"] for why in document["why"]]
    why = next(why for why in document["why"] if why["state"] == "NL")
    assert (why["considered"], why["outcome"]) == (True, "DISCLOSE")
    assert "ch.siag-12" in {rule["id"] for rule in why["applied"]}
    text = call("law", "explain", write_items("i.jsonl", ITEM), "--state", "CH", *AT)
    assert "NL DISCLOSE: NL receives the content immediately" in text.out
    assert "[ch.siag-12]" in text.out


def test_explain_names_the_missing_fact_that_would_change_the_outcome(call: Call) -> None:
    item = {**ITEM, "live_case_harm": None}
    text = call("law", "explain", write_items("i.jsonl", item), "--state", "CH", "--to", "NL", *AT).out
    assert "missing: live_case_harm" in text
    assert "if live_case_harm were NO: DISCLOSE" in text


def test_only_the_first_changes_are_printed(call: Call) -> None:
    item = {"id": ITEM["id"], "type": "domain-name", "value": "a.example.nl", "source": {"authority": "POLICE"}}
    file = write_items("i.jsonl", item)
    (document,) = call("law", "explain", file, "--state", "US", "--to", "NL", *AT, "--json").json_lines
    (why,) = document["why"]
    count = len(why["would_change"])
    assert count > CHANGES_SHOWN
    lines = call("law", "explain", file, "--state", "US", "--to", "NL", *AT).out.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("    if ")]
    assert len(starts) == CHANGES_SHOWN
    assert (
        f"    and {count - CHANGES_SHOWN} more combinations of missing facts that would change it; see --json" in lines
    )


def test_a_state_that_nothing_points_to_is_explained_hypothetically(call: Call) -> None:
    (document,) = call(
        "law", "explain", write_items("i.jsonl", ITEM), "--state", "CH", "--to", "JP", *AT, "--json"
    ).json_lines
    (why,) = document["why"]
    assert (why["state"], why["considered"]) == ("JP", False)
    assert why["sentence"].startswith("Nothing points to JP, so it is not considered. If it were: ")
    assert "JP" not in {recipient["state"] for recipient in document["recipients"]}


def test_an_item_without_recipients_is_explained(call: Call) -> None:
    item = {**ITEM, "nexus": [], "value": "nobody.example.org", "offence": {"codes": ["COPYRIGHT"]}}
    result = call("law", "explain", write_items("i.jsonl", item), "--state", "CH", *AT)
    assert result.code == 0
    assert "no State receives it: nothing in it points to a State" in result.out


@pytest.mark.parametrize(
    "instant",
    ["2026-03-01T12:00:00", "2026-03-01", "yesterday", "", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_a_time_needs_a_zone(call: Call, instant: str) -> None:
    result = call("law", "explain", write_items("i.jsonl", ITEM), "--state", "CH", "--at", instant)
    assert result.code == 2
    named = f"--at {instant or repr('')}: must be a time with a zone, such as 2026-03-01T12:00:00Z"
    assert named in result.error


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
def test_invalid_input_is_reported_with_its_line(call: Call, text: str, message: str) -> None:
    Path("broken.jsonl").write_text(text)
    result = call("law", "explain", "broken.jsonl", "--state", "CH")
    assert result.code == 2
    assert message in result.error
    assert result.out == ""


def test_only_the_first_invalid_lines_are_reported(call: Call) -> None:
    result = call("law", "explain", write_items("i.jsonl", *[{**ITEM, "frm": "X"}] * 12), "--state", "CH")
    assert result.code == 2
    assert result.error.count("i.jsonl:") == 5
    assert result.error.endswith("; and 7 more lines")


def test_invalid_options_are_reported(call: Call) -> None:
    file = write_items("i.jsonl", ITEM)
    for arguments, message in (
        (("nowhere.jsonl", "--state", "CH"), "nowhere.jsonl: cannot be read (No such file or directory)"),
        ((file, "--state", "XX"), "ISO 3166-1"),
        ((file, "--state", "BR"), "there is no law pack for BR"),
        ((file, "--state", "CH", "--to", "Atlantis"), "ISO 3166-1"),
        ((file, "--state", "CH", "--to", ""), "ISO 3166-1"),
        ((file, "--state", "CH", "--directory", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
    ):
        result = call("law", "explain", *arguments)
        assert result.code == 2
        assert message in result.error


def test_a_custom_directory_is_used(call: Call) -> None:
    Path("d.yaml").write_text(
        "entries:\n- {state: NL, announced_at: '2026-01-01T00:00:00Z', authorities: [{name: x, kind: POLICE}]}\n"
    )
    file = write_items("i.jsonl", ITEM)
    result = call("law", "explain", file, "--state", "CH", "--directory", "d.yaml", *AT, "--json")
    assert result.err == ""  # the note about the sample directory is not printed
    (document,) = result.json_lines
    assert {recipient["state"]: recipient["outcome"] for recipient in document["recipients"]} == {"NL": "DISCLOSE"}


def test_the_configured_geoip_database_is_used(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    item = {**ITEM, "type": "ipv4-addr", "value": "198.51.100.23", "nexus": [], "offence": {"codes": ["COPYRIGHT"]}}
    file = write_items("i.jsonl", item)
    assert call("law", "explain", file, "--state", "CH", *AT, "--json").json_lines[0]["recipients"] == []
    monkeypatch.setenv("SHARING_GEOIP", "any.mmdb")
    monkeypatch.setattr("sharing.cli.law.explain.open_geoip_lookup", lambda _: lambda _: "NL")
    (document,) = call("law", "explain", file, "--state", "CH", *AT, "--json").json_lines
    assert [recipient["state"] for recipient in document["recipients"]] == ["NL"]


@pytest.mark.parametrize(
    ("rule", "outcome", "consequence"),
    [
        ("ch.imac-67a-4", "WITHHOLD", "withholds"),
        ("ch.imac-67a-5", "DISCLOSE", "permits nothing"),
        ("ch.imac-67a-6", "DISCLOSE", "adds nothing"),
    ],
)
def test_a_failed_evaluation_is_distinguished_from_a_missing_fact(
    call: Call, monkeypatch: pytest.MonkeyPatch, rule: str, outcome: str, consequence: str
) -> None:
    class FailingConjunction(Conjunction):
        def evaluate(self, facts: Any) -> bool | None:
            raise ZeroDivisionError

    law = find_law("CH")
    rules = [replace(each, when=FailingConjunction(())) if each.id == rule else each for each in law.pack.rules]
    broken = replace(law, pack=replace(law.pack, rules=tuple(rules)))
    monkeypatch.setattr("sharing.cli.law.explain.find_law", lambda *_, **__: broken)
    result = call("law", "explain", write_items("i.jsonl", ITEM), "--state", "CH", "--to", "NL", *AT)
    assert result.code == 0
    assert f"NL {outcome}" in result.out
    words = " ".join(result.out.split())
    request = f"tell the maintainers of the pack that {rule} fails on it"
    assert f"[{rule}] (statute): its evaluation failed, so it {consequence}; {request}" in words
    assert ("(evaluation failed: ch.imac-67a-4)." in words) is (outcome == "WITHHOLD")
    assert "error" not in words
    assert "ZeroDivisionError" not in result.out + result.err
    everyone = call("law", "explain", "i.jsonl", "--state", "CH", "--everyone", *AT).out
    assert "error" not in everyone
    assert (f"evaluation failed: {rule}" in " ".join(everyone.split())) is (outcome == "WITHHOLD")


@pytest.mark.parametrize("width", ["80", "140"])
def test_ids_are_never_wrapped(call: Call, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    item = {**ITEM, "secrecy_domain": None, "personal_data": None}
    (document,) = call("law", "explain", write_items("i.jsonl", item), "--state", "CH", *AT, "--json").json_lines
    result = call("law", "explain", "i.jsonl", "--state", "CH", *AT)
    assert max(map(len, result.out.splitlines())) <= int(width)
    for rule in document["why"][0]["undecided"]:
        assert f"[{rule['id']}]" in result.out


def test_everyone_prints_groups_of_states(call: Call) -> None:
    file = write_items("i.jsonl", ITEM)
    (document,) = call("law", "explain", file, "--state", "CH", "--everyone", *AT, "--json").json_lines
    assert sum(len(group["states"]) for group in document["groups"]) > 150
    assert "NL" in document["groups"][0]["states"]
    text = call("law", "explain", file, "--state", "CH", "--everyone", *AT).out
    assert "DISCLOSE" in text
    assert "redacted  nothing" in text
    assert ITEM["value"].replace("[.]", ".") not in text
    assert call("law", "explain", file, "--state", "CH", "--everyone", "--to", "DE").code == 2


@pytest.mark.parametrize("command", [("explain", "--state", "CH"), ("questions", "CH")])
def test_a_file_of_another_format_is_sent_to_the_command_that_reads_it(call: Call, command: tuple[str, ...]) -> None:
    name, *rest = command
    Path("event.json").write_text(json.dumps({"Event": {"Attribute": [], "info": "x"}}, indent=1))
    refused = call("law", name, *rest, "event.json")
    assert (refused.code, refused.out) == (2, "")
    assert refused.error.startswith("event.json: is MISP, and this command reads JSON lines; `sharing publish event.")
    Path("bundle.json").write_text(json.dumps([{"type": "identity", "spec_version": "2.1"}], indent=1))
    assert call("law", name, *rest, "bundle.json").error.startswith("bundle.json: is STIX, and this command reads JSON")
    Path("cut.json").write_text('{"Event": {')
    assert "is MISP" not in call("law", name, *rest, "cut.json").error
