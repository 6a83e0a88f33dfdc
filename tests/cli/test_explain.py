"""`sharing law explain`: why an item goes where it goes, why not elsewhere, and what would change it."""

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


def lay(name: str, *items: dict[str, Any]) -> Path:
    path = Path(name)
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


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


def test_of_many_ways_to_change_it_a_person_is_shown_a_few(call: Call) -> None:
    item = {"id": ITEM["id"], "type": "domain-name", "value": "a.example.nl", "source": {"authority": "POLICE"}}
    file = lay("i.jsonl", item)
    (document,) = call("law", "explain", file, "--state", "US", "--to", "NL", *AT, "--json").lines
    (why,) = document["why"]
    ways = len(why["would_change"])
    assert ways > CHANGES_SHOWN
    lines = call("law", "explain", file, "--state", "US", "--to", "NL", *AT).out.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("    if ")]
    assert len(starts) == CHANGES_SHOWN
    assert (
        f"    and {ways - CHANGES_SHOWN} more ways in which missing facts would change it; --json tells them" in lines
    )


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
    monkeypatch.setattr("sharing.cli.law.explain.open_lookup", lambda _: lambda _: "NL")
    (document,) = call("law", "explain", file, "--state", "CH", *AT, "--json").lines
    assert [one["state"] for one in document["recipients"]] == ["NL"]


@pytest.mark.parametrize(
    ("rule", "outcome", "does"),
    [
        ("ch.imac-67a-4", "WITHHOLD", "withholds"),
        ("ch.imac-67a-5", "DISCLOSE", "permits nothing"),
        ("ch.imac-67a-6", "DISCLOSE", "adds nothing"),
    ],
)
def test_a_rule_that_fails_is_told_apart_from_a_fact_that_is_missing(
    call: Call, monkeypatch: pytest.MonkeyPatch, rule: str, outcome: str, does: str
) -> None:
    class Broken(Conjunction):
        def evaluate(self, facts: Any) -> bool | None:
            raise ZeroDivisionError

    law = find_law("CH")
    rules = [replace(each, when=Broken(())) if each.id == rule else each for each in law.pack.rules]
    broken = replace(law, pack=replace(law.pack, rules=tuple(rules)))
    monkeypatch.setattr("sharing.cli.law.explain.find_law", lambda *_, **__: broken)
    done = call("law", "explain", lay("i.jsonl", ITEM), "--state", "CH", "--to", "NL", *AT)
    assert done.code == 0
    assert f"NL {outcome}" in done.out
    words = " ".join(done.out.split())
    assert f"[{rule}]: its evaluation failed, so it {does}; tell who keeps the pack" in words
    assert ("(not to be evaluated: ch.imac-67a-4)." in words) is (outcome == "WITHHOLD")
    assert "error" not in words
    assert "ZeroDivisionError" not in done.out + done.err
    everyone = call("law", "explain", "i.jsonl", "--state", "CH", "--everyone", *AT).out
    assert "error" not in everyone
    assert (f"not to be evaluated: {rule}" in " ".join(everyone.split())) is (outcome == "WITHHOLD")


@pytest.mark.parametrize("width", ["80", "140"])
def test_ids_are_whole_in_a_terminal(call: Call, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    item = {**ITEM, "secrecy_domain": None, "personal_data": None}
    (document,) = call("law", "explain", lay("i.jsonl", item), "--state", "CH", *AT, "--json").lines
    done = call("law", "explain", "i.jsonl", "--state", "CH", *AT)
    assert max(map(len, done.out.splitlines())) <= int(width)
    for rule in document["why"][0]["undecided"]:
        assert f"[{rule['id']}]" in done.out


def test_everyone_is_told_in_groups(call: Call) -> None:
    file = lay("i.jsonl", ITEM)
    (document,) = call("law", "explain", file, "--state", "CH", "--everyone", *AT, "--json").lines
    assert sum(len(group["states"]) for group in document["groups"]) > 150
    assert "NL" in document["groups"][0]["states"]
    text = call("law", "explain", file, "--state", "CH", "--everyone", *AT).out
    assert "DISCLOSE" in text
    assert "taken out nothing" in text
    assert ITEM["value"].replace("[.]", ".") not in text
    assert call("law", "explain", file, "--state", "CH", "--everyone", "--to", "DE").code == 2
