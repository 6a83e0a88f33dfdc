"""`sharing law` with a template, and `law explain --hash` with an archived version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.packs.pack_fixtures import AMENDED, CASES, ITEM, TEMPLATE

AT = ("--state", "AT", "--at", "2026-03-01T12:00:00Z")


@pytest.fixture
def packs(empty_folder: Path) -> Path:
    """A folder with a template and its cases; an item is next to the folder."""
    folder = empty_folder / "packs"
    folder.mkdir()
    (folder / "eu.yaml").write_text(TEMPLATE)
    (folder / "eu.cases.yaml").write_text(CASES)
    (empty_folder / "item.jsonl").write_text(json.dumps(ITEM) + "\n")
    return folder


def test_a_template_is_listed_shown_and_tested(call: Call, packs: Path) -> None:
    (row,) = call("law", "list", "--packs", packs, "--json").json_document
    assert (row["state"], row["version"], row["cases"]) == ("EU", "2026.1", 2)
    assert call("law", "show", "eu", "--packs", packs, "--json").json_document["state"] == "EU"
    assert call("law", "test", "EU", "--packs", packs).code == 0


def test_explain_uses_a_template_only_if_it_is_named(call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = call("law", "explain", "item.jsonl", *AT, "--packs", packs, "--pack", "eu", "--json")
    assert (result.json_document["state"], result.json_document["pack"]["state"]) == ("AT", "EU")
    assert "under the law of Austria pack EU 2026.1" in call(
        "law", "explain", "item.jsonl", *AT, "--packs", packs, "--pack", "EU"
    ).out.replace("\n", " ")
    refused = call("law", "explain", "item.jsonl", *AT, "--packs", packs)
    assert (refused.code, refused.error) == (2, "there is no law pack for AT; available packs: EU")
    monkeypatch.setenv("SHARING_PACK", "eu")
    assert call("law", "explain", "item.jsonl", *AT, "--packs", packs, "--json").out == result.out
    refused = call("law", "explain", "item.jsonl", "--state", "CH", "--packs", packs)
    assert refused.code == 2
    assert "pack EU 2026.1 is for member States of the EU" in refused.error
    monkeypatch.setenv("SHARING_PACK", "EFTA")
    refused = call("settings")
    assert refused.code == 2
    assert refused.error.startswith("SHARING_PACK")


def test_dry_run_and_doctor_use_the_configured_template(
    call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARING_PACKS", str(packs))
    publish = ("publish", "item.jsonl", "--state", "AT", "--agency", "A", "--dry-run", "--json")
    assert call(*publish).error == "there is no law pack for AT; available packs: EU"
    monkeypatch.setenv("SHARING_STATE", "AT")
    findings = {check["check"]: check for check in call("doctor", "--json").json_document}
    assert (findings["pack eu.yaml"]["ok"], findings["law"]["ok"]) == (True, False)
    monkeypatch.setenv("SHARING_PACK", "EU")
    assert call(*publish).code == 0
    law = next(check for check in call("doctor", "--json").json_document if check["check"] == "law")
    assert law["ok"]
    assert law["detail"].startswith("AT applies pack EU 2026.1, sha256 ")


def test_an_old_decision_is_reproduced_byte_for_byte(call: Call, packs: Path) -> None:
    explain = ("law", "explain", "item.jsonl", *AT, "--packs", packs, "--pack", "EU", "--json")
    before = call(*explain)
    assert before.code == 0
    (packs / "archive").mkdir()
    (packs / "eu.yaml").rename(packs / "archive" / "old.yaml")
    (packs / "eu.yaml").write_text(AMENDED)
    after = call(*explain)
    assert after.out != before.out
    sha256 = before.json_document["pack"]["sha256"]
    assert call(*explain, "--hash", sha256).out == before.out
    assert call(*explain, "--hash", after.json_document["pack"]["sha256"]).out == after.out
    refused = call(*explain, "--hash", "0" * 64)
    assert refused.code == 2
    assert f"archive/old.yaml ({sha256[:16]})" in refused.error
