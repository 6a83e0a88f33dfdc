"""Two approvals of a pack, as `sharing law` shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.processors.gate.gate_fixtures import PACK, indicator_form

AT = ("--at", "2026-03-01T12:00:00Z")
EXCEPTION = """\
  - {id: ch.deny, citation: art. 9, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {collection: SEARCH}, effect: DENY,
     exception: {when: {minor: true}, approver: JUDGE, approvals: 2}}
"""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return two folders of packs: one whose approval takes one officer, and one whose approval takes two."""
    for name, approvals in (("one", ""), ("two", ", approvals: 2")):
        (tmp_path / name).mkdir()
        text = PACK.replace("needs: {approver: JUDGE}", f"needs: {{approver: JUDGE{approvals}}}") + EXCEPTION
        (tmp_path / name / "ch.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "one", tmp_path / "two"


@pytest.fixture
def item(tmp_path: Path) -> Path:
    form = indicator_form(1, collection="INTERCEPTION", nexus=[{"state": "FR", "reason": "r"}])
    path = tmp_path / "item.jsonl"
    path.write_text(json.dumps(form, default=str) + "\n", encoding="utf-8")
    return path


def read(text: str) -> str:
    return " ".join(text.split())


def test_explain_says_how_many_must_approve(call: Call, folders: tuple[Path, Path], item: Path) -> None:
    options = ("--state", "CH", *AT)
    one, two = (read(call("law", "explain", str(item), *options, "--packs", str(folder)).out) for folder in folders)
    assert "held for FR until JUDGE approves." in one
    assert "held for FR until two officers with the role JUDGE approve." in two
    everyone = [
        call("law", "explain", str(item), *options, "--everyone", "--packs", str(folder), "--json").json_lines[0]
        for folder in folders
    ]
    numbers = [
        {group["approvals"] for group in document["groups"] if group["approver"] == "JUDGE"} for document in everyone
    ]
    assert numbers == [{1}, {2}]
    text = read(call("law", "explain", str(item), *options, "--everyone", "--packs", str(folders[1])).out)
    assert "JUDGE, 2 officers" in text


def test_show_says_how_many_must_approve(call: Call, folders: tuple[Path, Path]) -> None:
    one, two = (read(call("law", "show", "CH", "--packs", str(folder)).out) for folder in folders)
    assert ("JUDGE, 2 officers" in one, "JUDGE, 2 officers" in two) == (False, True)
    assert "if that is unknown, JUDGE decides (2 officers)" in one
    rules = call("law", "show", "CH", "--packs", str(folders[1]), "--json").json_document["rules"]
    asked = {rule["id"]: (rule["approver"], rule["approvals"]) for rule in rules}
    assert (asked["ch.approval"], asked["ch.deny"], asked["ch.permit"]) == (("JUDGE", 2), ("JUDGE", 2), (None, None))


def test_compare_shows_one_officer_instead_of_two(call: Call, folders: tuple[Path, Path]) -> None:
    one, two = (str(folder / "ch.yaml") for folder in folders)
    opened = call("law", "compare", two, one, *AT)
    assert "opens: approvals of one officer instead of two (HOLD → HOLD)" in read(opened.out)
    assert "closes nothing that was open" in opened.out
    closed = call("law", "compare", one, two, *AT)
    assert "closes: approvals of two officers instead of one (HOLD → HOLD)" in read(closed.out)
    assert call("law", "compare", two, one, *AT, "--strict").code == 1


def test_a_wrong_number_is_one_sentence_with_its_place(call: Call, folders: tuple[Path, Path], item: Path) -> None:
    path = folders[1] / "ch.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("approvals: 2", "approvals: 3", 1), encoding="utf-8")
    result = call("law", "explain", str(item), "--state", "CH", "--packs", str(folders[1]), *AT)
    assert result.code != 0
    assert "rules.2.needs.approvals: must be 1 or 2: how many officers with this role must approve" in read(result.err)
    assert "Traceback" not in result.err
