"""`sharing law explain` under a template, and under the version that decided."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.packs.test_library import AMENDED, CASES, ITEM, TEMPLATE

AT = ("--state", "AT", "--at", "2026-03-01T12:00:00Z")


@pytest.fixture
def packs(clean: Path) -> Path:
    """A folder with a template, its cases, and an item beside it."""
    folder = clean / "packs"
    folder.mkdir()
    (folder / "eu.yaml").write_text(TEMPLATE)
    (folder / "eu.cases.yaml").write_text(CASES)
    (clean / "item.jsonl").write_text(json.dumps(ITEM) + "\n")
    return folder


def test_a_template_is_listed_shown_and_tested(call: Call, packs: Path) -> None:
    (row,) = call("law", "list", "--packs", packs, "--json").document
    assert (row["state"], row["version"], row["cases"]) == ("EU", "2026.1", 2)
    assert call("law", "show", "eu", "--packs", packs, "--json").document["state"] == "EU"
    assert call("law", "test", "EU", "--packs", packs).code == 0


def test_explain_under_a_template_is_asked_for_by_name(
    call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call("law", "explain", "item.jsonl", *AT, "--packs", packs, "--pack", "eu", "--json")
    assert (done.document["state"], done.document["pack"]["state"]) == ("AT", "EU")
    assert "under the law of Austria pack EU 2026.1" in call(
        "law", "explain", "item.jsonl", *AT, "--packs", packs, "--pack", "EU"
    ).out.replace("\n", " ")
    refused = call("law", "explain", "item.jsonl", *AT, "--packs", packs)
    assert (refused.code, refused.error) == (2, "there is no law pack for AT; there are EU")
    monkeypatch.setenv("SHARING_PACK", "eu")
    assert call("law", "explain", "item.jsonl", *AT, "--packs", packs, "--json").out == done.out
    refused = call("law", "explain", "item.jsonl", "--state", "CH", "--packs", packs)
    assert refused.code == 2
    assert "pack EU 2026.1 is for member States of the EU" in refused.error
    monkeypatch.setenv("SHARING_PACK", "EFTA")
    refused = call("settings")
    assert refused.code == 2
    assert refused.error.startswith("SHARING_PACK")


def test_dry_run_and_doctor_follow_the_setting(call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_PACKS", str(packs))
    publish = ("publish", "item.jsonl", "--state", "AT", "--agency", "A", "--dry-run", "--json")
    assert call(*publish).error == "there is no law pack for AT; there are EU"
    monkeypatch.setenv("SHARING_STATE", "AT")
    findings = {one["check"]: one for one in call("doctor", "--json").document}
    assert (findings["pack eu.yaml"]["ok"], findings["law"]["ok"]) == (True, False)
    monkeypatch.setenv("SHARING_PACK", "EU")
    assert call(*publish).code == 0
    law = next(one for one in call("doctor", "--json").document if one["check"] == "law")
    assert law["ok"]
    assert law["detail"].startswith("AT applies pack EU 2026.1, sha256 ")


def test_an_old_decision_is_replayed_with_the_same_bytes(call: Call, packs: Path) -> None:
    explain = ("law", "explain", "item.jsonl", *AT, "--packs", packs, "--pack", "EU", "--json")
    before = call(*explain)
    assert before.code == 0
    (packs / "archive").mkdir()
    (packs / "eu.yaml").rename(packs / "archive" / "once.yaml")
    (packs / "eu.yaml").write_text(AMENDED)
    after = call(*explain)
    assert after.out != before.out
    sha256 = before.document["pack"]["sha256"]
    assert call(*explain, "--hash", sha256).out == before.out
    assert call(*explain, "--hash", after.document["pack"]["sha256"]).out == after.out
    refused = call(*explain, "--hash", "0" * 64)
    assert refused.code == 2
    assert f"archive/once.yaml ({sha256[:16]})" in refused.error
