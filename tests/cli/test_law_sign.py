"""`sharing law sign`, and how the other commands treat signatures."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from tests.cli.conftest import Call
from tests.packs.pack_fixtures import ITEM, KEY, OTHER, TEMPLATE, private_pem, public_pem

EXPLAIN = ("law", "explain", "item.jsonl", "--state", "AT", "--pack", "EU", "--at", "2026-03-01T12:00:00Z", "--json")


@pytest.fixture
def packs(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a template; an item and the keys of a law office are next to the folder."""
    folder = empty_folder / "packs"
    folder.mkdir()
    (folder / "eu.yaml").write_text(TEMPLATE)
    (empty_folder / "item.jsonl").write_text(json.dumps(ITEM) + "\n")
    (empty_folder / "private.pem").write_bytes(private_pem(KEY))
    (empty_folder / "public.pem").write_bytes(public_pem(KEY))
    monkeypatch.setenv("SHARING_PACKS", str(folder))
    monkeypatch.setenv("SHARING_PACK_KEY", "public.pem")
    return folder


def test_an_unsigned_pack_is_refused_until_it_is_signed(call: Call, packs: Path) -> None:
    refused = call(*EXPLAIN)
    assert refused.code == 2
    assert refused.error.startswith("eu.yaml: is not signed, but SHARING_PACK_KEY requires a signature (eu.yaml.sig)")
    (row,) = call("law", "list", "--json").json_document
    assert row["signed"] is False
    result = call("law", "sign", packs / "eu.yaml", "--key", "private.pem")
    assert result.code == 0
    assert row["sha256"] in result.out
    assert call(*EXPLAIN).code == 0
    (row,) = call("law", "list", "--json").json_document
    assert row["signed"] is True
    (packs / "eu.yaml").write_text(TEMPLATE.replace("form: INFORMATION, ", ""))
    refused = call(*EXPLAIN)
    assert refused.code == 2
    assert "changed after signing" in refused.error
    (row,) = call("law", "list", "--json").json_document
    assert row["signed"] is False


def test_dry_run_and_doctor_refuse_an_unsigned_pack(call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_STATE", "AT")
    monkeypatch.setenv("SHARING_PACK", "EU")
    publish = ("publish", "item.jsonl", "--state", "AT", "--agency", "A", "--dry-run", "--json")
    assert "is not signed" in call(*publish).error
    law = next(check for check in call("doctor", "--json").json_document if check["check"] == "law")
    assert (law["ok"], "is not signed" in law["detail"]) == (False, True)
    assert call("law", "sign", packs / "eu.yaml", "--key", "private.pem").code == 0
    assert call(*publish).code == 0
    law = next(check for check in call("doctor", "--json").json_document if check["check"] == "law")
    assert law["detail"].endswith("; signed")


def test_without_a_configured_key_signatures_are_not_checked(
    call: Call, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHARING_PACK_KEY")
    assert call(*EXPLAIN).code == 0
    (row,) = call("law", "list", "--json").json_document
    assert row["signed"] is None


def test_a_signature_of_another_key_is_refused(call: Call, packs: Path, empty_folder: Path) -> None:
    (empty_folder / "other.pem").write_bytes(private_pem(OTHER))
    assert call("law", "sign", packs / "eu.yaml", "--key", "other.pem").code == 0
    assert "or another key was used" in call(*EXPLAIN).error


def test_an_invalid_pack_is_not_signed(call: Call, packs: Path) -> None:
    (packs / "eu.yaml").write_text(TEMPLATE.replace("effect: PERMIT", "effect: ALLOW"))
    result = call("law", "sign", packs / "eu.yaml", "--key", "private.pem")
    assert result.code == 2
    assert "effect" in result.error
    assert sorted(path.name for path in packs.iterdir()) == ["eu.yaml"]


def test_the_key_is_never_printed(call: Call, packs: Path) -> None:
    result = call("law", "sign", packs / "eu.yaml", "--key", "public.pem")
    assert (result.code, result.error) == (2, "--key names public.pem, which is not an Ed25519 private key in PEM")
    result = call("law", "sign", packs / "eu.yaml", "--key", "none.pem")
    assert result.error == "--key names none.pem, which cannot be read: No such file or directory"
    result = call("law", "sign", packs / "eu.yaml", "--key", "private.pem")
    body = private_pem(KEY).decode().splitlines()[1]
    assert body not in result.out + result.err


def test_an_encrypted_key_needs_its_passphrase(
    call: Call, packs: Path, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_folder / "private.pem").write_bytes(private_pem(KEY, BestAvailableEncryption(b"open it")))
    sign = ("law", "sign", packs / "eu.yaml", "--key", "private.pem")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert "is encrypted; give --passphrase-file, or run this in a terminal" in call(*sign).error
    (empty_folder / "passphrase").write_text("wrong\n")
    assert (
        "not an Ed25519 private key in PEM that this passphrase opens"
        in call(*sign, "--passphrase-file", "passphrase").error
    )
    (empty_folder / "passphrase").write_text("\n")
    assert "whose first line is empty" in call(*sign, "--passphrase-file", "passphrase").error
    (empty_folder / "passphrase").write_text("open it\nnot this\n")
    assert call(*sign, "--passphrase-file", "passphrase").code == 0
    assert call(*EXPLAIN).code == 0
    (packs / "eu.yaml.sig").unlink()
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_, **options: "open it" if options["hide_input"] else "")
    result = call(*sign)
    assert result.code == 0
    assert "open it" not in result.out + result.err
    assert call(*EXPLAIN).code == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_keys_generated_by_openssl_work(call: Call, packs: Path, empty_folder: Path) -> None:
    for line in (
        "openssl genpkey -algorithm ed25519 -out private.pem",
        "openssl pkey -in private.pem -pubout -out public.pem",
    ):
        subprocess.run(line.split(), check=True, capture_output=True, timeout=240, cwd=empty_folder)
    assert "is not signed" in call(*EXPLAIN).error
    assert call("law", "sign", packs / "eu.yaml", "--key", "private.pem").code == 0
    assert call(*EXPLAIN).code == 0
