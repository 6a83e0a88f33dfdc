"""`sharing law compare` and `sharing law questions` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sharing.packs.library import get_pack_path, read_law_file
from tests.cli.conftest import Call
from tests.cli.test_explain import AT, ITEM, write_items

REMOVED = "ch.scc-349c"


@pytest.fixture
def amended(tmp_path: Path) -> Path:
    """Return the file of the Swiss pack without one prohibition."""
    before, _, after = read_law_file(get_pack_path("CH")).partition(f"  - id: {REMOVED}\n")
    assert after
    _, separator, rest = after.partition("  - id: ")
    path = tmp_path / "amended.yaml"
    path.write_text(before + separator + rest, encoding="utf-8")
    return path


def test_a_pack_compared_with_itself_opens_and_closes_nothing(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "ch.yaml"
    path.write_text(read_law_file(get_pack_path("CH")), encoding="utf-8")
    result = call("law", "compare", "CH", str(path), *AT, "--strict")
    assert result.code == 0, result
    assert "opens nothing that was closed" in result.out
    assert "closes nothing that was open" in result.out


def test_an_opening_is_shown_with_an_item_that_explain_accepts(call: Call, amended: Path, tmp_path: Path) -> None:
    result = call("law", "compare", "CH", str(amended), *AT, "--json")
    assert result.code == 0, result
    document = result.json_document
    assert document.keys() == {"opens", "closes", "complete"}
    assert document["complete"] is True
    opened = document["opens"][0]
    assert (opened["was"], opened["rules"]) == ("WITHHOLD", [REMOVED])
    file = tmp_path / "smallest.jsonl"
    file.write_text(json.dumps(opened["item"]) + "\n", encoding="utf-8")
    explained = call("law", "explain", str(file), "--state", "CH", "--to", opened["to"], *AT, "--json")
    assert explained.code == 0, explained


def test_strict_fails_on_an_opening_and_a_cut_search_says_so(call: Call, amended: Path) -> None:
    strict = call("law", "compare", "CH", str(amended), *AT, "--strict")
    assert strict.code == 1
    assert REMOVED in strict.out
    cut = call("law", "compare", "CH", str(amended), *AT, "--steps", "1", "--json")
    assert cut.code == 1
    assert cut.json_document["complete"] is False
    assert "--steps" in cut.err


def test_a_template_needs_a_state(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "eu.yaml"
    path.write_text(read_law_file(get_pack_path("EU")), encoding="utf-8")
    result = call("law", "compare", "EU", str(path))
    assert result.code == 2
    assert "--state" in result.err
    options = (*AT, "--steps", "1", "--json")
    adopted = call("law", "compare", "EU", str(path), "--state", "AT", *options)
    assert adopted.out
    monkeypatch.setenv("SHARING_STATE", "AT")
    assert call("law", "compare", "EU", str(path), *options) == adopted
    monkeypatch.setenv("SHARING_STATE", "CH")
    assert call("law", "compare", "EU", str(path), *options).code == 2, "which cannot adopt it"
    national = tmp_path / "de.yaml"
    national.write_text(read_law_file(get_pack_path("DE")), encoding="utf-8")
    assert call("law", "compare", "DE", str(national), *options).code in {0, 1}, "the packs name their State"


# --- Questions ---


def ask(call: Call, path: Path, *arguments: str) -> Any:
    result = call("law", "questions", "CH", str(path), *AT, "--json", *arguments)
    assert result.code == 0, result
    return result.json_document


def test_the_questions_about_an_item_are_those_that_it_leaves_open(call: Call) -> None:
    unanswered = {name: value for name, value in ITEM.items() if name != "live_case_harm"}
    questions = ask(call, write_items("item.jsonl", unanswered), "--to", "DE")
    assert [question["fact"] for question in questions] == ["live_case_harm"]
    assert questions[0].keys() >= {"fact", "question", "citation", "answers"}
    assert questions[0]["answers"]["YES"] == "WITHHOLD"
    assert questions[0]["answers"]["NO"] != "WITHHOLD"
    assert ask(call, write_items("item.jsonl", ITEM), "--to", "DE") == []


def test_without_a_file_the_law_asks_about_any_item(call: Call) -> None:
    result = call("law", "questions", "CH", "--to", "DE", *AT)
    assert result.code == 0, result
    assert "1. " in result.out
    assert "What kind of authority holds the item?" in result.out


def test_an_item_that_concerns_nobody_needs_a_recipient(call: Call) -> None:
    nobody = {**ITEM, "nexus": [], "type": "mutex", "value": "an-example"}
    Path("nobody.yaml").write_text("entries: []\n", encoding="utf-8")
    file = write_items("item.jsonl", nobody)
    result = call("law", "questions", "CH", str(file), *AT, "--directory", "nobody.yaml")
    assert result.code == 2
    assert "--to" in result.err
